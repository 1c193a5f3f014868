"""`python -m research recordings SOURCE FOLDER`: make references of real people from short recorded prompts.

SOURCE has a folder for each speaker, at any depth, such as Debian's voice prompts for telephone exchanges:

    apt-get download asterisk-core-sounds-{en,fr,it,ru}-g722 asterisk-prompt-{es-co,fr-armelle}
    for package in *.deb; do dpkg -x "$package" prompts; done
    python -m research recordings prompts people
    python -m research evaluate --recordings people

Their licences (CC-BY-SA 3.0, CC-BY 3.0, GPL-2, BSD) allow this; only three of tests/media/people are part of Barkeep.
The words are unknown and not needed.
"""

from pathlib import Path
from typing import Annotated

import av
import numpy as np
import typer

from cloning.media import audio
from cloning.media.audio import Recording, Samples
from errors import InvalidInput
from research.evaluate.references import SpeakerRecordings, TranscribedRecording, write_manifest

_FORMATS = {".g722": "g722", ".gsm": "gsm", ".wav": "wav", ".flac": "flac", ".ogg": "ogg", ".oga": "ogg"}
"""Suffix -> FFmpeg's name of the format. The first two formats have no header by which FFmpeg could recognise them."""
_RATE = 16_000
_SECONDS = 9.0
"""The length of each reference in seconds."""
_SHORTEST, _LONGEST = 1.5, 8.0
"""Minimum and maximum length of usable prompts in seconds: shorter ones are not sentences, longer ones may be music."""
_PAUSE = np.zeros(round(0.3 * _RATE), np.float32)


def recordings_command(
    source: Annotated[Path, typer.Argument(help="A folder with a folder of recordings for each speaker.")],
    folder: Annotated[Path, typer.Argument(help="The folder of references to make.")],
) -> None:
    """Join the prompts of each speaker of a folder into two recordings, for `evaluate --recordings`."""
    references = make_references(source, folder)
    print(f"{folder}: {len(references)} speakers")


def make_references(source: Path, folder: Path) -> list[SpeakerRecordings]:
    """Write two FLAC files for each speaker, and their manifest. Raises InvalidInput for fewer than two speakers."""
    folder.mkdir(parents=True, exist_ok=True)
    found = (_reference(folder, name, files) for name, files in prompts_of(source).items())
    references = [reference for reference in found if reference is not None]
    if len(references) < 2:
        raise InvalidInput(f"{source} needs at least two folders with enough recordings, one for each speaker.")
    write_manifest(folder, references)
    return references


def read_prompt(path: Path) -> Recording:
    """Read a recording with one of the known suffixes, mono at 16 kHz. Raises InvalidInput for a damaged one."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=_RATE)
    try:
        with av.open(str(path), format=_FORMATS[path.suffix]) as container:
            frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
            frames += resampler.resample(None)
    except (OSError, ValueError, IndexError) as error:
        raise InvalidInput(f"{path} cannot be decoded. Remove it.") from error
    pieces = [frame.to_ndarray().reshape(-1) for frame in frames]
    if not pieces:
        raise InvalidInput(f"{path} has no sound. Remove it.")
    return Recording(np.concatenate(pieces), _RATE)


def prompts_of(source: Path) -> dict[str, list[Path]]:
    """Return name -> recordings of each outermost folder with recordings. Folders of the same name are one speaker.

    Deeper folders, such as spoken digits, are the same speaker's and are left out.
    """
    folders: list[Path] = []
    speakers: dict[str, list[Path]] = {}
    for path in sorted(source.rglob("*")):
        if path.is_dir() and _files(path) and not any(path.is_relative_to(folder) for folder in folders):
            folders.append(path)
            speakers.setdefault(path.name, []).extend(_files(path))
    return speakers


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix in _FORMATS)


def _reference(folder: Path, name: str, files: list[Path]) -> SpeakerRecordings | None:
    """Write a recording of every other prompt and one of the rest. Return None if the prompts are too few for two."""
    first, other = (_joined(files[start::2]) for start in (0, 1))
    if first is None or other is None:
        return None
    takes = []
    for kind, samples in (("", first), ("-other", other)):
        path = folder / f"{name}{kind}.flac"
        audio.write(path, samples, _RATE, tags={})
        takes.append(TranscribedRecording(path, ""))
    return SpeakerRecordings(name, takes[0], (takes[1],))


def _joined(files: list[Path]) -> Samples | None:
    pieces: list[Samples] = []
    length = 0
    for path in files:
        prompt = read_prompt(path)
        if _SHORTEST <= prompt.seconds <= _LONGEST:
            pieces += [audio.normalise(prompt.samples, _RATE), _PAUSE]
            length += prompt.samples.size + _PAUSE.size
        if length >= _SECONDS * _RATE:
            return np.concatenate(pieces)
    return None
