"""Measure the pitch of a voice, and the correlation of the pitch of clones with that of their references."""

from collections.abc import Sequence

import numpy as np

from cloning.media.audio import Recording, Samples, resample
from cloning.media.world_vocoder import FRAME_SECONDS, pitch

SAMPLE_RATE = 16_000
_LEAST_VOICED_SECONDS = 0.2


def log_f0(samples: Samples, sample_rate: int = SAMPLE_RATE) -> float | None:
    """Return the median of ln(F0 in hertz) over voiced frames of samples (N,); None if under 0.2 s are voiced."""
    f0 = pitch(resample(Recording(samples, sample_rate), SAMPLE_RATE))
    voiced = f0[f0 > 0]
    if voiced.size * FRAME_SECONDS < _LEAST_VOICED_SECONDS:
        return None
    return float(np.median(np.log(voiced)))


def correlation(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Return Pearson's correlation of pairs (reference, clone); None for fewer than three pairs or no variation."""
    if len(pairs) < 3:
        return None
    one, other = np.asarray(pairs, np.float64).T
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return None
    return float(np.corrcoef(one, other)[0, 1])
