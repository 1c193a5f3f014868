"""A small BERT WordPiece vocabulary for the stand-in: characters of Bark's languages and common English pieces.

The published vocabulary (bert-base-multilingual-cased) has the same format and 119,547 entries. Chinese characters and
Korean syllables are unknown here: each becomes [UNK], which is still one token.
"""

from pathlib import Path

from cloning.checkpoints.libraries import transformers

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")

_CHARACTERS = (
    "".join(
        chr(code)
        for first, last in (
            (0x21, 0x7E),  # ASCII
            (0xA1, 0xFF),  # Latin-1: German, French, Italian, Portuguese, Spanish
            (0x104, 0x17C),  # Latin extended: Polish, Turkish
            (0x410, 0x451),  # Cyrillic
            (0x901, 0x94D),  # Devanagari
            (0x3041, 0x30FC),  # kana
        )
        for code in range(first, last + 1)
    )
    + "–—‘’“”…♪。、"
)

_WORDS = (
    "a about after again all also am an and any are as at back be because been before but by call came can come "
    "could day did do does don down each even every find first for from get give go good great had has have he "
    "hear hello help her here him his home house how i if in into is it its just keep know last let life like "
    "little long look made make man many may me member more most much music must my name need never new next no "
    "not now of off old on once one only or other our out over own part people place play please put read right "
    "said same say see server she should show so some sound speak speech still such take tell than thank thanks "
    "that the their them then there these they thing think this those three time to too two under up us use very "
    "voice want was way we well went were what when where which while who why will with word work world would "
    "year yes you your laughs laughter sighs clears throat gasps"
)

_ENDINGS = (
    "able age al an ance ar ate ation ed ement en ence ent er ers es est ful ic ies ing ings ion ions ish ism ist "
    "ity ive ize less ly ment ness on or our ous re s ship sion th tion ty ure y ch ck ea ee ight ll oo ou qu sh "
    "st"
)


def vocabulary() -> list[str]:
    """The pieces in the order of their ids; `##` marks a piece that continues a word."""
    words = [form for word in _WORDS.split() for form in (word, word.capitalize())]
    pieces = [*SPECIAL, *_CHARACTERS, *words, *(f"##{piece}" for piece in (*_CHARACTERS, *_ENDINGS.split()))]
    return list(dict.fromkeys(pieces))


def characters(piece: str) -> int:
    """How many characters of text a piece stands for, with the space before a word."""
    if piece in SPECIAL:
        return 1
    return len(piece) - 2 if piece.startswith("##") else len(piece) + 1


def write(directory: Path) -> None:
    """Write vocab.txt, tokenizer.json and their configuration, cased, as the published checkpoints have them."""
    (directory / "vocab.txt").write_text("\n".join(vocabulary()) + "\n", encoding="utf-8")
    tokenizer = transformers.BertTokenizer(
        vocab=str(directory / "vocab.txt"), do_lower_case=False, strip_accents=False, model_max_length=512
    )
    tokenizer.save_pretrained(directory)
