#!/usr/bin/env bash
# transformers 4.57.6 and 5.23.0: hidden_states of HubertModel, Wav2Vec2Model and WavLMModel, of which voice conversion,
# Bark's quantizers and measures of speech each read one layer. Both versions get the same weights.
# Expected: hidden_states[-1] is last_hidden_state, and hidden_states[k] is the output of layer k, also in training; a
# newer version changes no feature.
# Actual: that holds in 4.57.6. In 5.23.0 the large models (do_stable_layer_norm, as in HuBERT large, XLS-R and WavLM
# large) return their last layer without the norm that follows it: the same shape, other numbers. A head that was
# trained on it gets features that it has never seen. And in training, a layer that LayerDrop skips (layerdrop is 0.1 by
# default) is left out of the list, so that the layers above it move down by one: hidden_states[k] is sometimes that of
# layer k, sometimes that of a layer above. There is no error and no warning.
# Set TORCH_INDEX to the package index of a CPU build of torch to install less.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} \
    torch==2.13.0
cd "$folder"
cat > layers.py <<'PYTHON'
import sys

import torch
import transformers

transformers.logging.set_verbosity_error()
torch.set_num_threads(1)
LAYERS, SEEDS = 6, 40
KINDS = {"Hubert": transformers.HubertModel, "Wav2Vec2": transformers.Wav2Vec2Model, "WavLM": transformers.WavLMModel}


def network(kind: type, large: bool) -> torch.nn.Module:
    """A small one whose weights depend on nothing but their order, without dropout inside a layer."""
    config = kind.config_class(
        hidden_size=32,
        num_hidden_layers=LAYERS,
        num_attention_heads=4,
        intermediate_size=64,
        conv_dim=(16,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=4,
        do_stable_layer_norm=large,
        feat_extract_norm="layer" if large else "group",
        hidden_dropout=0.0,
        attention_dropout=0.0,
        activation_dropout=0.0,
        feat_proj_dropout=0.0,
        apply_spec_augment=False,
    )
    model = kind(config)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))
    return model.eval()


sound = torch.randn(1, 16_000, generator=torch.Generator().manual_seed(1))
print(f"transformers {transformers.__version__}, {LAYERS} layers")
last, others, lengths = {}, {}, {}
for name, kind in KINDS.items():
    for large in (False, True):
        model = network(kind, large)
        with torch.no_grad():
            said = model(sound, output_hidden_states=True)
            layers = said.hidden_states
            last[name, large] = torch.allclose(layers[-1], said.last_hidden_state, atol=1e-5)
            normed = model.encoder.layer_norm(layers[-1]) if large else layers[-1]
            others[name, large] = last[name, large] or torch.allclose(normed, said.last_hidden_state, atol=1e-5)
            model.train()
            lengths[name, large] = set()
            for seed in range(SEEDS):
                torch.manual_seed(seed)
                lengths[name, large].add(len(model(sound, output_hidden_states=True).hidden_states))
        print(
            f"{name}, {'large' if large else 'base'}: hidden_states[-1] is last_hidden_state: {last[name, large]} "
            f"(once the last norm is applied: {others[name, large]}); layer 3 in sum {layers[3].abs().sum():.2f}; "
            f"entries in training: {sorted(lengths[name, large])} with layerdrop {model.config.layerdrop}"
        )
old = transformers.__version__.startswith("4.")
whole = {LAYERS + 1}
holds = all(others.values()) and all(equal == (old or not large) for (_, large), equal in last.items())
if not (holds and all((found == whole) == old for found in lengths.values())):
    sys.exit("transformers has changed: this does not hold any more")
PYTHON
for version in 4.57.6 5.23.0; do
    "$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.3.5 "transformers==$version"
    "$folder/venv/bin/python" -W ignore layers.py
done
