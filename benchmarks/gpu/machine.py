"""Report the card, its driver and its limits."""

import platform
from importlib import metadata

import torch

from benchmarks.gpu.context import Context, Results

_PACKAGES = ("torch", "transformers", "numpy", "safetensors", "encodec", "triton")


def run(context: Context) -> Results:
    """Yield the versions of packages, the card and its limits. Versions come first, in case the device fails."""
    yield "versions", {"python": platform.python_version()} | {name: _version(name) for name in _PACKAGES}
    if context.device.type == "cuda":
        card = torch.cuda.get_device_properties(context.device)
        yield (
            "card",
            {
                "name": card.name,
                "memory_gb": card.total_memory / 2**30,
                "multiprocessors": card.multi_processor_count,
                "capability": list(torch.cuda.get_device_capability(context.device)),
                "cuda": torch.version.cuda,
                "tf32": torch.backends.cuda.matmul.allow_tf32,
            },
        )
    yield "limits", {"bandwidth": context.limits.bandwidth, "rate": context.limits.rate}


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "none"
