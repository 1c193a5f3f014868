"""The bundled model's tokenizer: lower-case English, one token per character.

With characters instead of word pieces, the model can pronounce unknown words from their letters, and all tokens last
about equally long, so it learns the alignment early. Digits and some symbols (`%`, `&`) are replaced by words, pauses
by one of four punctuation marks, and everything else is dropped.
"""

from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

from cloning.checkpoints.libraries import transformers

_PADDING, _UNKNOWN = "[PAD]", "[UNK]"
PIECES = (_PADDING, _UNKNOWN, *" '-,.?!", *"abcdefghijklmnopqrstuvwxyz")
"""The vocabulary in the order of its ids."""

_ONES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
_TEENS = ["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]

_REPLACED: tuple[tuple[str, str], ...] = (
    (r"\[[^\]]*\]|♪", " "),  # Bark's tags for laughter and music, which this model cannot make
    ("[‘’ʼ`´]", "'"),
    (r"(?<=\d),(?=\d{3})", ""),
    (r"(?<=\d)\.(?=\d)", " point "),
    (r"(?<=\b\d)000\b", " thousand"),
    (r"(?<=\b\d\d)00\b", " hundred"),
    (r"(?<=\b\d)00\b", " hundred"),
    (r"(?<=\b\d)0(?=[1-9]\b)", " hundred and "),
    (r"(?<=\b\d)(?=[1-9]\d\b)", " hundred and "),
    (r"(?<=\b\d\d)(?=\d\d\b)", " "),
    *((rf"\b{number}\b", word) for number, word in enumerate(_TEENS, 10)),
    *((rf"\b{ten}(?=[1-9]\b)", f"{word} ") for ten, word in enumerate(_TENS, 2)),
    *((rf"\b{ten}0\b", word) for ten, word in enumerate(_TENS, 2)),
    *((str(digit), f" {word} ") for digit, word in enumerate(_ONES)),
    ("&", " and "),
    (r"\+", " plus "),
    ("=", " equals "),
    ("@", " at "),
    ("%", " percent"),
    (r"\$", " dollars "),
    ("€", " euros "),
    ("£", " pounds "),
    (r"\s*[;:—–…]\s*|\.\.+|\s-+\s", ", "),
    (r"[^a-z' ,.?!-]", " "),
    (r"(?<![a-z])['-]+|['-]+(?![a-z'])", " "),  # quotation marks, and dashes at the ends of words
    (r"\s+(?=[,.?!])", ""),
    (r"(?<=[,.?!])[,.?!]+", ""),
    (r"\s+", " "),
    (r"^[ ,.?!'-]+|\s+$", ""),
    (r"(?<=[a-z])[ ',-]*$", "."),
)
"""Replacements, applied in order: patterns of the Oniguruma library and their replacements."""


def write(directory: Path) -> None:
    """Write tokenizer.json and its configuration, which transformers' AutoTokenizer reads."""
    kind: Any = transformers.PreTrainedTokenizerFast  # without annotations
    kind(
        tokenizer_object=make(), pad_token=_PADDING, unk_token=_UNKNOWN, clean_up_tokenization_spaces=False
    ).save_pretrained(directory)


def make() -> Tokenizer:
    """Return the tokenizer. Text without a readable word has no tokens; other text ends with one of `.?!`."""
    tokenizer = Tokenizer(models.WordLevel({piece: number for number, piece in enumerate(PIECES)}, _UNKNOWN))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.NFKD(),
            normalizers.StripAccents(),
            normalizers.Lowercase(),
            *(normalizers.Replace(Regex(pattern), content) for pattern, content in _REPLACED),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    return tokenizer
