#!/usr/bin/env bash
# num2words writes a year in Japanese, for a text that is to be read aloud.
# Expected: the year that is written, as in every other language ("nineteen ninety-nine").
# Actual: the year of the emperor's era. 1999 becomes "平成十一年" (Heisei 11), which no reader of "1999年" says. The result
# includes the word for year, so that a text that already has it gets it twice. `era=False`, an option of Japanese only,
# gives the year itself.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check docopt==0.6.2 num2words==0.5.14
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

from num2words import num2words

said = {code: num2words(1999, lang=code, to="year") for code in ("en", "fr", "ja")}
plain = num2words(1999, lang="ja", to="year", era=False)
print(f"num2words {version('num2words')}: the year 1999 in words")
for code, words in said.items():
    print(f"{code}: {words}")
print(f"ja, era=False: {plain}")
if said["ja"] != "平成十一年" or said["en"] != "nineteen ninety-nine" or "平成" in plain:
    sys.exit("num2words has changed: this does not hold any more")
PYTHON
