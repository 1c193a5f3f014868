"""Held-out speakers and sentences for the bundled model: its recipe's test split, spoken by Kokoro.

A held-out speaker is a mixture of voices, of which the largest part is one of four that are not in the training data.
"""

from collections.abc import Iterator
from functools import cache
from itertools import count, islice
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from cloning.media import audio
from cloning.model_set import LoadedModels
from errors import InvalidInput
from research.bundled import kokoro
from research.bundled.build import WORK
from research.bundled.corpus import ClipMaker, ClipRequest
from research.bundled.phones import SEMANTIC_SIZE
from research.bundled.texts import sentences
from research.evaluate.references import MANIFEST, SpeakerRecordings, TranscribedRecording, write_manifest
from training.shards import Clip, ShardWriter, recording_of, split_of

SPEAKERS, SENTENCES = 20, 60
REFERENCE_SECONDS = 8.0
"""The minimum length of a reference in seconds: that of a good upload (see the README)."""
ARCHIVE = WORK / kokoro.VOICES
_PAUSE_SECONDS = 0.3
_OTHER = "other"
_LABEL = {"comment": "Synthetic speech for Barkeep's evaluation. No person said this."}

KokoroVoices = Annotated[Path, typer.Option(help="The archive of Kokoro's voices: `npm pack kokoro-js@1.2.1`.")]
"""The option of all commands that use HeldOutVoices."""


def held_out_sentences() -> list[str]:
    """Return SENTENCES English sentences of the recipe's test split. Deterministic."""
    return _held_out()[:SENTENCES]


def held_out_speakers(number: int = SPEAKERS) -> list[str]:
    """Return the names of the first `number` speakers of the recipe's test split."""
    names = (f"speaker-{place:05d}" for place in count())
    return list(islice((name for name in names if split_of(name) == "test"), number))


def require_true_tokens(models: LoadedModels) -> None:
    """Raise InvalidInput if a model does not have the recipe's semantic tokens, which are known for its speech."""
    if models.engine.spec.semantic_vocab != SEMANTIC_SIZE:
        raise InvalidInput(
            "The true semantic tokens of a recording are known for the bundled model only. Give --model bundled, or a "
            "directory that its recipe made."
        )


def labelled_command(
    out: Annotated[Path, typer.Option(help="The folder of clips to make.")] = Path(".training/labelled"),
    voices: Annotated[int, typer.Option(min=1, help="The number of held-out speakers.")] = SPEAKERS,
    kokoro_voices: KokoroVoices = ARCHIVE,
) -> None:
    """Write the held-out speakers' recordings with their true tokens, for `training quantizer --labelled`."""
    held_out = HeldOutVoices(kokoro_voices)
    with ShardWriter(out, clips_per_shard=100) as writer:
        for clip in held_out.labelled_clips(voices):
            if clip.key not in writer.keys:
                writer.add(clip)
    print(f"{out}: {len(writer.keys)} clips")


class HeldOutVoices:
    """Makes recordings of held-out speakers, and of the built-in voices. Deterministic.

    archive: Kokoro's voices. Raises Unavailable if they or Kokoro's network cannot be read.
    """

    def __init__(self, archive: Path) -> None:
        self._maker = ClipMaker(archive)

    def clip(self, speaker: str, text: str) -> Clip | None:
        """Return a clip of a text in a held-out or built-in voice; None if the pronunciation of a word is uncertain."""
        return self._maker.record(ClipRequest(f"evaluation-{speaker}-{text}", speaker, text))

    def write_references(self, folder: Path, speakers: int = SPEAKERS) -> None:
        """Write two recordings of each of `speakers` speakers, and their manifest, unless the manifest exists."""
        if (folder / MANIFEST).is_file():
            return
        folder.mkdir(parents=True, exist_ok=True)
        write_manifest(folder, [self._reference(folder, speaker) for speaker in held_out_speakers(speakers)])

    def labelled_clips(self, speakers: int = SPEAKERS) -> Iterator[Clip]:
        """Yield the clips of the first recordings of `write_references`, with their true semantic tokens."""
        for speaker in held_out_speakers(speakers):
            yield from self._said(speaker, "")

    def labelled_pairs(self, speakers: int = SPEAKERS) -> Iterator[tuple[Clip, Clip]]:
        """Yield the first two of the `labelled_clips` of each speaker with at least two."""
        for speaker in held_out_speakers(speakers):
            said = self._said(speaker, "")
            if len(said) > 1:
                yield said[0], said[1]

    def _reference(self, folder: Path, speaker: str) -> SpeakerRecordings:
        first, other = (self._take(folder, speaker, kind) for kind in ("", _OTHER))
        return SpeakerRecordings(speaker, first, (other,))

    def _take(self, folder: Path, speaker: str, kind: str) -> TranscribedRecording:
        clips = self._said(speaker, kind)
        pause = np.zeros(round(_PAUSE_SECONDS * kokoro.SAMPLE_RATE), np.float32)
        pieces = [piece for clip in clips for piece in (recording_of(clip).samples, pause)]
        path = folder / f"{speaker}{'-' if kind else ''}{kind}.flac"
        audio.write(path, np.concatenate(pieces), kokoro.SAMPLE_RATE, tags=_LABEL)
        return TranscribedRecording(path, " ".join(clip.text for clip in clips))

    def _said(self, speaker: str, kind: str) -> list[Clip]:
        """Generate sentences in a voice up to the minimum length. Another `kind` gives other sentences."""
        texts = _held_out()[SENTENCES:]
        random = np.random.default_rng([ord(letter) for letter in f"{speaker} {kind}"])
        clips: list[Clip] = []
        for place in random.permutation(len(texts)):
            request = ClipRequest(f"evaluation-{speaker}-{kind}-{place}", speaker, texts[place])
            clip = self._maker.record(request)
            if clip is not None:
                clips.append(clip)
            if sum(recording_of(clip).seconds + _PAUSE_SECONDS for clip in clips) >= REFERENCE_SECONDS:
                break
        return clips


@cache
def _held_out() -> list[str]:
    held_out = [text for text in sentences() if split_of(text) == "test"]
    order = np.random.default_rng(0).permutation(len(held_out))
    return [held_out[place] for place in order]
