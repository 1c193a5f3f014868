"""Find or download the files of a choice of models. Other modules load them.

A model is the bundled one, one of Suno's by name, or a directory: in the hub's layout, with Suno's own checkpoints, or
laid out like `models/bundled` (bark/, hubert/ and a quantizer.pth that match).
"""

from dataclasses import dataclass
from pathlib import Path

import torch

from cloning.checkpoints import suno
from cloning.checkpoints.downloads import fetch_file, fetch_repository
from cloning.checkpoints.published import (
    BARK,
    BUNDLED,
    BUNDLED_DIRECTORY,
    DEFAULT_QUANTIZER,
    HUBERT,
    QUANTIZER_OF_LANGUAGE,
    QUANTIZERS,
    Repository,
)
from cloning.checkpoints.weights import weight_file
from errors import ModelUnavailable

MODEL_NAMES = (BUNDLED, *BARK)
"""The models that can be chosen by name."""

AUTO, EXACT, FAST = "auto", "exact", "fast"
PRESETS = (AUTO, EXACT, FAST)
"""The windows of the coarse and the fine model (`cloning.bark.config.Windows`)."""

_BARK, _HUBERT, _QUANTIZER, _CODEBOOK = "bark", "hubert", "quantizer.pth", "codebook.safetensors"
_UNPINNED_HUBERT_FILES = ("config.json", "model.safetensors", "pytorch_model.bin")


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """The owner's choice; the fields are those of `settings.Settings`."""

    model: str = BUNDLED
    hubert: str | None = None
    """A hub id (`owner/name`, optionally `@revision`) or a directory; None: the model's own."""
    quantizer: str | None = None
    """A file, or the name of a published one; None: the model's own, or the published one for the language."""
    device: str = "auto"
    dtype: str = "float32"
    batch: int = 8
    """The number of windows of speech that are generated at once."""
    preset: str = AUTO
    cache: Path = Path(".cache/models")
    offline: bool = False
    codebook: str | None = None
    """A file, for the method codebook; None: the model's own."""


def resolve_bark(choice: ModelChoice) -> Path:
    """Return the directory of the Bark checkpoint, in the hub's layout. Downloads or converts it on the first call.

    Raises Unavailable if the model is unknown, missing or damaged.
    """
    family = _family(choice)
    if family is not None:
        return _complete(family / _BARK)
    if choice.model in BARK:
        return fetch_repository(BARK[choice.model], choice.cache, choice.offline)
    directory = Path(choice.model).expanduser()
    if not directory.is_dir():
        raise ModelUnavailable(
            f"There is no model {choice.model}. Choose {', '.join(MODEL_NAMES)} or an existing directory."
        )
    if suno.is_layout(directory):
        return suno.converted(directory, choice.cache)
    return _complete(directory)


def resolve_hubert(choice: ModelChoice) -> Path:
    """Return the directory of the HuBERT checkpoint, in the hub's layout. Raises Unavailable if it is missing or
    damaged."""
    if choice.hubert is None:
        family = _family(choice)
        if family is not None:
            return _complete(family / _HUBERT)
    name = choice.hubert or HUBERT.name
    directory = Path(name).expanduser()
    if directory.is_dir():
        return _complete(directory)
    if name == HUBERT.name:
        return fetch_repository(HUBERT, choice.cache, choice.offline)
    repository, _, revision = name.partition("@")
    if repository.count("/") != 1 or repository.startswith(("/", ".", "~")):
        raise ModelUnavailable(
            f"There is no HuBERT {name}. Give an existing directory or a hub id such as {HUBERT.name}."
        )
    other = Repository(repository, revision or "main", _UNPINNED_HUBERT_FILES, ("config.json",))
    return _complete(fetch_repository(other, choice.cache, choice.offline))


def resolve_quantizer(choice: ModelChoice, language: str) -> Path:
    """Return the quantizer's file for speech in `language` (`en`, `de`, ...). Raises Unavailable if missing or damaged.

    A model's own quantizer needs its own HuBERT: with another HuBERT, a published one is used.
    """
    if choice.quantizer is None:
        family = _family(choice)
        if family is not None and choice.hubert is None:
            return _existing(family / _QUANTIZER)
    name = choice.quantizer or QUANTIZER_OF_LANGUAGE.get(language, DEFAULT_QUANTIZER)
    published = QUANTIZERS.get(name.removesuffix(".pth"))
    if published is not None and not Path(name).is_file():
        return fetch_file(published, choice.cache, choice.offline)
    path = Path(name).expanduser()
    if not path.is_file():
        raise ModelUnavailable(
            f"There is no quantizer {name}. Give an existing file or one of {', '.join(QUANTIZERS)}."
        )
    return path


def resolve_codebook(choice: ModelChoice) -> Path:
    """Return the codebook's file. Raises Unavailable if it is missing, or if none was chosen and the model has none."""
    if choice.codebook is not None:
        return _existing(Path(choice.codebook).expanduser())
    family = _family(choice)
    if family is None or choice.hubert is not None or not (family / _CODEBOOK).is_file():
        raise ModelUnavailable(
            "This model has no codebook. Make one with `python -m training codebook`, and name it with --codebook."
        )
    return family / _CODEBOOK


def pick_device(name: str) -> torch.device:
    """Return the device for `auto`, `cpu`, `cuda`, `cuda:N` or `mps`. Raises Unavailable if the machine lacks it.

    `auto` chooses the first CUDA device, else Apple's GPU, else the CPU.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    kind, _, index = name.partition(":")
    present = {
        "cpu": not index,
        "mps": not index and torch.backends.mps.is_available(),
        "cuda": torch.cuda.is_available()
        and (not index or (index.isdecimal() and int(index) < torch.cuda.device_count())),
    }
    if kind not in present or name.endswith(":"):
        raise ModelUnavailable(f"The device {name} is not supported. Choose auto, cpu, cuda, cuda:N or mps.")
    if not present[kind]:
        raise ModelUnavailable(f"This machine, or its build of torch, has no device {name}. Choose auto or cpu.")
    return torch.device(name)


def _family(choice: ModelChoice) -> Path | None:
    """Return the directory that holds the model together with its HuBERT and quantizer, or None."""
    if choice.model == BUNDLED:
        return BUNDLED_DIRECTORY
    directory = Path(choice.model).expanduser()
    return directory if choice.model not in BARK and (directory / _BARK).is_dir() else None


def _complete(directory: Path) -> Path:
    """Return `directory`, which must hold a configuration and weights in the hub's layout."""
    _existing(directory / "config.json")
    weight_file(directory)
    return directory


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise ModelUnavailable(f"The model file {path} is missing; put it there or choose another model.")
    return path
