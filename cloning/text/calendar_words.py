"""Dates and times of day in words. Month names come from CLDR."""

import re
from functools import cache, partial

from babel import Locale

from cloning.text import numbers
from cloning.text.grammar import Rule, letters
from cloning.text.vocabulary import DATES, TIMES

_YEAR_FIRST = frozenset({"ja", "ko", "zh"})
_DAY_BEFORE_MONTH = frozenset({"de", "pl", "ru", "fr", "it", "pt", "es"})
_HOUR = r"(?P<h>[01]?\d|2[0-4])"
_BEFORE_TIME = r"(?<![\w:.,/])"
_BEHIND_TIME = {"en": r"(?i:[ \u00a0]?(?P<half>[ap])(?:m\b|\.m\.| m\b))?", "de": r"(?: Uhr\b)?", "fr": r"(?: ?h\b)?"}
_ZERO_MINUTE = {"en": "oh ", "pl": "zero ", "ru": "ноль ", "tr": "sıfır ", "zh": "零"}
_RUSSIAN_YEAR = {"году": "locative", "года": "genitive", "годом": "ablative", "год": ""}


def rules(language: str) -> list[Rule]:
    """Return the rules of a language in the order in which they apply."""
    names = "|".join(sorted((re.escape(name) for name in _months(language).values()), key=len, reverse=True))
    first, second = ("m", "d") if language == "en" else ("d", "m")
    word = letters(language)
    found: list[Rule] = [
        (
            rf"(?<![{word}.-])(?P<y>\d{{4}})(?P<sep>[-/.])(?P<m>\d{{1,2}})(?P=sep)(?P<d>\d{{1,2}})(?![{word}-])",
            partial(_date, language),
        ),
        (
            rf"(?<![{word}.-])(?P<{first}>\d{{1,2}})(?P<sep>[./])(?P<{second}>\d{{1,2}})(?P=sep)(?P<y>\d{{4}})(?![{word}-])",
            partial(_date, language),
        ),
    ]
    if language == "en":
        found += [
            (
                rf"\b(?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? (?P<n>{names})\b(?:,? (?P<y>\d{{4}})\b)?",
                _english_day_first,
            ),
            (
                rf"\b(?P<n>{names}) (?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?![\w:]|[.,]\d)(?:, (?P<y>\d{{4}})\b)?",
                _english_month_first,
            ),
        ]
    if language in _DAY_BEFORE_MONTH:
        point = r"\." if language == "de" else "(?:er|º|°)?"
        found.append(
            (rf"(?i)(?<![\w.,])(?P<d>\d{{1,2}}){point}(?P<n> (?:de )?(?:{names})\b)", partial(_day_first, language))
        )
    if language == "ru":
        found.append((r"(?i)(?P<in>)(?<![\w.,])(?P<y>\d{4}) (?P<n>годом|года|году|год)\b", _russian_year))
    if language == "pl":
        found.append((r"(?i)(?P<in>\bw )?(?<![\w.,])(?P<y>\d{4}) (?P<n>roku)\b", _polish_year))
    clock = rf"(?<![{word}:.,/]){_HOUR}:(?P<m>[0-5]\d)(?::[0-5]\d)?(?![\d:]){_BEHIND_TIME.get(language, '')}"
    found.append((clock, partial(_time, language)))
    if language in ("fr", "pt"):
        found.append((rf"{_BEFORE_TIME}{_HOUR} ?h ?(?P<m>[0-5]\d)(?!\w)", partial(_time, language)))
    if language == "de":
        found.append((rf"{_BEFORE_TIME}{_HOUR}(?P<m>) Uhr\b", partial(_time, language)))
    if language == "en":
        found.append((rf"(?i)(?<![\w:.,$€£]){_HOUR}(?P<m>)[ \u00a0]?(?P<half>[ap])(?:\.m\.|m\b)", partial(_time, "en")))
    return found


@cache
def _months(language: str) -> dict[int, str]:
    """Return month number -> name as used in a date."""
    return dict(Locale.parse(language).months["format"]["wide"])


