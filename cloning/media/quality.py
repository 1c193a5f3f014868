"""Detect defects of a recording: clicks, clipping, narrow bandwidth, dropouts, reverberation, two speakers.

Each function measures one property; the thresholds were chosen on speech of eight speakers, clean and degraded on
purpose (`tests/cloning/media/test_quality.py` degrades it in the same ways).
"""

import numpy as np
import numpy.typing as npt
from scipy import ndimage, signal

from cloning.media.audio import Recording, Samples
from cloning.media.world_vocoder import FRAME_SECONDS

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_CLICK_FACTOR = 4.0
"""A sample that exceeds the 99.5th percentile of its recording this many times is part of a click. In speech the
largest sample is about 3 times that percentile."""
_CLICK_SECONDS = 0.002
"""The seconds that are replaced before and after each sample of a click."""
_LONGEST_CLICK_SECONDS = 0.01

_PEAK_QUANTILE = 0.9998
"""The level below which 99.98 % of the samples lie counts as the peak: single samples do not change it."""
_FLAT_STEP = 1e-4
_FLAT_RUN = 3
"""This many samples in a row near the peak that differ by less than this share of it are a flat top. The top of a tone
of 200 Hz changes three times as much from sample to sample at 48 kHz."""
_DENSE_LEVEL, _DENSE_SHARE = 0.8, 0.01
"""Speech has up to 0.4 % of its samples above 0.8 of its peak; after clipping and MP3 coding, 1.5 % and more."""

_WIDE_RATE = 16_000
_BANDS = ((4.0, 4500, 7500), (6.0, 6000, 7500))
"""The upper limit of a narrow recording in kilohertz, and the band in hertz that is then empty."""
_EMPTY_DB = -40.0
"""The loudest tenth of speech frames, which holds the sibilants, has 4.5-7.5 kHz at -9 dB and 6-7 kHz at -14 dB or
higher relative to 0.3-3.4 kHz (24 speakers). After a telephone channel the first is at -90 dB; after Opus at 6 or
8 kbit/s and MP3 at 16 kbit/s the second is at -86 dB or lower. A lossy codec adds noise of up to -45 dB."""

_DROPOUT_SECONDS = (0.005, 0.06)
_DROPOUT_EDGE_DB = -40.0
"""A dropout is digital silence of this length between samples that are louder than this, relative to the peak."""

_FALL_FRAMES = 3
_SLOW_FALL_DB = 11.0
"""The steepest twentieth of the falls over three frames (96 ms) is 27 dB and more in dry speech, 12 to 16 dB with a
reverberation time of 0.5 s, and 9 dB with one of 1 s."""

_OTHER_VOICE_SEMITONES = 5.0
"""The medians of one speaker's phrases differ by up to 3 semitones; a man's and a woman's voice by about 12."""
_OTHER_VOICE_SECONDS = 0.75
"""Less voiced sound than this may be a cough or a pitch error."""


def without_clicks(samples: Samples, rate: int) -> Samples:
    """Return the samples (N,) with single clicks replaced by straight lines. Long or frequent peaks are kept."""
    level = np.abs(samples)
    usual = float(np.quantile(level, 0.995)) if samples.size else 0.0
    around = 2 * round(_CLICK_SECONDS * rate) + 1
    loud = level > _CLICK_FACTOR * usual
    if usual == 0.0 or not loud.any():
        return samples
    labels, count = ndimage.label(ndimage.binary_dilation(loud, np.ones(around)))
    mended = samples.copy()
    for (part,) in ndimage.find_objects(labels, count):
        if part.stop - part.start <= _LONGEST_CLICK_SECONDS * rate:
            ends = samples[max(part.start - 1, 0)], samples[min(part.stop, samples.size - 1)]
            mended[part] = np.linspace(*ends, part.stop - part.start, dtype=np.float32)
    return mended


def cut_off(samples: Samples) -> Mask:
    """Return which samples (N,) belong to clipped peaks, at any level of the recording.

    Flat tops are found directly. A lossy codec bends them; then all samples near the peak count, if there are far more
    of them than in speech.
    """
    if not samples.size:
        return np.zeros(0, bool)
    # Each side separately: with an offset, tops and bottoms are clipped at different levels.
    sides = [np.maximum(samples, 0.0), np.maximum(-samples, 0.0)]
    relative = [side.astype(np.float64) / max(float(np.quantile(side, _PEAK_QUANTILE)), 1e-9) for side in sides]
    dense: Mask = np.logical_or(*(ndimage.binary_opening(side > _DENSE_LEVEL, np.ones(2)) for side in relative))
    flat: Mask = np.logical_or(*(_flat(side) for side in relative))
    return dense if dense.mean() > _DENSE_SHARE and flat.mean() < dense.mean() / 10 else flat


