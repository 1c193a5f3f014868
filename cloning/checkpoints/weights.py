"""Load weights from files strictly: a missing, unexpected or misshapen weight is an error that names it and the file.

Reads safetensors and torch files (`weights_only`, so no code in them runs). Handles both spellings of weight norm and
buffers that carry no information.
"""

import json
import pickle
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from cloning.checkpoints.libraries import transformers
from errors import ModelUnavailable

_WEIGHT_NORM = (
    ("weight_g", "parametrizations.weight.original0"),
    ("weight_v", "parametrizations.weight.original1"),
)
"""The two spellings of weight norm: torch.nn.utils.weight_norm, and torch.nn.utils.parametrizations.weight_norm."""

_NO_INFORMATION = (".attn.bias",)
"""Endings of buffers that are computed, not learned: Bark's causal mask."""

WEIGHT_FILES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
"""Possible names of the weights of a directory in the hub's layout, whole or in shards; the first one found is used."""

_READ_ERRORS = (
    OSError,
    EOFError,
    RuntimeError,
    ValueError,
    KeyError,
    pickle.UnpicklingError,
    SafetensorError,
    zipfile.BadZipFile,
)
"""The exceptions of torch and safetensors for a damaged or foreign file."""

_SHOWN_KEYS = 5

_Model = TypeVar("_Model", bound=transformers.PreTrainedModel)


def load_state(path: Path, prefix: str = "") -> dict[str, Tensor]:
    """Read a state dict from `.safetensors`, or from a torch file with any other ending; only names with `prefix`.

    Tensors stay on the CPU. Other parts of a large file are not read into memory.

    Raises Unavailable if the file is missing, damaged, holds anything but tensors, or would run code.
    """
    body = read_file(path, prefix)
    if not isinstance(body, Mapping) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in body.items()
    ):
        raise ModelUnavailable(f"The file {path} does not hold a model's weights; use the published file.")
    return {name: tensor for name, tensor in body.items() if name.startswith(prefix)}


def read_file(path: Path, prefix: str = "") -> Any:
    """Return the content of a weight file; of safetensors, the names with `prefix`.

    Torch's zip files are memory-mapped unless they are compressed: of these, torch (2.13) would use the compressed
    bytes as values. Raises Unavailable if the file is missing, damaged, or would run code.
    """
    if not path.is_file():
        raise ModelUnavailable(f"The model file {path} is missing; download the model again.")
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, framework="pt") as archive:
                return {name: archive.get_tensor(name) for name in archive.keys() if name.startswith(prefix)}  # noqa: SIM118  # no mapping
        mapped = zipfile.is_zipfile(path) and not _is_compressed(path)
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except _READ_ERRORS as error:
        raise ModelUnavailable(f"The model file {path} is damaged or not a model; download it again.") from error


def load_into(module: nn.Module, state: Mapping[str, Tensor], source: Path) -> None:
    """Copy `state` into `module`. Names and shapes must match exactly.

    Weight norm is accepted in either spelling. Raises Unavailable, with the names of the weights and `source`.
    """
    wanted = module.state_dict()
    given = _spelled_as(wanted, {name: tensor for name, tensor in state.items() if _is_learned(name)})
    wanted = {name: tensor for name, tensor in wanted.items() if _is_learned(name)}
    refuse_gaps(
        source,
        missing=wanted.keys() - given.keys(),
        unexpected=given.keys() - wanted.keys(),
        misshapen=[name for name in wanted.keys() & given.keys() if wanted[name].shape != given[name].shape],
    )
    module.load_state_dict(given, strict=False)  # strict except for the buffers without information, as checked above


def load_part(directory: Path, prefix: str) -> tuple[Path, dict[str, Tensor]]:
    """Return the file to name in errors, and the weights of one part of a checkpoint, with `prefix` removed.

    `directory` is in the hub's layout. Raises Unavailable if there is no weight file, or it is damaged.
    """
    path = weight_file(directory)
    part: dict[str, Tensor] = {}
    for file in files_of(path, prefix):
        part.update(load_state(file, prefix))
    return path, {name.removeprefix(prefix): tensor for name, tensor in part.items()}


def weight_file(directory: Path) -> Path:
    """Return the file of a directory in the hub's layout that holds or lists its weights. Raises Unavailable if none
    does."""
    for name in WEIGHT_FILES:
        if (directory / name).is_file():
            return directory / name
    raise ModelUnavailable(f"There are no model weights in {directory}; download the model again.")


