"""The voices of the bundled model's first edition: hibari-tts, and speakers made inside its synthesis.

Every 1/80 s, hibari's network predicts the spectra of harmonics, noise and a residual at 601 frequencies. A random
speaker has another frequency axis (vocal tract), pitch, pitch range, speed, equalisation, breath noise and jitter. All
are applied before the synthesis, so no vocoder is needed and the durations stay exact.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import onnx
import scipy.fft
from hibari.tts import Hibari
from numpy.typing import NDArray

from research.bundled.kokoro import onnx_session, whole_durations

SAMPLE_RATE = 16_000
FRAME = 200
"""Samples per frame of the network: 12.5 ms."""

BUILT_IN = "built-in"
"""The name of hibari's own voice, unchanged."""
BUILT_IN_PITCH = 190.7
"""Hz, the geometric mean over the voiced frames of 400 sentences."""

_WINDOW = 4 * FRAME
_BINS = _WINDOW // 2 + 1
_FREQUENCIES = np.arange(_BINS) * SAMPLE_RATE / _WINDOW
_BIN_WIDTH = 20.0  # Hz, the network's and, by the choice of the window, this module's
_LAST_SOURCE_BIN = 599.0  # leaves one more bin to interpolate with
_NYQUIST = SAMPLE_RATE / 2
_HIGHEST_HARMONIC = 7900.0
_VOICED = 40.0  # Hz; below this there is no pitch
_LOWEST_PITCH, _HIGHEST_PITCH = 55.0, 480.0
_LOUDEST = 7.0  # natural logarithm of a magnitude, as in hibari
_NEPER = 20 / np.log(10)  # decibels
_TRACT_KNOTS = np.array([0.0, 700.0, 1800.0, 3200.0, _NYQUIST])  # Hz: about F1, F2, F3
_JITTER_SAMPLES = 40
_MOST_SYMBOLS = 300
_DURATIONS = "/Clip_output_0"

_HANN = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_WINDOW) / _WINDOW)).astype(np.float32)
_ANALYSIS = _HANN / (_WINDOW / 4)  # a unit cosine gets magnitude 1
_RATE_GAIN = np.float32(_WINDOW / 1200)  # hibari's own window has 1200 samples


@dataclass(frozen=True)
class HibariSpeaker:
    """The parameters of a voice. The defaults are those of hibari's own voice."""

    name: str
    tract: float = 1.0
    """Factor of the formants; above 1 for a shorter vocal tract."""
    knots: tuple[float, ...] = (0.0, 0.0, 0.0)
    """The relative deviation of each of the first three formants."""
    pitch: float = BUILT_IN_PITCH
    """The median pitch in Hz."""
    pitch_range: float = 1.0
    speed: float = 1.0
    equaliser: tuple[float, ...] = ()
    """Amplitudes in dB of cosines over the square root of frequency: of half a period, of a whole one, and so on."""
    breath: float = 0.0
    """Level of the noise above hibari's, in dB."""
    tilt: float = 0.0
    """Attenuation of the harmonics above 4500 Hz in dB; a third of it at 2500 Hz."""
    jitter: float = 0.0
    """Relative standard deviation of the pitch, drawn anew every 2.5 ms."""
    level: float = -23.0
    """RMS level of a clip, in dB below full scale."""

    @classmethod
    def drawn(cls, name: str) -> Self:
        """Return the speaker of a name; `built-in` is hibari's own voice."""
        if name == BUILT_IN:
            return cls(name)
        seed = hashlib.blake2b(f"speaker {name}".encode(), digest_size=8).digest()
        random = np.random.default_rng(int.from_bytes(seed, "big"))
        tract = random.uniform(0.80, 1.18)
        # longer vocal tracts have lower pitch, but not always, so that both can be distinguished
        pitch = np.exp(np.log(185.0) + 1.9 * np.log(tract) + random.normal(0, 0.22))
        return cls(
            name,
            tract=float(tract),
            knots=tuple(random.normal(0, 0.035, 3).tolist()),
            pitch=float(np.clip(pitch, 78, 300)),
            pitch_range=float(random.uniform(0.6, 1.45)),
            speed=float(np.exp(random.uniform(np.log(0.87), np.log(1.18)))),
            equaliser=tuple((random.normal(0, 1, 6) * [2.2, 2.2, 1.7, 1.2, 1.0, 0.8]).tolist()),
            breath=float(random.uniform(-4, 4)),
            tilt=float(random.normal(0, 2.0)),
            jitter=float(random.choice([0, 0, 0.003, 0.006, 0.01])),
            level=float(random.uniform(-26, -20)),
        )


