"""Choose the seconds of a recording that a voice is made from, and advise its speaker.

Only the end of a prompt conditions Bark, so the clip is short, mostly speech, and ends at a pause: the model would
complete a word that is cut off.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from cloning.media import advice, quality
from cloning.media.audio import Recording, Samples, loudness, normalise, peaks, resample
from cloning.media.quality import without_clicks
from cloning.media.report import LISTENED_SECONDS, QualityReport
from cloning.media.voice_activity import FRAME_SECONDS, Activity, analyse, without_offset
from cloning.media.world_vocoder import pitch
from errors import InvalidInput

LEAD_SECONDS = 0.1
TRAIL_SECONDS = 0.25
"""Seconds of silence kept before and after the speech."""
MAX_PAUSE_SECONDS = 0.6
"""A longer silence between two words is shortened to this, or the voice would learn to hesitate."""
_MAX_PAUSE = round(MAX_PAUSE_SECONDS / FRAME_SECONDS)
_FADE_SECONDS = 0.01
_SILENT_LUFS = -60.0

_CLEAR_PAUSE_SECONDS = 0.25
_CLEAR_END, _WEAK_END, _CUT_OFF_END = 1.0, 0.9, 0.8
"""The worth of a clip that ends at a clear pause, at a shorter one, or where the recording breaks off in speech."""
_NOISE_DB = (-30.0, -5.0)
_NOISE_WORTH = (1.0, 0.5)
"""Noise costs nothing up to the first level, and half of a clip's worth at the second."""
_CLIPPING_COST = 20.0
_LEAST_WORTH = 0.2
"""Clipping cannot take all of a clip's worth: some voice is better than none."""
_AS_GOOD = 0.95
"""Windows within this share of the best count as equal, and the latest is taken: people warm up as they speak."""
_LEAST_SECONDS = 1.0
"""The least speech that a voice is made from."""
_SURROUNDINGS = round(0.5 / FRAME_SECONDS)
"""Frames around a window that are used to measure its noise."""
_QUIET_SEARCH = round(1.0 / FRAME_SECONDS)
_ONSET_FRAMES = round(0.1 / FRAME_SECONDS)
"""Frames before a word that may hold its onset."""

Segment = tuple[int, int]


@dataclass(frozen=True)
class Reference:
    """The chosen clip, at speaking loudness, and the quality report of the recording."""

    clip: Recording
    report: QualityReport


@dataclass(frozen=True)
class _Window:
    """A stretch of the recording: speech in frames, seconds kept before and after, and whether it is the last."""

    speech: tuple[Segment, ...]
    lead: float
    trail: float
    is_last: bool

    @property
    def start(self) -> int:
        return self.speech[0][0]

    @property
    def end(self) -> int:
        return self.speech[-1][1]

    @property
    def speech_seconds(self) -> float:
        return sum(end - start for start, end in self.speech) * FRAME_SECONDS

    def noise_db(self, activity: Activity) -> float:
        return activity.noise_db(max(0, self.start - _SURROUNDINGS), self.end + _SURROUNDINGS)

    def clipped(self, activity: Activity) -> float:
        return float(activity.clipped[self.start : self.end].mean())


def choose(recording: Recording, *, rate: int, max_seconds: float = 10.0) -> Reference:
    """Return the best seconds of a recording, at `rate` hertz and speaking loudness, and a report.

    The clip is one stretch of the recording, `max_seconds` long at most, in which long silences are shortened; it
    begins and ends with a little silence. Of a long recording only the first LISTENED_SECONDS are analysed, and the
    report says so. Raises InvalidInput if there is less than a second of speech.
    """
    if recording.samples.size == 0:
        raise InvalidInput("The recording is empty. Record about 10 seconds of your voice and send that.")
    heard = _beginning(recording)
    part = "this recording" if heard is recording else f"the first {_minutes()} of this recording"
    if heard.seconds < _LEAST_SECONDS:
        raise InvalidInput(
            f"This recording is shorter than the {_LEAST_SECONDS:g} s of speech that a voice needs. Record about 10 "
            "seconds of one person speaking."
        )
    sound = Recording(without_clicks(without_offset(heard.samples), heard.sample_rate), heard.sample_rate)
    if loudness(sound.samples, sound.sample_rate) < _SILENT_LUFS:
        raise InvalidInput(
            f"I heard only silence in {part}. Check that the right microphone is on and record it again."
        )
    activity = analyse(heard)
    _require_speech(activity.speech_seconds, _LEAST_SECONDS, part)
    window = _best(activity, sound.seconds, max_seconds)
    _require_speech(window.speech_seconds, _LEAST_SECONDS, part)
    cut = _cut(sound, window)
    clip = Recording(normalise(resample(cut, rate).samples, rate), rate)
    return Reference(clip, _report(recording, sound, activity, window, cut, clip))


