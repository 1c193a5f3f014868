"""The messages between a relay process and a speech node, and the files in them. Does not import Ray.

A request is sent as its line of JSON and the bytes of its input files, an event as its line and those of its results.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from cloning.worker import protocol
from cloning.worker.protocol import (
    CLIP_FILE,
    PROMPT_FILE,
    SPEECH_FILE,
    Cloned,
    Event,
    PartSpoken,
    Query,
    Request,
    Spoken,
    part_file,
)
from errors import InvalidInput

SILENT_SECONDS = 15.0
"""The seconds after which a node that does not answer, or a relay that does not call, counts as lost."""
POLL_SECONDS = 2.0
"""The seconds that a node waits for news before it answers without any."""

_OUTPUT = "output_dir"
_PROMPT = "prompt"


@dataclass(frozen=True, slots=True)
class Arrangement:
    """How a node runs its speech worker: the argument of `jobs.load`, and those of SubprocessExecutor."""

    configuration: dict[str, object]
    capacity: int
    job_timeout: float


@dataclass(frozen=True, slots=True)
class Parcel:
    """A request in transit. `files`: field -> bytes; the prompt may be left out. `prompt`: the digest of the prompt."""

    job_id: str
    line: str
    files: dict[str, bytes]
    prompt: str | None = None


@dataclass(frozen=True, slots=True)
class News:
    """The new events and the state of a node.

    events: (number, line, files) of each event, in order. ready: the line of the worker's Ready, or None. error: why
    the worker cannot start. others: the number of jobs that it runs for other bot processes.
    """

    events: tuple[tuple[int, str, dict[str, bytes]], ...]
    ready: str | None
    error: str | None
    restarts: int
    draining: bool
    others: int


def protocol_digest() -> str:
    """Return a digest of the files that must be equal on both sides, and of all fields of the protocol's messages."""
    here = Path(__file__)
    sources = (here, here.with_name("node.py"), here.with_name("session.py"), Path(protocol.__file__))
    shapes: TypeAdapter[Any] = TypeAdapter(protocol.Message)  # messages hold reports, which other files define
    schema = json.dumps(shapes.json_schema(), sort_keys=True)
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources) + schema.encode()).hexdigest()[:16]


def packed(request: Request | Query) -> Parcel:
    """Read the files of a request into a parcel. Raises OSError."""
    paths = {field.name: getattr(request, field.name) for field in fields(request) if field.name != _OUTPUT}
    files = {name: path.read_bytes() for name, path in paths.items() if isinstance(path, Path)}
    prompt = hashlib.sha256(files[_PROMPT]).hexdigest() if _PROMPT in files else None
    return Parcel(request.job_id, protocol.encode(request), files, prompt)


def without_prompt(parcel: Parcel) -> Parcel:
    """Return the parcel for a node that has the prompt."""
    return replace(parcel, files={name: data for name, data in parcel.files.items() if name != _PROMPT})


def prompt_of(parcel: Parcel) -> bytes | None:
    """Return the prompt, if the parcel holds it."""
    return parcel.files.get(_PROMPT)


def with_prompt(parcel: Parcel, prompt: bytes) -> Parcel:
    """Return the parcel with its prompt."""
    return replace(parcel, files={**parcel.files, _PROMPT: prompt})


def unpacked(parcel: Parcel, folder: Path, job_id: str) -> Request | Query:
    """Write the files of a request into the new `folder`, and return the request with their paths and `job_id`.

    Raises InvalidInput if the line is not a request, and OSError.
    """
    request = protocol.decode(parcel.line)
    if not isinstance(request, Request | Query):
        raise InvalidInput("The bot sent a message that is not a request.")
    folder.mkdir()
    changes: dict[str, object] = {"job_id": job_id}
    for name, data in parcel.files.items():
        path = folder / f"{name}{Path(getattr(request, name)).suffix}"
        path.write_bytes(data)
        changes[name] = path
    if hasattr(request, _OUTPUT):
        changes[_OUTPUT] = folder
    return replace(request, **changes)  # type: ignore[arg-type]  # each kind gets its own fields


def made_files(event: Event, folder: Path) -> dict[str, bytes]:
    """Read the result files of an event: name -> bytes."""
    match event:
        case PartSpoken():
            names = [part_file(event.number)]
        case Spoken():
            names = [SPEECH_FILE, PROMPT_FILE]
        case Cloned():
            names = [PROMPT_FILE, CLIP_FILE]
        case _:
            names = []
    return {name: (folder / name).read_bytes() for name in names if (folder / name).is_file()}


def write_files(files: Mapping[str, bytes], folder: Path) -> None:
    """Write the result files of a node. Raises OSError."""
    for name, data in files.items():
        (folder / Path(name).name).write_bytes(data)
