"""Divide clips into training and held-out sets that share neither speakers nor texts."""

from collections.abc import Sequence
from dataclasses import dataclass

from errors import InvalidInput
from training.shards import split_of

_HELD_OUT = 0.08
"""The share of the speakers, and of the texts, that are held out."""


@dataclass(frozen=True)
class ClipSplit:
    """The positions of training and of held-out clips, ascending.

    `by_speaker`: whether speakers are held out too; if there are too few, only texts are.
    """

    train: tuple[int, ...]
    valid: tuple[int, ...]
    by_speaker: bool


def split_clips(speakers: Sequence[str], texts: Sequence[str]) -> ClipSplit:
    """Divide clips by the names of their speakers and by their texts.

    A name stays in its set when more clips are added. A clip with a held-out text and a training speaker, or the
    reverse, is in neither set. Raises InvalidInput when there are too few clips to hold any out.
    """
    kept = [_is_learned(speaker) for speaker in speakers]
    for by_speaker in (True, False):
        learned = [_is_learned(text) and (clear or not by_speaker) for text, clear in zip(texts, kept, strict=True)]
        seen_speakers = {speaker for speaker, used in zip(speakers, learned, strict=True) if used and by_speaker}
        seen_texts = {text for text, used in zip(texts, learned, strict=True) if used}
        valid = tuple(
            place
            for place, (speaker, text) in enumerate(zip(speakers, texts, strict=True))
            if speaker not in seen_speakers and text not in seen_texts
        )
        train = tuple(place for place, used in enumerate(learned) if used)
        if train and valid:
            return ClipSplit(train, valid, by_speaker)
    raise InvalidInput(f"{len(texts)} clips are too few to hold some out. Make more clips, at least about fifty.")


def _is_learned(name: str) -> bool:
    return split_of(name, test=0.0, valid=_HELD_OUT) == "train"
