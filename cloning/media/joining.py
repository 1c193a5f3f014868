"""Join takes of single sentences into one recording: check, trim, level, and join them with pauses."""

from collections.abc import Callable, Sequence

import numpy as np

from cloning.media import audio
from cloning.media.audio import Samples

_FRAME_SECONDS = 0.02
_SILENT_BELOW = 10 ** (-60 / 20)
"""A take whose peak is below -60 dBFS counts as silent: any room noise is louder."""
_QUIET_BELOW = 10 ** (-40 / 20)
"""A frame this far below the loudest one counts as silence; the softest fricatives are above it."""
_MARGIN_SECONDS = 0.06
"""The silence kept on both sides, so that soft beginnings and ends of words stay."""
_FADE_SECONDS = 0.01

Change = Callable[[Samples, int], Samples]
"""Samples and their rate -> the same number of samples."""


def is_usable(samples: Samples) -> bool:
    """Return whether a take has sound: finite, not empty, not silent throughout."""
    return samples.size > 0 and bool(np.isfinite(samples).all()) and bool(np.abs(samples).max() > _SILENT_BELOW)


def trim(samples: Samples, rate: int) -> Samples:
    """Return the take without the silence before and after the speech, except a margin, with both edges faded."""
    frame = max(1, round(rate * _FRAME_SECONDS))
    padded = np.pad(samples, (0, -samples.size % frame))
    levels = np.sqrt(np.square(padded.reshape(-1, frame), dtype=np.float64).mean(axis=1))
    loud = np.flatnonzero(levels >= levels.max() * _QUIET_BELOW)
    margin = round(rate * _MARGIN_SECONDS)
    kept = samples[max(0, loud[0] * frame - margin) : (loud[-1] + 1) * frame + margin]
    return _faded(kept, rate)


def polish(take: Samples, rate: int, change: Change | None = None) -> Samples:
    """Trim a usable take, apply `change` if given, and normalise its loudness, with peaks in range."""
    trimmed = trim(take, rate)
    return audio.normalise(trimmed if change is None else change(trimmed, rate), rate)


def gap(pause: float) -> float:
    """Return the seconds of silence between two polished takes for a pause of `pause` seconds: both have a margin."""
    return max(0.0, pause - 2 * _MARGIN_SECONDS)


def join(takes: Sequence[Samples], gaps: Sequence[float], rate: int) -> Samples:
    """Join polished takes with `gaps[i]` seconds of silence between take i and the next."""
    pieces: list[Samples] = []
    for take, silence in zip(takes, [*gaps, 0.0], strict=True):
        pieces.append(take)
        pieces.append(np.zeros(round(silence * rate), np.float32))
    return np.concatenate(pieces[:-1])


def _faded(samples: Samples, rate: int) -> Samples:
    length = min(round(rate * _FADE_SECONDS), samples.size // 2)
    ramp = np.linspace(0.0, 1.0, length, endpoint=False, dtype=np.float32)
    faded = samples.astype(np.float32)
    faded[:length] *= ramp
    faded[samples.size - length :] *= ramp[::-1]
    return faded
