"""Estimate speech quality with DNSMOS.

C. Reddy, V. Gopal, R. Cutler: "DNSMOS P.835", 2022; weights and code are from the package speechmos. The scale is 1 to
5. DNSMOS was trained on noisy calls, so its scores of synthetic speech are only indications. They depend on the volume
(`findings/dnsmos-hears-levels.sh`): only recordings of equal loudness can be compared.
"""

from dataclasses import dataclass

import numpy as np
from speechmos import dnsmos

from cloning.media.audio import Recording, Samples, resample
from errors import InvalidInput

SAMPLE_RATE = 16_000


@dataclass(frozen=True)
class Opinion:
    """Mean opinion scores, 1..5: of the whole recording, of the speech alone, and of the background alone."""

    overall: float
    signal: float
    background: float


def opinion(samples: Samples, sample_rate: int = SAMPLE_RATE) -> Opinion:
    """Estimate the scores of samples, float32 (N,). Clips under 9 s are repeated. Raises InvalidInput if empty."""
    if samples.size == 0:
        raise InvalidInput("A clip is empty, so its quality cannot be measured. Leave it out.")
    heard = np.clip(resample(Recording(samples, sample_rate), SAMPLE_RATE).samples, -1.0, 1.0)
    scores = dnsmos.run(heard.astype(np.float32), sr=SAMPLE_RATE)
    return Opinion(float(scores["ovrl_mos"]), float(scores["sig_mos"]), float(scores["bak_mos"]))
