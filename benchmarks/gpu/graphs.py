"""Measure every form of a step: whether it was captured as a CUDA graph, or why not, and its time in either way."""

from collections.abc import Callable, Iterator
from itertools import product
from statistics import median
from time import perf_counter
from typing import Any

import torch

from benchmarks.gpu import models
from benchmarks.gpu.context import Context, Results
from benchmarks.rows import SPEC
from benchmarks.work import Model
from cloning.bark.coarse import CoarseModel
from cloning.bark.config import InputLayout
from cloning.bark.cuda_graphs import CapturedBatch, GraphKey
from cloning.bark.decoding import CausalModel, RowState
from cloning.bark.sampling import Sampler
from cloning.bark.semantic import SemanticModel

LENGTHS = (250, 900)
"""Positions of a row: in the middle of a semantic window and near the end of a coarse one."""
_DTYPES = (torch.float32, torch.float16, torch.bfloat16)


def run(context: Context) -> Results:
    """Measure the forms of the first shape's causal models in every precision, each with several numbers of rows."""
    shape = context.sizes.shapes[0]
    for dtype in _DTYPES:
        for name, stage in causal_models(context, shape, dtype).items():
            batch = CapturedBatch(stage, max(context.sizes.crowds))
            for rows, length, keep_all in product(context.sizes.crowds, LENGTHS, (True, False)):
                drawn = "all" if keep_all else "the likeliest"
                facts = _form(context, batch, rows, length, keep_all=keep_all)
                yield f"{name} {_name(dtype)}, {rows} rows of {length}, drawn from {drawn}", facts
                if context.left < 5:
                    return


def causal_models(context: Context, shape: str, dtype: torch.dtype) -> dict[str, CausalModel]:
    """Return the semantic and the coarse stage with random weights."""
    model, layout = models.converted(context.random_bark(shape), dtype), InputLayout.from_config({})
    return {
        "semantic": SemanticModel(model.semantic, SPEC, layout),
        "coarse": CoarseModel(model.coarse_acoustics, SPEC, layout),
    }


def entered(batch: CapturedBatch, rows: int, length: int, *, keep_all: bool) -> tuple[GraphKey, Callable[[], object]]:
    """Return a step of `rows` rows of `length` positions, which alternate between heads: its form, and a function."""
    device = batch.model.transformer.device
    samplers = [Sampler(0.7, torch.Generator(device).manual_seed(row), None if keep_all else 50) for row in range(rows)]
    for slot, sampler in enumerate(samplers):
        batch.sampling.enter(slot, sampler, 0.0)
    places = [RowState(slot, length, slot % len(batch.model.heads)) for slot in range(rows)]
    return batch.form_of(places, samplers), lambda: batch.step(places, samplers)


@torch.inference_mode()
def _form(context: Context, batch: CapturedBatch, rows: int, length: int, *, keep_all: bool) -> dict[str, Any]:
    form, step = entered(batch, rows, length, keep_all=keep_all)
    began = perf_counter()
    step()
    context.synchronize()
    first = perf_counter() - began
    facts: dict[str, Any] = {"first_ms": 1e3 * first, "step_ms": 1e3 * _median(context, step)}
    graph = batch.graphs.get(form, "there is no CUDA here")
    facts |= {"captured": not isinstance(graph, str), **({"why": graph} if isinstance(graph, str) else {})}
    facts["eager_ms"] = 1e3 * _median(context, lambda: batch.compute(form))
    transformer = batch.model.transformer
    size = Model(transformer.shape.layers, transformer.shape.width, batch.model.vocabulary, _name(transformer.dtype))
    least = context.machine.seconds(*size.step(rows, length), _name(transformer.dtype))
    return {**facts, "limit_ms": 1e3 * least, "of_the_limit": 1e3 * least / facts["step_ms"]}


def _median(context: Context, action: Callable[[], object]) -> float:
    """Return the median seconds of a step. As in the engine, the host waits only after several steps."""
    return median(_seconds(context, action))


def _seconds(context: Context, action: Callable[[], object]) -> Iterator[float]:
    stride = 8
    for _ in range(context.sizes.steps):
        began = perf_counter()
        for _ in range(stride):
            action()
        context.synchronize()
        yield (perf_counter() - began) / stride


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