def _flat(relative: Floats) -> Mask:
    """Return where (N,) samples near the peak do not change. `relative` (N,): relative to the peak."""
    level = np.abs(np.diff(relative, prepend=relative[0])) < _FLAT_STEP
    mask: Mask = ndimage.binary_opening(level & (relative > _DENSE_LEVEL), np.ones(_FLAT_RUN - 1))
    return mask


def narrow_khz(recording: Recording, speech: Mask, frame_seconds: float) -> float | None:
    """Return the kilohertz above which the speech has no sound: 4 on a telephone, 6 after strong compression.

    None if there is sound up to 7 kHz. For a sample rate below 16 kHz it is half the rate. `speech` (F,): the frames
    with speech.
    """
    if recording.sample_rate < _WIDE_RATE:
        return recording.sample_rate / 2000
    size = round(frame_seconds * recording.sample_rate)
    frames = min(recording.samples.size // size, speech.size)
    heard = recording.samples[: frames * size].reshape(frames, size)[speech[:frames]]
    if not heard.size:
        return None
    power = np.abs(np.fft.rfft(heard * np.hanning(size))) ** 2
    hertz = np.fft.rfftfreq(size, 1 / recording.sample_rate)
    low = power[:, (hertz > 300) & (hertz < 3400)].sum(1)
    for limit, start, end in _BANDS:
        high = power[:, (hertz > start) & (hertz < end)].sum(1)
        if np.quantile(10 * np.log10((high + 1e-20) / (low + 1e-20)), 0.9) < _EMPTY_DB:
            return limit
    return None


def dropouts(recording: Recording) -> int:
    """Return the number of short holes of digital silence in the sound."""
    level = np.abs(recording.samples)
    if not level.size:
        return 0
    edge = float(level.max()) * 10 ** (_DROPOUT_EDGE_DB / 20)
    labels, count = ndimage.label(level == 0.0)
    shortest, longest = (seconds * recording.sample_rate for seconds in _DROPOUT_SECONDS)
    near = round(0.002 * recording.sample_rate)
    return sum(
        shortest <= part.stop - part.start <= longest
        and level[max(0, part.start - near) : part.start].max(initial=0.0) > edge
        and level[part.stop : part.stop + near].max(initial=0.0) > edge
        for (part,) in ndimage.find_objects(labels, count)
    )


def is_reverberant(levels: Floats, speech: Mask) -> bool:
    """Return whether sound decays as slowly as in a bare room. `levels` (F,) in decibels; `speech` (F,): its frames.

    Only valid for recordings with little noise: noise hides the decay.
    """
    falls = (levels[:-_FALL_FRAMES] - levels[_FALL_FRAMES:])[speech[:-_FALL_FRAMES]]
    return bool(falls.size and np.quantile(falls, 0.95) < _SLOW_FALL_DB)


def speakers_differ(pitches: list[Floats]) -> bool:
    """Return whether phrases fall into two groups of clearly different pitch: two people who take turns.

    `pitches`: for each phrase its pitch in hertz at each frame of `world_vocoder.FRAME_SECONDS`, 0 if unvoiced. Two
    people of similar pitch are not distinguished.
    """
    voiced = sorted((heard for heard in (phrase[phrase > 0] for phrase in pitches) if heard.size), key=np.median)
    notes = [12 * np.log2(np.median(heard)) for heard in voiced]
    seconds = np.array([heard.size * FRAME_SECONDS for heard in voiced])
    return any(
        notes[split] - notes[split - 1] > _OTHER_VOICE_SEMITONES
        and min(seconds[:split].sum(), seconds[split:].sum()) > _OTHER_VOICE_SECONDS
        for split in range(1, len(notes))
    )


def without_rumble(recording: Recording) -> Recording:
    """Return the recording without sound below a voice: a second-order high pass at 60 Hz, forwards and backwards."""
    if recording.samples.size < recording.sample_rate // 10:
        return recording
    filtered = signal.sosfiltfilt(
        signal.butter(2, 60.0, "highpass", fs=recording.sample_rate, output="sos"), recording.samples
    )
    return Recording(filtered.astype(np.float32), recording.sample_rate)
