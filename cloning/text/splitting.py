"""Split text into pieces that each fit one Bark window, and choose the pauses between them.

Callers pass in a function that counts a piece's text tokens, so no tokenizer is needed here.
"""

import re
from collections.abc import Callable, Iterable
from functools import cache

from sentencex import segment  # type: ignore[attr-defined]  # a compiled module without stubs

from cloning.text.durations import expected_seconds
from cloning.text.grammar import TAG, flexible
from cloning.text.vocabulary import CLOSING, COUNTERS, INNER, TITLES
from errors import InvalidInput

LANGUAGES: dict[str, str] = {
    "en": "English",
    "de": "German",
    "es": "Spanish",
    "fr": "French",
    "hi": "Hindi",
    "it": "Italian",
    "ja": "Japanese",
    "ko": "Korean",
    "pl": "Polish",
    "pt": "Portuguese",
    "ru": "Russian",
    "tr": "Turkish",
    "zh": "Chinese",
}
"""The languages that Suno trained Bark on: ISO 639-1 code -> English name."""

WINDOW_SECONDS = 13.0
"""Seconds of speech per Bark window, as Suno recommends. 768 semantic tokens are 15.4 s; the rest is room for pauses.
"""

_SHORT_SECONDS = 2.0

_ATOM = re.compile(TAG + r"|♪[^♪\n]*♪")
_SENTENCE_ENDS = (" ", "。", "！", "？", "」", "』")
_DOUBTFUL_END = re.compile(r"(?<=[.!?…。！？।])[\"'”’»)\]」』]*\s+")
_CLAUSE_END = re.compile(r"(?<=[,;:–—…])\s+|(?<=[、，；：。！？।])\s*")
_WRAPPED = re.compile(r"(?<=[^\W_])[ \t]*\r?\n[ \t]*(?=(?P<next>[^\W\d_]))")
_WORD_END = re.compile(r"(?<=\s)(?=\S)")
_CHARACTER_END = re.compile(r"(?<=.)(?=.)", re.DOTALL)

_PAUSES = (
    ("…", 0.45),
    (".!?。！？।", 0.35),
    (":;：；—–", 0.25),
    (",，、", 0.15),
)
_CLOSERS = "\"'”’»)]」』】♪ "

# A wrong cut is heard as a falling tone and a pause; a missing cut is not heard. So doubtful places do not end a
# sentence: abbreviations, initials, ordinals, text that continues in lower case, and text in quotes or brackets.
_OPENERS = "\"'«»“”„‘¿¡([{—–-「『（《"
_CLOSING_MARKS = "\"'”’»)]」』】）》〉♪"
_PAIRS = (("「", "」"), ("『", "』"), ("（", "）"), ("(", ")"), ("《", "》"), ("«", "»"))
_QUOTES = {"de": ("„", "“"), "ru": ("„", "“"), "pl": ("„", "”")}
_ORDINALS = {language: re.compile(r"(?:^|[\s(])\d{1,3}\.$") for language in ("de", "pl", "tr")}
_ORDINALS["ko"] = re.compile(r"(?:^|[\s(])\d{1,4}\.$")
"""Number and full stop: an ordinal, or part of a Korean date. A longer number may end a sentence."""
_CASELESS = frozenset({"hi", "ja", "ko", "zh"})
_ONE_LETTER_WORDS = frozenset("яЯ")
"""Words of one letter that may end a Russian sentence."""
_INITIAL = re.compile(r"(?:^|[\s(.\"'«“„‚-])([^\W\d_])\.$")
_DOTTED = re.compile(r"(?:^|\s)(?:[^\W\d_]{1,2}\.){2,}$")
_NO_VOWEL = re.compile(r"(?:^|[\s(])[bcdfghjklmnpqrstvwxzłśźżćńçşğбвгджзйклмнпрстфхцчшщ]{1,5}\.$", re.IGNORECASE)


def check_language(language: str) -> str:
    """Return `language` if Bark speaks it. Raises InvalidInput with the list of languages otherwise."""
    if language not in LANGUAGES:
        raise InvalidInput(f"Bark does not speak {language!r}. It speaks: {', '.join(LANGUAGES)}.")
    return language


def pause_after(piece: str) -> float:
    """Return the seconds of silence after `piece`, from the punctuation that ends it.

    The values follow the two kinds of pauses in read speech: brief ones below 0.2 s inside a sentence, medium ones of
    0.2-1 s between sentences (Campione and Veronis 2002).
    """
    ending = piece.rstrip().rstrip(_CLOSERS)
    if ending.endswith("..."):
        return _PAUSES[0][1]
    return next((seconds for marks, seconds in _PAUSES if ending[-1:] and ending[-1] in marks), 0.05)


def sentences(
    text: str,
    language: str,
    *,
    max_seconds: float = WINDOW_SECONDS,
    count_tokens: Callable[[str], int] | None = None,
    max_tokens: int = 256,
) -> list[str]:
    """Split `text` into pieces that each fit one Bark window, in order; only extra white space is lost.

    Pieces end where a sentence surely ends. A piece that is too long is divided at possible sentence ends, then at
    clauses, at words, and anywhere. Very short pieces join a neighbour. A line break before a lower-case letter does
    not end a sentence. `[laughs]`-style tags and passages between two ♪ stay whole while they fit. A piece fits when it
    takes at most `max_seconds` at normal speed and at most `max_tokens` by `count_tokens`, if that is given.

    Raises InvalidInput for an empty text or an unknown language.
    """
    check_language(language)

    def seconds(piece: str) -> float:
        return expected_seconds(piece, language)

    def fits(piece: str) -> bool:
        within_tokens = count_tokens is None or count_tokens(piece.strip()) <= max_tokens
        return within_tokens and seconds(piece) <= max_seconds

    lines = [" ".join(line.split()) for line in _WRAPPED.sub(_joined, text).splitlines()]
    whole = [sentence for line in lines if line for sentence in _sentences_of(line + " ", language)]
    if not whole:
        raise InvalidInput("There is no text to speak.")
    fitting = [piece for sentence in whole for piece in _fitting(sentence, fits, seconds, max_seconds)]
    return [piece.strip() for piece in _join_short(fitting, fits, seconds)]


