"""How long the windows of the coarse and the fine stage are."""

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
