"""Cleans chat text for speech: removes markup, replaces mentions by names, and keeps cues such as `[laughs]`.

`in_words` replaces mentions, links and the like by words, then `spoken` removes the rest of the markup. A server's
pronunciations are applied between the two (see pronunciations). The caller passes the names behind ids.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from itertools import pairwise

from errors import InvalidInput

RAW_LENGTH = 8000
"""The longest text that is parsed, in characters: twice the longest message that Discord allows."""

_TOKENS = re.compile(
    r"""
      (?P<block>```.*?(?:```|\Z))
    | (?P<spoiler>\|\|.+?\|\|)
    | (?P<code>`[^`\n]*`)
    | \[(?P<label>[^\[\]\n]*)\]\(\s*<?(?:https?://|www\.)[^\s()]*(?:\([^\s()]*\)[^\s()]*)*>?(?:\s+"[^"\n]*")?\s*\)
    | (?P<link><(?:https?://|www\.)[^\s<>]+>|\b(?:https?://|www\.)[^\s<>]*[^\s<>.,!?;:'")\]])
    | (?P<mail><(?:mailto:)?[^\s<>@]+@[^\s<>@.]+\.[^\s<>]+>
        | (?<![\w.+-])[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,5}[a-z]{2,24}\b)
    | (?P<phone><(?:tel:|sms:)?\+[\d ().-]{3,30}>)
    | (?P<site>(?<![\w.@/-])(?:[a-z0-9][a-z0-9-]{0,62}\.){1,5}(?:
          [a-z]{2,24}/[^\s<>]*[^\s<>.,!?;:'")\]] | (?:com|org|net|edu|gov|info|io|gg|dev|app|tv|xyz)\b/?(?!\.?[\w@-])))
    | <a?:(?P<emoji>\w+):\d+>
    | (?P<sound><sound:\d+:\d+>)
    | <@!?(?P<member>\d+)>
    | <@&(?P<role>\d+)>
    | <\#(?P<channel>\d+)>
    | </(?P<command>[^:<>\n]+):\d+>
    | (?P<time><t:-?\d+(?::\w)?>)
    | <id:(?P<guide>[a-z-]+)(?::\d+)?>
    | @(?P<all>everyone|here)\b
    | \\(?P<escaped>[^\w\s])
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_FIXED = {
    "block": "code",
    "spoiler": "spoiler",
    "link": "link",
    "site": "link",
    "mail": "e-mail address",
    "phone": "phone number",
    "sound": "a sound",
    "time": "a certain time",
}
_GUIDES = {
    "customize": "channels and roles",
    "browse": "browse channels",
    "guide": "server guide",
    "home": "server guide",
    "linked-roles": "linked roles",
}
"""Discord's names for the pages of a server."""
_SPOILER = re.compile(r"\|\|.+?\|\|", re.DOTALL)
_NAMED = {"member": "someone", "role": "a role", "channel": "a channel"}

_LINE_START = re.compile(r"^[ \t]*(?:(?:>>>|>|-\#|\#{1,3}|[-*+•])[ \t]+)+", re.MULTILINE)
_QUOTE = re.compile(r"[ \t]*>{1,3}[ \t]+")
_HEADING = re.compile(r"[ \t]*(?:-\#|\#{1,3})[ \t]")
_MARKS = "*_~|`"
_MARKERS = re.compile(r"\*{2,}|_{2,}|~{2,}|\|{2,}|`+")
_OPENING = re.compile(r"(?<!\w)[*_]+(?=\S)")
_CLOSING = re.compile(r"(?<=\S)[*_]+(?!\w)")
_JOINING = re.compile(r"(?<=\w)_+(?=\w)")
_LEFT_OVER = re.compile(r"<(?=[@#:]|/\w|(?:a|t|id|sound):)|(?<=[<@])@")
_UNFINISHED_LINE = re.compile(r"(?<=[^\W_])[ \t]*\n\s*")
_SPACES = re.compile(r"\s+")
_ROUNDS = 3
"""The number of passes that remove markup, since removing a mark can leave another one. Ordinary text needs one."""
_LOOSE_MARK = re.compile(r" +(?=[,.;:!?…)](?:\W|$))|(?<=\() +")

_IGNORABLE = (
    range(0x034F, 0x0350),
    range(0x115F, 0x1161),
    range(0x17B4, 0x17B6),
    range(0x180B, 0x1810),
    range(0x3164, 0x3165),
    range(0xFE00, 0xFE10),
    range(0xFFA0, 0xFFA1),
    range(0xE0100, 0xE01F0),
)
"""The letters and marks of Default_Ignorable_Code_Point in Unicode's DerivedCoreProperties."""
_JOINERS = frozenset("\u200c\u200d")
_SONG = frozenset("♪♫♩♬")
_SYMBOLS_FROM = 0x2190
"""Symbols (category So) below, such as ° © №, belong to written language; from here on they are pictures."""


def clean(text: str, names: Mapping[str, str], *, limit: int) -> str:
    """Return the text as it will be spoken: one line, at most `limit` characters, not empty.

    names: the display name for each mentioned id (of a member, role or channel), the id as a string of digits.
    Raises InvalidInput when nothing is left to say or the text is too long; it is never cut.
    """
    return spoken(in_words(text, names, limit=limit), limit=limit)


