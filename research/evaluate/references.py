"""Recordings of speakers in a folder, listed in its `manifest.csv`: file, speaker, transcript.

A speaker's first recording is cloned; further recordings measure how well speakers can be told apart.
"""

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

from errors import InvalidInput, NotFound

MANIFEST = "manifest.csv"
COLUMNS = ("file", "speaker", "transcript")


@dataclass(frozen=True)
class TranscribedRecording:
    """A recording in any common audio format, and its words, "" if unknown."""

    path: Path
    transcript: str


@dataclass(frozen=True)
class SpeakerRecordings:
    """A speaker: the recording that is cloned, and the speaker's other recordings."""

    speaker: str
    take: TranscribedRecording
    others: tuple[TranscribedRecording, ...] = ()


def read_references(folder: Path) -> list[SpeakerRecordings]:
    """Read the speakers of a folder, in the order of its manifest.

    Raises NotFound if there is no manifest, InvalidInput if it is unusable or names a missing file.
    """
    path = folder / MANIFEST
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            rows = list(csv.DictReader(lines))
    except FileNotFoundError as error:
        raise NotFound(f"{folder} has no {MANIFEST}. Write one with the columns {', '.join(COLUMNS)}.") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidInput(f"{path} cannot be read. Save it as CSV in UTF-8.") from error
    takes: dict[str, list[TranscribedRecording]] = {}
    for number, row in enumerate(rows, start=2):
        file, speaker, transcript = (_field(row, name) for name in COLUMNS)
        if not file or not speaker:
            raise InvalidInput(f"Line {number} of {path} lacks the file or the speaker. Complete or remove it.")
        takes.setdefault(speaker, []).append(TranscribedRecording(_within(folder, file), transcript))
    if not takes:
        raise InvalidInput(f"{path} lists no recordings. Its columns are {', '.join(COLUMNS)}.")
    return [SpeakerRecordings(speaker, first, tuple(others)) for speaker, (first, *others) in takes.items()]


def write_manifest(folder: Path, references: list[SpeakerRecordings]) -> None:
    """Write the manifest of a folder that already holds the files."""
    with (folder / MANIFEST).open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(COLUMNS)
        for reference in references:
            for take in (reference.take, *reference.others):
                writer.writerow([take.path.relative_to(folder).as_posix(), reference.speaker, take.transcript])


def digest(references: list[SpeakerRecordings]) -> str:
    """Return a digest of the speakers, their order, their transcripts and their files."""
    made = hashlib.blake2b(digest_size=8)
    for reference in references:
        for take in (reference.take, *reference.others):
            made.update(f"{reference.speaker}\n{take.transcript}\n".encode())
            made.update(take.path.read_bytes())
    return made.hexdigest()


def _field(row: dict[str, str | None], name: str) -> str:
    return (row.get(name) or "").strip()


def _within(folder: Path, file: str) -> Path:
    path = folder / file
    if not path.is_file():
        raise InvalidInput(f"The recording {path}, which {MANIFEST} lists, is missing. Add it or remove its line.")
    return path
