"""The time that a text takes is that of its words, as they are spoken and in the script they are written in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloning.text.durations import expected_seconds, longest_seconds
from cloning.text.splitting import LANGUAGES, sentences
from tests.cloning.text.test_normalisation import ITEMS

# Written, and how somebody would read it.
READ_ALOUD = {
    "en": {
        "999,999,999,999": "nine hundred ninety-nine billion nine hundred ninety-nine million "
        "nine hundred ninety-nine thousand nine hundred ninety-nine",
        "3.14159265358979": "three point one four one five nine two six five three five eight nine seven nine",
        "Plug the USB into the HDMI port.": "Plug the you ess bee into the aitch dee em eye port.",
        "$1,234.56": "one thousand two hundred thirty-four dollars and fifty-six cents",
        "a > b": "a greater than b",
        "approx. 50%": "approximately fifty percent",
    },
    "de": {
        "999.999.999.999": "neunhundertneunundneunzig Milliarden neunhundertneunundneunzig Millionen "
        "neunhundertneunundneunzigtausendneunhundertneunundneunzig",
        "24.12.2026, 14:30 Uhr": "vierundzwanzigster Dezember zweitausendsechsundzwanzig, vierzehn Uhr dreißig",
        "1.234,56 €": "eintausendzweihundertvierunddreißig Euro sechsundfünfzig",
        "z. B. 25 km/h": "zum Beispiel fünfundzwanzig Kilometer pro Stunde",
        "Die EU und die USA": "Die E U und die U S A",
        "-17,5 °C": "minus siebzehn Komma fünf Grad Celsius",
    },
    "es": {
        "999.999.999": "novecientos noventa y nueve millones novecientos noventa y nueve mil "
        "novecientos noventa y nueve",
        "1.234,56 €": "mil doscientos treinta y cuatro euros con cincuenta y seis",
        "25 km/h": "veinticinco kilómetros por hora",
        "Sr. López": "señor López",
        "75 %": "setenta y cinco por ciento",
    },
    "fr": {
        "999 999 999": "neuf cent quatre-vingt-dix-neuf millions neuf cent quatre-vingt-dix-neuf mille "
        "neuf cent quatre-vingt-dix-neuf",
        "97,75 €": "quatre-vingt-dix-sept euros soixante-quinze",
        "14h45": "quatorze heures quarante-cinq",
        "M. Dupont, n° 91": "monsieur Dupont, numéro quatre-vingt-onze",
        "25 km/h": "vingt-cinq kilomètres par heure",
    },
    "hi": {
        "99,99,999": "निन्यानबे लाख निन्यानबे हज़ार नौ सौ निन्यानबे",
        "₹1,234": "एक हज़ार दो सौ चौंतीस रुपये",
        "14:45": "चौदह बजकर पैंतालीस मिनट",
        "75%": "पचहत्तर प्रतिशत",
        "डॉ. शर्मा": "डॉक्टर शर्मा",
    },
    "it": {
        "999.999.999": "novecentonovantanove milioni novecentonovantanovemilanovecentonovantanove",
        "1.234,56 €": "milleduecentotrentaquattro euro e cinquantasei",
        "25 km/h": "venticinque chilometri orari",
        "dott. Bianchi": "dottor Bianchi",
        "75%": "settantacinque per cento",
    },
    "ja": {
        "999,999,999": "九億九千九百九十九万九千九百九十九",
        "3.1415": "三点一四一五",
        "2026年12月24日": "二千二十六年十二月二十四日",
        "75%": "七十五パーセント",
        "$50": "五十ドル",
    },
    "ko": {
        "999,999,999": "구억 구천구백구십구만 구천구백구십구",
        "3.1415": "삼 점 일 사 일 오",
        "2026년 12월 24일": "이천이십육년 십이월 이십사일",
        "75%": "칠십오 퍼센트",
        "$50": "오십 달러",
    },
    "pl": {
        "999 999 999": "dziewięćset dziewięćdziesiąt dziewięć milionów dziewięćset dziewięćdziesiąt dziewięć tysięcy "
        "dziewięćset dziewięćdziesiąt dziewięć",
        "55,55 zł": "pięćdziesiąt pięć złotych pięćdziesiąt pięć",
        "25 km/h": "dwadzieścia pięć kilometrów na godzinę",
        "w 1999 roku": "w tysiąc dziewięćset dziewięćdziesiątym dziewiątym roku",
        "np. 75%": "na przykład siedemdziesiąt pięć procent",
    },
    "ru": {
        "999 999 999": "девятьсот девяносто девять миллионов девятьсот девяносто девять тысяч "
        "девятьсот девяносто девять",
        "в 1999 году": "в тысяча девятьсот девяносто девятом году",
        "$55": "пятьдесят пять долларов",
        "25 км/ч": "двадцать пять километров в час",
        "и т. д.": "и так далее",
    },
    "zh": {
        "999,999,999": "九亿九千九百九十九万九千九百九十九",
        "3.1415926": "三点一四一五九二六",
        "2026年12月24日": "二零二六年十二月二十四日",
        "75%": "百分之七十五",
        "$50": "五十美元",
        "14:45": "十四点四十五分",
    },
}
RATES = {"en": 15, "de": 14.5, "es": 15.5, "fr": 15.5, "hi": 12, "it": 15, "ja": 5.5, "ko": 7, "pl": 14, "ru": 14}
RATES["zh"] = 4.8
PAIRS = [(language, *pair) for language, pairs in READ_ALOUD.items() for pair in pairs.items()]


@pytest.mark.parametrize(("language", "written", "spoken"), PAIRS)
def test_a_text_is_never_expected_to_be_shorter_than_what_is_spoken(language: str, written: str, spoken: str) -> None:
    assert expected_seconds(written, language) >= 0.999 * expected_seconds(spoken, language)
    assert expected_seconds(written, language) >= 0.999 * len(spoken) / RATES[language]


def test_there_are_sixty_items_in_eleven_languages() -> None:
    assert len(READ_ALOUD) == 11
    assert len(PAIRS) >= 57


@pytest.mark.parametrize("item", ITEMS, ids=["-".join(item[:2]) for item in ITEMS])
def test_the_same_of_everything_that_is_read(item: list[str]) -> None:
    language, written, *readings = item
    assert expected_seconds(written, language) >= min(0.999 * expected_seconds(one, language) for one in readings)


@given(st.integers(0, 10**40), st.sampled_from(sorted(LANGUAGES)))
def test_digits_take_at_least_the_time_of_their_shortest_names(value: int, language: str) -> None:
    per_digit = min(expected_seconds(str(digit), language) for digit in range(10))
    if value >= 10**15:
        assert expected_seconds(str(value), language) >= 0.999 * len(str(value)) * per_digit
    assert longest_seconds(str(value), language) > 2.0


def test_many_digits_are_many_windows() -> None:
    assert expected_seconds("7" * 195, "en") > 3 * 13
    assert len(sentences("7" * 195, "en")) > 3


@pytest.mark.parametrize(
    ("written", "declared", "like"),
    [
        ("这是一个很长的句子没有任何停顿", "en", "zh"),
        ("これはとてもながいぶん", "en", "ja"),
        ("한국어로 쓴 문장", "de", "ko"),
        ("Это длинное предложение", "fr", "ru"),
        ("A sentence of English words", "zh", "en"),
        ("यह एक वाक्य है", "en", "hi"),
    ],
)
def test_a_text_is_measured_by_the_script_it_is_written_in(written: str, declared: str, like: str) -> None:
    assert expected_seconds(written, declared) == pytest.approx(expected_seconds(written, like), rel=0.2)


def test_chinese_that_was_declared_english_fits_its_windows() -> None:
    pieces = sentences("天气很好我们去公园散步然后回家吃饭" * 12, "en")
    assert all(expected_seconds(piece, "zh") <= 13.0 for piece in pieces)


def test_letters_of_a_script_that_bark_does_not_know_take_time_too() -> None:
    assert expected_seconds("שלום לכולם", "en") >= expected_seconds("shalom lkl", "en")


def test_shouting_is_not_spelling() -> None:
    assert expected_seconds("COME ON NOW", "en") == expected_seconds("come on now", "en")
    assert expected_seconds("the BBC said", "en") > expected_seconds("the bee said", "en")


def test_the_limit_is_above_what_is_expected() -> None:
    for language in LANGUAGES:
        assert longest_seconds("bonjour", language) > 2 * expected_seconds("bonjour", language)
    assert expected_seconds("[laughs] [laughs]", "en") == pytest.approx(2.0)
