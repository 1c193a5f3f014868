#!/usr/bin/env bash
# Whisper's BasicTextNormalizer in transformers, which makes texts in other languages than English comparable before
# word errors are counted. Without remove_diacritics, its docstring says that it keeps diacritics.
# Expected: different words stay different, and a text has as many words afterwards as before.
# Actual: every mark that does not merge with its letter becomes a space, and Hindi's vowel signs are such marks. "दिन"
# (day), "दान" (gift) and "दीन" (poor) all become "द न": a synthesiser that says one sign for another has no word wrong.
# Words are also split: 4 become 7, so that the rate counts consonants. remove_diacritics=True does the same. In
# Turkish, "İyi" becomes "i yi", since lower-casing leaves its dot as a mark.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.3.5 transformers==5.23.0 jiwer==4.0.0
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import jiwer
import transformers
from transformers.models.whisper.english_normalizer import BasicTextNormalizer

PAIRS = (
    ("दिन", "दान"),
    ("दिन", "दीन"),
    ("यह मेरी किताब है", "यह मेरा किताब है"),  # "this is my book", and with the pronoun of the other gender
)
holds = True
print(f"transformers {transformers.__version__}: said, heard, what they become, words wrong before and after")
for settings in ({}, {"remove_diacritics": True}):
    normalise = BasicTextNormalizer(**settings)
    for said, heard in PAIRS:
        both = [" ".join(normalise(text).split()) for text in (said, heard)]
        wrong = [jiwer.process_words(*pair).substitutions for pair in ((said, heard), both)]
        print(f"{settings}: {said} | {heard} | {' | '.join(both)} | {wrong}")
        holds = holds and wrong == [1, 0]
normalise = BasicTextNormalizer()
words = len(normalise(PAIRS[-1][0]).split())
turkish, german = normalise("İyi geceler").split(), normalise("Schöne Grüße").split()
print(f"words of the last: {len(PAIRS[-1][0].split())}, and afterwards {words}; Turkish: {turkish}, German: {german}")
if not (holds and words == 7 and turkish == ["i", "yi", "geceler"] and german == ["schöne", "grüße"]):
    sys.exit("transformers has changed: this does not hold any more")
PYTHON
