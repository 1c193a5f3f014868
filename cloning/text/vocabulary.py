"""The words for signs and abbreviations in each of Bark's languages. Data only.

Names of units and months, and plural forms, come from Unicode's CLDR through Babel.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    """How one language reads signs. `to` joins the ends of a range. It and `cents` include their spaces."""

    point: str
    minus: str
    plus: str
    equals: str
    times: str
    over: str
    to: str
    et: str
    at: str
    number: str
    cents: str | None
    """Joins the whole and the hundredths of an amount of money; None: such amounts are read as decimals."""


WORDS: dict[str, Words] = {
    "en": Words("point", "minus", "plus", "equals", "times", "over", " to ", "and", "at", "number", " "),
    "de": Words("Komma", "minus", "plus", "gleich", "mal", "durch", " bis ", "und", "at", "Nummer", " "),
    "es": Words("coma", "menos", "más", "igual a", "por", "entre", " a ", "y", "arroba", "número", " con "),
    "fr": Words("virgule", "moins", "plus", "égale", "fois", "sur", " à ", "et", "arobase", "numéro", " "),
    "hi": Words("दशमलव", "माइनस", "प्लस", "बराबर", "गुणा", "बटा", " से ", "और", "ऐट", "नंबर", None),
    "it": Words("virgola", "meno", "più", "uguale", "per", "fratto", " a ", "e", "chiocciola", "numero", " e "),
    "ja": Words("点", "マイナス", "プラス", "イコール", "かける", "割る", "から", "アンド", "アット", "ナンバー", None),
    "ko": Words("점", "마이너스", "플러스", "이퀄", "곱하기", "나누기", "에서 ", "앤드", "골뱅이", "번호", None),
    "pl": Words("przecinek", "minus", "plus", "równa się", "razy", "przez", " do ", "i", "małpa", "numer", " "),
    "pt": Words("vírgula", "menos", "mais", "igual a", "vezes", "sobre", " a ", "e", "arroba", "número", " e "),
    "ru": Words("запятая", "минус", "плюс", "равно", "умножить на", "делить на", "-", "и", "собака", "номер", " "),
    "tr": Words("virgül", "eksi", "artı", "eşittir", "çarpı", "bölü", " ila ", "ve", "et", "numara", " "),
    "zh": Words("点", "负", "加", "等于", "乘", "除以", "到", "和", "艾特", "号", None),
}

# singular|plural, or singular|two to four|more in Slavic languages; a single form serves all numbers.
CURRENCIES: dict[str, dict[str, str]] = {
    "$": {
        "en": "dollar|dollars", "de": "Dollar", "es": "dólar|dólares", "fr": "dollar|dollars", "hi": "डॉलर",
        "it": "dollaro|dollari", "ja": "ドル", "ko": "달러", "pl": "dolar|dolary|dolarów", "pt": "dólar|dólares",
        "ru": "доллар|доллара|долларов", "tr": "dolar", "zh": "美元",
    },
    "€": {
        "en": "euro|euros", "de": "Euro", "es": "euro|euros", "fr": "euro|euros", "hi": "यूरो", "it": "euro",
        "ja": "ユーロ", "ko": "유로", "pl": "euro", "pt": "euro|euros", "ru": "евро", "tr": "euro", "zh": "欧元",
    },
    "£": {
        "en": "pound|pounds", "de": "Pfund", "es": "libra|libras", "fr": "livre|livres", "hi": "पाउंड",
        "it": "sterlina|sterline", "ja": "ポンド", "ko": "파운드", "pl": "funt|funty|funtów", "pt": "libra|libras",
        "ru": "фунт|фунта|фунтов", "tr": "sterlin", "zh": "英镑",
    },
    "¥": {
        "en": "yen", "de": "Yen", "es": "yen|yenes", "fr": "yen|yens", "hi": "येन", "it": "yen", "ja": "円",
        "ko": "엔", "pl": "jen|jeny|jenów", "pt": "iene|ienes", "ru": "иена|иены|иен", "tr": "yen", "zh": "元",
    },
    "₹": {
        "en": "rupee|rupees", "de": "Rupien", "es": "rupia|rupias", "fr": "roupie|roupies", "hi": "रुपया|रुपये",
        "it": "rupia|rupie", "ja": "ルピー", "ko": "루피", "pl": "rupia|rupie|rupii", "pt": "rupia|rupias",
        "ru": "рупия|рупии|рупий", "tr": "rupi", "zh": "卢比",
    },
    "₽": {
        "en": "ruble|rubles", "de": "Rubel", "es": "rublo|rublos", "fr": "rouble|roubles", "hi": "रूबल",
        "it": "rublo|rubli", "ja": "ルーブル", "ko": "루블", "pl": "rubel|ruble|rubli", "pt": "rublo|rublos",
        "ru": "рубль|рубля|рублей", "tr": "ruble", "zh": "卢布",
    },
    "₩": {
        "en": "won", "de": "Won", "es": "won", "fr": "won|wons", "hi": "वॉन", "it": "won", "ja": "ウォン", "ko": "원",
        "pl": "won|wony|wonów", "pt": "won|wons", "ru": "вона|воны|вон", "tr": "won", "zh": "韩元",
    },
    "₺": {
        "en": "lira", "de": "Lira", "es": "lira|liras", "fr": "lire|lires", "hi": "लीरा", "it": "lira|lire",
        "ja": "リラ", "ko": "리라", "pl": "lira|liry|lir", "pt": "lira|liras", "ru": "лира|лиры|лир", "tr": "lira",
        "zh": "里拉",
    },
    "zł": {
        "en": "zloty|zlotys", "de": "Zloty", "es": "esloti|eslotis", "fr": "zloty|zlotys", "hi": "ज़्लॉटी",
        "it": "zloty", "ja": "ズウォティ", "ko": "즈워티", "pl": "złoty|złote|złotych", "pt": "zloty|zlotys",
        "ru": "злотый|злотых|злотых", "tr": "zloti", "zh": "兹罗提",
    },
    "R$": {
        "en": "real|reais", "de": "Real", "es": "real|reales", "fr": "real|reals", "hi": "रियल", "it": "real",
        "ja": "レアル", "ko": "헤알", "pl": "real|reale|reali", "pt": "real|reais", "ru": "реал|реала|реалов",
        "tr": "real", "zh": "雷亚尔",
    },
}  # fmt: skip

CENTS = {"$": ("cent", "cents"), "€": ("cent", "cents"), "£": ("penny", "pence")}
"""English names of the hundredths: "two dollars and five cents"."""

UNITS = {
    "km/h": "speed-kilometer-per-hour",
    "mph": "speed-mile-per-hour",
    "m/s": "speed-meter-per-second",
    "km²": "area-square-kilometer",
    "m²": "area-square-meter",
    "km": "length-kilometer",
    "cm": "length-centimeter",
    "mm": "length-millimeter",
    "m": "length-meter",
    "kg": "mass-kilogram",
    "mg": "mass-milligram",
    "g": "mass-gram",
    "lb": "mass-pound",
    "lbs": "mass-pound",
    "oz": "mass-ounce",
    "ft": "length-foot",
    "l": "volume-liter",
    "L": "volume-liter",
    "ml": "volume-milliliter",
    "h": "duration-hour",
    "min": "duration-minute",
    "s": "duration-second",
    "sec": "duration-second",
    "ms": "duration-millisecond",
    "KB": "digital-kilobyte",
    "kB": "digital-kilobyte",
    "MB": "digital-megabyte",
    "GB": "digital-gigabyte",
    "TB": "digital-terabyte",
    "Hz": "frequency-hertz",
    "kHz": "frequency-kilohertz",
    "MHz": "frequency-megahertz",
    "GHz": "frequency-gigahertz",
    "W": "power-watt",
    "kW": "power-kilowatt",
    "kWh": "energy-kilowatt-hour",
    "°C": "temperature-celsius",
    "°F": "temperature-fahrenheit",
    "°": "angle-degree",
    "%": "concentr-percent",
    "км/ч": "speed-kilometer-per-hour",
    "км": "length-kilometer",
    "см": "length-centimeter",
    "мм": "length-millimeter",
    "м": "length-meter",
    "кг": "mass-kilogram",
    "г": "mass-gram",
    "л": "volume-liter",
    "мин": "duration-minute",
    "ч": "duration-hour",
    "сек": "duration-second",
}
"""Sign after a number -> CLDR's name of the unit."""

