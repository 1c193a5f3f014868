#!/usr/bin/env bash
# ICU writes numbers in words (RuleBasedNumberFormat), as text for a speech model or a comparison.
# Expected: German 21 is "einundzwanzig", thirteen letters.
# Actual: it is "ein\u00adund\u00adzwanzig". In German, Italian and other languages, CLDR's rules contain soft hyphens
# where a line may be broken. They are invisible in a terminal, but the string is not a dictionary word, and a tokenizer
# may split the word there. Pure Python's unicode-rbnf, which uses the same rules, leaves them out.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check icu-rbnf==0.2.0 unicode-rbnf==2.4.1
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import icu_rbnf
from unicode_rbnf import RbnfEngine

print(f"ICU {icu_rbnf.icu_version()}: 21 and 123456 in words")
hyphens = {}
for code in ("de", "it", "en"):
    words = [icu_rbnf.spellout(value, code) for value in (21, 123456)]
    pure = [RbnfEngine.for_language(code).format_number(value).text for value in (21, 123456)]
    hyphens[code] = sum(word.count("\u00ad") for word in words)
    print(f"{code}: {[ascii(word) for word in words]}, {hyphens[code]} soft hyphens; unicode-rbnf: {pure}")
    if any("\u00ad" in word for word in pure):
        sys.exit("unicode-rbnf has changed: this does not hold any more")
if not hyphens["de"] or not hyphens["it"] or hyphens["en"]:
    sys.exit("ICU has changed: this does not hold any more")
PYTHON
