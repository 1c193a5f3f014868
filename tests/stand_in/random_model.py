"""Makes the stand-in: Bark, HuBERT and a quantizer with random weights, in the published formats. It speaks noise.

Vocabularies, rates, context and hop are Bark's, so that prompts validate as Bark's do; the text vocabulary and all
widths are small. Everything is seeded: the same libraries write the same files. Two things are set by hand rather than
drawn: one attention head ends the speech after a time that follows the length of the text, and the codec's codebooks
and gain fit its own random encoder and decoder, so that codes vary and the noise is neither silent nor clipped.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from cloning.checkpoints.libraries import transformers
from cloning.methods.hubert import HubertFeatures
from cloning.methods.quantizer_network import Quantizer, QuantizerInfo
from tests.stand_in import wordpieces
from tests.stand_in.synthetic_voice import synthetic_voice

SEED = 20_230_420

WIDTH = 48
HEADS = 2
LAYERS = 2
SEMANTIC_PAD = 10_000
TEXT_OFFSET = 10_048
TEXT_VOCABULARY = 1_792
"""Ids left for text: the vocabulary, then, as in Bark, the padding and the infer token at the very end."""
TEXT_PAD = TEXT_OFFSET + TEXT_VOCABULARY - 5
SEMANTIC_INFER = TEXT_OFFSET + TEXT_VOCABULARY - 1
TEXT_POSITIONS = 257

SEMANTIC_TOKENS_PER_CHARACTER = 3.3
"""Speech runs at about 15 characters a second; a semantic token is 1/49.9 s."""
TEXT_SHARE = 1.1
END_GAIN = 40.0
END_WEIGHT = 5.0
"""Found by trial: with these the speech is as long as wanted within about 10 %, and 0.8 s for the shortest text."""

NOISE_RMS_DB = -27.0
"""Loudness of random codes, dB relative to full scale; codes of real recordings are up to 9 dB louder."""


def write_model(directory: Path) -> None:
    """Write bark/, hubert/, quantizer.pth and SHA256SUMS into `directory`."""
    bark_directory, hubert_directory = directory / "bark", directory / "hubert"
    for folder in (bark_directory, hubert_directory):
        folder.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(SEED)
        bark = make_bark()
        _write_bark(bark, bark_directory)
        hubert = make_hubert()
        _write_weights(hubert, hubert_directory)
        quantizer = make_quantizer(hubert.config.hidden_size)
        quantizer.save(directory / "quantizer.pth")
        _write_speakers(
            bark_directory, bark.codec_model, HubertFeatures(hubert_directory, torch.device("cpu")), quantizer
        )


def make_bark() -> transformers.BarkModel:
    """A Bark of WIDTH x LAYERS in each stage, with a codec of 24 kHz, hop 320, 8 codebooks of 1024."""
    shape = {"num_layers": LAYERS, "num_heads": HEADS, "hidden_size": WIDTH, "block_size": 1024}
    bark: Any = transformers.BarkModel(
        transformers.BarkConfig(
            semantic_config={
                **shape,
                "input_vocab_size": TEXT_OFFSET + TEXT_VOCABULARY,
                "output_vocab_size": 10_048,
                "bias": False,
            },
            coarse_acoustics_config={
                **shape,
                "input_vocab_size": 12_096,
                "output_vocab_size": 12_096,
                "bias": False,
            },
            fine_acoustics_config={
                **shape,
                "input_vocab_size": 1_056,
                "output_vocab_size": 1_056,
                "n_codes_total": 8,
                "n_codes_given": 1,
                "bias": False,
            },
            codec_config={
                "model_type": "encodec",
                "num_filters": 4,
                "hidden_size": 32,
                "target_bandwidths": [1.5, 3.0, 6.0],
            },
        )
    )
    bark.eval()
    for stage in (bark.semantic, bark.coarse_acoustics, bark.fine_acoustics):
        _draw_transformer(stage)
    _end_with_the_text(bark.semantic)
    _fit_codec(bark.codec_model)
    made: transformers.BarkModel = bark
    return made


def make_hubert() -> transformers.HubertModel:
    """A HuBERT of two narrow layers; its convolutions have the published kernels and strides: 16 kHz -> 50 Hz."""
    hubert: transformers.HubertModel = transformers.HubertModel(
        transformers.HubertConfig(
            hidden_size=WIDTH,
            num_hidden_layers=2,
            num_attention_heads=HEADS,
            intermediate_size=4 * WIDTH,
            conv_dim=(32,) * 7,
            num_conv_pos_embeddings=16,
            num_conv_pos_embedding_groups=4,
            vocab_size=32,
            initializer_range=0.2,
        )
    )
    nn.Module.eval(hubert)
    return hubert


def make_quantizer(input_size: int) -> Quantizer:
    """A narrow version 0 quantizer. Weights are wide enough for the tokens to change with the features."""
    quantizer = Quantizer(QuantizerInfo(input_size=input_size, hidden_size=WIDTH, output_size=SEMANTIC_PAD)).eval()
    for parameter in quantizer.lstm.parameters():
        nn.init.normal_(parameter, std=0.5)
    return quantizer


def generation_config() -> dict[str, object]:
    """The hub's generation_config.json: Bark's rates and windows, Suno's temperatures, this model's text ids."""
    sampling = {"do_sample": True, "temperature": 0.7, "renormalize_logits": True}
    return {
        "sample_rate": 24_000,
        "codebook_size": 1_024,
        "semantic_config": {
            **sampling,
            "max_new_tokens": 768,
            "text_encoding_offset": TEXT_OFFSET,
            "text_pad_token": TEXT_PAD,
            "semantic_infer_token": SEMANTIC_INFER,
            "semantic_vocab_size": SEMANTIC_PAD,
            "eos_token_id": SEMANTIC_PAD,
            "pad_token_id": SEMANTIC_PAD,
            "max_input_semantic_length": 256,
            "semantic_rate_hz": 49.9,
        },
        "coarse_acoustics_config": {
            **sampling,
            "coarse_semantic_pad_token": 12_048,
            "coarse_rate_hz": 75,
            "n_coarse_codebooks": 2,
            "coarse_infer_token": 12_050,
            "max_coarse_input_length": 256,
            "max_coarse_history": 630,
            "sliding_window_len": 60,
        },
        "fine_acoustics_config": {
            "temperature": 0.5,
            "max_fine_history_length": 512,
            "max_fine_input_length": 1_024,
            "n_fine_codebooks": 8,
        },
    }


def _draw_transformer(stage: nn.Module) -> None:
    """Weights for which attention, context and position all matter and logits spread by about 2."""
    for name, parameter in stage.named_parameters():
        if "layernorm" in name:
            continue
        if "position_embeds" in name:
            nn.init.normal_(parameter, std=0.3)
        elif "input_embeds" in name:
            nn.init.normal_(parameter, std=1.0)
        elif "lm_head" in name:
            nn.init.normal_(parameter, std=2.0 / WIDTH**0.5)
        else:
            nn.init.normal_(parameter, std=1.0 / WIDTH**0.5)


def _end_with_the_text(semantic: Any) -> None:
    """Let the first head of the first layer measure (speech so far - speech due) and raise the end token by it.

    Residual channel 0 carries -tokens due at text positions and +1 at speech positions; the head takes its mean over
    all positions so far, and writes it into channel 1, which nothing else touches until the output reads it.
    """
    measure, result = 0, 1
    unit = 0.05
    head = WIDTH // HEADS
    embeddings, positions = semantic.input_embeds_layer.weight, semantic.position_embeds_layer.weight
    for table in (embeddings, positions):
        table[:, [measure, result]] = 0.0
        table[:, 2:] -= table[:, 2:].mean(dim=1, keepdim=True)  # the layer norm's mean must not look like a measure
    for index, piece in enumerate(wordpieces.vocabulary()):
        due = SEMANTIC_TOKENS_PER_CHARACTER * wordpieces.characters(piece)
        embeddings[TEXT_OFFSET + index, measure] = -unit * due * TEXT_SHARE
    positions[TEXT_POSITIONS:, measure] = unit
    attention = semantic.layers[0].attn
    queries_keys_values = attention.att_proj.weight.view(3, WIDTH, WIDTH)
    queries_keys_values[:2, :head] = 0.0
    queries_keys_values[2, :head] = 0.0
    queries_keys_values[2, 0, measure] = 1.0 / unit
    for layer in semantic.layers:
        layer.attn.out_proj.weight[result] = 0.0
        layer.mlp.out_proj.weight[result] = 0.0
    attention.out_proj.weight[:, :head] = 0.0
    attention.out_proj.weight[result, 0] = END_GAIN
    semantic.lm_head.weight[:, result] = 0.0
    semantic.lm_head.weight[SEMANTIC_PAD] = 0.0
    semantic.lm_head.weight[SEMANTIC_PAD, result] = END_WEIGHT


def _fit_codec(codec: Any) -> None:
    """Centre and scale the random encoder's outputs, draw the codebooks from them, set the decoder's loudness."""
    for name, parameter in codec.named_parameters():
        if ".lstm." in name:
            nn.init.normal_(parameter, std=0.3)
        elif name.endswith("bias"):
            nn.init.zeros_(parameter)  # or all codes would sound like the biases
    voices = np.concatenate([synthetic_voice(seed, seconds=10.0, pitch=90.0 + 30.0 * seed) for seed in range(6)])
    samples = torch.from_numpy(voices)[None, None]
    latents = codec.encoder(samples)[0].T  # (T, D)
    _rescale(codec.encoder.layers[-1].conv, latents.mean(dim=0), 1.0 / latents.std(dim=0))
    residual = codec.encoder(samples)[0].T
    for limit, layer in zip((1.5, *[0.5] * 7), codec.quantizer.layers, strict=True):
        codebook = layer.codebook
        entries = residual[torch.randperm(len(residual))[: codebook.codebook_size]]
        entries = entries + 0.1 * residual.std() * torch.randn_like(entries)
        codebook.embed.copy_(entries.clamp(-limit, limit))  # outliers, silence above all, would clip
        codebook.embed_avg.copy_(codebook.embed)
        codebook.cluster_size.fill_(1.0)
        residual = residual - codebook.decode(codebook.encode(residual))
    noise = codec.decoder(codec.quantizer.decode(torch.randint(0, 1024, (8, 1, 750))))
    _rescale(codec.decoder.layers[-1].conv, noise.mean()[None], 10 ** (NOISE_RMS_DB / 20) / noise.std()[None])


def _rescale(convolution: Any, mean: Tensor, gain: Tensor) -> None:
    """Turn a convolution's output y into (y - mean) * gain; one value for each channel."""
    convolution.bias.sub_(mean).mul_(gain)
    convolution.parametrizations.weight.original0.mul_(gain[:, None, None])


