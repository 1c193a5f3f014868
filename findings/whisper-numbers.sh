#!/usr/bin/env bash
# Whisper's EnglishTextNormalizer in transformers, which makes texts comparable before word errors are counted.
# Expected: "21" and "twenty-one" become the same, and different words stay different.
# Actual: successive number words are joined as digits, so that "three four" and "thirty four" are both "34", "ten four"
# and "one hundred four" both "104", "five oh" and "fifty" both "50"; and of "one dollar" and "one percent" only "one"
# is left. A synthesiser that says one of a pair for the other has no word wrong.
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
from transformers.models.whisper.english_normalizer import EnglishTextNormalizer

PAIRS = (
    ("Platform thirty four.", "Platform three four."),
    ("They sold one hundred four.", "They sold ten four."),
    ("It takes fifty.", "It takes five oh."),
    ("I have one dollar.", "I have one percent."),
)
normalise = EnglishTextNormalizer({})
print(f"transformers {transformers.__version__}: said, heard, what both become, words wrong before and after")
wrong = []
for said, heard in PAIRS:
    both = [" ".join(normalise(text).split()) for text in (said, heard)]
    wrong.append((jiwer.process_words(said, heard).substitutions, jiwer.process_words(*both).substitutions))
    print(f"{said} | {heard} | {' | '.join(dict.fromkeys(both))} | {wrong[-1]}")
right = normalise("twenty-one") == normalise("21") and normalise("forty") != normalise("fourteen")
if not (right and all(before and not after for before, after in wrong)):
    sys.exit("transformers has changed: this does not hold any more")
PYTHON
