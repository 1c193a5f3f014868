"""Voice conversion: the words of one recording in the voice of another.

`WorldConverter` is always available: it moves pitch and spectral envelope to the target's statistics, which changes the
apparent speaker but keeps the manner of speaking. Better converters come from coqui-tts where it is installed
(`cloning.methods.coqui`).
"""

import dataclasses
from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyworld

from cloning.media.audio import Recording, loudness, normalise, resample
from cloning.media.world_vocoder import Analysis, Floats, analyse, synthesise
from cloning.methods import coqui
from errors import InvalidInput

_CEPSTRUM = 40
"""Mel-cepstral coefficients used to compare envelopes: enough for formants, too few for harmonics."""
_SHAPE = slice(1, 20)
"""The coefficients that distinguish vocal tracts: without the level and without fine detail."""
_WARPS = np.exp(np.linspace(np.log(0.8), np.log(1.25), 31))
"""Ratios of formant frequencies that are tried: from a child to a large man, relative to an average voice."""
_PITCH_SPREAD = (0.5, 2.0)
_CEPSTRUM_SPREAD = (0.7, 1.4)
"""Limits for scaling the spread of pitch and envelope: estimates from short clips are unreliable."""
_SPEECH_DB = 35.0
"""Frames this far below the loudest count as silence and are left out of the statistics."""
_LEAST_FRAMES = 40
"""0.2 s. Fewer frames of one kind of sound are too few for statistics."""

Mask = npt.NDArray[np.bool_]


class Converter(Protocol):
    """Convert speech to the voice of a target."""

    def __call__(self, speech: Recording, target: Recording) -> Recording:
        """Return the same words with the same timing: as many samples as `speech`, at its rate."""


class WorldConverter:
    """A Converter based on WORLD.

    Pitch: its logarithm is moved to the target's median and spread. Envelope: frequencies are stretched by the ratio of
    the formants, then each mel-cepstral coefficient is moved to the target's mean and spread, separately for voiced and
    unvoiced sounds.
    """

    def __call__(self, speech: Recording, target: Recording) -> Recording:
        """See Converter."""
        source, aim = analyse(speech), analyse(resample(target, speech.sample_rate))
        moved = dataclasses.replace(source, f0=moved_pitch(source.f0, aim.f0), envelope=moved_envelope(source, aim))
        return Recording(synthesise(moved, speech.samples.size), speech.sample_rate)


CONVERTERS: dict[str, Callable[[], Converter]] = {
    "world": WorldConverter,
    "freevc": lambda: coqui.CoquiConverter(coqui.FREEVC),
    "knnvc": lambda: coqui.CoquiConverter(coqui.KNNVC),
}
"""Name on the command line -> factory of the converter."""


def load_converter(name: str) -> Converter:
    """Return the converter `name`. Raises InvalidInput for an unknown one, Unavailable if its package or model is
    missing."""
    if name not in CONVERTERS:
        raise InvalidInput(f"There is no converter {name!r}. Choose one of: {', '.join(CONVERTERS)}.")
    return CONVERTERS[name]()


def convert(speech: Recording, target: Recording, converter: Converter) -> Recording:
    """Return `speech` in the voice of `target`, as loud as `target` if peaks allow. Raises InvalidInput for silence."""
    if not (np.any(speech.samples) and np.any(target.samples)):
        raise InvalidInput("This recording is silent, so its voice cannot be converted. Record it again.")
    converted = converter(speech, target)
    level = loudness(target.samples, target.sample_rate)
    return Recording(normalise(converted.samples, converted.sample_rate, level), converted.sample_rate)


def moved_pitch(f0: Floats, aim: Floats) -> Floats:
    """Return `f0` (F,) with the median and spread of `aim` (G,), both in hertz and 0 where unvoiced."""
    voiced, wanted = np.log(f0[f0 > 0]), np.log(aim[aim > 0])
    if min(voiced.size, wanted.size) < _LEAST_FRAMES:
        return f0
    spread = np.clip(np.std(wanted) / max(float(np.std(voiced)), 1e-3), *_PITCH_SPREAD)
    moved = np.zeros_like(f0)
    moved[f0 > 0] = np.exp((voiced - np.median(voiced)) * spread + np.median(wanted))
    return moved


