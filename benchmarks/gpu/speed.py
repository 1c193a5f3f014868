"""Measure the speed of Barkeep and of transformers on this device, in several precisions.

transformers also runs in a batch and compiled. Barkeep's figure is the median of several runs after one that captures
CUDA graphs and warms up; transformers, which takes many times as long, speaks once after a short line. The most
important measurements come first. A measurement that would not end in time is left out.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any

import torch

from benchmarks import by_engine, operations
from benchmarks.by_transformers import Transformers
from benchmarks.gpu import models
from benchmarks.gpu.context import Context, Results
from benchmarks.rows import OURS, SHAPES, TEXT_TOKENS, BenchmarkLine, BenchmarkRow, Contender, LineResults
from benchmarks.work import least_seconds, units
from cloning.bark.config import Windows
from cloning.prompt import VoicePrompt

_VOICE = (499, 750)
"""Semantic tokens and frames of a clone from 10 s, as `benchmarks.work` counts them."""
Speak = Callable[[Sequence[BenchmarkLine]], LineResults]


@dataclass(frozen=True)
class _Turn:
    """A contender that speaks some rows, in one precision."""

    contender: Contender
    rows: tuple[BenchmarkRow, ...]


def run(context: Context) -> Results:
    """Measure shape by shape. Compiled transformers comes last, since it needs a compiler and much time."""
    least = 5.0
    for shape in context.sizes.shapes:
        for turn in _turns(context):
            for name, facts in _measured(context, shape, turn, least):
                least = max(least, facts.get("took_s", 0.0))
                yield name, facts
    compiled = _peer("transformers-compiled", "float16", compiled=True)
    yield from _measured(context, context.sizes.shapes[0], _Turn(compiled, _rows(context)[:1]), 4 * least)


def _rows(context: Context) -> tuple[BenchmarkRow, ...]:
    _, few, *_ = crowds = context.sizes.crowds
    return (
        BenchmarkRow("sentence", "one sentence", 1, 1),
        BenchmarkRow("paragraph", f"{few} sentences in one voice", few, 1),
        *(BenchmarkRow(f"members {count}", f"{count} members at once", count, count) for count in crowds[1:]),
    )


def _turns(context: Context) -> Iterator[_Turn]:
    rows = _rows(context)
    sentence, paragraph = rows[:1], rows[1:2]
    yield _Turn(_ours("float16"), rows)
    yield _Turn(_peer("transformers", "float32"), sentence)
    yield _Turn(_peer("transformers-float16", "float16"), sentence)
    yield _Turn(_ours("float32"), rows)
    yield _Turn(_ours("bfloat16"), rows)
    yield _Turn(_peer("transformers-float16-batch", "float16", batched=True), paragraph)
    yield _Turn(_peer("transformers-bfloat16", "bfloat16"), sentence)


def _ours(dtype: str) -> Contender:
    return Contender(f"{OURS}-{dtype}", OURS, dtype, ())


def _peer(name: str, dtype: str, *, batched: bool = False, compiled: bool = False) -> Contender:
    return Contender(name, "transformers", dtype, (), batched=batched, compiled=compiled)


def _measured(context: Context, shape: str, turn: _Turn, least: float) -> Results:
    contender = turn.contender
    if context.left < least:
        yield f"{shape}: {contender.name}: left out", {"for": "not enough time"}
        return
    context.forget()
    began, before = perf_counter(), context.held
    speak = _speaker(context, shape, contender)
    weights = context.held - before
    for row in turn.rows:
        if context.left < 3:
            yield f"{shape}: {contender.name}: {row.name}: left out", {"for": "not enough time"}
            continue
        context.forget()
        facts = _spoken(context, contender, row, speak)
        facts |= _beside_the_limit(context, shape, contender, row, facts["stages_s"])
        memory = {"weights_and_caches_mb": weights / 2**20, "peak_mb": (context.peak - before) / 2**20}
        yield f"{shape}: {contender.name}: {row.name}", {**facts, **memory, "took_s": perf_counter() - began}
        began = perf_counter()


def _speaker(context: Context, shape: str, contender: Contender) -> Speak:
    dtype = context.sizes.half if contender.dtype == "float16" else getattr(torch, contender.dtype)
    model = models.converted(context.random_bark(shape), dtype)
    if contender.family != OURS:
        compiler = context.sizes.compiler if contender.compiled else ""
        return Transformers(model, batched=contender.batched, compiler=compiler).speak
    engine = models.engine(context, model, batch=max(context.sizes.crowds))
    return lambda lines: by_engine.spoken(engine, models.text(TEXT_TOKENS), lines)


def _spoken(context: Context, contender: Contender, row: BenchmarkRow, speak: Speak) -> dict[str, Any]:
    sizes, voices = context.sizes, [models.voice(*_VOICE, seed=number) for number in range(row.voices)]
    lines = _lines(row, voices, sizes.seconds)
    speak(lines if contender.ours or contender.compiled else _lines(row, voices, sizes.warm_seconds))
    times, tolds = [], []
    for _ in range(sizes.runs if contender.ours else 1):
        context.synchronize()
        began = perf_counter()
        tolds.append(speak(lines))
        times.append(perf_counter() - began)
    told, seconds = tolds[times.index(sorted(times)[len(times) // 2])], median(times)
    audio = told.samples / 24_000
    return {
        "time_s": seconds,
        "audio_s": audio,
        "real_time_factor": seconds / audio,
        "first_audio_s": told.first,
        "stages_s": dict(told.stages),
        "runs": len(times),
    }


def _lines(row: BenchmarkRow, voices: list[VoicePrompt], seconds: float) -> list[BenchmarkLine]:
    length = int(seconds * 49.9)
    return [BenchmarkLine(voices[number % len(voices)], length, seed=number) for number in range(row.lines)]


def _beside_the_limit(
    context: Context, shape: str, contender: Contender, row: BenchmarkRow, stages: dict[str, float]
) -> dict[str, Any]:
    length = int(context.sizes.seconds * 49.9)
    codec = operations.of_decoding(shape)
    limits = least_seconds(row, contender, Windows.EXACT, length, SHAPES[shape], context.machine, codec)
    counts = units(row, length)
    return {
        "per_second": {stage: counts[stage] / seconds for stage, seconds in stages.items() if seconds},
        "of_the_limit": {stage: limits[stage] / seconds for stage, seconds in stages.items() if seconds},
    }
