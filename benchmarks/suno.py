"""Speak the benchmark's lines with Suno's own code, from a clone of `suno-ai/bark`."""

import importlib
import re
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from time import perf_counter
from types import ModuleType
from typing import Any

import numpy.typing as npt
import torch

from benchmarks.rows import SPEC, STAGES, TEXT_TOKENS, BenchmarkLine, LineResults


class Suno:
    """`bark.generation` with its key/value cache on and the weights of transformers' `model`, in float32."""

    def __init__(self, model: Any, repository: Path) -> None:
        self._codec = model.codec_model
        self._module = _suno_module(repository)
        parts = {"text": "semantic", "coarse": "coarse_acoustics", "fine": "fine_acoustics"}
        for name, ours in parts.items():
            part = self._gpt(getattr(model, ours), fine=name == "fine")
            self._module.models[name] = {"model": part, "tokenizer": None} if name == "text" else part
        setattr(self._module, "_tokenize", lambda tokenizer, text: list(range(1000, 1000 + TEXT_TOKENS)))  # noqa: B010  # a module's names are not checked

    @property
    def models(self) -> dict[str, Any]:
        """The coarse and the fine model, and the text model with its tokenizer."""
        models: dict[str, Any] = self._module.models
        return models

    def speak(self, lines: Sequence[BenchmarkLine]) -> LineResults:
        """Speak the lines one after the other: there are no batches."""
        results = LineResults()
        for line in lines:
            self._say(line, results)
        return results

    def _say(self, line: BenchmarkLine, results: LineResults) -> None:
        torch.manual_seed(line.seed)
        voice = line.voice and {f"{name}_prompt": getattr(line.voice, name) for name in ("semantic", "coarse", "fine")}
        marks = [perf_counter()]
        semantic = self._module.generate_text_semantic(
            "text",
            voice,
            min_eos_p=None,
            allow_early_stop=False,
            max_gen_duration_s=(line.semantic_tokens - 0.5) / SPEC.semantic_rate,
            use_kv_caching=True,
            silent=True,
        )
        marks.append(perf_counter())
        coarse = self._module.generate_coarse(semantic, voice, use_kv_caching=True, silent=True)
        marks.append(perf_counter())
        fine = self._module.generate_fine(coarse, voice, silent=True)
        marks.append(perf_counter())
        samples = self._decoded(torch.from_numpy(fine).long())
        marks.append(perf_counter())
        spent = {name: end - start for name, start, end in zip(STAGES, marks, marks[1:], strict=False)}
        results.add(spent, marks[-1] - marks[0], samples)

    @torch.inference_mode()
    def _decoded(self, codes: torch.Tensor) -> npt.NDArray[Any]:
        """Decode codes (books, T) to samples (N,), as Suno's `codec_decode` does."""
        codes = codes.to(next(self._codec.parameters()).device)
        samples: torch.Tensor = self._codec.decoder(self._codec.quantizer.decode(codes[:, None]))
        return samples[0, 0].cpu().numpy()

    def _gpt(self, part: Any, *, fine: bool) -> torch.nn.Module:
        """Return Suno's module with the weights of transformers' module, in shared memory."""
        module, config = (sys.modules["bark.model_fine" if fine else "bark.model"]), part.config
        size = {
            "block_size": config.block_size,
            "input_vocab_size": config.input_vocab_size,
            "output_vocab_size": config.output_vocab_size,
            "n_layer": config.num_layers,
            "n_head": config.num_heads,
            "n_embd": config.hidden_size,
            "bias": config.bias,
        }
        made: torch.nn.Module = (
            module.FineGPT(module.FineGPTConfig(**size)) if fine else module.GPT(module.GPTConfig(**size))
        )
        wanted = made.state_dict()
        given = {_suno_name(name): tensor for name, tensor in part.state_dict().items()}
        made.load_state_dict({name: given.get(name, tensor) for name, tensor in wanted.items()}, assign=True)
        return made.to(part.device).eval()


_SUNO_NAMES = (
    (r"^lm_head", r"lm_head"),
    (r"^(layers|layernorm_final|position_embeds|input_embeds)", r"transformer.\1"),
    (r"layers\.", "h."),
    (r"layernorm_final", "ln_f"),
    (r"layernorm_([12])", r"ln_\1"),
    (r"att_proj", "c_attn"),
    (r"out_proj", "c_proj"),
    (r"in_proj", "c_fc"),
    (r"position_embeds_layer", "wpe"),
    (r"input_embeds_layers\.", "wtes."),
    (r"input_embeds_layer\.", "wte."),
)


def _suno_name(name: str) -> str:
    if name.startswith("input_embeds_layers."):
        return name.replace("input_embeds_layers.", "transformer.wtes.")
    for pattern, replacement in _SUNO_NAMES:
        name = re.sub(pattern, replacement, name)
    return name


def _suno_module(repository: Path) -> ModuleType:
    """Import `bark.generation` without funcy: the one function that it uses is replaced by functools.partial."""
    sys.path.insert(0, str(repository))
    funcy: Any = ModuleType("funcy")
    funcy.partial = partial
    sys.modules.setdefault("funcy", funcy)
    importlib.import_module("bark.model_fine")
    return importlib.import_module("bark.generation")
