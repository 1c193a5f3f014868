"""Convert Suno's own checkpoints (text, coarse and fine `.pt` files) once to the hub's layout.

A directory needs `text_2.pt` or `text.pt`, `coarse_2.pt` or `coarse.pt`, `fine_2.pt` or `fine.pt` (large preferred to
small, in any mix), EnCodec's `encodec_24khz-*.th`, and the files of the text tokenizer.
"""

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from cloning.checkpoints.weights import load_state, read_file, refuse_gaps
from errors import ModelUnavailable

_STAGES = {
    "semantic": ("text_2.pt", "text.pt"),
    "coarse_acoustics": ("coarse_2.pt", "coarse.pt"),
    "fine_acoustics": ("fine_2.pt", "fine.pt"),
}
_CODEC = "encodec_24khz*.th"
_TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt")

_ARGUMENTS = {
    "block_size": "block_size",
    "input_vocab_size": "input_vocab_size",
    "output_vocab_size": "output_vocab_size",
    "n_layer": "num_layers",
    "n_head": "num_heads",
    "n_embd": "hidden_size",
    "bias": "bias",
    "n_codes_total": "n_codes_total",
    "n_codes_given": "n_codes_given",
}
"""Suno's `model_args` -> transformers' configuration. The oldest files have one `vocab_size` for input and output."""

_NAMES = (
    (r"^_orig_mod\.", ""),
    (r"^transformer\.", ""),
    (r"^h\.", "layers."),
    (r"\.ln_([12])\.", r".layernorm_\1."),
    (r"^ln_f\.", "layernorm_final."),
    (r"\.c_attn\.", ".att_proj."),
    (r"\.c_proj\.", ".out_proj."),
    (r"\.c_fc\.", ".in_proj."),
    (r"^wpe\.", "position_embeds_layer."),
    (r"^wte\.", "input_embeds_layer."),
    (r"^wtes\.", "input_embeds_layers."),
)
"""Suno's names -> transformers', applied in order (facts of transformers' conversion script)."""

_CODEC_NAMES = (
    (r"^quantizer\.vq\.layers\.(\d+)\._codebook\.", r"quantizer.layers.\1.codebook."),
    (r"^(encoder|decoder)\.model\.", r"\1.layers."),
    (r"\.(conv\.conv|convtr\.convtr)\.", ".conv."),
)

_GENERATION = {
    "sample_rate": 24_000,
    "codebook_size": 1_024,
    "semantic_config": {"do_sample": True, "temperature": 0.7, "pad_token_id": 10_000, "eos_token_id": 10_000},
    "coarse_acoustics_config": {"do_sample": True, "temperature": 0.7},
    "fine_acoustics_config": {"temperature": 0.5},
}
"""Suno's temperatures; the rest is transformers' defaults, which match Bark."""

_scalar: Any = np.float64(0).__reduce__()[0]
_SAFE: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
    np.dtype,
    type(np.dtype(np.float32)),
    type(np.dtype(np.float64)),
    (_scalar, "numpy.core.multiarray.scalar"),
    (_scalar, "numpy._core.multiarray.scalar"),
]
"""The types that the pickled NumPy scalar `best_val_loss` needs; torch refuses it otherwise."""


def is_layout(directory: Path) -> bool:
    """Return whether a directory holds Suno's checkpoints rather than the hub's layout."""
    names = {path.name for path in directory.iterdir()}
    return "config.json" not in names and any(names.intersection(files) for files in _STAGES.values())


def converted(directory: Path, cache: Path) -> Path:
    """Return the same model in the hub's layout, below `cache`; converted on the first call and after changes.

    Raises Unavailable if a file is missing, damaged, or of another kind.
    """
    sources = [*(_first(directory, names) for names in _STAGES.values()), _codec_file(directory)]
    tokenizer = [directory / name for name in _TOKENIZER if (directory / name).is_file()]
    if not {"tokenizer.json", "vocab.txt"} & {path.name for path in tokenizer}:
        raise ModelUnavailable(
            f"There is no tokenizer in {directory}; put the vocab.txt of bert-base-multilingual-cased beside the model."
        )
    target = cache / "converted" / _key([*sources, *tokenizer])
    if not target.is_dir():
        _convert(sources, tokenizer, target)
    return target


