"""Speak the benchmark's lines with transformers' BarkModel. Imports only the model, for `benchmarks.gpu`."""

from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any, Self

import torch

from benchmarks import checkpoints
from benchmarks.rows import SPEC, STAGES, TEXT_TOKENS, BenchmarkLine, LineResults
from cloning.checkpoints.weights import load_bark


class Transformers:
    """transformers' BarkModel with its key/value cache.

    model: a BarkModel, whose methods are replaced by timed ones. batched: lines in the same voice are generated as one
    batch, which transformers cannot do with different voices. compiler: the backend of torch.compile for the three
    models, with dynamic lengths; "": not compiled.
    """

    def __init__(self, model: Any, *, batched: bool = False, compiler: str = "") -> None:
        self._model = model
        self._batched = batched
        self._results = LineResults()
        for stage, name in zip(STAGES, ("semantic", "coarse_acoustics", "fine_acoustics"), strict=False):
            part: Any = getattr(self._model, name)
            if compiler:
                part.forward = torch.compile(part.forward, dynamic=True, backend=compiler)
            part.generate = self._timed(stage, part.generate)
        self._model.codec_decode = self._timed(STAGES[-1], self._model.codec_decode)

    @classmethod
    def load(cls, folder: Path, dtype: str, device: str, *, batched: bool = False, compiler: str = "") -> Self:
        """Load a checkpoint, with the codec in float32 as for all contenders."""
        model: Any = load_bark(folder / checkpoints.BARK, getattr(torch, dtype), torch.device(device))
        model.codec_model.to(torch.float32)
        return cls(model, batched=batched, compiler=compiler)

    def speak(self, lines: Sequence[BenchmarkLine]) -> LineResults:
        """Speak the lines one after the other, or in one batch."""
        self._results = LineResults()
        for group in self._groups(lines):
            began = perf_counter()
            samples = self._generate(group)
            self._results.add({}, perf_counter() - began, samples)
        return self._results

    def _groups(self, lines: Sequence[BenchmarkLine]) -> list[list[BenchmarkLine]]:
        if self._batched and len({id(line.voice) for line in lines}) == 1:
            return [list(lines)]
        return [[line] for line in lines]

    def _generate(self, lines: list[BenchmarkLine]) -> Any:
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

    def _history(self, line: BenchmarkLine) -> dict[str, torch.Tensor] | None:
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
                self._results.stages[stage] += perf_counter() - began

        return timed
