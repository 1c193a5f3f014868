"""Money, units, percentages and ordinals in words. Units and plurals come from CLDR through Babel."""

import re
from decimal import Decimal
from functools import cache, partial

from babel import Locale
from babel.numbers import format_decimal
from babel.units import format_unit

from cloning.text import numbers
from cloning.text.calendar_words import german_ordinal
from cloning.text.grammar import GAP, Rule, end, minus, negative, number_in_words, number_pattern, parts, start
from cloning.text.vocabulary import CENTS, CURRENCIES, FEMININE, ORDINAL_NOUNS, PERCENT, UNITS, WORDS

_SCALES = {"k": "thousand", "K": "thousand", "M": "million", "m": "million", "bn": "billion", "B": "billion"}
_RUSSIAN_ENDS = {
    "й": "masculine",
    "я": "feminine",
    "е": "neuter",
    "го": "masculine-genitive",
    "му": "masculine-dative",
    "м": "masculine-locative",
    "х": "plural-genitive",
}
_HINDI_ENDS = "वां|वाँ|वीं|वें|ला|ली|रा|री|था|थी|ठा|ठी"


def rules(language: str) -> list[Rule]:
    """Return the rules of a language in the order in which they apply."""
    signs = "|".join(sorted((re.escape(sign) for sign in CURRENCIES), key=len, reverse=True))
    units = "|".join(sorted((re.escape(unit) for unit in UNITS), key=len, reverse=True))
    number, begin, stop = number_pattern(language), start(language), end(language)
    scale = rf"(?:{GAP}(?P<scale>[kKMB]|bn|million|billion|trillion)\b)?" if language == "en" else "(?P<scale>)"
    found: list[Rule] = [
        (rf"{minus(language)}(?:US)?(?P<sign>{signs}){GAP}(?P<value>{number}){scale}{stop}", partial(_money, language)),
        (
            rf"{begin}{minus(language)}(?P<value>{number}){GAP}(?P<sign>{signs})(?P<scale>){stop}",
            partial(_money, language),
        ),
        (
            rf"{begin}(?P<low>{number}) ?[-\u2013] ?(?P<value>{number}){GAP}(?P<unit>{units}){stop}(?!/)",
            partial(_unit_range, language),
        ),
        (rf"{begin}{minus(language)}(?P<value>{number}){GAP}(?P<unit>{units}){stop}(?!/)", partial(_unit, language)),
        (rf"(?<!\w)%(?P<value>{number})(?P<unit>)(?P<minus>){stop}", partial(_unit, language)),
    ]
    if language == "en":
        found.append((rf"{begin}(?P<value>{number})(?P<scale>[kK]){stop}", _scaled))
    return found + _ordinals(language)


def _money(language: str, match: re.Match[str]) -> str:
    names = CURRENCIES[match["sign"]][language].split("|")
    gender = gender_of(names[0], language)
    whole, hundredths = parts(match["value"], language)
    minus, between = negative(match, language), "" if language in numbers.UNSPACED else " "
    if match["scale"]:
        scale = _SCALES.get(match["scale"], match["scale"])
        return f"{minus}{number_in_words(match['value'], language)} {scale} {names[-1]}"
    joint = WORDS[language].cents
    if joint is None or len(hundredths) != 2 or len(whole) > numbers.LONGEST:
        amount = number_in_words(match["value"], language, gender)
        return f"{minus}{amount}{between}{_plural(names, whole, hundredths, language)}"
    if not int(hundredths):
        return f"{minus}{numbers.number(whole, '', language, '', gender)}{between}{_plural(names, whole, '', language)}"
    behind = numbers.cardinal(int(hundredths), language)
    if language == "en" and match["sign"] in CENTS:
        cents = f"{behind} {CENTS[match['sign']][int(hundredths) != 1]}"
        if not int(whole):
            return minus + cents
        joint, behind = " and ", cents
    main = numbers.number(whole, "", language, "", gender)
    return f"{minus}{main}{between}{_plural(names, whole, '', language)}{joint}{behind}"


def _plural(names: list[str], whole: str, fraction: str, language: str) -> str:
    """Return the noun form that agrees with a number.

    Slavic languages have three: one, two to four, more; after a fraction, the form of two to four.
    """
    form = str(Locale.parse(language).plural_form(_value(whole, fraction)))
    if len(names) == 3:
        return names[{"one": 0, "few": 1, "other": 1}.get(form, 2)]
    return names[0] if form == "one" else names[-1]