def load_bark(directory: Path, dtype: torch.dtype, device: torch.device) -> transformers.BarkModel:
    """Load Bark from a directory in the hub's layout, ready to generate. Raises Unavailable if it is not complete."""
    bark = _load_pretrained(transformers.BarkModel, directory, dtype)
    try:
        nn.Module.to(bark, device)
    except torch.OutOfMemoryError as error:
        raise _too_large(directory) from error
    return bark


def load_hubert(directory: Path) -> transformers.HubertModel:
    """Load HuBERT in float32 on the CPU from a directory in the hub's layout. Raises Unavailable if incomplete."""
    return _load_pretrained(transformers.HubertModel, directory, torch.float32)


def refuse_gaps(source: Path, missing: Iterable[str], unexpected: Iterable[str], misshapen: Iterable[str] = ()) -> None:
    """Raise Unavailable, with the names of the weights and `source`, if any of the lists is not empty."""
    errors = [
        f"{word}: {_listed(names)}"
        for word, names in (("missing", missing), ("unexpected", unexpected), ("of another shape", misshapen))
        if names
    ]
    if errors:
        raise ModelUnavailable(
            f"The weights in {source} do not belong to this model ({'; '.join(errors)}); download the model again."
        )


def _load_pretrained(kind: type[_Model], directory: Path, dtype: torch.dtype) -> _Model:
    source = weight_file(directory)
    from_pretrained: Any = kind.from_pretrained  # its annotation lacks output_loading_info
    try:
        model, info = from_pretrained(
            **_weights_for_transformers(kind, directory, source),
            dtype=dtype,
            local_files_only=True,
            output_loading_info=True,
            weights_only=True,
            ignore_mismatched_sizes=True,  # reported below, in one sentence with the others
        )
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise _too_large(directory) from error
    except Exception as error:  # transformers raises errors of any type for a damaged configuration or file
        raise ModelUnavailable(
            f"The model file {source} or the configuration beside it is damaged or of another kind; download it again."
        ) from error
    refuse_gaps(
        source,
        missing=[name for name in info["missing_keys"] if _is_learned(name)],
        unexpected=[name for name in info["unexpected_keys"] if _is_learned(name)],
        misshapen=[entry[0] for entry in info["mismatched_keys"]],
    )
    loaded: _Model = model.eval()
    return loaded


def _weights_for_transformers(kind: type[_Model], directory: Path, source: Path) -> dict[str, Any]:
    """Return the arguments of `from_pretrained`: the directory, or weights loaded here if a file is compressed."""
    files = files_of(source)
    if not any(_is_compressed(file) for file in files):
        return {"pretrained_model_name_or_path": directory}
    config_class: Any = kind.config_class
    read: dict[str, Any] = {
        "pretrained_model_name_or_path": None,
        "config": config_class.from_pretrained(directory, local_files_only=True),
        "state_dict": {name: tensor for file in files for name, tensor in load_state(file).items()},
    }
    if (directory / "generation_config.json").is_file():
        read["generation_config"] = transformers.GenerationConfig.from_pretrained(directory, local_files_only=True)
    return read


def _is_compressed(path: Path) -> bool:
    """Return whether a torch file was repacked with compression."""
    if path.suffix == ".safetensors" or not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist())


def _too_large(directory: Path) -> ModelUnavailable:
    return ModelUnavailable(
        f"There is not enough memory for the model in {directory}; choose a smaller one, DTYPE=bfloat16 or DEVICE=cpu."
    )


def files_of(weights: Path, prefix: str = "") -> list[Path]:
    """Return `weights` itself, or the files that an index lists for weights with `prefix`."""
    return _shards(weights, prefix) if weights.name.endswith(".index.json") else [weights]


def _shards(index: Path, prefix: str) -> list[Path]:
    """Return the files that an index names for weights with `prefix`, all in its directory."""
    try:
        listed: dict[str, str] = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        names = {file for name, file in listed.items() if name.startswith(prefix)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelUnavailable(f"The model file {index} is damaged; download the model again.") from error
    return [index.parent / Path(name).name for name in sorted(names)]


def _is_learned(name: str) -> bool:
    return not name.endswith(_NO_INFORMATION)


def _spelled_as(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return `given` with weight norm in the spelling that `wanted` uses."""
    return {name if name in wanted else _other_spelling(name): tensor for name, tensor in given.items()}


def _other_spelling(name: str) -> str:
    for old, new in _WEIGHT_NORM:
        if name.endswith(old):
            return name.removesuffix(old) + new
        if name.endswith(new):
            return name.removesuffix(new) + old
    return name


def _listed(names: Iterable[str]) -> str:
    ordered = sorted(names)
    more = f" and {len(ordered) - _SHOWN_KEYS} more" if len(ordered) > _SHOWN_KEYS else ""
    return ", ".join(ordered[:_SHOWN_KEYS]) + more
