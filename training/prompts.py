"""The prompts for training data: generated sentences, passages of files, or lines of files.

A prompt depends only on its number and the options, so several processes, or a second start, make the same ones.
"""

import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import markovify
import numpy as np

from cloning.text import durations, splitting
from errors import InvalidInput

CORPORA = Path(__file__).parent / "corpora"
"""Texts that come with Barkeep: `LANGUAGE.txt`; `README.md` names their sources."""


class Source(StrEnum):
    """The source of the prompts."""

    MARKOV = "markov"
    CHUNKS = "chunks"
    LINES = "lines"


_SCRIPTS: Mapping[str, tuple[str, ...]] = {
    "hi": ("DEVANAGARI",),
    "ja": ("HIRAGANA", "KATAKANA", "CJK"),
    "ko": ("HANGUL",),
    "ru": ("CYRILLIC",),
    "zh": ("CJK",),
}
"""Language -> how the Unicode names of its letters begin; all other languages are in Latin letters."""
_LATIN = ("LATIN",)
_IN_SCRIPT = 0.7
"""The minimum share of letters in the language's script; names and loanwords may be in others."""

_WITHOUT_SPACES = ("ja", "zh")
_FEWEST_SENTENCES = 10
"""The minimum for a Markov chain, which otherwise only repeats them."""
_FEWEST_WORDS = 3
_TRIES = 200
_PAIRED = str.maketrans("", "", '"“”„«»()[]「」『』')
"""Removes paired marks, since a chain would leave some of them open."""


@dataclass(frozen=True)
class PromptPlan:
    """The options of the prompts. Raises InvalidInput for an unknown language or impossible numbers.

    files: the texts; empty for the one that comes with Barkeep. order: the number of words (characters, in Japanese and
    Chinese) that a chain's next word depends on. longest: the maximum of words in a generated sentence. Both apply to
    `Source.MARKOV` only. seed: of generated sentences, and of the order of chunks and lines.
    """

    source: Source
    language: str
    files: tuple[Path, ...] = ()
    order: int = 2
    longest: int = 25
    seed: int = 0

    def __post_init__(self) -> None:
        splitting.check_language(self.language)
        if self.order < 1 or self.longest < _FEWEST_WORDS:
            raise InvalidInput(f"The order of a chain is at least 1, and sentences have {_FEWEST_WORDS} words or more.")


class Prompts:
    """The prompts of a plan by number: `prompts[0]`, `prompts[1]`, ...

    After the last chunk or line, all are repeated in another order. max_seconds: the length of the model's window.
    Raises InvalidInput for files that are missing, empty, too small for a chain, or not in the script of the language.
    """

    def __init__(self, plan: PromptPlan, max_seconds: float) -> None:
        self._plan, self._max_seconds = plan, max_seconds
        self._words: Callable[[str], list[str]] = list if plan.language in _WITHOUT_SPACES else str.split
        lines = _lines(plan)
        if plan.source is Source.LINES:
            self._ready: list[str] = [piece for line in lines for piece in self._pieces(line)]
        elif plan.source is Source.CHUNKS:
            self._ready = self._pieces("\n".join(lines))
        else:
            self._chain = _fitted(self._sentences("\n".join(lines)), plan.order)
            self._joint = "" if plan.language in _WITHOUT_SPACES else " "

    def __getitem__(self, number: int) -> str:
        """Return the prompt of that number. Raises InvalidInput if the chain makes no sentence that is short enough."""
        if self._plan.source is Source.MARKOV:
            return self._drawn(np.random.default_rng((self._plan.seed, number)))
        around, place = divmod(number, len(self._ready))
        order = np.random.default_rng((self._plan.seed, around)).permutation(len(self._ready))
        return self._ready[int(order[place])]

    def _pieces(self, passage: str) -> list[str]:
        return splitting.sentences(passage, self._plan.language, max_seconds=self._max_seconds)

    def _sentences(self, passage: str) -> list[list[str]]:
        """Return the words of the sentences that a chain learns from.

        They are not cut to the model's window: a short one would divide sentences.
        """
        pieces = splitting.sentences(passage.translate(_PAIRED), self._plan.language)
        return [self._words(piece) for piece in pieces]

    def _drawn(self, random: np.random.Generator) -> str:
        for _ in range(_TRIES):
            words = _walked(self._chain, self._plan.order, self._plan.longest, random)
            sentence = self._joint.join(words)
            if (
                len(words) >= _FEWEST_WORDS
                and durations.expected_seconds(sentence, self._plan.language) <= self._max_seconds
            ):
                return sentence
        raise InvalidInput(
            f"The chain makes no sentence of {_FEWEST_WORDS} to {self._plan.longest} words. Give a longer text or a "
            "greater --longest."
        )


def refuse_other_script(passage: str, language: str, name: str) -> None:
    """Raise InvalidInput unless most letters of `passage` are in the script of `language`."""
    wanted = _SCRIPTS.get(language, _LATIN)
    letters = Counter(letter for letter in passage if letter.isalpha())
    fitting = sum(count for letter, count in letters.items() if unicodedata.name(letter, "").startswith(wanted))
    if not letters or fitting < _IN_SCRIPT * letters.total():
        scripts = " or ".join(script.capitalize() for script in wanted)
        raise InvalidInput(
            f"{name} is not written in {scripts} letters, as {splitting.LANGUAGES[language]} is. Give another text or "
            "--language."
        )


def _lines(plan: PromptPlan) -> list[str]:
    """Return the lines with letters of all files."""
    files = plan.files or (CORPORA / f"{plan.language}.txt",)
    if not plan.files and not files[0].is_file():
        raise InvalidInput(f"No {splitting.LANGUAGES[plan.language]} text comes with Barkeep. Give files with --text.")
    lines: list[str] = []
    for file in files:
        passage = _read(file)
        refuse_other_script(passage, plan.language, file.name)
        lines += [line for line in passage.splitlines() if any(letter.isalpha() for letter in line)]
    return lines


def _read(file: Path) -> str:
    try:
        passage = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise InvalidInput(f"There is no text {file}. Give an existing file.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{file.name} cannot be read as text. Save it as UTF-8.") from error
    if not passage.strip():
        raise InvalidInput(f"{file.name} is empty. Give a text with sentences in it.")
    return passage


def _fitted(sentences: Sequence[Sequence[str]], order: int) -> Mapping[tuple[str, ...], Mapping[str, int]]:
    """Return the Markov chain of `order`: the preceding words -> how often each word follows them."""
    if len(sentences) < _FEWEST_SENTENCES:
        raise InvalidInput(
            f"The text has {len(sentences)} sentences; a chain needs {_FEWEST_SENTENCES}. Give a longer text, or use "
            "its sentences directly with --prompts chunks."
        )
    chain: Any = markovify.Chain  # without annotations
    model: Mapping[tuple[str, ...], Mapping[str, int]] = chain(sentences, order).model
    return model


def _walked(
    chain: Mapping[tuple[str, ...], Mapping[str, int]], order: int, longest: int, random: np.random.Generator
) -> list[str]:
    """Return the words of one walk from the start to the end of a sentence; none if it is too long.

    markovify's own walks use Python's global generator, which is shared with other code.
    """
    state: tuple[Any, ...] = (markovify.chain.BEGIN,) * order
    words: list[str] = []
    while len(words) <= longest:
        followers = chain[state]
        bounds = np.cumsum(list(followers.values()))
        word = list(followers)[int(np.searchsorted(bounds, random.integers(bounds[-1]), side="right"))]
        if word == markovify.chain.END:
            return words
        words.append(word)
        state = (*state[1:], word)
    return []
