"""Those who speak in the benchmark and live in torch: this engine, and transformers' BarkModel.

All generate without an end of their own, so that every line is exactly as long as the task says.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import torch

from benchmarks import checkpoints
from benchmarks.rows import STAGES, TEXT_TOKENS, Line, Told
from cloning import takes
from cloning.bark.config import BarkSpec
from cloning.bark.engine import GenerationOptions, Utterance
from cloning.checkpoints.model_choice import EXACT, FAST, ModelChoice
from cloning.checkpoints.weights import load_bark
from cloning.model_set import LoadedModels
from cloning.progress import Watch
from cloning.takes import Sketch, Take, Wanted

SPEC = BarkSpec.from_configs({}, {})


class Barkeep:
    """The engine of this repository, loaded as the bot loads it. Of several takes of a line the best is kept."""

    def __init__(self, folder: Path, dtype: str, device: str, *, fast: bool = False, takes_of_each: int = 1) -> None:
        self._takes = takes_of_each
        preset = FAST if fast else EXACT
        self._engine = LoadedModels(ModelChoice(str(folder), dtype=dtype, device=device, preset=preset)).engine

    def speak(self, lines: Sequence[Line]) -> Told:
        """Together."""
        clock = _Clock()
        text = " ".join([checkpoints.WORD] * TEXT_TOKENS)
        wanted = [
            Utterance(
                text,
                line.voice,
                GenerationOptions(
                    min_eos_p=0, seed=self._takes * line.seed + take, max_semantic_tokens=line.semantic_tokens
                ),
                Watch(clock.note),
            )
            for line in lines
            for take in range(self._takes)
        ]
        generated = self._engine.generate_many(wanted)
        for first in range(0, len(generated) if self._takes > 1 else 0, self._takes):
            same = [Take(one.samples, SPEC.sample_rate, True) for one in generated[first : first + self._takes]]
            takes.best(same, Wanted(text, "en", Sketch.of(same[0].samples, SPEC.sample_rate)))
        clock.note(clock.stage, 1.0)
        return Told(sum(one.samples.size for one in generated) // self._takes, clock.first, clock.stages)


class _Clock:
    """Shares time out among stages: from one report to the next, it belongs to the stage of the former.

    The engine reports before each step for each line, so this holds also when lines are in different stages.
    """

    def __init__(self) -> None:
        self._began = self._last = perf_counter()
        self.stage = STAGES[0]
        self.stages = Told().stages
        self.first = 0.0
        """Seconds until the first line could be heard."""

    def note(self, stage: str, fraction: float) -> None:
        """The engine's progress."""
        now = perf_counter()
        self.stages[self.stage] += now - self._last
        self._last, self.stage = now, stage.removesuffix(" tokens")
        if self.stage == STAGES[-1] and fraction == 1.0 and not self.first:
            self.first = now - self._began


class Transformers:
    """transformers' BarkModel with its cache. Lines in the same voice go together if `batched`: others it cannot.

    compiled: its three models by torch.compile, for lengths that change.
    """

    def __init__(self, folder: Path, dtype: str, device: str, *, batched: bool = False, compiled: bool = False) -> None:
        self._model = _loaded(folder, dtype, device)
        self._batched = batched
        self._told = Told()
        for stage, name in zip(STAGES, ("semantic", "coarse_acoustics", "fine_acoustics"), strict=False):
            part: Any = getattr(self._model, name)
            if compiled:
                part.forward = torch.compile(part.forward, dynamic=True)
            part.generate = self._timed(stage, part.generate)
        self._model.codec_decode = self._timed(STAGES[-1], self._model.codec_decode)

    def speak(self, lines: Sequence[Line]) -> Told:
        """One after the other, or those of a voice in one batch."""
        self._told = Told()
        for group in self._groups(lines):
            began = perf_counter()
            samples = self._generate(group)
            self._told.add({}, perf_counter() - began, samples)
        return self._told

    def _groups(self, lines: Sequence[Line]) -> list[list[Line]]:
        if self._batched and len({id(line.voice) for line in lines}) == 1:
            return [list(lines)]
        return [[line] for line in lines]

    def _generate(self, lines: list[Line]) -> Any:
        torch.manual_seed(lines[0].seed)
        ids = torch.arange(1000, 1000 + SPEC.max_text_tokens).repeat(len(lines), 1)
        audio = self._model.generate(
            ids.to(self._model.device),
            history_prompt=self._history(lines[0]),
            attention_mask=(ids < 1000 + TEXT_TOKENS).long().to(self._model.device),
            do_sample=True,
            temperature=0.7,
            fine_temperature=0.5,
            semantic_min_new_tokens=lines[0].semantic_tokens,
            semantic_max_new_tokens=lines[0].semantic_tokens,
        )
        return torch.stack(list(audio)).float().cpu().numpy()

    def _history(self, line: Line) -> dict[str, torch.Tensor] | None:
        if line.voice is None:
            return None
        return {
            f"{name}_prompt": torch.from_numpy(getattr(line.voice, name)).to(self._model.device)
            for name in ("semantic", "coarse", "fine")
        }

    def _timed(self, stage: str, generate: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*positional: Any, **named: Any) -> Any:
            began = perf_counter()
            try:
                return generate(*positional, **named)
            finally:
                if torch.cuda.is_available():
                    torch.cuda.synchronize()
                self._told.stages[stage] += perf_counter() - began

        return timed


def _loaded(folder: Path, dtype: str, device: str) -> Any:
    """Its BarkModel, with the codec in float32 as everybody has it. Any: its methods are replaced by timed ones."""
    model: Any = load_bark(folder / checkpoints.BARK, getattr(torch, dtype), torch.device(device))
    model.codec_model.to(torch.float32)
    return model
