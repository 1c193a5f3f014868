"""Turn written text into spoken words: numbers, money, dates, times, units, ordinals, abbreviations and signs.

A small grammar over CLDR's numbers, units, months and plurals (unicode-rbnf, Babel) and word tables. Everything else
stays as it is, including `[laughs]`, ♪ and capitals.
"""

import re
import unicodedata
from collections.abc import Callable
from functools import cache, partial

from cloning.text import amounts, calendar_words, numbers, vocabulary
from cloning.text.grammar import (
    GROUPED,
    TAG,
    Rule,
    flexible,
    letters,
    minus,
    negative,
    number_in_words,
    number_pattern,
    start,
)
from cloning.text.vocabulary import FRACTIONS, WORDS

_TAG = re.compile(f"({TAG})")
_OTHER_DIGITS = re.compile(r"[^\D0-9]")
_KOREAN_COUNTERS = "개|명|마리|살|시간|시|잔|병|권|대|장|달|가지|사람|번째|번|배"
_CHINESE_COUNTERS = "个|只|条|张|位|本|次|天|年(?!级)|杯|辆|件|名|种|家|块|小时|分钟"
_SIMPLE_FRACTIONS = {"1/2": "½", "1/4": "¼", "3/4": "¾", "1/3": "⅓", "2/3": "⅔"}


def normalise(text: str, language: str) -> str:
    """Return `text` as it is read aloud in `language`. Line breaks stay. The function is idempotent."""
    rules = _rules(language)
    return "".join(part if _TAG.fullmatch(part) else _read(part, rules) for part in _TAG.split(text))


def _read(text: str, rules: list[tuple[re.Pattern[str], Callable[[re.Match[str]], str]]]) -> str:
    text = _OTHER_DIGITS.sub(lambda found: str(unicodedata.decimal(found[0])), text)
    for pattern, read in rules:
        text = pattern.sub(read, text)
    return text


@cache
def _rules(language: str) -> list[tuple[re.Pattern[str], Callable[[re.Match[str]], str]]]:
    """Return the compiled rules in the order in which they apply; words made by one rule match no later rule."""
    written = [*_shortened(language), *calendar_words.rules(language), *amounts.rules(language), *_plain(language)]
    return [(re.compile(pattern), partial(_spaced, language, read)) for pattern, read in written]


def _spaced(language: str, read: Callable[[re.Match[str]], str], match: re.Match[str]) -> str:
    """Return the replacement, separated by a space from letters or digits that do not belong to the sign."""
    words = read(match)
    if words == match[0] or not words or language in numbers.UNSPACED:
        return words
    before, after = match.string[: match.start()][-1:], match.string[match.end() :][:1]
    lead = " " if before.isalnum() and words[0].isalnum() else ""
    trail = " " if after.isalnum() and words[-1].isalnum() and language != "ko" else ""
    return lead + words + trail


def _shortened(language: str) -> list[Rule]:
    """Return the rules for abbreviations."""
    found: list[Rule] = []
    for table, follows in (
        (vocabulary.CLOSING, ""),
        (vocabulary.INNER, ""),
        (vocabulary.COUNTERS, r"(?=[ \u00a0\u202f]?\d)"),
    ):
        for short, long in table.get(language, {}).items():
            end = "" if short[-1] in ".°º№ª" else r"(?![\w.])"
            pattern = rf"(?<![\w.]){_any_case(short)}{end}{follows}"
            found.append((pattern, partial(_expanded, short, long, table is vocabulary.CLOSING)))
    for short, long in vocabulary.TITLES.get(language, {}).items():
        stop = r"\." if len(short) < 2 or language == "hi" else r"\.?"
        name = r"(?=[ \u00a0\u202f]+[^\W\d_])"
        found.append((rf"(?<![\w.]){_any_case(short)}{stop}{name}", partial(_title, short, long)))
    return found


def _any_case(short: str) -> str:
    """Return the pattern of an abbreviation whose first letter may be a capital."""
    rest = flexible(short[1:])
    first = short[0]
    return (f"[{first}{first.upper()}]" if first.islower() and len(first.upper()) == 1 else re.escape(first)) + rest


def _expanded(short: str, long: str, closing: bool, match: re.Match[str]) -> str:
    """Return the words; the full stop stays if it also ended the sentence."""
    rest = match.string[match.end() :].lstrip(" \"'»”)")
    ends = short.endswith(".") and (not rest or rest[0] == "\n" or (closing and rest[0].isupper()))
    return _as_capital(match[0], short, long) + ("." if ends else "")


