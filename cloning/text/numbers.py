"""Numbers in words, in each of Bark's languages, by CLDR's rules (unicode-rbnf).

CLDR's rules cover whole numbers; fractions and Polish ordinals are composed here.
"""

from functools import cache

from unicode_rbnf import RbnfEngine

LONGEST = 15
"""Numbers with more digits than this are read digit by digit."""

UNSPACED = frozenset({"ja", "zh"})
"""Languages without spaces between words."""

_ZERO = {"ja": "ゼロ", "zh": "零", "ko": "영"}
_BY_PAIRS = frozenset({"es", "fr", "it", "pl", "pt", "ru", "tr"})
"""Languages that read two decimals as one number: "trois virgule quatorze"."""

_POLISH_TEENS = [
    *("pierwszego", "drugiego", "trzeciego", "czwartego", "piątego", "szóstego", "siódmego", "ósmego", "dziewiątego"),
    *("dziesiątego", "jedenastego", "dwunastego", "trzynastego", "czternastego", "piętnastego", "szesnastego"),
    *("siedemnastego", "osiemnastego", "dziewiętnastego"),
]
_POLISH_TENS = [
    *("dwudziestego", "trzydziestego", "czterdziestego", "pięćdziesiątego"),
    *("sześćdziesiątego", "siedemdziesiątego", "osiemdziesiątego", "dziewięćdziesiątego"),
]


@cache
def _engine(language: str) -> RbnfEngine:
    return RbnfEngine.for_language(language)


@cache
def spelled_by_rules(value: int, language: str, rules: str) -> str:
    """Return `value` by one of CLDR's rule sets, such as spellout-ordinal."""
    text: str = _engine(language).format_number(value, ruleset_names=[rules]).text
    return text.replace("〇", "零") if language in UNSPACED else text


def cardinal(value: int, language: str, gender: str | None = None) -> str:
    """Return `value` as a cardinal; `gender` is masculine or feminine, to agree with a noun."""
    if value == 0 and language in _ZERO:
        return _ZERO[language]
    if gender is not None and f"spellout-cardinal-{gender}" in _engine(language).rulesets:
        return spelled_by_rules(value, language, f"spellout-cardinal-{gender}")
    return spelled_by_rules(value, language, "spellout-numbering")


def digits(written: str, language: str) -> str:
    """Return each digit as a word."""
    return ("" if language in UNSPACED else " ").join(cardinal(int(digit), language) for digit in written)


def number(whole: str, fraction: str, language: str, point: str, gender: str | None = None) -> str:
    """Return a number, given as the digits before and after the decimal point, in words.

    Digits are read one by one if there are leading zeros or more than LONGEST digits.
    """
    if len(whole) > LONGEST or (len(whole) > 1 and whole.startswith("0")):
        spoken = digits(whole, language)
    else:
        spoken = cardinal(int(whole), language, None if fraction else gender)
    if not fraction:
        return spoken
    as_number = language in _BY_PAIRS and len(fraction) == 2 and fraction[0] != "0"
    behind = cardinal(int(fraction), language) if as_number else digits(fraction, language)
    return (point if language in UNSPACED else f" {point} ").join((spoken, behind))


def year(value: int, language: str) -> str:
    """Return a year in words: English and German count hundreds, Chinese reads digits."""
    if language == "zh":
        return digits(str(value), language)
    pairs = language == "en" and value % 1000 > 9 and 1100 <= value < 2100
    if pairs or (language == "de" and 1100 <= value < 2000):
        return spelled_by_rules(value, language, "spellout-numbering-year")
    return cardinal(value, language)


def ordinal(value: int, language: str, form: str = "") -> str:
    """Return `value` as an ordinal. `form` is the end of a rule set's name: masculine, feminine, n, neuter-genitive,
    ..."""
    if language == "pl":
        return _polish_ordinal(value, form)
    return spelled_by_rules(value, language, "spellout-ordinal" + (f"-{form}" if form else ""))


def _polish_ordinal(value: int, form: str) -> str:
    """Return a Polish ordinal, whose last two digits are ordinals.

    `form`: genitive ("piątego"), locative (-ym), feminine (-a) or at (-ej).
    """
    last = value % 100
    if last == 0:
        return cardinal(value, "pl")
    if last < 20:
        words = [_POLISH_TEENS[last - 1]]
    else:
        words = [_POLISH_TENS[last // 10 - 2], *([_POLISH_TEENS[last % 10 - 1]] if last % 10 else [])]
    before = [cardinal(value - last, "pl")] if value > last else []
    return " ".join([*before, *(_polish_form(word, form) for word in words)])


def _polish_form(genitive: str, form: str) -> str:
    stem = genitive.removesuffix("ego")
    if form == "locative":
        return stem + ("m" if stem.endswith("i") else "ym")
    if form in ("feminine", "at"):
        stem = stem[:-1] if stem == "drugi" else stem
        return stem + ("a" if form == "feminine" else "iej" if stem == "drug" else "ej")
    return genitive
