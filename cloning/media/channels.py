"""Makes one channel of several: the best one, or the sum of those that lose nothing by it.

A mean of all channels is silence where one is inverted, hollow where two microphones stood apart, and noise where only
one was plugged in. So each is listened to, and another is added only if the voice keeps its sound and noise falls.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from cloning.media.audio import Recording, Samples
from cloning.media.voice_activity import FRAME_SECONDS, Activity, analyse

_TRIED_PARTS, _TRIED_SECONDS = 5, 4.0
"""Channels are compared in the loudest seconds of so many equal parts, since the detector takes its time."""
_NEAR_SILENCE_DB = -50.0
"""A channel so far under the loudest holds nothing but what leaked into it."""
_SAME_DB = -40.0
"""What remains of a channel after another was subtracted, when the two are the same but for level and sign."""
_BEST_NOISE_DB = -40.0
"""A quieter background is no better."""
_ENOUGH_SECONDS = 10.0
_DB_FOR_HALF_THE_SPEECH = 3.0
"""What it costs a channel to have half as much speech as another, or as is enough."""
_GAIN_DB = 1.0
"""By so much must the sum lower the noise."""
_LOSS_DB = -3.5
"""No third of an octave of the voice may lose more in the sum. Unrelated noise loses 3; two microphones apart, all."""
_LOWEST_BAND, _BANDS = 100.0, 20
"""Hertz of the lowest third of an octave, and how many are compared: up to 8 kHz."""
_WINDOW = 4096
_SAME_LEVELS, _SAME_WAVES = 0.6, 0.25
"""Correlations above which two channels hear the same voice: of their levels, and of their waves at the best shift."""
_FARTHEST_SECONDS = 0.02
"""The greatest shift that is looked at: sound goes 7 m."""
_OTHER_SECONDS = 1.0
"""Less speech than this is no other voice."""

_LOUD_SHARE, _CREST = 0.999, 4.0
"""What is beyond four times the level that a thousandth of the samples pass is no speech."""
_PEAK = 0.9
"""Where the peak of such a recording comes to lie: below full scale, so that nothing takes it for cut off."""

Floats = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Mix:
    """`samples` float32 (N,). `channel`: from 0, the one they are, or the first of those summed.

    `has_other_voices`: whether somebody else speaks in a channel that was left out.
    """

    samples: Samples
    channel: int
    has_other_voices: bool


def choose(channels: Matrix, rate: int) -> Mix:
    """The best single channel of `channels` (N, C), N > 0, or a sum of some. They may be at any level."""
    tried = _loudest_parts(channels, rate)
    candidates = _different(tried)
    if len(candidates) < 2:
        best = candidates[0] if candidates else 0
        return Mix(channels[:, best].copy(), best, False)
    heard = {channel: analyse(Recording(tried[:, channel], rate)) for channel in candidates}
    ranked = sorted(candidates, key=lambda channel: _worth(heard[channel], tried[:, channel]), reverse=True)
    best, *others = ranked
    if not heard[best].segments:
        return Mix(channels[:, best].copy(), best, False)
    gains = {best: 1.0}
    mixed: Floats = tried[:, best].astype(np.float64)
    for other in others:
        gain = _matching_gain(mixed, tried[:, other])
        both = (len(gains) * mixed + gain * tried[:, other]) / (len(gains) + 1)
        if _is_better(both, mixed, heard[best], rate):
            mixed = both
            gains[other] = gain
    has_other_voices = any(
        _is_another_voice(heard[best], heard[other], tried[:, best], tried[:, other], rate)
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
    """(M, C) what the channels are compared by, without a constant offset. Each channel counts alike, however loud."""
    length = round(_TRIED_SECONDS * rate)
    if channels.shape[0] <= _TRIED_PARTS * length:
        found = np.array(channels, np.float32)
    else:
        second = rate // 2
        halves = channels[: channels.shape[0] // second * second].reshape(-1, second, channels.shape[1])
        energy = np.einsum("hsc,hsc->hc", halves, halves)
        loudness = (energy / np.maximum(energy.max(axis=0), np.finfo(np.float32).tiny)).sum(axis=1, dtype=np.float64)
        count = round(_TRIED_SECONDS * 2)
        parts = np.array_split(np.arange(loudness.size), _TRIED_PARTS)
        starts = [part[0] + _loudest_run(loudness[part], count) for part in parts]
        found = np.concatenate([channels[start * second : start * second + length] for start in starts])
    found -= found.mean(axis=0, dtype=np.float64).astype(np.float32)
    scaled: Matrix = np.clip(found * np.float32(_scale(found)), -1.0, 1.0)
    return scaled


def _loudest_run(loudness: Floats, count: int) -> int:
    return int(np.argmax(np.convolve(loudness, np.ones(min(count, loudness.size)), "valid")))


def _different(tried: Matrix) -> list[int]:
    """The channels that are neither silent nor a louder one again, from loud to quiet."""
    power = np.square(tried, dtype=np.float64).mean(axis=0)
    found: list[int] = []
    for channel in np.argsort(-power, kind="stable").tolist():
        if power[channel] <= power.max() * 10 ** (_NEAR_SILENCE_DB / 10):
            break
        if not any(_is_the_same(tried[:, known], tried[:, channel], power[channel]) for known in found):
            found.append(channel)
    return found


def _is_the_same(known: Samples, other: Samples, power: float) -> bool:
    """Whether `other`, of that power, is `known` at another level or upside down."""
    rest = other - np.dot(known, other) / np.dot(known, known) * known
    return bool(np.square(rest, dtype=np.float64).mean() < power * 10 ** (_SAME_DB / 10))


def _worth(activity: Activity, samples: Samples) -> tuple[float, float]:
    """Decibels of the voice over what is behind it, less what too little speech costs; then the level."""
    level = float(np.square(samples, dtype=np.float64).mean())
    if not activity.segments:
        return -np.inf, level
    noise = max(activity.noise_db(0, activity.levels.size), _BEST_NOISE_DB)
    share = min(activity.speech_seconds, _ENOUGH_SECONDS) / _ENOUGH_SECONDS
    return _DB_FOR_HALF_THE_SPEECH * float(np.log2(share)) - noise, level


def _matching_gain(one: Floats, other: Samples) -> float:
    """What `other` has to be multiplied by to lie on `one` as far as they agree; negative if it is upside down."""
    return float(np.dot(one, other) / np.dot(other.astype(np.float64), other))


def _is_better(both: Floats, one: Floats, activity: Activity, rate: int) -> bool:
    """Whether a sum has less noise than what it is made of, and all of the voice."""
    if _noise_db(both, activity, rate) > _noise_db(one, activity, rate) - _GAIN_DB:
        return False
    speech = _speech(activity, one.size, rate)
    before, after = _bands(one[speech], rate), _bands(both[speech], rate)
    counts = before > before.max() * 1e-6
    return bool(np.all(after[counts] > before[counts] * 10 ** (_LOSS_DB / 10)))


def _noise_db(samples: Floats, activity: Activity, rate: int) -> float:
    """Of the samples, in the frames where speech was found in the best channel."""
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
    """The power in each third of an octave below half the rate."""
    padded = np.pad(samples, (0, -samples.size % _WINDOW)).reshape(-1, _WINDOW)
    spectrum = np.square(np.abs(np.fft.rfft(padded * np.hanning(_WINDOW), axis=1))).sum(axis=0)
    hertz = np.fft.rfftfreq(_WINDOW, 1 / rate)
    band = np.rint(3 * np.log2(np.maximum(hertz, 1.0) / _LOWEST_BAND)).astype(int)
    inside = (band >= 0) & (band < _BANDS)
    bands: Floats = np.bincount(band[inside], spectrum[inside]).astype(np.float64)
    return bands


def _is_another_voice(best: Activity, other: Activity, one: Samples, two: Samples, rate: int) -> bool:
    """Whether a voice is in the channel `two` that is not the one of `one`, later or earlier by a little."""
    if min(best.speech_seconds, other.speech_seconds) < _OTHER_SECONDS:
        return False
    rise_and_fall_together = np.corrcoef(best.levels, other.levels)[0, 1] > _SAME_LEVELS
    return not rise_and_fall_together and _likeness(one, two, round(_FARTHEST_SECONDS * rate)) < _SAME_WAVES


def _likeness(one: Samples, two: Samples, lag: int) -> float:
    """The greatest correlation of the two, 0..1, when one is shifted by up to `lag` samples."""
    size = 2 ** int(np.ceil(np.log2(one.size + lag)))
    shifted = np.abs(np.fft.irfft(np.fft.rfft(one, size) * np.conj(np.fft.rfft(two, size)), size))
    highest = max(shifted[: lag + 1].max(), shifted[-lag:].max())
    return float(highest / (np.linalg.norm(one.astype(np.float64)) * np.linalg.norm(two.astype(np.float64))))


def in_range(pieces: Sequence[Samples]) -> Samples:
    """The pieces as one recording within [-1, 1]: turned down as a whole if any is beyond, and not cut off."""
    whole = np.concatenate(pieces)
    scaled: Samples = np.clip(whole * np.float32(_scale(whole)), -1.0, 1.0)
    return scaled


def _scale(samples: npt.NDArray[np.float32]) -> float:
    """What brings samples of any scale to full scale or a little below.

    A few samples that tower above all others are damage and no sound: they do not decide.
    """
    levels = np.abs(samples)
    peak = float(levels.max(initial=0.0))
    if peak <= 1.0:
        return 1.0
    return _PEAK / min(peak, max(1.0, _CREST * float(np.quantile(levels, _LOUD_SHARE))))