def _title(short: str, long: str, match: re.Match[str]) -> str:
    """Return the title in words if a name follows; names have a capital in scripts with case."""
    name = match.string[match.end() :].lstrip()[:1]
    return match[0] if name.islower() else _as_capital(match[0], short, long)


def _as_capital(written: str, short: str, long: str) -> str:
    return long[0].upper() + long[1:] if written[0].isupper() and short[0].islower() else long


def _plain(language: str) -> list[Rule]:
    """Return the rules for signs, and for numbers that no other rule matches."""
    words, number = WORDS[language], number_pattern(language)
    blank = "" if language in numbers.UNSPACED else " "
    begin, word = start(language), letters(language)
    found: list[Rule] = [
        (r"(?<![\w.])\+(?=\d[\d ()/-]{5,}\d)(?P<tail>[\d ()/-]+\d)", partial(_telephone, language)),
        (r"(?<![\w.,/-])\d{3}-\d{4}(?![\w-])", partial(_telephone, language)),
        (r"(?<![\w.,])\d+(?:\.\d+){2,}(?![\w,])", partial(_dotted, language)),
        (r"(?<![\w.,/])(?:1/2|[13]/4|[12]/3)(?![\w/])|[½¼¾⅓⅔]", partial(_fraction, language)),
        (rf"{begin}(?P<low>{number}) ?[-\u2013] ?(?P<high>{number})(?![{word}-])", partial(_range, language)),
        (r"(?<=\d) ?[×*x] ?(?=\d)", lambda match: f"{blank}{words.times}{blank}"),
        (r"(?<=\d) ?/ ?(?=\d)", lambda match: f"{blank}{words.over}{blank}"),
        (r"(?<=\d) ?= ?(?=[\d-])", lambda match: f"{blank}{words.equals}{blank}"),
        (r"(?<=\d) ?\+ ?(?=\d)", lambda match: f"{blank}{words.plus}{blank}"),
        (r"(?<=\d) [-\u2212] (?=\d)", lambda match: f"{blank}{words.minus}{blank}"),
        (r"(?<!\w)\+(?=\d)", lambda match: words.plus + blank),
        (r"(?<!\w)[#№](?=\d)", lambda match: words.number + blank),
    ]
    if language == "ko":
        found.append((rf"{begin}(?P<value>\d{{1,2}})(?= ?(?:{_KOREAN_COUNTERS})(?![0-9]))", _korean_count))
    if language == "zh":
        found += [
            (r"(?<!\d)(?P<value>\d{4})(?=年)", partial(_year, "zh")),
            (rf"(?<![\d.,第])2(?=(?:{_CHINESE_COUNTERS}))", lambda match: "两"),
        ]
    if language in ("en", "de"):
        found.append((rf"{begin}(?P<value>1[1-9]\d\d|20[1-9]\d)(?!\w|[.,]\d)", partial(_year, language)))
    found += [
        (rf"{minus(language)}(?P<value>{number})", partial(_number, language)),
        (r"(?<=\s)&(?=\s)", lambda match: words.et),
        (r"(?<=\s)@(?=\s)", lambda match: words.at),
        (r"(?<=\s)=(?=\s)", lambda match: words.equals),
        (r"(?<=\w )\+(?= \w)", lambda match: words.plus),
        (r"[™®©]", lambda match: ""),
    ]
    return found


def _number(language: str, match: re.Match[str]) -> str:
    return negative(match, language) + number_in_words(match["value"], language)


def _telephone(language: str, match: re.Match[str]) -> str:
    lead = WORDS[language].plus + " " if match[0].startswith("+") else ""
    return lead + ", ".join(numbers.digits(group, language) for group in re.findall(r"\d+", match[0]))


def _dotted(language: str, match: re.Match[str]) -> str:
    """Read versions and addresses; leave numbers with thousands separators unchanged."""
    if GROUPED.fullmatch(match[0]):
        return match[0]
    blank = "" if language in numbers.UNSPACED else " "
    return f"{blank}{WORDS[language].point}{blank}".join(
        number_in_words(part, language) for part in match[0].split(".")
    )


def _fraction(language: str, match: re.Match[str]) -> str:
    return FRACTIONS[language][_SIMPLE_FRACTIONS.get(match[0], match[0])]


def _range(language: str, match: re.Match[str]) -> str:
    return number_in_words(match["low"], language) + WORDS[language].to + number_in_words(match["high"], language)


def _year(language: str, match: re.Match[str]) -> str:
    return numbers.year(int(match["value"]), language)


def _korean_count(match: re.Match[str]) -> str:
    """Return a native Korean number, as used for counting things."""
    value = int(match["value"])
    return numbers.spelled_by_rules(value, "ko", "spellout-cardinal-native-attributive") if value else match[0]
