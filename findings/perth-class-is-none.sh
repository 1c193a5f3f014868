#!/usr/bin/env bash
# `import perth` (resemble-perth 1.0.1, an audio watermark) with setuptools 81 and 82.
# Expected: after `pip install resemble-perth` the class PerthImplicitWatermarker exists, or the import fails and names
# the missing package.
# Actual: the import succeeds without a message, and the class is None. The wheel declares no dependencies, and the
# package swallows the ImportError: of pkg_resources with setuptools 82, which no longer has it, and then of torch,
# torchaudio and librosa. A program that only checks the import starts, and later fails or sends unmarked sound.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check resemble-perth==1.0.1 numpy==2.3.5
cd "$folder"
for setuptools in 81.0.0 82.0.0; do
    "$folder/venv/bin/pip" install --quiet --disable-pip-version-check "setuptools==$setuptools"
    "$folder/venv/bin/python" -W ignore - "$setuptools" <<'PYTHON'
import importlib
import sys
from importlib.metadata import requires, version

import perth

print(
    f"resemble-perth {version('resemble-perth')} beside setuptools {sys.argv[1]}; "
    f"it declares: {requires('resemble-perth')}"
)
print(f"perth.PerthImplicitWatermarker is {perth.PerthImplicitWatermarker}, and import perth raised nothing")
try:
    importlib.import_module("perth.perth_net")
except ImportError as error:
    swallowed = error.name
print(f"swallowed: the import of {swallowed}")
expected = "pkg_resources" if sys.argv[1].startswith("82") else "torch"
if perth.PerthImplicitWatermarker is not None or swallowed != expected or requires("resemble-perth"):
    sys.exit("resemble-perth has changed: this does not hold any more")
PYTHON
done