def _value(whole: str, fraction: str) -> Decimal:
    return Decimal(f"{whole}.{fraction}" if fraction else whole)


def gender_of(noun: str, language: str) -> str:
    """Return masculine or feminine, by the ending of the singular, in languages whose numbers have a gender."""
    return "feminine" if noun.lower().endswith(FEMININE.get(language, ("\n",))) else "masculine"


def _unit(language: str, match: re.Match[str]) -> str:
    return negative(match, language) + _with_unit(match["value"], match["unit"] or "%", language)


def _with_unit(written: str, sign: str, language: str) -> str:
    whole, fraction = parts(written, language)
    if len(whole) > numbers.LONGEST:
        whole, fraction = whole[-numbers.LONGEST :], ""  # Used only to choose the form of the unit.
    value = _value(whole, fraction)
    gender = "masculine" if sign == "%" else gender_of(_unit_name(sign, language), language)
    spoken = number_in_words(written, language, gender)
    if sign == "%" and language in PERCENT:
        return PERCENT[language].format(spoken)
    phrase = re.sub(r"[\u00a0\u202f]", " ", format_unit(value, UNITS[sign], length="long", locale=language))
    shown = re.sub(r"[\u00a0\u202f]", " ", format_decimal(value, locale=language))
    phrase = phrase.replace(shown, spoken, 1)
    return phrase.replace(" ", "") if language in numbers.UNSPACED else phrase


@cache
def _unit_name(sign: str, language: str) -> str:
    """Return the name of one unit, without the number."""
    return re.sub(r"[\d\s]+", "", format_unit(1, UNITS[sign], length="long", locale=language).partition("/")[0])


def _unit_range(language: str, match: re.Match[str]) -> str:
    return (
        number_in_words(match["low"], language)
        + WORDS[language].to
        + _with_unit(match["value"], match["unit"], language)
    )


def _scaled(match: re.Match[str]) -> str:
    return f"{number_in_words(match['value'], 'en')} {_SCALES[match['scale']]}"


def _ordinals(language: str) -> list[Rule]:
    stop, value = end(language), rf"{start(language)}(?P<value>\d{{1,9}})"
    if language == "en":
        return [(rf"(?i){value}(?:st|nd|rd|th)\b", partial(_ordinal, "en", ""))]
    if language == "fr":
        return [
            (rf"{value}(?:re|ère)\b", partial(_ordinal, "fr", "feminine")),
            (rf"{value}(?:er|e|ème|eme|nd|nde)\b", partial(_ordinal, "fr", "masculine")),
        ]
    if language in ("es", "it", "pt"):
        return [
            (rf"{value}\.?[º°]{stop}", partial(_ordinal, language, "masculine")),
            (rf"{value}\.?ª{stop}", partial(_ordinal, language, "feminine")),
        ]
    if language == "ru":
        ends = "|".join(sorted(_RUSSIAN_ENDS, key=len, reverse=True))
        return [(rf"{value}-[оыиеа]{{0,2}}?(?P<end>{ends})\b", _russian_ordinal)]
    if language == "hi":
        return [(rf"{value} ?(?P<end>{_HINDI_ENDS})(?![\w\u0900-\u094f])", _hindi_ordinal)]
    nouns = ORDINAL_NOUNS.get(language)
    if nouns is None:
        return []
    pattern = rf"{value}\.(?= (?:{nouns})\b)"
    if language == "de":
        return [(pattern, lambda match: german_ordinal(int(match["value"]), match.string[: match.start()]))]
    return [(pattern, partial(_ordinal, language, ""))]


def _ordinal(language: str, form: str, match: re.Match[str]) -> str:
    return numbers.ordinal(int(match["value"]), language, form)


def _russian_ordinal(match: re.Match[str]) -> str:
    return numbers.ordinal(int(match["value"]), "ru", _RUSSIAN_ENDS[match["end"]])


def _hindi_ordinal(match: re.Match[str]) -> str:
    return numbers.ordinal(int(match["value"]), "hi", "feminine" if "ी" in match["end"] else "masculine")