def _joined(match: re.Match[str]) -> str:
    """Replace a line break inside a sentence by a space."""
    return " " if match["next"].islower() else match[0]


def _sentences_of(line: str, language: str) -> list[str]:
    """Return the sentences of one line; joined, they equal the line.

    A boundary counts only after white space or an ideographic full stop (not in "what?!really"), outside tags and ♪
    passages, and where `_is_sure` accepts it.
    """
    atoms = [match.span() for match in _ATOM.finditer(line)]
    pieces: list[str] = []
    start = end = 0
    for sentence in segment(language, line):
        end += len(sentence)
        clear = line[:end].endswith(_SENTENCE_ENDS) and not any(first < end < last for first, last in atoms)
        if clear and _is_sure(line[start:end], line[end:], language):
            pieces.append(line[start:end])
            start = end
    return pieces if start == len(line) else [*pieces, line[start:]]


def _is_sure(before: str, after: str, language: str) -> bool:
    """Return whether a sentence surely ends between `before` and `after`, the rest of the line."""
    before, rest = before.rstrip(), after.lstrip().lstrip(_OPENERS + " \u00a0\u202f")
    pairs = (*_PAIRS, _QUOTES.get(language, ("“", "”")))
    if rest[:1].islower() or any(before.count(left) > before.count(right) for left, right in pairs):
        return False
    spaced = after[:1].isspace() and language != "hi"
    if before[-1:] in _CLOSING_MARKS and not spaced and language in _CASELESS:
        return False  # Without a space and without capitals, the sentence may continue: "…!" she said.
    if not before.endswith(".") or before.endswith(".."):
        return True
    if rest[:1].isupper() and _closings(language).search(before):
        return True
    if _inner(language).search(before) or (rest[:1].isdigit() and _counters(language).search(before)):
        return False
    initial = _INITIAL.search(before)
    if (initial and initial[1] not in _ONE_LETTER_WORDS) or _DOTTED.search(before) or _NO_VOWEL.search(before):
        return False
    return not (language in _ORDINALS and _ORDINALS[language].search(before))


@cache
def _inner(language: str) -> re.Pattern[str]:
    """Match a text that ends with an abbreviation which does not end a sentence."""
    return _ending([*(f"{title}." for title in TITLES.get(language, ())), *INNER.get(language, ())])


@cache
def _counters(language: str) -> re.Pattern[str]:
    return _ending(COUNTERS.get(language, ()))


@cache
def _closings(language: str) -> re.Pattern[str]:
    """Match a text that ends with an abbreviation which often ends a sentence."""
    return _ending(CLOSING.get(language, ()))


def _ending(abbreviations: Iterable[str]) -> re.Pattern[str]:
    shorts = [flexible(short) for short in abbreviations if short.endswith(".")]
    return re.compile(rf"(?:^|(?<=[\s{re.escape(_OPENERS)}]))(?:{'|'.join(shorts) or '(?!)'})$", re.IGNORECASE)


def _fitting(piece: str, fits: Callable[[str], bool], seconds: Callable[[str], float], max_seconds: float) -> list[str]:
    """Divide `piece` at the best boundaries into parts that fit."""
    if fits(piece):
        return [piece]
    for boundary in (_DOUBTFUL_END, _CLAUSE_END, _WORD_END, _CHARACTER_END):
        parts = _cut(piece, boundary, whole_atoms=boundary is not _CHARACTER_END)
        if len(parts) > 1:
            # Equal shares: Bark invents speech around a single word that is left for the last window.
            share = seconds(piece) / -(-seconds(piece) // max_seconds)
            return [
                fitting
                for packed in _pack(parts, fits, seconds, share)
                for fitting in _fitting(packed, fits, seconds, max_seconds)
            ]
    return [piece]


def _cut(piece: str, boundary: re.Pattern[str], *, whole_atoms: bool) -> list[str]:
    """Cut `piece` after each match of `boundary`, outside tags and ♪ passages if `whole_atoms`."""
    atoms = [match.span() for match in _ATOM.finditer(piece)] if whole_atoms else []
    cuts = [match.end() for match in boundary.finditer(piece)]
    cuts = [cut for cut in cuts if 0 < cut < len(piece) and not any(first < cut < last for first, last in atoms)]
    return [piece[start:end] for start, end in zip([0, *cuts], [*cuts, len(piece)], strict=True)]


def _pack(
    parts: Iterable[str], fits: Callable[[str], bool], seconds: Callable[[str], float], share: float
) -> list[str]:
    """Join neighbouring parts while they fit and come closer to `share` seconds."""
    packed: list[str] = []
    for part in parts:
        if packed and seconds(packed[-1]) + seconds(part) / 2 <= share and fits(packed[-1] + part):
            packed[-1] += part
        else:
            packed.append(part)
    return packed


def _join_short(pieces: Iterable[str], fits: Callable[[str], bool], seconds: Callable[[str], float]) -> list[str]:
    """Join pieces under two seconds to a neighbour: alone they make Bark ramble or stay silent."""
    joined: list[str] = []
    for piece in pieces:
        short = joined and min(seconds(joined[-1]), seconds(piece)) < _SHORT_SECONDS
        if short and fits(joined[-1] + piece):
            joined[-1] += piece
        else:
            joined.append(piece)
    return joined
