#!/usr/bin/env bash
# The tokens that Bark's coarse model may generate for the second codebook, in transformers.
# Expected: the 1,024 of that codebook (11,024 to 12,047), as in Suno's own code.
# Actual: all tokens from 11,024 on, including 48 that are not codes (12,048 is padding, 12,050 marks the beginning). A
# trained model hardly generates them; a random model does, and then differs from Suno's code.
# Set TORCH_INDEX to the package index of a CPU build of torch to install less.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} torch==2.13.0
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check transformers==5.23.0 numpy==2.3.5
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import torch
import transformers
from transformers.generation.logits_process import AlternatingCodebooksLogitsProcessor

begin, semantic, codebook = 257, 10_000, 1_024
processor = AlternatingCodebooksLogitsProcessor(begin, semantic, codebook)
said = {}
for book, length in (("first", begin), ("second", begin + 1)):
    scores = processor(torch.zeros(1, length, dtype=torch.long), torch.zeros(1, 12_096))
    left = (scores[0] > -torch.inf).nonzero().flatten()
    said[book] = (int(left.min()), int(left.max()))
print(f"transformers {transformers.__version__}: tokens left for the first and the second codebook: {said}")
if said != {"first": (10_000, 11_023), "second": (11_024, 12_095)}:
    sys.exit("transformers has changed: this does not hold any more")
PYTHON
