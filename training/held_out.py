"""Which clips are learned from and which are held out: neither a speaker nor a text is on both sides.

Knows names only, not what is in a clip.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from errors import InvalidInput
from training.shards import split_of

_HELD_OUT = 0.08
"""The share of the speakers, and of the texts, that are held out."""


@dataclass(frozen=True)
class Division:
    """Positions of clips, in their order.

    `by_speaker` says whether the speakers are held out too: where a few voices say everything, only texts can be.
    """

    train: tuple[int, ...]
    valid: tuple[int, ...]
    by_speaker: bool


def divide(speakers: Sequence[str], texts: Sequence[str]) -> Division:
    """Divide clips by the names of their speakers and by their texts.

    A name never changes its side when more clips are made. A clip of a held-out text by a speaker who is learned from
    is left out altogether, and so is the reverse. Raises InvalidInput when there are too few clips to hold any out.
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
            return Division(train, valid, by_speaker)
    raise InvalidInput(
        f"Of {len(texts)} clips none can be held out to measure on. Make more clips; about fifty are the least."
    )


def _is_learned(name: str) -> bool:
    return split_of(name, test=0.0, valid=_HELD_OUT) == "train"
