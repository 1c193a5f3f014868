"""A tiny Bark of random weights in transformers' classes, and what transformers and Suno make of it."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor

from cloning.bark.bark import BarkEngine
from cloning.bark.config import TEMPERATURES, Windows
from cloning.bark.engine import GenerationOptions, Samples
from cloning.checkpoints import libraries
from cloning.prompt import Tokens, VoicePrompt

transformers: Any = libraries.transformers  # it is typed in parts only

WORDS = ["[PAD]", "[UNK]", *"abcdefghijklmnopqrstuvwxyz", *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz")]
PROMPT_NAMES = ("semantic_prompt", "coarse_prompt", "fine_prompt")
PUBLISHED: dict[str, Any] = {}
"""Published rates and books, windows a quarter as long."""
SMALL: dict[str, Any] = {"layers": 12, "heads": 12, "width": 48}
LARGE: dict[str, Any] = {"layers": 24, "heads": 16, "width": 64}
"""As many layers and heads as the published models have, a sixteenth as wide."""
OTHER: dict[str, Any] = {"rate": 25.0, "books": 6, "codebook": 32, "layers": 1, "heads": 4, "bias": True, "window": 14}
"""Nothing as published."""


class Letters:
    """A tokenizer of letters, as far as the engine uses one."""

    def __call__(self, text: str, add_special_tokens: bool) -> dict[str, list[int]]:
        assert not add_special_tokens
        return {"input_ids": [WORDS.index(letter) for letter in text if letter in WORDS]}

    def get_vocab(self) -> dict[str, int]:
        return {word: index for index, word in enumerate(WORDS)}


def tiny_bark(
    *,
    rate: float = 49.9,
    books: int = 8,
    codebook: int = 64,
    layers: int = 2,
    heads: int = 2,
    width: int = 16,
    bias: bool = False,
    window: int = 20,
    seed: int = 0,
) -> Any:
    """A Bark whose greedy choices are not decided by rounding, and that says what a trained one says only."""
    torch.manual_seed(seed)
    size = {"hidden_size": width, "num_layers": layers, "num_heads": heads, "block_size": 256, "bias": bias}
    coarse = 200 + 2 * codebook
    model = transformers.BarkModel(
        transformers.BarkConfig(
            semantic_config={**size, "input_vocab_size": 400, "output_vocab_size": 240},
            coarse_acoustics_config={**size, "input_vocab_size": coarse + 32, "output_vocab_size": coarse + 32},
            fine_acoustics_config={
                **size, "input_vocab_size": codebook + 16, "output_vocab_size": codebook + 16, "n_codes_total": books
            },
            codec_config={
                "model_type": "encodec", "num_filters": 2, "hidden_size": 8, "codebook_size": codebook,
                "codebook_dim": 8, "num_lstm_layers": 1, "upsampling_ratios": [8, 5, 4, 2],
                "target_bandwidths": [books * 75 * int(np.log2(codebook)) / 1000],
            },
        )
    ).eval()  # fmt: skip
    for name, parameter in model.named_parameters():
        if not name.startswith("codec"):
            parameter.data.mul_(32 / (width * max(1, layers / 2)) ** 0.5)
        if bias and name.endswith("bias"):
            parameter.data.normal_()
    model.coarse_acoustics.lm_head.weight.data[coarse:] = 0.0
    model.generation_config = transformers.GenerationConfig(
        codebook_size=codebook,
        semantic_config={
            "eos_token_id": 200, "pad_token_id": 200, "semantic_vocab_size": 200, "text_encoding_offset": 240,
            "text_pad_token": 398, "semantic_infer_token": 399, "max_input_semantic_length": 64,
            "semantic_rate_hz": rate,
        },
        coarse_acoustics_config={
            "coarse_semantic_pad_token": coarse + 2, "coarse_infer_token": coarse + 3, "max_coarse_input_length": 64,
            "max_coarse_history": 120, "sliding_window_len": window,
        },
        fine_acoustics_config={
            "max_fine_history_length": 64, "max_fine_input_length": 128, "n_fine_codebooks": books
        },
    )  # fmt: skip
    return model


def tiny_engine(
    model: Any, batch: int = 4, *, windows: Windows = Windows.EXACT, refined_together: int | None = None
) -> BarkEngine:
    """An engine with a copy of the model's weights and its own codec."""

    def decode(codes: Tokens) -> Samples:
        samples: Samples = model.codec_decode(torch.from_numpy(codes)[None])[0].detach().numpy()
        return samples

    copy = transformers.BarkModel(model.config).eval()
    copy.load_state_dict(model.state_dict())
    copy.generation_config = model.generation_config
    return BarkEngine(copy, Letters(), decode, batch=batch, windows=windows, refined_together=refined_together)


def silent_engine(model: Any, change: Callable[[Any], None]) -> BarkEngine:
    """An engine with a copy of the model that `change` was applied to; all that it says is silence."""
    changed = deepcopy(model)
    change(changed)
    return BarkEngine(changed, Letters(), lambda codes: np.zeros(320 * codes.shape[1], np.float32), batch=3)


def a_voice(engine: BarkEngine, tokens: int = 150, seed: int = 3) -> VoicePrompt:
    random, spec = np.random.default_rng(seed), engine.spec
    fine = random.integers(0, spec.codebook_size, (spec.fine_books, spec.frames(tokens)))
    return VoicePrompt(random.integers(0, spec.semantic_vocab, tokens), fine[:2], fine)


