"""The result of comparing a recording with a consent sentence, and whether it counts. Does not import torch."""

from dataclasses import dataclass

LEAST_WORDS = 4
"""The fewest random words that must be recognised: the recogniser may miss one."""
LEAST_PART = 0.7
"""The least likeness to each third of the clip, which detects a part in another voice: of 11 people, 2.3 % of the right
answers have less, and 94.5 % of the answers to a clip that ends with 3 s of another person."""
LEAST_STATEMENT = 0.5
"""The least share of the statement's words that must be recognised."""
LEAST_LIKENESS = 0.8
"""The least likeness to the clip that counts as the same voice: near the equal error rate, at which as many right
answers are refused as wrong ones accepted, for half of the persons of `research evaluate-consent` (docs/privacy.md)."""
MOST_HEARD = 2
"""The most words that may be recognised, as a multiple of those in the sentence: reading out a list of all possible
words does not count."""


@dataclass(frozen=True, slots=True)
class SpokenAnswer:
    """`text`: the recognised words. `words`: how many of the `of` random words are among them, in order.

    `statement`: the share of the statement's words, 0..1. `length`: recognised words per word of the sentence.
    `likeness`: cosine of the voices of recording and clip, 0..1; `weakest`: that of the least similar part of the clip.
    `is_generated`: the recording carries the watermark.
    """

    text: str
    words: int
    of: int
    statement: float
    length: float
    likeness: float
    weakest: float
    is_generated: bool

    @property
    def has_words(self) -> bool:
        """Whether the sentence was said."""
        return self.words >= LEAST_WORDS and self.statement >= LEAST_STATEMENT and self.length <= MOST_HEARD

    @property
    def has_voice(self) -> bool:
        """Whether the answer's voice is that of the clip, and of every part of the clip."""
        return self.likeness >= LEAST_LIKENESS and self.weakest >= LEAST_PART

    @property
    def counts(self) -> bool:
        """Whether the answer counts as consent."""
        return self.has_words and self.has_voice and not self.is_generated