def _write_bark(bark: transformers.BarkModel, directory: Path) -> None:
    _write_weights(bark, directory)
    text = json.dumps(generation_config(), indent=2) + "\n"
    (directory / "generation_config.json").write_text(text, encoding="utf-8")
    wordpieces.write(directory)


def _write_weights(model: transformers.PreTrainedModel, directory: Path) -> None:
    """Half precision, and the names of the hub's files; what is tied, or made rather than learned, is left out."""
    model.config.save_pretrained(directory)
    weights = {
        name.replace("parametrizations.weight.original0", "weight_g").replace(
            "parametrizations.weight.original1", "weight_v"
        ): tensor.half().contiguous()
        for name, tensor in model.state_dict().items()
        if not name.endswith(".attn.bias") and ".lm_heads." not in name
    }
    save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})


def _write_speakers(directory: Path, codec: Any, features: HubertFeatures, quantizer: Quantizer) -> None:
    """Two built-in speakers, cloned from synthetic voices, where the hub keeps its speakers."""
    folder = directory / "speaker_embeddings" / "v2"
    folder.mkdir(parents=True, exist_ok=True)
    listed: dict[str, str | dict[str, str]] = {"repo_or_path": "bundled"}
    for seed, pitch in enumerate((110.0, 200.0)):
        semantic = quantizer.tokens(features(synthetic_voice(seed, 6.0, pitch, sample_rate=16_000))).numpy()
        samples = torch.from_numpy(synthetic_voice(seed, 6.0, pitch))
        fine = codec.encode(samples[None, None], bandwidth=6.0).audio_codes[0, 0].numpy()  # (8, T)
        fine = fine[:, : int(len(semantic) * 75 / 49.9)]
        prompt = {"semantic_prompt": semantic, "coarse_prompt": fine[:2], "fine_prompt": fine}
        name = f"en_speaker_{seed}"
        for part, tokens in prompt.items():
            np.save(folder / f"{name}_{part}.npy", tokens.astype(np.int64))
        listed[f"v2/{name}"] = {part: f"speaker_embeddings/v2/{name}_{part}.npy" for part in prompt}
    (directory / "speaker_embeddings_path.json").write_text(json.dumps(listed, indent=2) + "\n", encoding="utf-8")