PERCENT = {"ko": "{} 퍼센트", "zh": "百分之{}", "pt": "{} por cento", "it": "{} per cento"}
"""Languages where CLDR's long form is the sign itself or differs from speech."""

DATES = {
    "en": "{month} {day}, {year}",
    "de": "{day} {month} {year}",
    "es": "{day} de {month} de {year}",
    "fr": "{day} {month} {year}",
    "hi": "{day} {month} {year}",
    "it": "{day} {month} {year}",
    "ja": "{year}年{month}月{day}日",
    "ko": "{year}년 {month}월 {day}일",
    "pl": "{day} {month} {year} roku",
    "pt": "{day} de {month} de {year}",
    "ru": "{day} {month} {year} года",
    "tr": "{day} {month} {year}",
    "zh": "{year}年{month}月{day}日",
}

# The hour alone; the hour with minutes.
TIMES = {
    "en": ("{h} o'clock", "{h} {m}"),
    "de": ("{h} Uhr", "{h} Uhr {m}"),
    "es": ("{h} en punto", "{h} y {m}"),
    "fr": ("{h} heures", "{h} heures {m}"),
    "hi": ("{h} बजे", "{h} बजकर {m} मिनट"),
    "it": ("{h}", "{h} e {m}"),
    "ja": ("{h}時", "{h}時{m}分"),
    "ko": ("{h}시", "{h}시 {m}분"),
    "pl": ("{h}", "{h} {m}"),
    "pt": ("{h} horas", "{h} e {m}"),
    "ru": ("{h} ноль ноль", "{h} {m}"),
    "tr": ("{h}", "{h} {m}"),
    "zh": ("{h}点", "{h}点{m}分"),
}

