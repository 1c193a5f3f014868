"""Choose the seconds of a media file that a voice is made from: the soundtrack, the channel, the part."""

from dataclasses import replace
from pathlib import Path

from cloning.media import channels, reference
from cloning.media.audio import Recording
from cloning.media.decoding import MAX_SECONDS, Decoded, decode
from cloning.media.reference import Reference
from cloning.media.report import LISTENED_SECONDS
from cloning.progress import ProgressReporter
from errors import InvalidInput

READING, CHOOSING = "reading the recording", "choosing the best seconds"
"""The names of the first stages of a clone."""

_KEPT_SECONDS = LISTENED_SECONDS + 1.0
"""A little more is decoded than is analysed, to tell whether the recording is longer."""
_TRACKS = 4
"""The maximum number of soundtracks that are searched for speech."""


def read(
    source: Path, *, max_seconds: float = MAX_SECONDS, memory_mb: int = 1024, scratch: Path | None = None
) -> Recording:
    """Read the soundtrack that players choose, as one channel within [-1, 1]. Arguments and errors: see `decode`."""
    return _mixed(decode(source, max_seconds=max_seconds, memory_mb=memory_mb, scratch=scratch))[0]


def choose(
    source: Path, reporter: ProgressReporter, *, rate: int, memory_mb: int, scratch: Path | None = None
) -> Reference:
    """Return the best seconds of a media file, at `rate` hertz; the report says what was used.

    `memory_mb` and `scratch`: see `decode`. Raises as `decode`, InvalidInput if no soundtrack has enough speech, and
    Cancelled.
    """
    failures: list[InvalidInput] = []
    track, tracks = 0, 1
    while track < min(tracks, _TRACKS):
        reporter.report(READING, 0.0)
        decoded = decode(source, track=track, keep_seconds=_KEPT_SECONDS, memory_mb=memory_mb, scratch=scratch)
        reporter.report(CHOOSING, 0.0)
        recording, notes = _mixed(decoded)
        try:
            return _with_notes(reference.choose(recording, rate=rate), decoded, notes)
        except InvalidInput as error:
            failures.append(error)
        track, tracks = track + 1, decoded.tracks
    if tracks > _TRACKS:
        raise InvalidInput(
            f"I found no speech in the first {_TRACKS} of this file's {tracks} soundtracks. Save the one with the "
            "voice as a file of its own and send that."
        )
    raise failures[0]


def _mixed(decoded: Decoded) -> tuple[Recording, list[str]]:
    """Return one channel, and notes about the others."""
    mixes = [channels.choose(piece, decoded.sample_rate) for piece in decoded.pieces]
    notes = [
        f"The channels hold different voices; only the {_name(mix.channel, piece.shape[1])} was used."
        for mix, piece in zip(mixes, decoded.pieces, strict=True)
        if mix.has_other_voices
    ]
    samples = channels.in_range([mix.samples for mix in mixes])
    return Recording(samples, decoded.sample_rate), list(dict.fromkeys(notes))


def _name(channel: int, of: int) -> str:
    return ("left one", "right one")[channel] if of == 2 else f"channel {channel + 1}"


def _with_notes(chosen: Reference, decoded: Decoded, notes: list[str]) -> Reference:
    report = chosen.report
    verdict = report.verdict
    if decoded.tracks > 1:
        notes = [f"The file has {decoded.tracks} soundtracks; only number {decoded.track} was used.", *notes]
    if decoded.has_holes:
        verdict = "usable" if verdict == "good" else verdict
        notes = ["A part in the middle of the file is damaged and was left out: save or upload it again.", *notes]
    return replace(
        chosen,
        report=replace(
            report, total_seconds=round(decoded.seconds, 2), verdict=verdict, advice=(*notes, *report.advice)
        ),
    )
