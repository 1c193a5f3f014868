"""Advice for the speaker of a recording: each finding has a severity and a sentence that says what to do."""

from collections.abc import Iterator, Sequence

Finding = tuple[int, str]
"""A severity (an index of VERDICTS) and a sentence for the member."""
Findings = Iterator[Finding]

VERDICTS = ("good", "usable", "poor")
_GOOD, _USABLE, _POOR = range(3)

_TELEPHONE_KHZ = 4.0
_QUIET_BACKGROUND_DB = -35.0
_DROPOUT_SECONDS = 2.0
"""More than one dropout in this time is reported."""


def verdict(findings: Sequence[Finding]) -> str:
    """Return the word of VERDICTS for the worst severity."""
    return VERDICTS[max((severity for severity, _ in findings), default=_GOOD)]


def too_short(seconds: float) -> Findings:
    """Check the `seconds` of speech in the clip."""
    if seconds < 6:
        yield (
            _POOR if seconds < 3 else _USABLE,
            f"Only {seconds:.1f} s of speech could be used; about 10 seconds make a closer voice.",
        )


def noisy(noise_db: float) -> Findings:
    """Check the level of the background relative to the speech, in decibels."""
    if noise_db > -15:
        yield (
            _POOR,
            "There is a lot of noise, music or other talk behind the voice: record alone in a quiet room, near the "
            "microphone.",
        )
    elif noise_db > -30:
        yield _USABLE, "There is some noise behind the voice: a quieter room or a nearer microphone would help."


def clipping(share: float) -> Findings:
    """Check the share of samples in clipped peaks, 0..1."""
    if share > 0.001:
        yield (
            _POOR if share > 0.01 else _USABLE,
            "The recording is too loud and its peaks are cut off: turn the microphone down or move away from it.",
        )


def too_quiet(level: float) -> Findings:
    """Check the clip's loudness in LUFS."""
    if level < -35:
        yield (
            _POOR if level < -45 else _USABLE,
            "The recording is very quiet: turn the microphone up or move nearer to it.",
        )


def narrow(khz: float | None) -> Findings:
    """Report a recording without sound above `khz` kilohertz; None: it covers the whole range of a voice."""
    if khz is None:
        return
    if khz <= _TELEPHONE_KHZ:
        sentence = f"It has the sound of a telephone (nothing above {khz:g} kHz), so the voice will be dull: record it "
        yield _USABLE, sentence + "with an app instead of a call."
    else:
        sentence = f"It has no sound above {khz:g} kHz, as after strong compression, so the voice will be dull: send "
        yield _USABLE, sentence + "the original file, or record in a higher quality."


def dropouts(count: int, seconds: float) -> Findings:
    """Check the number of short holes in `seconds` of sound."""
    if count > seconds / _DROPOUT_SECONDS:
        yield _USABLE, "The sound is interrupted again and again: record it on the device itself, not over a call."


def reverberant(noise_db: float, is_reverberant: bool) -> Findings:
    """Report a reverberant room, unless noise makes the measurement unreliable."""
    if is_reverberant and noise_db < _QUIET_BACKGROUND_DB:
        yield _USABLE, "The room echoes: move nearer to the microphone, or record in a room with curtains or carpets."


def speakers(differ: bool) -> Findings:
    """Report phrases in two clearly different voices."""
    if differ:
        yield _POOR, "Two people seem to speak: send a recording of one person alone."


def broken_off(is_cut_off: bool) -> Findings:
    """Report a recording that ends in speech."""
    if is_cut_off:
        yield _USABLE, "The recording ends during speech: wait a second after the last word before you stop it."


def long(minutes: str) -> Findings:
    """Report a recording of which only the first `minutes` were analysed."""
    yield _GOOD, f"The recording is long, so only its first {minutes} were listened to."


def only_a_part(heard: float, used: float, start: float, end: float) -> Findings:
    """Report that only `used` of `heard` seconds of speech were used, between two times of the recording in seconds.

    The sentence gives the time between the two, as the voice's card does, not the seconds of speech in between.
    """
    if heard - used > 1:
        yield _GOOD, f"The best {end - start:.1f} s were used, from {_clock(start)} to {_clock(end)}."


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
