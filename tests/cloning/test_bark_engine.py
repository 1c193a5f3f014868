"""The adapter against BarkModel.generate, on a tiny checkpoint with the published layout."""

import threading
from collections.abc import Iterator
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch

from cloning import libraries
from cloning.bark.engine import GenerationOptions, Samples
from cloning.bark.transformers_engine import COARSE, FINE, SEMANTIC, TransformersEngine
from cloning.prompt import Tokens, VoicePrompt
from cloning.watch import Watch
from errors import Cancelled, InvalidInput

transformers: Any = libraries.transformers  # it is typed in parts only

WORDS = ["[PAD]", "[UNK]", *"abcdefghijklmnopqrstuvwxyz", *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz")]
PROMPT_NAMES = ("semantic_prompt", "coarse_prompt", "fine_prompt")
GREEDY = GenerationOptions(temperature=0, max_semantic_tokens=40)


class Letters:
    """A tokenizer of letters, as far as the engine uses one."""

    def __call__(self, text: str, add_special_tokens: bool) -> dict[str, list[int]]:
        assert not add_special_tokens
        return {"input_ids": [WORDS.index(letter) for letter in text if letter in WORDS]}


def tiny_bark() -> Any:
    """Published rates and code books, windows a quarter as long, random weights."""
    torch.manual_seed(0)
    size = {"hidden_size": 16, "num_layers": 2, "num_heads": 2, "block_size": 256, "bias": False}
    model = transformers.BarkModel(
        transformers.BarkConfig(
            semantic_config={**size, "input_vocab_size": 400, "output_vocab_size": 240},
            coarse_acoustics_config={**size, "input_vocab_size": 360, "output_vocab_size": 360},
            fine_acoustics_config={**size, "input_vocab_size": 80, "output_vocab_size": 80},
            codec_config={
                "model_type": "encodec", "num_filters": 2, "hidden_size": 8, "codebook_size": 64, "codebook_dim": 8,
                "num_lstm_layers": 1, "upsampling_ratios": [8, 5, 4, 2], "target_bandwidths": [3.6],
            },
        )
    ).eval()  # fmt: skip
    for name, parameter in model.named_parameters():
        parameter.data.mul_(
            1 if name.startswith("codec") else 8
        )  # far from uniform, so that greedy choices are not decided by rounding
    model.generation_config = transformers.GenerationConfig(
        codebook_size=64,
        semantic_config={
            "eos_token_id": 200, "pad_token_id": 200, "semantic_vocab_size": 200, "text_encoding_offset": 240,
            "text_pad_token": 398, "semantic_infer_token": 399, "max_input_semantic_length": 64,
        },
        coarse_acoustics_config={
            "coarse_semantic_pad_token": 330, "coarse_infer_token": 331, "max_coarse_input_length": 64,
            "max_coarse_history": 120, "sliding_window_len": 20,
        },
        fine_acoustics_config={"max_fine_history_length": 64, "max_fine_input_length": 128},
    )  # fmt: skip
    return model


@pytest.fixture(scope="module")
def model() -> Iterator[Any]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield tiny_bark()
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def engine(model: Any) -> TransformersEngine:
    def decode(codes: Tokens) -> Samples:
        samples: Samples = model.codec_decode(torch.from_numpy(codes)[None])[0].detach().numpy()
        return samples

    return TransformersEngine(model, Letters(), decode)  # type: ignore[arg-type]  # a stand-in


def a_voice(engine: TransformersEngine, tokens: int = 150) -> VoicePrompt:
    random, spec = np.random.default_rng(3), engine.spec
    fine = random.integers(0, spec.codebook_size, (spec.fine_books, spec.frames(tokens)))
    return VoicePrompt(random.integers(0, spec.semantic_vocab, tokens), fine[:2], fine)


def reference(model: Any, text: str, voice: VoicePrompt | None, **options: Any) -> tuple[Tokens, Samples]:
    """The fine tokens and the samples that BarkModel.generate makes of the same text."""
    ids = Letters()(text, add_special_tokens=False)["input_ids"]
    padded = torch.tensor([ids + [0] * (64 - len(ids))])
    history = None
    if voice is not None:
        history = {name: torch.from_numpy(getattr(voice, name.split("_")[0])) for name in PROMPT_NAMES}
    with mock.patch.object(model, "codec_decode", wraps=model.codec_decode) as codec:
        audio = model.generate(padded, history, attention_mask=(torch.arange(64) < len(ids))[None].long(), **options)
    return codec.call_args.args[0][0].numpy(), audio[0].numpy()


@pytest.mark.parametrize("with_voice", [False, True])
@pytest.mark.parametrize("length", [7, 40, 130])
def test_greedy_equals_transformers(model: Any, engine: TransformersEngine, with_voice: bool, length: int) -> None:
    voice = a_voice(engine) if with_voice else None
    options = GenerationOptions(temperature=0, min_eos_p=0, max_semantic_tokens=length)
    generated = engine.generate("hello", voice, options, Watch())
    tokens, samples = reference(model, "hello", voice, do_sample=False, temperature=1.0, semantic_max_new_tokens=length)
    np.testing.assert_array_equal(generated.prompt.fine, tokens)
    np.testing.assert_allclose(generated.samples, samples, atol=1e-5)
    assert generated.samples.shape == (engine.spec.frames(generated.prompt.semantic.size) * 320,)


def test_sampling_draws_as_transformers_does_without_top_k(model: Any, engine: TransformersEngine) -> None:
    options = GenerationOptions(temperature=0.8, min_eos_p=0, seed=5, max_semantic_tokens=30)
    generated = engine.generate("hello", None, options, Watch())
    torch.manual_seed(5)
    tokens, _ = reference(
        model, "hello", None, do_sample=True, temperature=0.8, fine_temperature=0.8, semantic_top_k=0, coarse_top_k=0,
        semantic_max_new_tokens=30,
    )  # fmt: skip
    np.testing.assert_array_equal(generated.prompt.fine, tokens)


def test_what_was_generated_is_a_voice(engine: TransformersEngine) -> None:
    generated = engine.generate("hello", None, GREEDY, Watch())
    generated.prompt.validate(engine.spec.prompt)
    assert generated.prompt.coarse_matches_fine
    again = engine.generate("hello", VoicePrompt.load(generated.prompt.to_bytes(), engine.spec.prompt), GREEDY, Watch())
    again.prompt.validate(engine.spec.prompt)


def test_the_voice_and_the_text_matter(engine: TransformersEngine) -> None:
    plain = engine.generate("hello", None, GREEDY, Watch()).prompt
    assert plain != engine.generate("hello", a_voice(engine), GREEDY, Watch()).prompt
    assert plain != engine.generate("other", None, GREEDY, Watch()).prompt


def test_seeds_decide_and_leave_the_global_state_alone(engine: TransformersEngine) -> None:
    def speak(seed: int, temperature: float | None = None) -> VoicePrompt:
        options = GenerationOptions(temperature, seed=seed, max_semantic_tokens=20)
        return engine.generate("hello", None, options, Watch()).prompt

    state = torch.get_rng_state()
    assert speak(1) == speak(1)
    assert speak(1) != speak(2)
    assert speak(1, 0.0) == speak(2, 0.0)
    assert speak(1, 1.0) != speak(2, 1.0)
    assert torch.equal(state, torch.get_rng_state())


def test_fine_temperature_one_samples(engine: TransformersEngine) -> None:
    greedy = engine.generate("hello", None, GenerationOptions(0.0, max_semantic_tokens=20), Watch()).prompt
    semantic, coarse = torch.from_numpy(greedy.semantic)[None], torch.from_numpy(greedy.coarse)
    interleaved = (coarse + torch.tensor([[200], [264]])).T.reshape(1, -1)
    assert semantic.shape[1] * 3 // 2 == coarse.shape[1]
    with torch.inference_mode():
        torch.manual_seed(1)
        fine = engine._generate_fine(interleaved, None, GenerationOptions(1.0), Watch())
    assert np.array_equal(fine[0, :2], greedy.coarse)
    assert not np.array_equal(fine[0], greedy.fine)


class OneFavourite(torch.nn.Module):
    """A head for which token 5 is as likely as the other 200 (the end among them) together, whatever came before."""

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        logits = torch.zeros(240)
        logits[5] = np.log(200)
        return logits.expand(*hidden.shape[:2], 240)


@pytest.mark.parametrize(
    ("temperature", "probability_of_the_end"),
    [(0.0, 1 / 400), (1.0, 1 / 400), (0.5, 1 / (200 + 200**2)), (2.0, 1 / (200 + 200**0.5))],
)
def test_speech_ends_when_its_end_is_likely_enough(temperature: float, probability_of_the_end: float) -> None:
    model = tiny_bark()
    model.semantic.lm_head = OneFavourite()
    engine = TransformersEngine(model, Letters(), lambda codes: np.zeros(0, np.float32))  # type: ignore[arg-type]  # a stand-in

    def length(min_eos_p: float) -> int:
        options = GenerationOptions(temperature, min_eos_p, seed=3, max_semantic_tokens=9)
        return engine.semantic("hello", None, options, Watch()).size

    assert length(0.0) == 9
    assert length(1.01 * probability_of_the_end) == 9
    assert length(0.99 * probability_of_the_end) == 0


def test_speech_that_ends_at_once_is_empty(engine: TransformersEngine) -> None:
    options = GenerationOptions(2.0, min_eos_p=1e-30, max_semantic_tokens=30)
    generated = engine.generate("hello", None, options, Watch())
    assert generated.samples.size == 0
    assert generated.prompt.fine.shape == (8, 0)


def test_progress_covers_every_stage_and_grows(engine: TransformersEngine) -> None:
    seen: list[tuple[str, float]] = []
    engine.generate("hello", a_voice(engine), GREEDY, Watch(lambda stage, fraction: seen.append((stage, fraction))))
    for stage in (SEMANTIC, COARSE, FINE):
        fractions = [fraction for name, fraction in seen if name == stage]
        assert len(fractions) > 10
        assert fractions == sorted(fractions)
        assert 0 <= fractions[0] < 0.2
        assert 0.9 < fractions[-1] <= 1


@pytest.mark.parametrize("stage", [SEMANTIC, COARSE, FINE])
def test_cancelling_stops_within_one_step(engine: TransformersEngine, stage: str) -> None:
    cancelled = threading.Event()
    after = 0

    def progress(name: str, fraction: float) -> None:
        nonlocal after
        after += cancelled.is_set()
        if name == stage and fraction > 0.3:
            cancelled.set()

    with pytest.raises(Cancelled):
        engine.generate("hello", None, GREEDY, Watch(progress, cancelled))
    assert after == 0
    engine.generate("hello", None, GREEDY, Watch())  # no hook is left behind


def test_texts_that_do_not_fit_are_refused(engine: TransformersEngine) -> None:
    assert engine.count_text_tokens("hello") == 5
    with pytest.raises(InvalidInput, match="65 tokens, and 64 fit"):
        engine.generate("a" * 65, None, GREEDY, Watch())
    with pytest.raises(InvalidInput, match="no text"):
        engine.generate("...", None, GREEDY, Watch())


def test_a_prompt_of_other_models_is_refused(engine: TransformersEngine) -> None:
    voice = a_voice(engine)
    with pytest.raises(InvalidInput):
        engine.generate("hello", VoicePrompt(voice.semantic + 200, voice.coarse, voice.fine), GREEDY, Watch())


@pytest.mark.parametrize(
    "options", [{"temperature": -0.1}, {"temperature": 2.1}, {"min_eos_p": 2}, {"seed": -1}, {"max_semantic_tokens": 0}]
)
def test_options_are_checked(options: dict[str, float]) -> None:
    with pytest.raises(InvalidInput):
        GenerationOptions(**options)  # type: ignore[arg-type]  # one of each type
