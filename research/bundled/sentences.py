"""Sentences as characters and semantic tokens, and the rows of a batch that are made of them.

A row is a sentence, the end of one, or two in a row: with the sentences alone the model would know neither short texts
nor long ones. For every token it is known which characters' word is being said. Knows nothing of models.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from errors import InvalidInput
from research.bundled.layout import SEMANTIC_ROOM, TEXT_ROOM
from research.bundled.phones import START, spoken
from research.bundled.speech import Numbers
from research.bundled.spelling import PIECES, make
from training.shards import Shards, Split, split_of

_SPACE = PIECES.index(" ")
_READ_AT_ONCE = 5000
_NEAR = 0.02
"""Sentences that differ this much in their rank of length, as a share of all, are about as long as each other."""


@dataclass(frozen=True, eq=False)
class Sentence:
    """`characters` (C,) ids of the tokenizer, `tokens` (S,); of each word, where it begins in the one and the other."""

    characters: NDArray[np.int16]
    tokens: NDArray[np.int16]
    character_of_word: NDArray[np.int16]
    token_of_word: NDArray[np.int16]

    @classmethod
    def of(cls, characters: list[int], phonemes: str, durations: NDArray[np.integer | np.floating]) -> Self | None:
        """From phonemes and their durations in 1/40 s. None if characters and phonemes have not the same words."""
        said = spoken(phonemes, durations)
        ids = np.array(characters, np.int16)
        words = np.arange(int((ids == _SPACE).sum()) + 1)
        if not len(said.word) or said.word[-1] != words[-1]:
            return None
        begins = np.concatenate([[0], np.flatnonzero(ids == _SPACE) + 1])
        return cls(
            ids,
            said.tokens.astype(np.int16),
            begins.astype(np.int16),
            np.searchsorted(said.word, words).astype(np.int16),
        )

    @property
    def words(self) -> int:
        """How many there are."""
        return len(self.token_of_word)

    def since(self, word: int) -> "Sentence":
        """What follows from a word on, with the silence of the beginning before it."""
        if word == 0:
            return self
        character, token = int(self.character_of_word[word]), int(self.token_of_word[word])
        silence = self.tokens[: int((self.tokens != START).argmax())]
        return Sentence(
            self.characters[character:],
            np.concatenate([silence, self.tokens[token:]]),
            self.character_of_word[word:] - character,
            np.concatenate([[0], self.token_of_word[word + 1 :] - token + len(silence)]).astype(np.int16),
        )

    def then(self, other: "Sentence") -> "Sentence":
        """This one, a space, and the other."""
        return Sentence(
            np.concatenate([self.characters, np.array([_SPACE], np.int16), other.characters]),
            np.concatenate([self.tokens, other.tokens]),
            np.concatenate([self.character_of_word, other.character_of_word + len(self.characters) + 1]).astype(
                np.int16
            ),
            np.concatenate([self.token_of_word, other.token_of_word + len(self.tokens)]).astype(np.int16),
        )

    @property
    def fits(self) -> bool:
        """Whether it has room in one window, its end included."""
        return len(self.characters) <= TEXT_ROOM and len(self.tokens) < SEMANTIC_ROOM

    def spans(self) -> Numbers:
        """Of each token and of the end: where the characters of its word begin and end, (S + 1, 2)."""
        ends = np.append(self.character_of_word[1:], len(self.characters))
        word = np.searchsorted(self.token_of_word, np.arange(len(self.tokens) + 1), side="right") - 1
        return np.stack([self.character_of_word, ends], axis=1).astype(np.int64)[word]


class Sentences:
    """Those of a split, from which rows of about the same length are drawn."""

    def __init__(self, sentences: list[Sentence]) -> None:
        if not sentences:
            raise InvalidInput("There are no sentences to learn to speak; make the text corpus first.")
        self.all = sorted(sentences, key=lambda sentence: len(sentence.tokens))

    @classmethod
    def load(cls, folders: Iterable[Path], split: Split) -> Self:
        """From the shards in `folders`. Raises InvalidInput if there are none of this split."""
        found: list[Sentence] = []
        for folder in folders:
            shards = Shards(folder)
            chosen = [index for index, text in enumerate(shards.texts) if split_of(text) == split]
            for start in range(0, len(chosen), _READ_AT_ONCE):
                found += _read(shards, chosen[start : start + _READ_AT_ONCE])
        return cls(found)

    @property
    def hours(self) -> float:
        """At 50 tokens a second."""
        return sum(len(sentence.tokens) for sentence in self.all) / 50 / 3600

    def draw(self, random: np.random.Generator, rows: int, *, ends: float, pairs: float) -> list[Sentence]:
        """Rows of about the same length: in the share `pairs` of batches two sentences each, as far as they fit.

        ends: the share of the rows of other batches that begin somewhere in a sentence.
        """
        near = max(1, round(_NEAR * len(self.all)))
        ranks = random.integers(0, len(self.all)) + random.integers(-near, near + 1, (rows, 2))
        firsts, seconds = np.clip(ranks, 0, len(self.all) - 1).T.tolist()
        if random.random() < pairs:
            both = [self.all[first].then(self.all[second]) for first, second in zip(firsts, seconds, strict=True)]
            return [pair if pair.fits else self.all[first] for pair, first in zip(both, firsts, strict=True)]
        chosen = [self.all[first] for first in firsts]
        skipped = np.where(random.random(rows) < ends, random.random(rows), 0.0)
        return [row.since(int(share * row.words)) for row, share in zip(chosen, skipped, strict=True)]


def _read(shards: Shards, indices: list[int]) -> list[Sentence]:
    encodings = make().encode_batch([shards.texts[index] for index in indices], add_special_tokens=False)
    found = []
    for index, encoding in zip(indices, encodings, strict=True):
        facts = shards.facts(index)
        sentence = Sentence.of(encoding.ids, facts["phonemes"], np.array(facts["durations"]))
        if sentence is not None and sentence.fits:
            found.append(sentence)
    return found
