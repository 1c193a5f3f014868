"""Analyse and synthesise speech with WORLD: pitch, spectral envelope and aperiodicity.

WORLD is M. Morise, F. Yokomori, K. Ozawa: "WORLD: a vocoder-based high-quality speech synthesis system for real-time
applications", IEICE Trans. Inf. & Syst., 2016. The implementation is that of `pyworld`.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyworld

from cloning.media.audio import Recording, Samples

FRAME_SECONDS = 0.005
"""WORLD's own frame period."""
LOWEST_HZ, HIGHEST_HZ = 65.0, 500.0
"""The range of a speaker's pitch: from a deep man to a small child."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Analysis:
    """A recording in F frames of FRAME_SECONDS.

    `f0` (F,): the pitch in hertz, 0 if unvoiced. `envelope` (F, B): the power of each of B frequencies from 0 to half
    the sample rate. `aperiodicity` (F, B): the share of it that is noise, 0..1.
    """

    f0: Floats
    envelope: Floats
    aperiodicity: Floats
    sample_rate: int


def pitch(recording: Recording) -> Floats:
    """Return the pitch of every frame of FRAME_SECONDS, float64 (F,), in hertz; 0 if unvoiced.

    Uses DIO and StoneMask, which take a tenth of the time of `analyse` and miss some voiced frames.
    """
    samples = recording.samples.astype(np.float64)
    rough, times = pyworld.dio(
        samples, recording.sample_rate, f0_floor=LOWEST_HZ, f0_ceil=HIGHEST_HZ, frame_period=FRAME_SECONDS * 1000
    )
    f0: Floats = pyworld.stonemask(samples, rough, times, recording.sample_rate)
    return f0


def analyse(recording: Recording) -> Analysis:
    """Analyse a recording. The pitch is Harvest's, the most stable of WORLD's."""
    samples = recording.samples.astype(np.float64)
    f0, times = pyworld.harvest(
        samples, recording.sample_rate, f0_floor=LOWEST_HZ, f0_ceil=HIGHEST_HZ, frame_period=FRAME_SECONDS * 1000
    )
    # The default size is for voices above 71 Hz. CheapTrick treats a frame of a lower pitch as unvoiced, and its
    # envelope then follows every pulse of the voice.
    size = pyworld.get_cheaptrick_fft_size(recording.sample_rate, LOWEST_HZ)
    envelope = pyworld.cheaptrick(samples, f0, times, recording.sample_rate, fft_size=size)
    aperiodicity = pyworld.d4c(samples, f0, times, recording.sample_rate, fft_size=size)
    return Analysis(f0, envelope, aperiodicity, recording.sample_rate)


def synthesise(analysis: Analysis, length: int) -> Samples:
    """Synthesise float32 (length,) in -1..1. WORLD's own output is a few samples longer or shorter."""
    synthesised = pyworld.synthesize(
        analysis.f0, analysis.envelope, analysis.aperiodicity, analysis.sample_rate, FRAME_SECONDS * 1000
    )
    samples: Samples = np.zeros(length, np.float32)
    samples[: synthesised.size] = synthesised[:length]
    return samples / max(1.0, float(np.abs(samples).max(initial=0.0)))
