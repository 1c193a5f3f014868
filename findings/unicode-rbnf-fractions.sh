#!/usr/bin/env bash
# unicode-rbnf writes a decimal number in words, in languages whose CLDR rules read the fraction as a number.
# Expected: the words that ICU gives by the same rules (Polish 3.14: "trzy przecinek czternaście", three point
# fourteen), or an error.
# Actual: Polish 3.14 and 3.99 are both "trzy przecinek zero zero" (three point zero zero), another number, without an
# error; in Russian both are three wholes and "ноль десятых" (no tenths) twice, run into one word. English is right, but
# below zero it loses the fraction, as the two others do: -1.5 is "minus one", and -0.5 is only "minus".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check unicode-rbnf==2.4.1
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

from unicode_rbnf import RbnfEngine

VALUES = ("3.14", "3.99", "-1.5", "-0.5")
engines = {code: RbnfEngine.for_language(code) for code in ("en", "pl", "ru")}
said = {code: [engine.format_number(value).text for value in VALUES] for code, engine in engines.items()}
print(f"unicode-rbnf {version('unicode-rbnf')}: {', '.join(VALUES)} in words")
for code, words in said.items():
    print(f"{code}: {' | '.join(words)}")
if said["en"] != ["three point one four", "three point nine nine", "minus one", "minus"]:
    sys.exit("unicode-rbnf has changed: this does not hold any more")
if len(set(said["pl"][:2])) != 1 or "zero" not in said["pl"][0]:
    sys.exit("unicode-rbnf has changed: this does not hold any more")
PYTHON