@dataclass(frozen=True)
class HibariUtterance:
    """Float32 (N,) samples at 16 kHz, and the durations (P + 2,) of the phonemes and the two silences, in 1/40 s."""

    samples: NDArray[np.float32]
    durations: NDArray[np.int64]


@dataclass(frozen=True)
class _Frames:
    """The network's output for F frames: log magnitudes and phases (601, F), and pitch (F,) in Hz."""

    harmonics: NDArray[np.float32]
    phase: NDArray[np.float32]
    noise: NDArray[np.float32]
    rest: NDArray[np.float32]
    rest_phase: NDArray[np.float32]
    pitch: NDArray[np.float32]
    durations: NDArray[np.int64]


class HibariSynthesiser:
    """Synthesises speech from phonemes, on one thread."""

    def __init__(self) -> None:
        self._hibari: Any = Hibari()

    @cached_property
    def _network(self) -> Any:
        """hibari's network, with the durations as another output."""
        model = onnx.load(self._hibari.model_path)
        model.graph.output.append(onnx.helper.make_tensor_value_info(_DURATIONS, onnx.TensorProto.FLOAT, None))
        return onnx_session(model)

    def fits(self, phonemes: str) -> bool:
        """Return whether a sentence is short enough and only has hibari's symbols."""
        return len(self._hibari.ids(phonemes)) <= _MOST_SYMBOLS and len(phonemes) + 2 == len(self._hibari.ids(phonemes))

    def speak(
        self, phonemes: str, speaker: HibariSpeaker, random: np.random.Generator, *, speed: float = 1.0
    ) -> HibariUtterance:
        """Speak in a voice, at `speed` times the speaker's usual speed. `random` draws noise and jitter."""
        frames = self._run(phonemes, speaker.speed * speed)
        own = speaker.name == BUILT_IN
        count = len(frames.pitch)
        warp = _Warp(speaker)
        colour = _colour(speaker)
        pitch = frames.pitch if own else _moved_pitch(frames.pitch, speaker)
        tilt = -speaker.tilt / _NEPER * np.clip((_FREQUENCIES - 1500) / 3000, 0, 1)

        spectrum = _spectrum(_pulses(pitch, speaker.jitter, random), count)  # (F, bins)
        spectrum *= _magnitude(warp(frames.harmonics), colour + tilt) * _phasors(
            np.float32(np.pi) * np.tanh(warp(frames.phase))
        )
        noise = random.standard_normal((count, 2 * _BINS), dtype=np.float32).view(np.complex64)
        spectrum += _magnitude(warp(frames.noise), colour + speaker.breath / _NEPER) * noise
        # warped phases would ring, so the rest of a random speaker is noise
        rest = _phasors(warp(frames.rest_phase)) if own else 0.8 * noise[::-1]
        spectrum += _magnitude(warp(frames.rest), colour) * rest
        samples = _overlap_add(_RATE_GAIN * spectrum)
        return HibariUtterance(_levelled(samples, speaker.level), frames.durations)

    def _run(self, phonemes: str, speed: float) -> _Frames:
        *spectra, durations = self._network.run(None, self._inputs(phonemes, speed))
        harmonics, phase, noise, rest, rest_phase, pitch = (values[0] for values in spectra)
        return _Frames(harmonics, phase, noise, rest, rest_phase, pitch, whole_durations(durations))

    def _inputs(self, phonemes: str, speed: float) -> dict[str, NDArray[np.generic]]:
        ids = self._hibari.ids(phonemes)
        return {"ids": np.array([ids], np.int64), "speed": np.array([speed], np.float32)}