def moved_envelope(source: Analysis, aim: Analysis) -> Floats:
    """Return the envelope of `source` (F, B), stretched by the formant ratio and moved to the statistics of `aim`."""
    wanted = _cepstrum(aim.envelope, aim.sample_rate)
    ratio = formant_ratio(source, aim)
    warped = _warped(source.envelope, ratio)
    before = _cepstrum(warped, source.sample_rate)
    after = before.copy()
    for kind in _kinds(source, aim):
        mean, spread = before[kind.here].mean(axis=0), before[kind.here].std(axis=0)
        scale = np.clip(wanted[kind.there].std(axis=0) / np.maximum(spread, 1e-6), *_CEPSTRUM_SPREAD)
        scale[0] = 1.0  # The contour of the level is the sentence's, not the speaker's.
        after[kind.frames] = (before[kind.frames] - mean) * scale + wanted[kind.there].mean(axis=0)
    change = _decoded(after, source) / _decoded(before, source)
    moved: Floats = warped * change
    return moved


def formant_ratio(source: Analysis, aim: Analysis) -> float:
    """Return how much higher the formants of `aim` are than those of `source`: the ratio at which mean voiced spectra
    fit best."""
    kind = _kinds(source, aim)[0]
    wanted = _cepstrum(aim.envelope[kind.there], aim.sample_rate).mean(axis=0)
    mean = np.exp(np.log(source.envelope[kind.here]).mean(axis=0))[None]  # (1, B)
    misfits = [
        float(np.sum((_cepstrum(_warped(mean, ratio), source.sample_rate)[0] - wanted)[_SHAPE] ** 2))
        for ratio in _WARPS
    ]
    return float(_WARPS[int(np.argmin(misfits))])


@dataclasses.dataclass(frozen=True)
class _SoundKind:
    """One kind of sound: the source's `frames` of that kind, and the frames that are compared, `here` and `there`."""

    frames: Mask
    here: Mask
    there: Mask


def _kinds(source: Analysis, aim: Analysis) -> list[_SoundKind]:
    """Return voiced and unvoiced sounds, or one kind if either is rare. Silence is converted but not compared."""
    ours, theirs = _is_speech(source), _is_speech(aim)
    voiced, aim_voiced = source.f0 > 0, aim.f0 > 0
    kinds = [
        _SoundKind(voiced, voiced & ours, aim_voiced & theirs),
        _SoundKind(~voiced, ~voiced & ours, ~aim_voiced & theirs),
    ]
    if min(np.count_nonzero(mask) for kind in kinds for mask in (kind.here, kind.there)) < _LEAST_FRAMES:
        return [_SoundKind(np.ones(source.f0.size, bool), ours, theirs)]
    return kinds


def _is_speech(analysis: Analysis) -> Mask:
    levels = 10 * np.log10(analysis.envelope.mean(axis=1))
    loud: Mask = levels > levels.max() - _SPEECH_DB
    return loud


def _warped(envelope: Floats, ratio: float) -> Floats:
    """Return (F, B) with every frequency multiplied by `ratio`; bands beyond the top repeat the last one."""
    bands = envelope.shape[1]
    places = np.minimum(np.arange(bands) / ratio, bands - 1)
    below = np.minimum(places.astype(int), bands - 2)
    share = places - below
    logs = np.log(envelope)
    warped: Floats = np.exp(logs[:, below] * (1 - share) + logs[:, below + 1] * share)
    return warped


def _cepstrum(envelope: Floats, sample_rate: int) -> Floats:
    coded: Floats = pyworld.code_spectral_envelope(np.ascontiguousarray(envelope), sample_rate, _CEPSTRUM)
    return coded


def _decoded(cepstrum: Floats, source: Analysis) -> Floats:
    size = 2 * (source.envelope.shape[1] - 1)
    decoded: Floats = pyworld.decode_spectral_envelope(np.ascontiguousarray(cepstrum), source.sample_rate, size)
    return decoded
