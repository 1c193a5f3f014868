"""Put the mark into speech: an inaudible change of the lowest 2 kHz that survives lossy coding.

Only the change is computed and added, so everything above 2 kHz stays bit-identical.
"""

import numpy as np
import soxr
import torch

from cloning.media.audio import Samples
from cloning.watermark.network import BINS, RANGE_DB, TRAINED_RATE, fits, levels, perth, shortest, sound, spectrum

STRENGTH = 1.0
"""The share of the network's change that is applied. With less, detection after coding is worse: docs/privacy.md."""
_FADE_SECONDS = 0.01


def mark(samples: Samples, rate: int, strength: float = STRENGTH) -> Samples:
    """Return finite float32 (N,) at `rate` hertz with the mark; silence stays silence. The peak may rise a little.

    Raises Unavailable if the network is not installed.
    """
    if not np.any(samples):
        return samples
    change = _change(samples, rate) * strength
    fade = np.linspace(0.0, 1.0, min(round(rate * _FADE_SECONDS), samples.size // 2), endpoint=False, dtype=np.float32)
    change[: fade.size] *= fade
    change[change.size - fade.size :] *= fade[::-1]
    marked: Samples = samples + change
    return marked


def _change(samples: Samples, rate: int) -> Samples:
    """Return the network's change, float32 (N,)."""
    if not fits(rate):
        fitting = soxr.resample(samples, rate, TRAINED_RATE).astype(np.float32)
        change = soxr.resample(_change(fitting, TRAINED_RATE), TRAINED_RATE, rate)[: samples.size]
        return np.pad(change, (0, samples.size - change.size)).astype(np.float32)
    padded = np.pad(samples, (0, max(0, shortest(rate) - samples.size)))
    with torch.inference_mode():
        spectra = spectrum(torch.from_numpy(padded)[None], rate)
        gains = 10 ** (perth().marker(levels(spectra)) * (RANGE_DB / 20))
        changes = torch.zeros_like(spectra)
        changes[:, :BINS] = spectra[:, :BINS] * (gains - 1)
        result: Samples = sound(changes, rate, padded.size)[0, : samples.size].numpy()
    return result
