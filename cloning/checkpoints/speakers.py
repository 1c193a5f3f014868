"""The speakers that come with a Bark checkpoint: prompts of three `.npy` files each, listed in one JSON file.

Reads the hub's layout (`speaker_embeddings_path.json`). Does not import torch.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from cloning.prompt import PromptSpec, Tokens, VoicePrompt
from errors import InvalidInput, ModelUnavailable, NotFound

ANY_SPEAKER = ""
"""The name that stands for the checkpoint's first speaker, for callers that do not know the names yet."""

_LIST = "speaker_embeddings_path.json"
_NAMES_SHOWN = 12
_PARTS = ("semantic_prompt", "coarse_prompt", "fine_prompt")


class Speakers:
    """The built-in speakers of one checkpoint directory; none if it has no list of them."""

    def __init__(self, directory: Path, spec: PromptSpec) -> None:
        self._spec = spec
        self._files = _listed(directory.resolve())

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the speakers whose files exist, such as `v2/en_speaker_6`."""
        return tuple(sorted(self._files))

    def load(self, name: str) -> VoicePrompt:
        """Load one speaker's prompt; ANY_SPEAKER: the first one's.

        Raises NotFound for an unknown name or a model without speakers, Unavailable for damaged files.
        """
        name = self.find(name)
        prompt = VoicePrompt(*(_tokens(path) for path in self._files[name]))
        try:
            prompt.validate(self._spec)
        except InvalidInput as error:
            raise ModelUnavailable(
                f"The files of the speaker {name} do not fit this model; download it again."
            ) from error
        return prompt

    def find(self, name: str) -> str:
        """Return the name of the speaker that `name` stands for: itself, or the first one for ANY_SPEAKER.

        Raises NotFound for an unknown name or a model without speakers.
        """
        if name == ANY_SPEAKER and not self._files:
            raise NotFound("This model has no speakers of its own. Clone a voice first, or choose one.")
        found = self.names[0] if name == ANY_SPEAKER else name
        if found not in self._files:
            raise NotFound(f"This model has no speaker called {name!r}. It has {self._some_names()}.")
        return found

    def _some_names(self) -> str:
        more = len(self.names) - _NAMES_SHOWN
        shown = ", ".join(self.names[:_NAMES_SHOWN]) or "none"
        return f"{shown} and {more} more" if more > 0 else shown


def _listed(directory: Path) -> dict[str, tuple[Path, ...]]:
    path = directory / _LIST
    if not path.is_file():
        return {}
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelUnavailable(f"The list of speakers {path} cannot be read; download the model again.") from error
    if not isinstance(entries, dict):
        raise ModelUnavailable(f"The file {path} is not a list of speakers; download the model again.")
    found = {name: _paths(directory, entry) for name, entry in entries.items() if isinstance(entry, dict)}
    return {name: paths for name, paths in found.items() if paths}


def _paths(directory: Path, entry: Mapping[str, object]) -> tuple[Path, ...]:
    """Return the three files of a speaker, or () if one is missing or outside the directory."""
    # Not resolved: in the hub's cache the files are links to a folder beside the directory.
    names = [entry.get(part) for part in _PARTS]
    paths = tuple(directory / name for name in names if isinstance(name, str) and ".." not in Path(name).parts)
    complete = len(paths) == len(_PARTS) and all(path.is_relative_to(directory) and path.is_file() for path in paths)
    return paths if complete else ()


def _tokens(path: Path) -> Tokens:
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ModelUnavailable(f"The speaker file {path} is damaged; download the model again.") from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "iu":
        raise ModelUnavailable(f"The speaker file {path} holds no tokens; download the model again.")
    return array.astype(np.int64)