def stage_weights(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights of one of Suno's three models under transformers' names, without masks."""
    return {_renamed(name, _NAMES): tensor for name, tensor in state.items() if not name.endswith(".attn.bias")}


def stage_config(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the transformers configuration of one of Suno's models."""
    both = arguments.get("vocab_size")
    arguments = {"input_vocab_size": both, "output_vocab_size": both, **arguments}
    return {new: arguments[old] for old, new in _ARGUMENTS.items() if arguments.get(old) is not None}


def codec_weights(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename EnCodec's weights from the encodec package's names to transformers' names."""
    return {_renamed(name, _CODEC_NAMES): tensor for name, tensor in state.items()}


def _convert(sources: list[Path], tokenizer: list[Path], target: Path) -> None:
    """Write the hub's files beside `target` and move them there, so that no process sees a partial model."""
    config: dict[str, Any] = {"model_type": "bark", "codec_config": {"model_type": "encodec"}}
    weights = {f"codec_model.{name}": tensor for name, tensor in codec_weights(load_state(sources[-1])).items()}
    for stage, source in zip(_STAGES, sources[:-1], strict=True):
        arguments, state = _read_stage(source)
        config[f"{stage}_config"] = stage_config(arguments)
        weights.update({f"{stage}.{name}": tensor for name, tensor in _untied(stage_weights(state), source).items()})
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            model = Path(folder) / "model"
            model.mkdir()
            (model / "config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
            (model / "generation_config.json").write_text(json.dumps(_GENERATION, indent=2), encoding="utf-8")
            for path in tokenizer:
                shutil.copyfile(path, model / path.name)
            own = {name: tensor.contiguous() for name, tensor in weights.items()}
            save_file(own, model / "model.safetensors", metadata={"format": "pt"})
            model.rename(target)
    except OSError as error:
        if target.is_dir():  # another process was faster
            return
        raise ModelUnavailable(
            f"The model could not be converted into {target.parent}; check the free disk space and try again."
        ) from error


def _read_stage(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    with torch.serialization.safe_globals(_SAFE):
        body = read_file(path)
    try:
        return dict(body["model_args"]), dict(body["model"])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelUnavailable(f"The file {path} is not one of Suno's Bark checkpoints; download it again.") from error


def _untied(weights: dict[str, Tensor], source: Path) -> dict[str, Tensor]:
    """Remove the fine heads: head i equals embedding i + 1. Raises Unavailable if one differs."""
    heads = {name: tensor for name, tensor in weights.items() if name.startswith("lm_heads.")}
    different = []
    for name, head in heads.items():
        embedding = weights.get(f"input_embeds_layers.{int(name.split('.')[1]) + 1}.weight")
        if embedding is None or not torch.equal(head, embedding):
            different.append(name)
    refuse_gaps(source, missing=[], unexpected=different)
    return {name: tensor for name, tensor in weights.items() if name not in heads}


def _renamed(name: str, rules: tuple[tuple[str, str], ...]) -> str:
    for pattern, replacement in rules:
        name = re.sub(pattern, replacement, name)
    return name


def _first(directory: Path, names: tuple[str, ...]) -> Path:
    for name in names:
        if (directory / name).is_file():
            return directory / name
    raise ModelUnavailable(f"The model file {directory / names[-1]} is missing; download it from suno/bark.")


def _codec_file(directory: Path) -> Path:
    found = sorted(directory.glob(_CODEC))
    if not found:
        raise ModelUnavailable(f"There is no {_CODEC} in {directory}; download EnCodec's 24 kHz checkpoint.")
    return found[0]


def _key(files: list[Path]) -> str:
    """Return a name that changes with any of the files."""
    facts = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
