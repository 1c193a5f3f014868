"""Held-out speakers and sentences for the bundled model, spoken by the synthesiser of its first edition."""

import hashlib
from collections.abc import Iterator
from functools import cache
from itertools import count, islice
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from cloning.media import audio
from cloning.media.audio import Recording
from research.bundled.phones import TOKEN_RATE, Pronouncer, frame_tokens
from research.bundled.texts import sentences
from research.evaluate.hibari import BUILT_IN, SAMPLE_RATE, HibariSpeaker, HibariSynthesiser
from research.evaluate.references import MANIFEST, SpeakerRecordings, TranscribedRecording, write_manifest
from training.shards import Clip, ShardWriter, recording_of, split_of

VOICES, SENTENCES = 20, 30
REFERENCE_SECONDS = 8.0
"""The minimum length of a reference: that of a good upload (see the README)."""
_PAUSE_SECONDS = 0.3
_SPEED_OF_A_CLIP = 0.05
"""Standard deviation of its logarithm."""
_OTHER = "other"
_LABEL = {"comment": "Synthetic speech for Barkeep's evaluation. No person said this."}


def held_out_sentences() -> list[str]:
    """Return SENTENCES English sentences of the recipe's test split. Deterministic."""
    return _held_out()[:SENTENCES]


def held_out_speakers(number: int = VOICES) -> list[str]:
    """Return the names of the first `number` speakers of the recipe's test split."""
    names = (f"speaker-{place:05d}" for place in count())
    return list(islice((name for name in names if split_of(name) == "test"), number))


def write_references(folder: Path, voices: int = VOICES) -> None:
    """Write two recordings for each of `voices` speakers, and their manifest, unless the manifest exists."""
    if (folder / MANIFEST).is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    write_manifest(folder, [_reference(folder, speaker) for speaker in held_out_speakers(voices)])


def labelled_clips(voices: int = VOICES) -> Iterator[Clip]:
    """Yield the clips of the first recordings of `write_references`, with their true semantic tokens."""
    for speaker in held_out_speakers(voices):
        yield from _said(speaker, "")


def labelled_command(
    out: Annotated[Path, typer.Option(help="The folder of clips to make.")] = Path(".training/labelled"),
    voices: Annotated[int, typer.Option(min=1, help="The number of held-out speakers.")] = VOICES,
) -> None:
    """Write the held-out speakers' recordings with their true tokens, for `training quantizer --labelled`."""
    with ShardWriter(out, clips_per_shard=100) as writer:
        for clip in labelled_clips(voices):
            if clip.key not in writer.keys:
                writer.add(clip)
    print(f"{out}: {len(writer.keys)} clips")


def labelled_pairs(voices: int = VOICES) -> Iterator[tuple[Clip, Clip]]:
    """Yield the first two clips of `labelled_clips` of each speaker that has two."""
    for speaker in held_out_speakers(voices):
        said = _said(speaker, "")
        if len(said) > 1:
            yield said[0], said[1]


def built_in_clip(text: str) -> Clip | None:
    """Return a sentence in the synthesiser's own voice; None if a word has no certain pronunciation."""
    return _recorded(f"evaluation-{text}", BUILT_IN, text)


def spoken_by(speaker: str, text: str) -> Recording | None:
    """Return a text in a speaker's voice; None if a word has no certain pronunciation."""
    clip = _recorded(f"evaluation-{speaker}-{text}", speaker, text)
    return None if clip is None else recording_of(clip)


def _reference(folder: Path, speaker: str) -> SpeakerRecordings:
    first, other = (_take(folder, speaker, kind) for kind in ("", _OTHER))
    return SpeakerRecordings(speaker, first, (other,))


def _take(folder: Path, speaker: str, kind: str) -> TranscribedRecording:
    clips = _said(speaker, kind)
    pause = np.zeros(round(_PAUSE_SECONDS * clips[0].sample_rate), np.float32)
    pieces = [piece for clip in clips for piece in (recording_of(clip).samples, pause)]
    path = folder / f"{speaker}{'-' if kind else ''}{kind}.flac"
    audio.write(path, np.concatenate(pieces), clips[0].sample_rate, tags=_LABEL)
    return TranscribedRecording(path, " ".join(clip.text for clip in clips))


def _said(speaker: str, kind: str) -> list[Clip]:
    """Generate sentences in a voice up to the minimum length; another `kind` gives other sentences."""
    texts = _held_out()[SENTENCES:]
    random = np.random.default_rng([ord(letter) for letter in f"{speaker} {kind}"])
    clips: list[Clip] = []
    for place in random.permutation(len(texts)):
        clip = _recorded(f"evaluation-{speaker}-{kind}-{place}", speaker, texts[place])
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


def _recorded(key: str, speaker: str, text: str) -> Clip | None:
    """Return the clip, whose seed is derived from `key`; None if a word has no certain pronunciation."""
    phonemes = _pronouncer()(text)
    if not phonemes or not _synthesiser().fits(phonemes):
        return None
    seed = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=6).digest(), "big")
    random = np.random.default_rng(seed)
    speed = float(np.exp(random.normal(0, _SPEED_OF_A_CLIP)))
    said = _synthesiser().speak(phonemes, HibariSpeaker.drawn(speaker), random, speed=speed)
    tokens = frame_tokens(phonemes, said.durations).tokens
    audio = np.round(said.samples * np.iinfo(np.int16).max).astype(np.int16)
    return Clip(key, text, speaker, seed, SAMPLE_RATE, audio[: len(tokens) * SAMPLE_RATE // TOKEN_RATE], tokens)


@cache
def _pronouncer() -> Pronouncer:
    return Pronouncer()


@cache
def _synthesiser() -> HibariSynthesiser:
    return HibariSynthesiser()