def by_transformers(model: Any, text: str, voice: VoicePrompt | None, **options: Any) -> tuple[Tokens, Samples]:
    """The fine tokens and the samples that BarkModel.generate makes of a text."""
    ids = Letters()(text, add_special_tokens=False)["input_ids"]
    padded = torch.tensor([ids + [0] * (64 - len(ids))])
    history = None
    if voice is not None:
        history = {name: torch.from_numpy(getattr(voice, name.split("_")[0])) for name in PROMPT_NAMES}
    with mock.patch.object(model, "codec_decode", wraps=model.codec_decode) as codec:
        audio = model.generate(padded, history, attention_mask=(torch.arange(64) < len(ids))[None].long(), **options)
    return codec.call_args.args[0][0].numpy(), audio[0].numpy()


def stages_by_transformers(
    model: Any, text: str, voice: VoicePrompt | None, **options: Any
) -> tuple[Tokens, Tokens, Tokens]:
    """What the three stages of BarkModel.generate say: (S,) without the end, (coarse books, T) and (books, T)."""
    with (
        mock.patch.object(model.coarse_acoustics, "generate", wraps=model.coarse_acoustics.generate) as coarse,
        mock.patch.object(model.fine_acoustics, "generate", wraps=model.fine_acoustics.generate) as fine,
    ):
        tokens, _ = by_transformers(model, text, voice, **options)
    semantic = coarse.call_args.args[0][0].numpy()
    codes = (fine.call_args.args[0][0].numpy() - 200) % model.generation_config.codebook_size
    return semantic[semantic < 200], codes.reshape(-1, 2).T, tokens


def narrowed_by_suno(logits: Tensor, top_k: int | None, top_p: float | None) -> Tensor:
    """One row of logits, as `generate_text_semantic` and `generate_coarse` of `suno-ai/bark` narrow it."""
    narrowed = logits.numpy().copy()
    if top_p is not None:
        falling = np.argsort(narrowed)[::-1]
        shares = np.exp(narrowed[falling] - narrowed.max())
        reached = np.cumsum(shares / shares.sum()) > top_p
        narrowed[falling[1:][reached[:-1]]] = -np.inf
    if top_k is not None:
        narrowed[narrowed < np.sort(narrowed)[::-1][min(top_k, narrowed.size) - 1]] = -np.inf
    return torch.from_numpy(narrowed)


@torch.inference_mode()
def by_suno(
    model: Any, text: str, options: GenerationOptions, named: tuple[float, float, float] = TEMPERATURES
) -> Tokens:
    """Fine tokens drawn as `suno-ai/bark` draws them, without a voice, from models that read everything every time.

    Only for texts of at most one window in the fine stage, and temperatures above 0. `named`: those of the checkpoint.
    """
    torch.manual_seed(options.seed)
    temperatures = named if options.temperature is None else (options.temperature,) * 3
    limit = options.max_semantic_tokens or 0
    generation: Mapping[str, Any] = model.generation_config.to_dict()
    coarse_config, size = generation["coarse_acoustics_config"], generation["codebook_size"]
    ids = [id_ + 240 for id_ in Letters()(text, add_special_tokens=False)["input_ids"]]
    embed = model.semantic.input_embeds_layer
    first = embed(torch.tensor(ids + [398] * (64 - len(ids)))) + embed(torch.tensor([200] * 64))
    semantic: list[int] = []
    while len(semantic) < limit:
        x = torch.cat([first, embed(torch.tensor([399, *semantic]))])
        logits = model.semantic(inputs_embeds=x[None], use_cache=False).logits[0, -1, :201]
        token, probabilities = _drawn(logits, temperatures[0], options)
        if token == 200 or (options.min_eos_p and probabilities[200] >= options.min_eos_p):
            break
        semantic.append(token)
    ratio = coarse_config.get("coarse_rate_hz", 75) / generation["semantic_config"]["semantic_rate_hz"] * 2
    coarse: list[int] = []
    while len(coarse) < int(len(semantic) * ratio / 2) * 2:
        if not len(coarse) % coarse_config["sliding_window_len"]:
            place = max(0, round(len(coarse) / ratio) - int(120 / ratio))
            pad, infer = coarse_config["coarse_semantic_pad_token"], coarse_config["coarse_infer_token"]
            given = semantic[place:][:64]
            context = [*given, *[pad] * (64 - len(given)), infer, *coarse[-120:]]
        start = 200 + len(coarse) % 2 * size
        logits = model.coarse_acoustics(torch.tensor([context]), use_cache=False).logits[0, -1, start : start + size]
        coarse.append(start + _drawn(logits, temperatures[1], options)[0])
        context.append(coarse[-1])
    books = model.config.fine_acoustics_config.n_codes_total
    codes = torch.full((1, 128, books), size)
    frames = len(coarse) // 2
    codes[0, :frames, :2] = (torch.tensor(coarse).view(-1, 2) - 200) % size
    for book in range(2, books):
        probabilities = (model.fine_acoustics(book, codes).logits[0, :, :size] / temperatures[2]).softmax(-1)
        codes[0, :, book] = torch.multinomial(probabilities, 1)[:, 0]
    return codes[0, :frames].T.numpy()


def _drawn(logits: Tensor, temperature: float, options: GenerationOptions) -> tuple[int, Tensor]:
    """A token, and the probabilities that it was drawn from."""
    probabilities = (narrowed_by_suno(logits, options.top_k, options.top_p) / temperature).softmax(-1)
    return int(torch.multinomial(probabilities, 1)), probabilities
