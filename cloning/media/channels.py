"""Reduce several channels to one: the best one, or a sum where nothing is lost.

The mean of all channels is silent if one is inverted, hollow if two microphones stood apart, and noisy if only one was
plugged in. So each channel is analysed, and another is added to the best only if the voice keeps its sound and noise
decreases.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from cloning.media.audio import Recording, Samples
from cloning.media.voice_activity import FRAME_SECONDS, Activity, analyse

_TRIED_PARTS, _TRIED_SECONDS = 5, 4.0
"""Channels are compared in the loudest seconds of this many equal parts, since the detector is slow."""
_NEAR_SILENCE_DB = -50.0
"""A channel this far below the loudest holds only crosstalk."""
_SAME_DB = -40.0
"""The greatest residual of a channel after another was subtracted, if the two differ only in level and sign."""
_BEST_NOISE_DB = -40.0
"""A quieter background counts as this level."""
_ENOUGH_SECONDS = 10.0
_DB_FOR_HALF_THE_SPEECH = 3.0
"""The cost of each halving of the speech, counted from _ENOUGH_SECONDS."""
_GAIN_DB = 1.0
"""The least reduction of noise by a sum."""
_LOSS_DB = -3.5
"""The greatest loss of any third-octave band of the voice in the sum. Unrelated noise loses 3 dB; a band of two
microphones that stood apart can lose everything."""
_LOWEST_BAND, _BANDS = 100.0, 20
"""The centre of the lowest third-octave band in hertz, and the number of bands compared: up to 8 kHz."""
_WINDOW = 4096
_SAME_LEVELS, _SAME_WAVES = 0.6, 0.25
"""Correlations above which two channels have the same voice: of their levels, and of their waves at the best shift."""
_FARTHEST_SECONDS = 0.02
"""The maximum shift that is tried, in which sound travels 7 m."""
_OTHER_SECONDS = 1.0
"""Less speech than this is not another voice."""

_LOUD_SHARE, _CREST = 0.999, 4.0
"""Samples above four times the 99.9th percentile of the levels are not speech."""
_PEAK = 0.9
"""The peak of a scaled recording: below full scale, so that it does not count as clipped."""

Floats = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Mix:
    """`samples` float32 (N,). `channel`: the number, from 0, of the selected channel, or of the first in the sum.

    `has_other_voices`: whether an unused channel has another speaker.
    """

    samples: Samples
    channel: int
    has_other_voices: bool


def choose(channels: Matrix, rate: int) -> Mix:
    """Return the best channel of `channels` (N, C), N > 0, or a sum of some. They may be at any level."""
    tried = _loudest_parts(channels, rate)
    candidates = _different(tried)
    if len(candidates) < 2:
        best = candidates[0] if candidates else 0
        return Mix(channels[:, best].copy(), best, False)
    activities = {channel: analyse(Recording(tried[:, channel], rate)) for channel in candidates}
    ranked = sorted(candidates, key=lambda channel: _worth(activities[channel], tried[:, channel]), reverse=True)
    best, *others = ranked
    if not activities[best].segments:
        return Mix(channels[:, best].copy(), best, False)
    gains = {best: 1.0}
    mixed: Floats = tried[:, best].astype(np.float64)
    for other in others:
        gain = _matching_gain(mixed, tried[:, other])
        both = (len(gains) * mixed + gain * tried[:, other]) / (len(gains) + 1)
        if _is_better(both, mixed, activities[best], rate):
            mixed = both
            gains[other] = gain
    has_other_voices = any(
        _is_another_voice(activities[best], activities[other], tried[:, best], tried[:, other], rate)
        for other in others
        if other not in gains
    )
    return Mix(_weighted(channels, gains), best, has_other_voices)


def _weighted(channels: Matrix, gains: dict[int, float]) -> Samples:
    total = np.zeros(channels.shape[0], np.float32)
    for channel, gain in gains.items():
        total += np.float32(gain / len(gains)) * channels[:, channel]
    return total


def _loudest_parts(channels: Matrix, rate: int) -> Matrix:
    """Return the samples by which channels are compared, (M, C), without offset. Loudness is relative to the channel's
    loudest half second, so that all channels have equal weight."""
    length = round(_TRIED_SECONDS * rate)
    if channels.shape[0] <= _TRIED_PARTS * length:
        selected = np.array(channels, np.float32)
    else:
        second = rate // 2
        halves = channels[: channels.shape[0] // second * second].reshape(-1, second, channels.shape[1])
        energy = np.einsum("hsc,hsc->hc", halves, halves)
        loudness = (energy / np.maximum(energy.max(axis=0), np.finfo(np.float32).tiny)).sum(axis=1, dtype=np.float64)
        count = round(_TRIED_SECONDS * 2)
        parts = np.array_split(np.arange(loudness.size), _TRIED_PARTS)
        starts = [part[0] + _loudest_run(loudness[part], count) for part in parts]
        selected = np.concatenate([channels[start * second : start * second + length] for start in starts])
    selected -= selected.mean(axis=0, dtype=np.float64).astype(np.float32)
    scaled: Matrix = np.clip(selected * np.float32(_scale(selected)), -1.0, 1.0)
    return scaled


def _loudest_run(loudness: Floats, count: int) -> int:
    return int(np.argmax(np.convolve(loudness, np.ones(min(count, loudness.size)), "valid")))


def _different(tried: Matrix) -> list[int]:
    """Return the channels that are neither silent nor a copy of a louder one, from loud to quiet."""
    power = np.square(tried, dtype=np.float64).mean(axis=0)
    found: list[int] = []
    for channel in np.argsort(-power, kind="stable").tolist():
        if power[channel] <= power.max() * 10 ** (_NEAR_SILENCE_DB / 10):
            break
        if not any(_is_the_same(tried[:, known], tried[:, channel], power[channel]) for known in found):
            found.append(channel)
    return found


def _is_the_same(known: Samples, other: Samples, power: float) -> bool:
    """Return whether `other`, of that power, is `known` at another level or inverted."""
    rest = other - np.dot(known, other) / np.dot(known, known) * known
    return bool(np.square(rest, dtype=np.float64).mean() < power * 10 ** (_SAME_DB / 10))


def _worth(activity: Activity, samples: Samples) -> tuple[float, float]:
    """Return the signal-to-noise ratio in dB minus the cost of too little speech, and the level, to break ties."""
    level = float(np.square(samples, dtype=np.float64).mean())
    if not activity.segments:
        return -np.inf, level
    noise = max(activity.noise_db(0, activity.levels.size), _BEST_NOISE_DB)
    share = min(activity.speech_seconds, _ENOUGH_SECONDS) / _ENOUGH_SECONDS
    return _DB_FOR_HALF_THE_SPEECH * float(np.log2(share)) - noise, level


def _matching_gain(one: Floats, other: Samples) -> float:
    """Return the factor for `other` that matches it to `one`; negative if it is inverted."""
    return float(np.dot(one, other) / np.dot(other.astype(np.float64), other))


def _is_better(both: Floats, one: Floats, activity: Activity, rate: int) -> bool:
    """Return whether a sum has less noise than its best part, and all of the voice."""
    if _noise_db(both, activity, rate) > _noise_db(one, activity, rate) - _GAIN_DB:
        return False
    speech = _speech(activity, one.size, rate)
    before, after = _bands(one[speech], rate), _bands(both[speech], rate)
    counts = before > before.max() * 1e-6
    return bool(np.all(after[counts] > before[counts] * 10 ** (_LOSS_DB / 10)))


def _noise_db(samples: Floats, activity: Activity, rate: int) -> float:
    """Return the noise of the samples, with the speech frames of the best channel."""
    size = FRAME_SECONDS * rate
    edges = np.rint(np.arange(activity.levels.size) * size).astype(int)
    power = np.add.reduceat(np.square(samples), edges) / size
    levels = 10 * np.log10(np.maximum(power, np.finfo(np.float64).tiny))
    return replace(activity, levels=levels).noise_db(0, levels.size)


def _speech(activity: Activity, size: int, rate: int) -> npt.NDArray[np.bool_]:
    speech = np.zeros(size, bool)
    for start, end in activity.segments:
        speech[round(start * FRAME_SECONDS * rate) : round(end * FRAME_SECONDS * rate)] = True
    return speech


def _bands(samples: Floats, rate: int) -> Floats:
    """Return the power in each third of an octave below half the rate."""
    padded = np.pad(samples, (0, -samples.size % _WINDOW)).reshape(-1, _WINDOW)
    spectrum = np.square(np.abs(np.fft.rfft(padded * np.hanning(_WINDOW), axis=1))).sum(axis=0)
    hertz = np.fft.rfftfreq(_WINDOW, 1 / rate)
    band = np.rint(3 * np.log2(np.maximum(hertz, 1.0) / _LOWEST_BAND)).astype(int)
    inside = (band >= 0) & (band < _BANDS)
    bands: Floats = np.bincount(band[inside], spectrum[inside]).astype(np.float64)
    return bands


def _is_another_voice(best: Activity, other: Activity, one: Samples, two: Samples, rate: int) -> bool:
    """Return whether channel `two` has another voice than `one`, rather than the same one shifted."""
    if min(best.speech_seconds, other.speech_seconds) < _OTHER_SECONDS:
        return False
    rise_and_fall_together = np.corrcoef(best.levels, other.levels)[0, 1] > _SAME_LEVELS
    return not rise_and_fall_together and _likeness(one, two, round(_FARTHEST_SECONDS * rate)) < _SAME_WAVES


def _likeness(one: Samples, two: Samples, lag: int) -> float:
    """Return the maximum correlation of the two, 0..1, for shifts by up to `lag` samples."""
    size = 2 ** int(np.ceil(np.log2(one.size + lag)))
    shifted = np.abs(np.fft.irfft(np.fft.rfft(one, size) * np.conj(np.fft.rfft(two, size)), size))
    highest = max(shifted[: lag + 1].max(), shifted[-lag:].max())
    return float(highest / (np.linalg.norm(one.astype(np.float64)) * np.linalg.norm(two.astype(np.float64))))


def in_range(pieces: Sequence[Samples]) -> Samples:
    """Return the pieces as one recording within [-1, 1]: scaled as a whole if any sample is beyond, not clipped."""
    whole = np.concatenate(pieces)
    scaled: Samples = np.clip(whole * np.float32(_scale(whole)), -1.0, 1.0)
    return scaled


def _scale(samples: npt.NDArray[np.float32]) -> float:
    """Return the factor that brings samples of any scale to full scale or slightly below.

    A few samples far above all others are damage and not sound: they are ignored.
    """
    levels = np.abs(samples)
    peak = float(levels.max(initial=0.0))
    if peak <= 1.0:
        return 1.0
    return _PEAK / min(peak, max(1.0, _CREST * float(np.quantile(levels, _LOUD_SHARE))))