FRACTIONS = {
    "en": {"½": "one half", "¼": "one quarter", "¾": "three quarters", "⅓": "one third", "⅔": "two thirds"},
    "de": {"½": "ein halb", "¼": "ein Viertel", "¾": "drei Viertel", "⅓": "ein Drittel", "⅔": "zwei Drittel"},
    "es": {"½": "un medio", "¼": "un cuarto", "¾": "tres cuartos", "⅓": "un tercio", "⅔": "dos tercios"},
    "fr": {"½": "un demi", "¼": "un quart", "¾": "trois quarts", "⅓": "un tiers", "⅔": "deux tiers"},
    "hi": {"½": "आधा", "¼": "एक चौथाई", "¾": "तीन चौथाई", "⅓": "एक तिहाई", "⅔": "दो तिहाई"},
    "it": {"½": "un mezzo", "¼": "un quarto", "¾": "tre quarti", "⅓": "un terzo", "⅔": "due terzi"},
    "ja": {"½": "二分の一", "¼": "四分の一", "¾": "四分の三", "⅓": "三分の一", "⅔": "三分の二"},
    "ko": {"½": "이분의 일", "¼": "사분의 일", "¾": "사분의 삼", "⅓": "삼분의 일", "⅔": "삼분의 이"},
    "pl": {"½": "jedna druga", "¼": "jedna czwarta", "¾": "trzy czwarte", "⅓": "jedna trzecia", "⅔": "dwie trzecie"},
    "pt": {"½": "um meio", "¼": "um quarto", "¾": "três quartos", "⅓": "um terço", "⅔": "dois terços"},
    "ru": {"½": "одна вторая", "¼": "одна четвёртая", "¾": "три четверти", "⅓": "одна треть", "⅔": "две трети"},
    "tr": {"½": "yarım", "¼": "çeyrek", "¾": "dörtte üç", "⅓": "üçte bir", "⅔": "üçte iki"},
    "zh": {"½": "二分之一", "¼": "四分之一", "¾": "四分之三", "⅓": "三分之一", "⅔": "三分之二"},
}

FEMININE = {
    "es": ("a",),
    "fr": ("heure", "heures", "minute", "minutes", "seconde", "secondes", "livre", "livres", "roupie", "roupies",
           "lire", "lires", "once", "onces"),
    "it": ("a", "e"),
    "pl": ("a",),
    "pt": ("a", "as"),
    "ru": ("а", "я"),
}  # fmt: skip
"""Endings of the singular of feminine units, where numbers have a gender."""

# Abbreviations -> the words that they stand for. Their full stop does not end a sentence.