def _date(language: str, match: re.Match[str]) -> str:
    year, month, day = (int(match[part]) for part in "ymd")
    if language == "en" and month > 12:
        month, day = day, month
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return match[0]
    if language in _YEAR_FIRST:
        name = {6: "유", 10: "시"}.get(month, "") if language == "ko" else ""
        name = name or numbers.cardinal(month, language)
    else:
        name = _months(language)[month]
    spoken = {"ru": partial(_year_in_russian, form="genitive"), "pl": partial(numbers.ordinal, language="pl")}
    in_words = spoken[language](year) if language in spoken else numbers.year(year, language)
    return DATES[language].format(year=in_words, month=name, day=_day(language, day, match.string[: match.start()]))


def _day(language: str, day: int, before: str) -> str:
    """Return the day of a month in the form that agrees with the text before it."""
    if language == "en":
        return numbers.ordinal(day, "en")
    if language == "de":
        return german_ordinal(day, before)
    if language == "pl":
        return numbers.ordinal(day, "pl")
    if language == "ru":
        return numbers.ordinal(day, "ru", "neuter-genitive")
    if day == 1 and language in ("fr", "it", "pt", "es"):
        return numbers.ordinal(1, language, "masculine")
    return numbers.cardinal(day, language)


def german_ordinal(value: int, before: str) -> str:
    """Return a German ordinal that agrees with the word before it: "der erste", "am ersten", else "erster"."""
    if re.search(r"(?i)\b(?:am|im|dem|den|zum|vom|beim|des|seit|bis)\s$", before):
        return numbers.ordinal(value, "de", "n")
    return numbers.ordinal(value, "de", "" if re.search(r"(?i)\b(?:der|die|das)\s$", before) else "r")


def _english_day_first(match: re.Match[str]) -> str:
    if not 1 <= int(match["d"]) <= 31:
        return match[0]
    article = "" if re.search(r"(?i)\bthe $", match.string[: match.start()]) else "the "
    end = f", {numbers.year(int(match['y']), 'en')}" if match["y"] else ""
    return f"{article}{numbers.ordinal(int(match['d']), 'en')} of {match['n']}{end}"


def _english_month_first(match: re.Match[str]) -> str:
    if not 1 <= int(match["d"]) <= 31:
        return match[0]
    end = f", {numbers.year(int(match['y']), 'en')}" if match["y"] else ""
    return f"{match['n']} {numbers.ordinal(int(match['d']), 'en')}{end}"


def _day_first(language: str, match: re.Match[str]) -> str:
    if not 1 <= int(match["d"]) <= 31:
        return match[0]
    return _day(language, int(match["d"]), match.string[: match.start()]) + match["n"]


def _year_in_russian(year: int, form: str) -> str:
    return numbers.ordinal(year, "ru", f"masculine-{form}" if form else "masculine")


def _russian_year(match: re.Match[str]) -> str:
    return f"{_year_in_russian(int(match['y']), _RUSSIAN_YEAR[match['n'].lower()])} {match['n']}"


def _polish_year(match: re.Match[str]) -> str:
    form = "locative" if match["in"] else ""
    return f"{match['in'] or ''}{numbers.ordinal(int(match['y']), 'pl', form)} {match['n']}"


def _time(language: str, match: re.Match[str]) -> str:
    hour, minute, half = int(match["h"]), int(match["m"] or 0), match.groupdict().get("half")
    alone, both = TIMES[language]
    spoken = _hour(language, hour, match.string[: match.start()])
    with_minutes = both.format(
        h=spoken, m=_ZERO_MINUTE.get(language, "") * (minute < 10) + numbers.cardinal(minute, language)
    )
    if half:
        return f"{with_minutes if minute else spoken} {half.lower()} m"
    if minute:
        return with_minutes
    return f"{spoken} hundred" if language == "en" and not 1 <= hour <= 12 else alone.format(h=spoken)


def _hour(language: str, hour: int, before: str) -> str:
    if language == "pl" and hour:
        at = re.search(r"(?i)\b(?:o|po|do|od|przed|godzinie) $", before)
        return numbers.ordinal(hour, "pl", "at" if at else "feminine")
    if language == "ko" and 1 <= hour <= 12:
        return numbers.spelled_by_rules(hour, "ko", "spellout-cardinal-native-attributive")
    if language == "zh" and hour == 2:
        return "两"
    if language == "de":
        return numbers.cardinal(hour, "de", "masculine")
    return numbers.cardinal(hour, language, "feminine" if language in ("es", "fr", "pt", "it") else None)
