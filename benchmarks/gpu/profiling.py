"""Profile a decode step: the kernels of a replayed CUDA graph, and those of an eager step.

`profile.txt` gets the whole tables, the results get the largest entries of each.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.gpu.context import Context, Results
from benchmarks.gpu.graphs import LENGTHS, causal_models, entered
from cloning.bark.cuda_graphs import CapturedBatch

FILE = "profile.txt"
_STEPS = 8
_SHOWN = 15


def run(context: Context) -> Results:
    """Profile the coarse model of the first shape, in two precisions, for each number of rows."""
    tables = []
    for dtype in (torch.float16, torch.float32):
        stage = causal_models(context, context.sizes.shapes[0], dtype)["coarse"]
        batch = CapturedBatch(stage, max(context.sizes.crowds))
        for rows in context.sizes.crowds:
            form, step = entered(batch, rows, LENGTHS[1], keep_all=True)
            ways: dict[str, Callable[[], object]] = {"as it runs": step, "eager": partial(batch.compute, form)}
            for way, action in ways.items():
                name = f"coarse {str(dtype).removeprefix('torch.')}, {rows} rows, {way}"
                table, facts = _profiled(context, action)
                tables.append(f"{name}, {_STEPS} steps\n{table}")
                (context.out / FILE).write_text("\n\n".join(tables), encoding="utf-8")
                yield name, facts
            if context.left < 5:
                return


@torch.inference_mode()
def _profiled(context: Context, action: Callable[[], object]) -> tuple[str, dict[str, Any]]:
    on_gpu = context.device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    action()
    context.synchronize()
    with profile(activities=activities) as profiler:
        for _ in range(_STEPS):
            action()
        context.synchronize()
    measured = profiler.key_averages()
    table = measured.table(sort_by="self_device_time_total" if on_gpu else "self_cpu_time_total", row_limit=40)
    field = "self_device_time_total" if on_gpu else "self_cpu_time_total"
    largest = sorted(measured, key=lambda event: float(getattr(event, field)), reverse=True)[:_SHOWN]
    return table, {
        "of": "device" if on_gpu else "processor",
        "us_a_step": sum(float(getattr(event, field)) for event in measured) / _STEPS,
        "largest_us_a_step": {event.key[:120]: float(getattr(event, field)) / _STEPS for event in largest},
        "calls_a_step": {event.key[:120]: event.count / _STEPS for event in largest},
    }
