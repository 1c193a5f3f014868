"""Store the settings of a folder, so that continuing it with other settings is an error."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cloning.atomic_files import make_folder, write_atomically
from errors import Conflict, InvalidInput


def keep_settings(path: Path, settings: Mapping[str, Any]) -> None:
    """Write `settings` (JSON values) to `path`, or compare them with the existing ones.

    Raises Conflict, which names the differences, InvalidInput if the file is damaged, Unavailable if it cannot be
    written.
    """
    wanted = json.loads(json.dumps(settings))
    if not path.is_file():
        make_folder(path.parent)
        write_atomically(path, json.dumps(wanted, indent=1, ensure_ascii=False).encode())
        return
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput(f"The settings in {path} are damaged; start again in another folder.") from error
    if not isinstance(kept, dict):
        raise InvalidInput(f"The settings in {path} are damaged; start again in another folder.")
    differing = sorted(name for name in wanted.keys() | kept.keys() if wanted.get(name) != kept.get(name))
    if differing:
        told = ", ".join(f"{name} was {kept.get(name)}, now {wanted.get(name)}" for name in differing)
        raise Conflict(f"{path.parent} has other settings ({told}). Give the same ones, or another --out.")
