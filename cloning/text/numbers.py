"""Numbers in words, in each of Bark's languages, by CLDR's rules (unicode-rbnf) and what they leave out.

CLDR's rules are used for whole numbers only: fractions, and Polish ordinals, are put together here.
"""

from functools import cache

from unicode_rbnf import RbnfEngine

LONGEST = 15
"""Numbers of more digits are read digit by digit."""

UNSPACED = frozenset({"ja", "zh"})
"""Languages that write no spaces between words."""

_ZERO = {"ja": "ゼロ", "zh": "零", "ko": "영"}
_BY_PAIRS = frozenset({"es", "fr", "it", "pl", "pt", "ru", "tr"})
"""Two decimals are one number there: "trois virgule quatorze"."""

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
def ruled(value: int, language: str, rules: str) -> str:
    """`value` by one of CLDR's rule sets, such as spellout-ordinal."""
    text: str = _engine(language).format_number(value, ruleset_names=[rules]).text
    return text.replace("〇", "零") if language in UNSPACED else text


def cardinal(value: int, language: str, gender: str | None = None) -> str:
    """`value` as a count; `gender` is masculine or feminine, for a noun that follows."""
    if value == 0 and language in _ZERO:
        return _ZERO[language]
    if gender is not None and f"spellout-cardinal-{gender}" in _engine(language).rulesets:
        return ruled(value, language, f"spellout-cardinal-{gender}")
    return ruled(value, language, "spellout-numbering")


def digits(written: str, language: str) -> str:
    """Each digit by itself."""
    return ("" if language in UNSPACED else " ").join(cardinal(int(digit), language) for digit in written)


def number(whole: str, fraction: str, language: str, point: str, gender: str | None = None) -> str:
    """Digits before and behind a decimal point in words; with leading zeros, or too many, one by one."""
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
    """A year: English and German count hundreds, Chinese reads digits."""
    if language == "zh":
        return digits(str(value), language)
    pairs = language == "en" and value % 1000 > 9 and 1100 <= value < 2100
    if pairs or (language == "de" and 1100 <= value < 2000):
        return ruled(value, language, "spellout-numbering-year")
    return cardinal(value, language)


def ordinal(value: int, language: str, form: str = "") -> str:
    """`value` as an ordinal. `form` is the end of a rule set's name: masculine, feminine, n, neuter-genitive, ..."""
    if language == "pl":
        return _polish_ordinal(value, form)
    return ruled(value, language, "spellout-ordinal" + (f"-{form}" if form else ""))


def _polish_ordinal(value: int, form: str) -> str:
    """The last two digits are ordinals. form: genitive ("piątego"), locative (-ym), feminine (-a), at (-ej)."""
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
