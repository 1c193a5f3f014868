"""Keep the part of a text that the model can read, and report the rest.

The caller passes in the model's languages (`BarkSpec.languages`).
"""

import unicodedata
from dataclasses import dataclass

from cloning.text.durations import languages_of
from cloning.text.splitting import LANGUAGES
from errors import InvalidInput

_MOST_NAMED, _LONGEST_NAMED = 5, 40
_PLAIN = str.maketrans(
    {"ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L"}
    | {"đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "ı": "i"}
)
"""Letters that do not decompose into a letter and an accent -> letters that an English model can read."""


@dataclass(frozen=True, slots=True)
class Readable:
    """`text`: the readable part. `left_out`: the first unreadable passages, shortened."""

    text: str
    left_out: tuple[str, ...] = ()


def readable(text: str, language: str, languages: tuple[str, ...]) -> Readable:
    """Return the part of `text` in scripts of `languages` (ISO 639-1); all of it if the model names no languages.

    Raises InvalidInput if the model does not read `language` or any of the text.
    """
    if not languages:
        return Readable(text)
    check_model_reads(language, languages)
    names = _names(languages)
    if set(languages) == {"en"}:
        text = text.translate(_PLAIN)
    kept, left_out = _divided(text, languages)
    if left_out and not any(character.isalnum() for character in kept):
        raise InvalidInput(
            f"The model in use reads {names} only, and this text is in another script. Write it in {names}."
        )
    return Readable(kept, tuple(_short(passage) for passage in left_out[:_MOST_NAMED]))


def check_model_reads(language: str, languages: tuple[str, ...]) -> None:
    """Raise InvalidInput if `language` is not one of `languages`, which the model reads; () accepts every language."""
    if languages and language not in languages:
        raise InvalidInput(
            f"The model in use reads {_names(languages)}, and cannot speak {LANGUAGES.get(language, language)}. Choose "
            "a language that it reads, or ask the bot's owner for another model."
        )


def _names(languages: tuple[str, ...]) -> str:
    return ", ".join(LANGUAGES.get(code, code) for code in languages)


def _divided(text: str, languages: tuple[str, ...]) -> tuple[str, list[str]]:
    """Return the readable text and the unreadable passages: unreadable letters and the characters between them."""
    kept: list[str] = []
    passages: list[str] = []
    between = ""
    inside = False
    for character in text:
        if unicodedata.category(character)[0] not in "LM":
            between += character
            continue
        unreadable = not _reads(character, languages) if unicodedata.category(character)[0] == "L" else inside
        if unreadable and inside:
            passages[-1] += between + character
        elif unreadable:
            kept.append(between)
            passages.append(character)
        else:
            kept.extend((between, character))
        inside, between = unreadable, ""
    return "".join([*kept, between]), passages


def _reads(letter: str, languages: tuple[str, ...]) -> bool:
    return any(language in languages for language in languages_of(letter))


def _short(passage: str) -> str:
    return passage if len(passage) <= _LONGEST_NAMED else passage[: _LONGEST_NAMED - 1] + "…"