class _Warp:
    """Resamples spectra (601, F) along the frequency axis of a speaker's vocal tract; returns (F, bins)."""

    def __init__(self, speaker: HibariSpeaker) -> None:
        source = _TRACT_KNOTS / speaker.tract
        source[1:4] *= 1 + np.array(speaker.knots)
        place = np.minimum(np.interp(_FREQUENCIES, _TRACT_KNOTS, source) / _BIN_WIDTH, _LAST_SOURCE_BIN)
        self._below = place.astype(np.int64)
        self._share = (place - self._below).astype(np.float32)[:, None]

    def __call__(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        warped: NDArray[np.float32] = values[self._below] * (1 - self._share) + values[self._below + 1] * self._share
        return warped.T


def _colour(speaker: HibariSpeaker) -> NDArray[np.float64]:
    """Return the equaliser's gain in nepers at each frequency."""
    axis = np.pi * np.sqrt(_FREQUENCIES / _NYQUIST)
    waves = [gain * np.cos(number * axis) for number, gain in enumerate(speaker.equaliser, start=1)]
    return np.sum(waves, axis=0) / _NEPER if waves else np.zeros(_BINS)


def _moved_pitch(pitch: NDArray[np.float32], speaker: HibariSpeaker) -> NDArray[np.float32]:
    away = np.log(np.maximum(pitch, _VOICED) / BUILT_IN_PITCH)
    moved = np.clip(speaker.pitch * np.exp(speaker.pitch_range * away), _LOWEST_PITCH, _HIGHEST_PITCH)
    return np.where(pitch > _VOICED, moved, 0).astype(np.float32)


def _pulses(pitch: NDArray[np.float32], jitter: float, random: np.random.Generator) -> NDArray[np.float32]:
    """Return all harmonics of the pitch below 7900 Hz with amplitude 1: Dirichlet's kernel, as hibari computes it."""
    length = len(pitch) * FRAME
    frequency = np.interp((np.arange(length) + 0.5) / FRAME - 0.5, np.arange(len(pitch)), pitch).astype(np.float32)
    voiced = frequency > _VOICED
    frequency = np.maximum(frequency, _VOICED)
    if jitter > 0:
        steps = random.standard_normal(length // _JITTER_SAMPLES + 1)
        frequency *= np.exp(jitter * np.repeat(steps, _JITTER_SAMPLES)[:length]).astype(np.float32)
    turns = np.cumsum(frequency, dtype=np.float64) / SAMPLE_RATE
    angle = (2 * np.pi * (turns - np.floor(turns))).astype(np.float32)
    highest = np.floor(_HIGHEST_HARMONIC / frequency) + 0.5
    below = 2 * np.sin(angle / 2)
    near_zero = np.abs(below) <= 2e-3  # there, the quotient's limit
    below[near_zero] = 1
    pulses = np.sin(highest * angle) / below
    pulses[near_zero] = highest[near_zero]
    return np.where(voiced, pulses - 0.5, 0).astype(np.float32)


def _spectrum(samples: NDArray[np.float32], count: int) -> NDArray[np.complex64]:
    """Return the short-time spectrum (F, bins), frame f around sample 200 f."""
    padded = np.pad(samples, _WINDOW // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::FRAME][:count] * _ANALYSIS
    spectrum: NDArray[np.complex64] = scipy.fft.rfft(frames, axis=1)
    return spectrum


def _overlap_add(spectrum: NDArray[np.complex64]) -> NDArray[np.float32]:
    """Return the samples (F * 200,) whose windowed spectra are closest to `spectrum`."""
    count, parts = len(spectrum), _WINDOW // FRAME
    frames = scipy.fft.irfft(spectrum, n=_WINDOW, axis=1, overwrite_x=True) * _HANN
    frames = frames.reshape(count, parts, FRAME)
    squares = (_HANN * _HANN).reshape(parts, FRAME)
    samples = np.zeros((count + parts - 1, FRAME), np.float32)
    weight = np.zeros_like(samples)
    for part in range(parts):
        samples[part : part + count] += frames[:, part]
        weight[part : part + count] += squares[part]
    samples /= np.maximum(weight, 1e-11)
    return samples.reshape(-1)[_WINDOW // 2 :][: count * FRAME]


def _magnitude(logarithm: NDArray[np.float32], more: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.exp(np.minimum(logarithm + more.astype(np.float32), _LOUDEST))


def _phasors(angle: NDArray[np.float32]) -> NDArray[np.complex64]:
    turned = np.empty(angle.shape, np.complex64)
    np.cos(angle, out=turned.real)
    np.sin(angle, out=turned.imag)
    return turned


def _levelled(samples: NDArray[np.float32], level: float) -> NDArray[np.float32]:
    """Return the sound at `level` dB, or lower if its peaks would clip."""
    power = max(float(np.sqrt(np.mean(samples**2))), 1e-6)
    gain = min(10 ** (level / 20) / power, 0.95 / max(float(np.abs(samples).max()), 1e-6))
    return (gain * samples).astype(np.float32)