# Before a name. The full stop is optional.
TITLES: dict[str, dict[str, str]] = {
    "en": {"Mr": "Mister", "Mrs": "Missus", "Ms": "Miz", "Dr": "Doctor", "Prof": "Professor", "Capt": "Captain",
           "Gen": "General", "Sgt": "Sergeant", "Lt": "Lieutenant", "Col": "Colonel", "Rev": "Reverend", "Mt": "Mount"},
    "de": {"Hr": "Herr", "Hrn": "Herrn", "Fr": "Frau", "Dr": "Doktor", "Prof": "Professor"},
    "es": {"Sr": "señor", "Sra": "señora", "Srta": "señorita", "Dr": "doctor", "Dra": "doctora", "D": "don",
           "Dña": "doña", "Prof": "profesor", "Sto": "santo", "Sta": "santa"},
    "fr": {"M": "monsieur", "MM": "messieurs", "Mme": "madame", "Mmes": "mesdames", "Mlle": "mademoiselle",
           "Dr": "docteur", "Pr": "professeur", "Me": "maître"},
    "hi": {"डॉ": "डॉक्टर", "डा": "डॉक्टर", "प्रो": "प्रोफ़ेसर", "श्री": "श्री", "पं": "पंडित"},
    "it": {"sig": "signor", "sig.ra": "signora", "sig.na": "signorina", "dott": "dottor", "dott.ssa": "dottoressa",
           "prof": "professor", "prof.ssa": "professoressa", "ing": "ingegner", "avv": "avvocato", "on": "onorevole"},
    "pl": {"dr": "doktor", "inż": "inżynier", "prof": "profesor", "mgr": "magister", "ks": "ksiądz", "gen": "generał",
           "św": "święty", "ul": "ulica", "im": "imienia", "hab": "habilitowany", "płk": "pułkownik", "al": "aleja"},
    "pt": {"Sr": "senhor", "Sra": "senhora", "Srta": "senhorita", "Dr": "doutor", "Dra": "doutora",
           "Prof": "professor", "Profa": "professora", "Eng": "engenheiro", "D": "dom", "Av": "avenida"},
    "ru": {"г-н": "господин", "г-жа": "госпожа", "проф": "профессор", "акад": "академик", "ул": "улица",
           "им": "имени", "св": "святой", "гр": "гражданин", "пр": "проспект"},
    "tr": {"Dr": "doktor", "Prof": "profesör", "Doç": "doçent", "Av": "avukat", "Yrd": "yardımcı", "Öğr": "öğretim",
           "Gör": "görevlisi", "Alb": "albay"},
}  # fmt: skip

# Before a number.
COUNTERS: dict[str, dict[str, str]] = {
    "en": {"No.": "number", "no.": "number", "p.": "page", "pp.": "pages", "vol.": "volume", "ch.": "chapter",
           "fig.": "figure"},
    "de": {"Nr.": "Nummer", "S.": "Seite", "Bd.": "Band", "Kap.": "Kapitel", "Abb.": "Abbildung", "Art.": "Artikel",
           "Abs.": "Absatz", "ca.": "circa"},
    "es": {"núm.": "número", "n.º": "número", "nº": "número", "pág.": "página", "págs.": "páginas", "cap.": "capítulo",
           "vol.": "volumen", "art.": "artículo"},
    "fr": {"n°": "numéro", "nº": "numéro", "no.": "numéro", "p.": "page", "chap.": "chapitre", "art.": "article",
           "vol.": "volume", "env.": "environ"},
    "it": {"n.": "numero", "n°": "numero", "nº": "numero", "pag.": "pagina", "p.": "pagina", "cap.": "capitolo",
           "art.": "articolo", "vol.": "volume"},
    "pl": {"nr": "numer", "nr.": "numer", "str.": "strona", "s.": "strona", "ok.": "około", "rozdz.": "rozdział",
           "art.": "artykuł", "t.": "tom"},
    "pt": {"nº": "número", "n.º": "número", "n.": "número", "pág.": "página", "p.": "página", "cap.": "capítulo",
           "art.": "artigo", "vol.": "volume"},
    "ru": {"№": "номер", "стр.": "страница", "с.": "страница", "гл.": "глава", "ст.": "статья", "д.": "дом",
           "кв.": "квартира", "рис.": "рисунок", "ок.": "около"},
    "tr": {"No.": "numara", "no.": "numara", "s.": "sayfa", "cilt.": "cilt"},
    "hi": {"सं.": "संख्या", "पृ.": "पृष्ठ", "नं.": "नंबर"},
}  # fmt: skip

