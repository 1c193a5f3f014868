#!/usr/bin/env bash
# The temperature of Bark's fine stage in transformers 5.23.0 (fine_temperature of BarkModel.generate, temperature of
# BarkFineModel.generate): "the value used to modulate the next token probabilities".
# Expected: as everywhere in transformers, do_sample determines whether tokens are sampled; 1.0, the default, samples
# from the model's own probabilities, and 0.99 and 1.01 give nearly the same.
# Actual: do_sample is ignored, and 1.0 is the only temperature that does not sample: it takes the likeliest token. At
# 0.99 and 1.01 tokens are sampled, also with do_sample=False. Suno's own code samples at 1.0, too; there, only None
# takes the likeliest token. So raising the temperature step by step, for more variety, gives the least variety at 1.0.
# Set TORCH_INDEX to the package index of a CPU build of torch to install less.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} \
    torch==2.13.0
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check transformers==5.23.0 numpy==2.3.5
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import torch
import transformers
from transformers.models.bark import generation_configuration_bark as configurations

FRAMES, BOOKS, SIZE, SEMANTIC = 40, 8, 1_024, 10_000
CASES = ((0.5, False), (0.99, False), (1.0, True), (1.0, False), (1.01, False), (None, True))

torch.set_num_threads(1)
torch.manual_seed(0)
shape = transformers.BarkFineConfig(
    hidden_size=16, num_layers=1, num_heads=1, n_codes_total=BOOKS, n_codes_given=1, dropout=0.0
)
model = transformers.BarkFineModel(shape).eval()  # random, and the same for every case
stages = (
    configurations.BarkSemanticGenerationConfig(),
    configurations.BarkCoarseGenerationConfig(),
    configurations.BarkFineGenerationConfig(),
)
coarse = SEMANTIC + torch.randint(SIZE, (1, FRAMES, 2)) + torch.tensor([0, SIZE])


def fine(seed: int, temperature: float | None, do_sample: bool) -> torch.Tensor:
    """The books that the fine stage adds, (books, frames)."""
    torch.manual_seed(seed)
    found = model.generate(coarse.reshape(1, -1), *stages, temperature=temperature, do_sample=do_sample)
    return found[0, 2:]


print(f"transformers {transformers.__version__}, the fine stage: {stages[2].temperature} by default")
equal = {}
for temperature, do_sample in CASES:
    first, second = (fine(seed, temperature, do_sample) for seed in (1, 2))
    equal[temperature, do_sample] = float((first == second).float().mean())
    share = f"{equal[temperature, do_sample]:.1%} of the tokens are equal with another seed"
    print(f"temperature={temperature}, do_sample={do_sample}: {share}")
drawn = [share for (temperature, _), share in equal.items() if temperature not in (1.0, None)]
likeliest = [share for (temperature, _), share in equal.items() if temperature in (1.0, None)]
if not (max(drawn) < 0.5 and min(likeliest) == 1 and stages[2].temperature == 1.0):
    sys.exit("transformers has changed: this does not hold any more")
PYTHON