def in_words(text: str, names: Mapping[str, str], *, limit: int = RAW_LENGTH, code: bool = True) -> str:
    """Return the text with words in place of mentions, links, blocks of code, spoilers and custom emoji.

    Other markup and pictures stay. code: whether code within a line is read. Raises InvalidInput for more than
    RAW_LENGTH characters; the message names `limit`.
    """
    _check_raw(text, limit)
    return _TOKENS.sub(_speaker_of(names, code=code), unicodedata.normalize("NFC", text))


def with_pictures_named(text: str) -> str:
    """Return the text with "emoji" in place of each run of emoji and other pictures, which `spoken` leaves out."""
    pieces: list[str] = []
    inside = False
    for character in text:
        if _is_picture(character):
            pieces.append("" if inside else " emoji ")
            inside = True
        elif not (inside and (character == " " or _shown(character) == "")):
            pieces.append(character)
            inside = False
    return "".join(pieces)


def spoken(text: str, *, limit: int) -> str:
    """Return the result of `in_words` as it will be spoken. Raises InvalidInput as `clean` does."""
    _check_raw(text, limit)
    line = _without_markup(_unwrapped(_without_pictures(text)))
    line = _SPACES.sub(" ", _UNFINISHED_LINE.sub(". ", line.strip())).strip()
    line = _LOOSE_MARK.sub("", line)
    if not any(unicodedata.category(character)[0] in "LN" for character in line):
        raise InvalidInput("There is nothing to say without emoji and markup. Please write some words.")
    if len(line) > limit:
        raise InvalidInput(_too_long(len(line), limit))
    return line


def _check_raw(text: str, limit: int) -> None:
    if len(text) > RAW_LENGTH:
        raise InvalidInput(_too_long(len(text), limit))


def _speaker_of(names: Mapping[str, str], *, code: bool) -> Callable[[re.Match[str]], str]:
    """Return a function that gives the spoken form of a piece of markup."""

    def words(match: re.Match[str]) -> str:
        kind = match.lastgroup or ""
        value = match[kind]
        if kind in _FIXED:
            return f" {_FIXED[kind]} "
        if kind in _NAMED:
            return f" {plain_name(names.get(value, '')) or _NAMED[kind]} "
        if kind == "guide":
            return f" {_GUIDES.get(value.lower(), 'a page of this server')} "
        if kind == "emoji":
            return f" {value.replace('_', ' ')} "
        if kind == "label":
            return f" {_SPOILER.sub(' spoiler ', value)} " if value.strip() else " link "
        if kind == "code":
            return value.strip("`") if code else " code "
        return value

    return words


def plain_name(name: str) -> str:
    """Return a display name without anything that could be read as markup."""
    return "".join(character if character.isalnum() or character in " -'’." else " " for character in name).strip()


def is_invisible(character: str) -> bool:
    """Return whether a character is invisible on its own: controls, joiners, fillers, variation selectors."""
    return unicodedata.category(character)[0] == "C" or any(ord(character) in block for block in _IGNORABLE)


def _without_pictures(text: str) -> str:
    """Return the text without emoji, control and invisible characters.

    Joiners inside a word stay: some scripts need them.
    """
    kept = []
    for index, character in enumerate(text):
        if character in _JOINERS:
            neighbours = text[max(0, index - 1) : index] + text[index + 1 : index + 2]
            joins = len(neighbours) == 2 and all(unicodedata.category(n)[0] in "LM" for n in neighbours)
            kept.append(character if joins else "")
        else:
            kept.append(_shown(character))
    return "".join(kept)


def _shown(character: str) -> str:
    category = unicodedata.category(character)
    if character in _SONG or character == "\n":
        return character
    if category == "Me" or (is_invisible(character) and character != "\t"):
        return ""
    return " " if _is_picture(character) else character


def _is_picture(character: str) -> bool:
    pictures = unicodedata.category(character) in ("So", "Sk") and ord(character) >= _SYMBOLS_FROM
    return pictures and character not in _SONG


def _unwrapped(text: str) -> str:
    """Join lines that continue in lower case into one sentence. Headings, list items and verses stay lines."""
    first, *others = text.split("\n")
    joined = [first]
    for before, line in pairwise([first, *others]):
        quote = _QUOTE.match(line)
        body = line[quote.end() :] if quote else line
        goes_on = body.lstrip(_MARKS + " \t")[:1].islower() and not _LINE_START.match(body)
        same_block = bool(quote) == bool(_QUOTE.match(before)) and before.strip() and not _HEADING.match(before)
        joined.append(f" {body}" if goes_on and same_block else f"\n{line}")
    return "".join(joined)


def _without_markup(text: str) -> str:
    """Remove marks repeatedly, since one can leave another behind, as in `|*|`. After _ROUNDS all marks are removed."""
    for _ in range(_ROUNDS):
        stripped = _stripped_once(text)
        if stripped == text:
            return text
        text = stripped
    return _LINE_START.sub("", text.translate(dict.fromkeys(map(ord, _MARKS + "<@"))))


def _stripped_once(text: str) -> str:
    text = _MARKERS.sub("", _LINE_START.sub("", text))
    text = _JOINING.sub(" ", _CLOSING.sub("", _OPENING.sub("", text)))
    return _LEFT_OVER.sub("", text)


def _too_long(length: int, limit: int) -> str:
    return (
        f"That text has {length:,} characters as it is spoken; this server allows {limit:,}. "
        "Shorten it, or say it in parts."
    )