def _beginning(recording: Recording) -> Recording:
    """Return the part that is analysed: all of it, unless the recording is long."""
    if recording.seconds <= LISTENED_SECONDS:
        return recording
    return Recording(recording.samples[: round(LISTENED_SECONDS * recording.sample_rate)], recording.sample_rate)


def _minutes() -> str:
    return f"{LISTENED_SECONDS / 60:g} minutes"


def _require_speech(heard: float, needed: float, part: str) -> None:
    if heard == 0:
        raise InvalidInput(f"I heard no speech in {part}. Record about 10 seconds of one person speaking.")
    if heard < needed:
        rounded_down = math.floor(heard * 10) / 10
        raise InvalidInput(
            f"I heard only {rounded_down:.1f} s of speech in {part}, and a voice needs {needed:g} s at least. "
            "Record about 10 seconds of one person speaking."
        )


def _best(activity: Activity, seconds: float, max_seconds: float) -> _Window:
    """Return the latest of the windows that are as good as the best."""
    windows = list(_windows(activity, seconds, max_seconds))
    worths = [_worth(window, activity) for window in windows]
    good_enough = _AS_GOOD * max(worths)
    return next(window for window, worth in zip(windows[::-1], worths[::-1], strict=True) if worth >= good_enough)


def _windows(activity: Activity, seconds: float, max_seconds: float) -> Iterator[_Window]:
    """Yield the longest window that ends with each stretch of speech."""
    room = int((max_seconds - LEAD_SECONDS - TRAIL_SECONDS) / FRAME_SECONDS)
    segments = activity.segments
    for last, (_, end) in enumerate(segments):
        first = _first_that_fits(segments, last, room)
        start, first_end = segments[first]
        silence_before = (start - (segments[first - 1][1] if first else 0)) * FRAME_SECONDS
        if end - start > room and first == last:
            start = _quiet_start(activity, end - room, end)
            silence_before = 0.0
        is_last = last + 1 == len(segments)
        following = None if is_last else segments[last + 1][0]
        silence_after = _quiet_after(activity, end, following) if following else seconds - end * FRAME_SECONDS
        yield _Window(
            speech=((start, first_end), *segments[first + 1 : last + 1]),
            lead=min(LEAD_SECONDS, silence_before),
            trail=min(TRAIL_SECONDS, max(0.0, silence_after)),
            is_last=is_last,
        )


def _quiet_after(activity: Activity, end: int, next_start: int) -> float:
    """Return the seconds after the frame `end` at which the pause may be cut: its quietest moment if it is short.

    The last frames of a pause may hold the onset of the next word.
    """
    clear = next_start - _ONSET_FRAMES - end
    if clear * FRAME_SECONDS >= TRAIL_SECONDS:
        return clear * FRAME_SECONDS
    return (int(np.argmin(activity.levels[end:next_start])) + 0.5) * FRAME_SECONDS


def _first_that_fits(segments: tuple[Segment, ...], last: int, room: int) -> int:
    """Return the earliest segment from which the speech up to segment `last` takes at most `room` frames, with
    shortened pauses."""
    first = last
    used = segments[last][1] - segments[last][0]
    while first > 0:
        pause = min(segments[first][0] - segments[first - 1][1], _MAX_PAUSE)
        used += pause + segments[first - 1][1] - segments[first - 1][0]
        if used > room:
            break
        first -= 1
    return first


def _quiet_start(activity: Activity, earliest: int, end: int) -> int:
    """Return where to begin in speech without a pause: the quietest moment of the next second."""
    return earliest + int(np.argmin(activity.levels[earliest : min(earliest + _QUIET_SEARCH, end)]))


