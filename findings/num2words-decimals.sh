#!/usr/bin/env bash
# num2words 0.5.14 writes decimal numbers in words, in the languages of Bark that it supports, for a text that is to be
# read aloud.
# Expected: each number is read as itself, or an error says that it cannot be; -1.5 is "minus one point five" and -0.5
# "minus zero point five"; 3.14 and the text "3.14" are the same.
# Actual: between -1 and 0 the minus is lost in English, German, Spanish, French, Portuguese, Russian, Turkish, Japanese
# and Korean: -0.5 is "zero point five", so that frost is read as thaw. Turkish pads a fraction to two digits and reads
# it as a number: 1.5 is "bir virgül elli" (one point fifty), and 1.05 "bir virgül beş", which is how 1.5 is read. In
# Italian, a number that is not a float ("3.14" or Decimal("3.14")) loses its fraction: "tre". No error is raised.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check docopt==0.6.2 num2words==0.5.14
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from decimal import Decimal
from importlib.metadata import version

from num2words import num2words

LANGUAGES = ("en", "de", "es", "fr", "it", "ja", "ko", "pt", "ru", "tr")
print(f"num2words {version('num2words')}: below zero in words")
unsigned = []
for code in LANGUAGES:
    positive, small, large = (num2words(value, lang=code) for value in (0.5, -0.5, -1.5))
    print(f"{code}: -1.5 is {large!r}, -0.5 {small!r}")
    if small == positive:
        unsigned.append(code)
    if large == num2words(1.5, lang=code):
        sys.exit("num2words has changed: -1.5 is not read with its minus")
print("as if it were 0.5:", ", ".join(unsigned))
turkish = {value: num2words(value, lang="tr") for value in (1.5, 1.05, 1)}
print("tr:", turkish)
italian = [num2words(value, lang="it") for value in (3.14, "3.14", Decimal("3.14"))]
print(f"it: 3.14 as a float, a text and a Decimal: {italian}; fr: {num2words('3.14', lang='fr')!r}")
holds = set(unsigned) == set(LANGUAGES) - {"it"}
holds = holds and turkish[1.05] == "birvirgülbeş" and turkish[1.5] == "birvirgülelli"
if not (holds and italian == ["tre virgola uno quattro", "tre", "tre"]):
    sys.exit("num2words has changed: this does not hold any more")
PYTHON
