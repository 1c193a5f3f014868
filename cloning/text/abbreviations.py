"""Abbreviations that end in a full stop, per language: what they stand for and where they occur.

The full stop of an abbreviation does not end a sentence.
"""

import re

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


def flexible(written: str) -> str:
    """Return the pattern of an abbreviation; the space after a full stop is optional."""
    return re.escape(written).replace(r"\.\ ", r"\.[ \u00a0\u202f]?")
