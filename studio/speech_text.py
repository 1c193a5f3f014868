"""Chat text made fit to be spoken: markup goes, what stands for something else gets its name, `[laughs]` stays.

First what stands for something else is put in words (`in_words`), then the rest of the markup goes (`spoken`). Between
the two a server's dictionary is applied (see dictionary). Discord's markup is text here; the names behind ids are
handed in.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from itertools import pairwise

from errors import InvalidInput
from studio.invisible_characters import is_invisible

RAW_LENGTH = 8000
"""The longest text that is looked at, in characters: twice the longest message that Discord allows."""

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
"""What Discord shows for its own pages of a server."""
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
"""How often markup is looked for in what removed markup left behind. Written text needs one round."""
_LOOSE_MARK = re.compile(r" +(?=[,.;:!?…)](?:\W|$))|(?<=\() +")

_JOINERS = frozenset("\u200c\u200d")
_SONG = frozenset("♪♫♩♬")
_SYMBOLS_FROM = 0x2190
"""So-category signs below (°, ©, №) are part of written language; from here on they are pictures."""


def clean(text: str, names: Mapping[str, str], *, limit: int) -> str:
    """The text as it will be spoken: one line, at most `limit` characters, with something to say in it.

    names: the display name for each mentioned id (of a member, role or channel), the id as a string of digits.
    Raises InvalidInput when nothing is left to say, or when it is too long: nothing is ever cut off silently.
    """
    return spoken(in_words(text, names, limit=limit), limit=limit)


def in_words(text: str, names: Mapping[str, str], *, limit: int = RAW_LENGTH) -> str:
    """The text with words in place of what is not read as it is written: mentions, links, code, spoilers, emoji names.

    Other markup and pictures stay. Raises InvalidInput for more than RAW_LENGTH characters; `limit` is what it says.
    """
    _check_raw(text, limit)
    return _TOKENS.sub(_speaker_of(names), unicodedata.normalize("NFC", text))


def spoken(text: str, *, limit: int) -> str:
    """What `in_words` gives, as it will be spoken. Raises InvalidInput as `clean`."""
    _check_raw(text, limit)
    line = _without_markup(_unwrapped(_without_pictures(text)))
    line = _SPACES.sub(" ", _UNFINISHED_LINE.sub(". ", line.strip())).strip()
    line = _LOOSE_MARK.sub("", line)
    if not any(unicodedata.category(character)[0] in "LN" for character in line):
        raise InvalidInput("There is nothing to say in that text once emoji and markup are left out. Write some words.")
    if len(line) > limit:
        raise InvalidInput(_too_long(len(line), limit))
    return line


def _check_raw(text: str, limit: int) -> None:
    if len(text) > RAW_LENGTH:
        raise InvalidInput(_too_long(len(text), limit))


def _speaker_of(names: Mapping[str, str]) -> Callable[[re.Match[str]], str]:
    """What is said in place of each piece of markup."""

    def words(match: re.Match[str]) -> str:
        kind = match.lastgroup or ""
        value = match[kind]
        if kind in _FIXED:
            return f" {_FIXED[kind]} "
        if kind in _NAMED:
            return f" {_plain(names.get(value, '')) or _NAMED[kind]} "
        if kind == "guide":
            return f" {_GUIDES.get(value.lower(), 'a page of this server')} "
        if kind == "emoji":
            return f" {value.replace('_', ' ')} "
        if kind == "label":
            return f" {_SPOILER.sub(' spoiler ', value)} " if value.strip() else " link "
        return value.strip("`") if kind == "code" else value

    return words


def _plain(name: str) -> str:
    """A display name without anything that could be read as markup."""
    return "".join(character if character.isalnum() or character in " -'’." else " " for character in name).strip()


def _without_pictures(text: str) -> str:
    """Without emoji, control and invisible characters. Joiners inside a word stay: some scripts need them."""
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
    if category in ("So", "Sk") and ord(character) >= _SYMBOLS_FROM:
        return " "
    return character


def _unwrapped(text: str) -> str:
    """Lines that go on in lower case are one sentence: they are joined. Headings, list items and verses stay lines."""
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
    """What one mark leaves behind can be another, as in `|*|`. Marks that are nested deeper all go at once."""
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
