"""The GPUs of this machine, as the speech worker will see them. Imports torch."""

import torch


def found() -> list[str]:
    """Return the name and memory of each CUDA device, e.g. "NVIDIA H200, 140 GB"."""
    if not torch.cuda.is_available():
        return []
    devices = [torch.cuda.get_device_properties(number) for number in range(torch.cuda.device_count())]
    return [f"{device.name}, {device.total_memory / 1e9:.0f} GB" for device in devices]