# Anywhere inside a sentence.
INNER: dict[str, dict[str, str]] = {
    "en": {"e.g.": "for example", "i.e.": "that is", "vs.": "versus", "approx.": "approximately", "cf.": "compare",
           "incl.": "including", "est.": "established", "dept.": "department"},
    "de": {"z. B.": "zum Beispiel", "d. h.": "das heißt", "u. a.": "unter anderem", "i. d. R.": "in der Regel",
           "bzw.": "beziehungsweise", "ca.": "circa", "inkl.": "inklusive", "ggf.": "gegebenenfalls",
           "evtl.": "eventuell", "vgl.": "vergleiche", "sog.": "sogenannte", "St.": "Sankt", "Mio.": "Millionen",
           "Mrd.": "Milliarden", "o. g.": "oben genannte", "v. a.": "vor allem", "z. T.": "zum Teil",
           "n. Chr.": "nach Christus", "v. Chr.": "vor Christus"},
    "es": {"p. ej.": "por ejemplo", "EE. UU.": "Estados Unidos", "Ud.": "usted", "Uds.": "ustedes", "Vd.": "usted",
           "aprox.": "aproximadamente", "a. C.": "antes de Cristo", "d. C.": "después de Cristo",
           "av.": "avenida", "avda.": "avenida"},
    "fr": {"p. ex.": "par exemple", "c.-à-d.": "c'est-à-dire", "av. J.-C.": "avant Jésus-Christ",
           "apr. J.-C.": "après Jésus-Christ", "cf.": "confer", "env.": "environ", "St": "Saint", "Ste": "Sainte",
           "boul.": "boulevard", "bd.": "boulevard"},
    "it": {"p. es.": "per esempio", "ad es.": "ad esempio", "es.": "esempio", "a. C.": "avanti Cristo",
           "d. C.": "dopo Cristo", "ca.": "circa", "S.": "San", "c.so": "corso", "v.": "vedi", "sec.": "secolo"},
    "pl": {"np.": "na przykład", "m.in.": "między innymi", "tj.": "to jest", "tzn.": "to znaczy", "tzw.": "tak zwany",
           "tys.": "tysięcy", "mln": "milionów", "mld": "miliardów", "godz.": "godzina", "wg": "według",
           "pt.": "pod tytułem", "n.e.": "naszej ery", "ok.": "około", "św.": "święty"},
    "pt": {"p. ex.": "por exemplo", "aprox.": "aproximadamente", "a. C.": "antes de Cristo",
           "d. C.": "depois de Cristo", "V. Ex.ª": "Vossa Excelência", "tel.": "telefone",
           "séc.": "século", "sécs.": "séculos"},
    "ru": {"т. е.": "то есть", "т. к.": "так как", "т. н.": "так называемый", "напр.": "например", "тыс.": "тысяч",
           "млн": "миллионов", "млрд": "миллиардов", "руб.": "рублей", "коп.": "копеек", "см.": "смотри",
           "в т. ч.": "в том числе", "до н. э.": "до нашей эры", "н. э.": "нашей эры", "г.": "город"},
    "tr": {"örn.": "örneğin", "M.Ö.": "milattan önce", "M.S.": "milattan sonra", "bkz.": "bakınız",
           "yy.": "yüzyıl", "Cad.": "Caddesi", "Sok.": "Sokak", "Mah.": "Mahallesi", "Apt.": "Apartmanı"},
    "hi": {"ई.": "ईस्वी", "रु.": "रुपये", "कि.मी.": "किलोमीटर", "उदा.": "उदाहरण"},
}  # fmt: skip

# Often the last words of a sentence: the full stop stays before a capital letter.
CLOSING: dict[str, dict[str, str]] = {
    "en": {
        "etc.": "et cetera",
        "a.m.": "a m",
        "p.m.": "p m",
        "Inc.": "Incorporated",
        "Ltd.": "Limited",
        "Jr.": "Junior",
        "Sr.": "Senior",
        "et al.": "et alia",
    },
    "de": {"usw.": "und so weiter", "usf.": "und so fort", "etc.": "et cetera", "u. Ä.": "und Ähnliches"},
    "es": {"etc.": "etcétera"},
    "fr": {"etc.": "et cetera"},
    "it": {"ecc.": "eccetera", "etc.": "eccetera"},
    "pl": {"itd.": "i tak dalej", "itp.": "i tym podobne"},
    "pt": {"etc.": "et cetera"},
    "ru": {"и т. д.": "и так далее", "и т. п.": "и тому подобное", "и др.": "и другие"},
    "tr": {"vb.": "ve benzeri", "vs.": "vesaire"},
    "hi": {},
}

# A number and a full stop before one of these is an ordinal ("17. Jahrhundert"); months are added from CLDR.
ORDINAL_NOUNS: dict[str, str] = {
    "de": "Jahrhunderts?|Geburtstag|Mal|Platz|Klasse|Stock|Etage|Kapitel|Tag|Jahrestag|Runde|Auflage|Woche|Lebensjahr"
    "|Bezirk|Weltkrieg|Armee|Versuch|Teil|Runden|Minute|Spieltag",
    "pl": "wieku?|rocznic[aęy]|piętr[oa]|miejsce|dzień|klas[aęy]|raz|rozdział",
    "tr": "yüzyıl\\w*|kat\\w*|sınıf\\w*|gün\\w*|bölüm\\w*|yıl\\w*|kez|sıra\\w*|hafta\\w*|madde\\w*|dünya|cadde\\w*",
}