def _worth(window: _Window, activity: Activity) -> float:
    """Return the seconds of speech, reduced by factors for noise, clipping and a bad end."""
    noise = float(np.interp(window.noise_db(activity), _NOISE_DB, _NOISE_WORTH))
    clipping = max(_LEAST_WORTH, 1 - _CLIPPING_COST * window.clipped(activity))
    ending = _CLEAR_END
    if window.trail < _CLEAR_PAUSE_SECONDS - FRAME_SECONDS:
        ending = _CUT_OFF_END if _is_cut_off(window) else _WEAK_END
    return window.speech_seconds * noise * clipping * ending


def _is_cut_off(window: _Window) -> bool:
    return window.is_last and window.trail < 2 * FRAME_SECONDS


def _cut(sound: Recording, window: _Window) -> Recording:
    """Return the window's samples with long pauses shortened, every cut faded, and silence at the end."""
    pieces = []
    start = window.start * FRAME_SECONDS - window.lead
    for (_, silence_start), (silence_end, _) in pairwise(window.speech):
        if silence_end - silence_start > _MAX_PAUSE:
            pieces.append(_piece(sound, start, silence_start * FRAME_SECONDS + MAX_PAUSE_SECONDS / 2))
            start = silence_end * FRAME_SECONDS - MAX_PAUSE_SECONDS / 2
    pieces.append(_piece(sound, start, window.end * FRAME_SECONDS + window.trail))
    missing = round((TRAIL_SECONDS - window.trail) * sound.sample_rate)
    return Recording(np.concatenate([*pieces, np.zeros(missing, np.float32)]), sound.sample_rate)


def _piece(sound: Recording, start: float, end: float) -> Samples:
    piece = sound.samples[round(start * sound.sample_rate) : round(end * sound.sample_rate)].copy()
    length = min(round(_FADE_SECONDS * sound.sample_rate), piece.size // 2)
    ramp = np.linspace(0.0, 1.0, length, dtype=np.float32)
    piece[:length] *= ramp
    piece[piece.size - length :] *= ramp[::-1]
    return piece


def _report(
    recording: Recording, heard: Recording, activity: Activity, window: _Window, cut: Recording, clip: Recording
) -> QualityReport:
    level = loudness(cut.samples, cut.sample_rate)
    used_start = round(window.start * FRAME_SECONDS - window.lead, 2)
    used_end = round(min(window.end * FRAME_SECONDS + window.trail, heard.seconds), 2)
    # The original samples: without its offset, a hole is no longer digital silence.
    used = Recording(recording.samples[_at(heard, used_start) : _at(heard, used_end)], heard.sample_rate)
    is_whole = heard.samples.size == recording.samples.size
    frames = slice(window.start, window.end)
    noise_db = window.noise_db(activity)
    phrases = [pitch(_between(heard, start, end)) for start, end in window.speech]
    findings = [
        *advice.too_short(window.speech_seconds),
        *advice.noisy(noise_db),
        *advice.clipping(window.clipped(activity)),
        *advice.too_quiet(level),
        *advice.narrow(quality.narrow_khz(heard, activity.is_speech(), FRAME_SECONDS)),
        *advice.dropouts(quality.dropouts(used), used.seconds),
        *advice.reverberant(noise_db, quality.is_reverberant(activity.levels[frames], activity.is_speech()[frames])),
        *advice.speakers(quality.speakers_differ(phrases)),
        *(advice.broken_off(_is_cut_off(window)) if is_whole else advice.long(_minutes())),
        *advice.only_a_part(activity.speech_seconds, window.speech_seconds, used_start, used_end),
    ]
    return QualityReport(
        total_seconds=round(recording.seconds, 2),
        speech_seconds=round(activity.speech_seconds, 2),
        used_start=used_start,
        used_end=used_end,
        loudness_lufs=round(level, 1),
        clipped_fraction=round(window.clipped(activity), 5),
        noise_db=round(noise_db, 1),
        verdict=advice.verdict(findings),
        advice=tuple(sentence for _, sentence in findings),
        waveform=peaks(clip.samples),
    )


def _between(sound: Recording, start: int, end: int) -> Recording:
    """Return the samples of the frames from `start` up to `end`."""
    samples = sound.samples[_at(sound, start * FRAME_SECONDS) : _at(sound, end * FRAME_SECONDS)]
    return Recording(samples, sound.sample_rate)


def _at(sound: Recording, seconds: float) -> int:
    return round(seconds * sound.sample_rate)
