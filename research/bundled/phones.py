"""Semantic tokens of the bundled model: the phone, its stress, and the position within it.

A token is the first, second or last third of a unit, a kind of pause, or the silence at either end. A unit is a phone
of hibari's alphabet (misaki's, for American English); vowels are stressed or unstressed. Tokens do not depend on the
voice. They are exact, since the synthesiser reports the duration of each phoneme.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hibari.g2p import G2P
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

TOKEN_RATE = 50
"""Semantic tokens per second."""
DURATION_RATE = 40
"""The synthesiser's durations are in 1/40 s: whole numbers, unless the sound was stretched."""

_STRESS = "ˈˌ"
_VOWELS = "ɪiæʌɛɔɑAIOuɜWʊY"
_REDUCED = "ə"
_CONSONANTS = "ɹntlskdmðzpvfbwŋhTʃjɡʤʧθʒ"
_ALIKE = str.maketrans({"ɐ": "ə", "ᵊ": "ə", "ᵻ": "ɪ", ";": ",", ":": ",", "—": ",", "…": ","})
"""Symbols that are replaced by one of similar sound, since the data are too few to learn the difference."""
_PAUSES = ",.?!"

UNITS: tuple[str, ...] = (*_REDUCED, *_VOWELS, *(f"ˈ{vowel}" for vowel in _VOWELS), *_CONSONANTS)
"""The phones. Primary and secondary stress are not distinguished."""
THIRDS = 3
PAUSE_BASE = len(UNITS) * THIRDS
"""The first token of silence: the pauses at , . ? and !, then the silences before and after the sentence."""
START, END = PAUSE_BASE + len(_PAUSES), PAUSE_BASE + len(_PAUSES) + 1
SEMANTIC_SIZE = END + 1
"""The number of different tokens."""

_UNIT_CODE = {unit: code for code, unit in enumerate(UNITS)}
_UNKNOWN = "□"


class Pronouncer:
    """Converts English text to phonemes by hibari's dictionary and rules; rejects words that the dictionary lacks."""

    def __init__(self) -> None:
        self._g2p: Any = G2P(oov=False, unk=_UNKNOWN)

    def __call__(self, text: str) -> str | None:
        """Return phonemes with as many spaces as `text`, or None if a word is unknown or a phone is not English."""
        phonemes = str(self._g2p(text))
        known = all(symbol in _KNOWN for symbol in phonemes.translate(_ALIKE))
        return phonemes if known and phonemes.count(" ") == text.count(" ") else None


_KNOWN = frozenset(f"{_STRESS} {_VOWELS}{_REDUCED}{_CONSONANTS}{_PAUSES}")


@dataclass(frozen=True)
class Segments:
    """The G segments of P phonemes and of the silences at both ends.

    `codes` (G,) is the code of each segment: a unit's, or PAUSE_BASE and above. `of_symbol` (P + 2,) is the segment
    that each symbol's time belongs to, `word` (G,) the number of spaces before each segment.
    """

    codes: NDArray[np.int64]
    of_symbol: NDArray[np.int64]
    word: NDArray[np.int64]


def segment(phonemes: str) -> Segments:
    """Divide phonemes into segments. A stress mark's time belongs to the next segment, a space's to the previous."""
    codes, words, of_symbol = [START], [0], [0]
    word, stressed = 0, False
    for symbol in phonemes.translate(_ALIKE):
        if symbol in _STRESS:
            stressed = True
            of_symbol.append(len(codes))
        elif symbol == " ":
            word += 1
            of_symbol.append(len(codes) - 1)
        else:
            codes.append(_code(symbol, stressed))
            words.append(word)
            of_symbol.append(len(codes) - 1)
            stressed = stressed and symbol in _CONSONANTS
    codes.append(END)
    words.append(word)
    of_symbol.append(len(codes) - 1)
    return Segments(np.array(codes), np.array(of_symbol), np.array(words))


def _code(symbol: str, stressed: bool) -> int:
    if symbol in _PAUSES:
        return PAUSE_BASE + _PAUSES.index(symbol)
    return _UNIT_CODE[f"ˈ{symbol}" if stressed and symbol in _VOWELS else symbol]


@dataclass(frozen=True)
class FrameTokens:
    """A token for each 1/50 s: `tokens`, uint16 (S,), and `word`, int64 (S,), the number of spaces before each."""

    tokens: NDArray[np.uint16]
    word: NDArray[np.int64]


def frame_tokens(phonemes: str, durations: NDArray[np.integer | np.floating]) -> FrameTokens:
    """Return the tokens of P phonemes. durations: (P + 2,) in 1/40 s, including the silences at both ends."""
    segments = segment(phonemes)
    lengths = np.bincount(segments.of_symbol, durations, len(segments.codes))
    ends = np.cumsum(lengths) * TOKEN_RATE / DURATION_RATE  # in tokens
    middle = np.arange(int(ends[-1])) + 0.5
    place = np.minimum(np.searchsorted(ends, middle, side="right"), len(ends) - 1)
    first = np.searchsorted(place, np.arange(len(ends)))
    count = np.bincount(place, minlength=len(ends))
    third = ((np.arange(len(place)) - first[place] + 0.5) * THIRDS / count[place]).astype(np.int64)
    codes = segments.codes[place]
    tokens = np.where(codes < PAUSE_BASE, codes * THIRDS + third, codes).astype(np.uint16)
    return FrameTokens(tokens, segments.word[place])


def collapse(tokens: NDArray[np.integer]) -> list[int]:
    """Return the codes of units and silences in `tokens`; a new unit starts where the thirds decrease."""
    values = np.asarray(tokens, np.int64)
    codes = codes_of(values)
    thirds = np.where(values < PAUSE_BASE, values % THIRDS, 0)
    new = np.ones(len(values), bool)
    new[1:] = (codes[1:] != codes[:-1]) | (thirds[1:] < thirds[:-1])
    found: list[int] = codes[new].tolist()
    return found


def codes_of(tokens: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return the code of each token's unit (its three thirds have the same one); a silence's code is its token."""
    values = np.asarray(tokens, np.int64)
    return np.where(values < PAUSE_BASE, values // THIRDS, values)


def phones(tokens: NDArray[np.integer]) -> list[int]:
    """Return the codes of the units in `tokens`, without silences."""
    return [code for code in collapse(tokens) if code < len(UNITS)]


def phone_error(pairs: Iterable[tuple[NDArray[np.integer], NDArray[np.integer]]]) -> float:
    """Return the phone error rate: edits between the phones of each pair (true, predicted), per true phone."""
    edits = total = 0
    for truth, guess in pairs:
        wanted = phones(truth)
        edits += Levenshtein.distance(wanted, phones(guess))
        total += len(wanted)
    return edits / max(total, 1)


def spelled(codes: Sequence[int]) -> str:
    """Format codes: units as they are written, pauses as punctuation, `_` for the silences at the ends."""
    return " ".join(UNITS[code] if code < len(UNITS) else [*_PAUSES, "_", "_"][code - PAUSE_BASE] for code in codes)
