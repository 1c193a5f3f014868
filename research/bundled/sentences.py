"""Sentences as characters and aligned semantic tokens, and the rows of training batches.

A row is a sentence, the end of a sentence, or two sentences, so that the model also learns short and long texts. For
every token, the characters of its word are known.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from errors import InvalidInput
from research.bundled.layout import SEMANTIC_ROOM, TEXT_ROOM
from research.bundled.phones import START, frame_tokens
from research.bundled.speech import Numbers
from research.bundled.spelling import PIECES, make
from training.shards import ClipShards, Split, split_of

_SPACE = PIECES.index(" ")
_READ_AT_ONCE = 5000
_NEAR = 0.02
"""Sentences count as equally long if their ranks by length differ by at most this share of all sentences."""


@dataclass(frozen=True, eq=False)
class AlignedSentence:
    """A sentence: `characters` (C,), ids of the tokenizer, `tokens` (S,), and the start of each word in both (W,)."""

    characters: NDArray[np.int16]
    tokens: NDArray[np.int16]
    character_of_word: NDArray[np.int16]
    token_of_word: NDArray[np.int16]

    @classmethod
    def of(cls, characters: list[int], phonemes: str, durations: NDArray[np.integer | np.floating]) -> Self | None:
        """Align characters with phonemes and their durations in 1/40 s. None if they do not have the same words."""
        said = frame_tokens(phonemes, durations)
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
        """The number of words."""
        return len(self.token_of_word)

    def since(self, word: int) -> "AlignedSentence":
        """Return the part from `word` on, preceded by the silence at the sentence's beginning."""
        if word == 0:
            return self
        character, token = int(self.character_of_word[word]), int(self.token_of_word[word])
        silence = self.tokens[: int((self.tokens != START).argmax())]
        return AlignedSentence(
            self.characters[character:],
            np.concatenate([silence, self.tokens[token:]]),
            self.character_of_word[word:] - character,
            np.concatenate([[0], self.token_of_word[word + 1 :] - token + len(silence)]).astype(np.int16),
        )

    def then(self, other: "AlignedSentence") -> "AlignedSentence":
        """Return this sentence, a space, and the other one."""
        return AlignedSentence(
            np.concatenate([self.characters, np.array([_SPACE], np.int16), other.characters]),
            np.concatenate([self.tokens, other.tokens]),
            np.concatenate([self.character_of_word, other.character_of_word + len(self.characters) + 1]).astype(
                np.int16
            ),
            np.concatenate([self.token_of_word, other.token_of_word + len(self.tokens)]).astype(np.int16),
        )

    @property
    def fits(self) -> bool:
        """Whether the sentence and its end token fit one window."""
        return len(self.characters) <= TEXT_ROOM and len(self.tokens) < SEMANTIC_ROOM

    def spans(self) -> Numbers:
        """Return the start and end of the characters of each token's word, also for the end token, (S + 1, 2)."""
        ends = np.append(self.character_of_word[1:], len(self.characters))
        word = np.searchsorted(self.token_of_word, np.arange(len(self.tokens) + 1), side="right") - 1
        return np.stack([self.character_of_word, ends], axis=1).astype(np.int64)[word]


class Sentences:
    """The sentences of a split, from which rows of similar length are drawn."""

    def __init__(self, sentences: list[AlignedSentence]) -> None:
        if not sentences:
            raise InvalidInput("There are no sentences to train on; make the text corpus first.")
        self.all = sorted(sentences, key=lambda sentence: len(sentence.tokens))

    @classmethod
    def load(cls, folders: Iterable[Path], split: Split) -> Self:
        """Load the sentences in the shards of `folders`. Raises InvalidInput if there are none of this split."""
        found: list[AlignedSentence] = []
        for folder in folders:
            shards = ClipShards(folder)
            chosen = [index for index, text in enumerate(shards.texts) if split_of(text) == split]
            for start in range(0, len(chosen), _READ_AT_ONCE):
                found += _read(shards, chosen[start : start + _READ_AT_ONCE])
        return cls(found)

    @property
    def hours(self) -> float:
        """The hours of speech, at 50 tokens per second."""
        return sum(len(sentence.tokens) for sentence in self.all) / 50 / 3600

    def draw(self, random: np.random.Generator, rows: int, *, ends: float, pairs: float) -> list[AlignedSentence]:
        """Draw rows of similar length.

        pairs: the share of batches with two sentences per row, where they fit. ends: the share of rows in the other
        batches that start inside a sentence.
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


def _read(shards: ClipShards, indices: list[int]) -> list[AlignedSentence]:
    encodings = make().encode_batch([shards.texts[index] for index in indices], add_special_tokens=False)
    found = []
    for index, encoding in zip(indices, encodings, strict=True):
        facts = shards.facts(index)
        sentence = AlignedSentence.of(encoding.ids, facts["phonemes"], np.array(facts["durations"]))
        if sentence is not None and sentence.fits:
            found.append(sentence)
    return found
