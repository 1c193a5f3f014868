"""Numbers in words: what CLDR's rules leave to us."""

import pytest

from cloning.text import numbers
from cloning.text.splitting import LANGUAGES


@pytest.mark.parametrize(
    ("value", "form", "spoken"),
    [
        (1, "", "pierwszego"),
        (2, "at", "drugiej"),
        (3, "feminine", "trzecia"),
        (14, "feminine", "czternasta"),
        (22, "", "dwudziestego drugiego"),
        (1999, "locative", "tysiąc dziewięćset dziewięćdziesiątym dziewiątym"),
        (2003, "locative", "dwa tysiące trzecim"),
        (2000, "", "dwa tysiące"),
    ],
)
def test_polish_ordinals(value: int, form: str, spoken: str) -> None:
    assert numbers.ordinal(value, "pl", form) == spoken


@pytest.mark.parametrize(
    ("value", "language", "spoken"),
    [
        (1985, "en", "nineteen eighty-five"),
        (2005, "en", "two thousand five"),
        (1066, "en", "one thousand sixty-six"),
        (1985, "de", "neunzehnhundertfünfundachtzig"),
        (2024, "de", "zweitausendvierundzwanzig"),
        (1985, "zh", "一九八五"),
        (1985, "fr", "mille neuf cent quatre-vingt-cinq"),
    ],
)
def test_years(value: int, language: str, spoken: str) -> None:
    assert numbers.year(value, language) == spoken


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_number_has_a_name_without_a_digit_or_a_soft_hyphen(language: str) -> None:
    for value in (*range(120), 999, 1000, 1001, 21_000, 10**6, 10**9, 10**12, 10**numbers.LONGEST - 1):
        spoken = numbers.cardinal(value, language)
        assert spoken == spoken.strip()
        assert not any(character.isascii() and character.isdigit() for character in spoken)
        assert "\u00ad" not in spoken


def test_decimals_are_read_digit_by_digit_or_as_a_number_of_two() -> None:
    assert numbers.number("3", "14", "en", "point") == "three point one four"
    assert numbers.number("3", "14", "fr", "virgule") == "trois virgule quatorze"
    assert numbers.number("3", "05", "fr", "virgule") == "trois virgule zéro cinq"
    assert numbers.number("007", "", "en", "point") == "zero zero seven"
