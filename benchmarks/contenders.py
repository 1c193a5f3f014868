"""Those who speak in the benchmark, each with the same weights: this engine, transformers' BarkModel, Suno's own code.

All generate without an end of their own, so that every line is exactly as long as the task says.
"""

import importlib
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from types import ModuleType
from typing import Any, Protocol

import numpy as np
import torch

from benchmarks.checkpoints import cast
from cloning.bark.bark import BarkEngine
from cloning.bark.config import BarkSpec
from cloning.bark.engine import GenerationOptions, Samples, Utterance
from cloning.prompt import Tokens, VoicePrompt
from cloning.watch import Watch

TEXT_TOKENS = 40
"""How long every text is; the models read it padded anyway."""
SPEC = BarkSpec.from_configs({}, {})


@dataclass(frozen=True)
class Line:
    """Something to say: in which voice, how many semantic tokens long, with which seed."""

    voice: VoicePrompt
    semantic_tokens: int
    seed: int


@dataclass
class Told:
    """What came of some lines: samples of each, seconds until the first was done, and seconds of each stage."""

    samples: list[Samples]
    first: float
    stages: dict[str, float]


class Contender(Protocol):
    """Somebody who can speak lines."""

    def speak(self, lines: Sequence[Line]) -> Told:
        """All of them, as quickly as may be."""


class Tokens40:
    """A tokenizer for which every text is as long."""

    def __call__(self, text: str, add_special_tokens: bool) -> dict[str, list[int]]:
        """Ids, as transformers' tokenizers give them."""
        return {"input_ids": list(range(1000, 1000 + TEXT_TOKENS))}


class Barkeep:
    """The engine of this repository, in a batch of `batch`."""

    def __init__(self, model: Any, dtype: torch.dtype, *, batch: int = 8, fast: bool = False) -> None:
        codec = model.codec_model

        def decode(codes: Tokens) -> Samples:
            return _decoded(codec, torch.from_numpy(codes))

        self._engine = BarkEngine(cast(model, dtype), Tokens40(), decode, batch=batch, fast=fast)

    def speak(self, lines: Sequence[Line]) -> Told:
        """Together."""
        began, marks, first = perf_counter(), dict[str, float](), list[float]()

        def note(stage: str, fraction: float) -> None:
            marks.setdefault(stage, perf_counter() - began)
            if stage == "audio" and fraction == 1.0 and not first:
                first.append(perf_counter() - began)

        wanted = [
            Utterance(
                "text",
                line.voice,
                GenerationOptions(min_eos_p=0, seed=line.seed, max_semantic_tokens=line.semantic_tokens),
                Watch(note),
            )
            for line in lines
        ]
        generated = self._engine.generate_many(wanted)
        edges = [*marks.values(), perf_counter() - began]
        stages = {name: end - start for name, start, end in zip(marks, edges, edges[1:], strict=False)}
        return Told([one.samples for one in generated], first[0], stages if len(lines) == 1 else {})


class Transformers:
    """transformers' BarkModel with its cache. Lines in the same voice go together if `batched`: others it cannot."""

    def __init__(self, model: Any, dtype: torch.dtype, *, batched: bool = False) -> None:
        self._model = cast(model, dtype)
        self._codec = model.codec_model
        self._batched = batched
        self._stages: dict[str, float] = {}
        self._model.codec_decode = lambda codes, lengths=None: torch.from_numpy(
            np.stack([_decoded(self._codec, one) for one in codes])
        )
        for name in ("semantic", "coarse_acoustics", "fine_acoustics"):
            part = getattr(self._model, name)
            part.generate = self._timed(name.partition("_")[0] + " tokens", part.generate)

    def speak(self, lines: Sequence[Line]) -> Told:
        """One after the other, or in one batch per voice."""
        began, samples, first = perf_counter(), list[Samples](), 0.0
        self._stages.clear()
        for group in self._groups(lines):
            samples += self._generate(group)
            first = first or perf_counter() - began
        total = perf_counter() - began
        stages = {**self._stages, "audio": total - sum(self._stages.values())} if len(lines) == 1 else {}
        return Told(samples, first, stages)

    def _groups(self, lines: Sequence[Line]) -> list[list[Line]]:
        if self._batched and len({id(line.voice) for line in lines}) == 1:
            return [list(lines)]
        return [[line] for line in lines]

    def _generate(self, lines: list[Line]) -> list[Samples]:
        torch.manual_seed(lines[0].seed)
        ids = torch.arange(1000, 1000 + 256).repeat(len(lines), 1)
        voice = lines[0].voice
        history = {f"{name}_prompt": torch.from_numpy(getattr(voice, name)) for name in ("semantic", "coarse", "fine")}
        audio = self._model.generate(
            ids,
            history_prompt=history,
            attention_mask=(torch.arange(256) < TEXT_TOKENS).long().repeat(len(lines), 1),
            do_sample=True,
            temperature=0.7,
            fine_temperature=0.5,
            semantic_min_new_tokens=lines[0].semantic_tokens,
            semantic_max_new_tokens=lines[0].semantic_tokens,
        )
        return [one.numpy() for one in audio]

    def _timed(self, name: str, generate: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*positional: Any, **named: Any) -> Any:
            began = perf_counter()
            try:
                return generate(*positional, **named)
            finally:
                self._stages[name] = self._stages.get(name, 0.0) + perf_counter() - began

        return timed


class Suno:
    """`suno-ai/bark` from a clone of its repository, with its key/value cache on. float32, as on any CPU."""

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
        """Its coarse and fine model, and the text model beside its tokenizer."""
        models: dict[str, Any] = self._module.models
        return models

    def speak(self, lines: Sequence[Line]) -> Told:
        """One after the other: it knows no batches."""
        began, samples, first = perf_counter(), list[Samples](), 0.0
        stages: dict[str, float] = {}
        for line in lines:
            stages, spoken = self._say(line)
            samples.append(spoken)
            first = first or perf_counter() - began
        return Told(samples, first, stages if len(lines) == 1 else {})

    def _say(self, line: Line) -> tuple[dict[str, float], Samples]:
        torch.manual_seed(line.seed)
        voice = {f"{name}_prompt": getattr(line.voice, name) for name in ("semantic", "coarse", "fine")}
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
        samples = _decoded(self._codec, torch.from_numpy(fine).long())
        marks.append(perf_counter())
        names = ("semantic tokens", "coarse tokens", "fine tokens", "audio")
        return {name: end - start for name, start, end in zip(names, marks, marks[1:], strict=False)}, samples

    def _gpt(self, part: Any, *, fine: bool) -> torch.nn.Module:
        """Suno's class with the weights of transformers' one."""
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
        made.load_state_dict({name: given.get(name, tensor) for name, tensor in wanted.items()})
        return made.eval()


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
    """Its `bark.generation`. Of funcy, which it imports, it uses nothing on a CPU."""
    sys.path.insert(0, str(repository))
    sys.modules.setdefault("funcy", ModuleType("funcy"))
    importlib.import_module("bark.model_fine")
    return importlib.import_module("bark.generation")


@torch.inference_mode()
def _decoded(codec: Any, codes: torch.Tensor) -> Samples:
    """Codes (books, T) -> samples (N,)."""
    samples: Samples = codec.decoder(codec.quantizer.decode(codes[:, None])).numpy()[0, 0]
    return samples
