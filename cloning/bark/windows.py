"""How long the windows of the coarse and the fine stage are. Does not import torch."""

from enum import Enum


class Windows(Enum):
    """What is read for one window, and how many tokens it generates."""

    EXACT = "exact"
    """As in `suno-ai/bark`."""
    LONG = "long"
    """With the same history, but a coarse window fills the model's positions."""
    SHORT_HISTORY = "short history"
    """Coarse windows are as long as their history, which is shorter. Fine ones read half as much of the voice, and end
    with the text instead of being filled up."""


def pick_windows(preset: str, dtype: str, device: str) -> Windows:
    """Return the windows of a preset (auto, exact, fast) and a precision in the settings, on a device of torch's kind.

    auto is LONG, which was measured to speak as well (docs/operations.md), but EXACT with float32, whose tokens are
    Suno's, and on a GPU, where it was not measured.
    """
    if preset == "auto":
        return Windows.LONG if device == "cpu" and dtype != "float32" else Windows.EXACT
    return Windows.SHORT_HISTORY if preset == "fast" else Windows.EXACT
