"""The engine against transformers and against Suno's way to draw, on tiny checkpoints of the published layout."""

import copy
import threading
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from cloning.bark.bark import BarkEngine
from cloning.bark.coarse import STAGE as COARSE
from cloning.bark.config import Windows
from cloning.bark.engine import GenerationOptions
from cloning.bark.fine import STAGE as FINE
from cloning.bark.semantic import STAGE as SEMANTIC
from cloning.progress import ProgressReporter
from cloning.prompt import VoicePrompt
from errors import Cancelled, InvalidInput
from tests.cloning.tiny_engine import OTHER, PUBLISHED, a_voice, by_suno, by_transformers, tiny_bark, tiny_engine

GREEDY = GenerationOptions(temperature=0, max_semantic_tokens=40)


@cache
def made(kind: tuple[tuple[str, Any], ...]) -> tuple[Any, BarkEngine]:
    model = tiny_bark(**dict(kind))
    return model, tiny_engine(model)


def models(kind: dict[str, Any]) -> tuple[Any, BarkEngine]:
    return made(tuple(kind.items()))


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def model() -> Any:
    return models(PUBLISHED)[0]


@pytest.fixture
def engine() -> BarkEngine:
    return models(PUBLISHED)[1]


@pytest.mark.parametrize("voice_tokens", [0, 20, 150])
@pytest.mark.parametrize("length", [1, 40, 190])
@pytest.mark.parametrize("kind", [PUBLISHED, OTHER], ids=["published", "other"])
def test_greedy_equals_transformers(kind: dict[str, Any], length: int, voice_tokens: int) -> None:
    model, engine = models(kind)
    voice = a_voice(engine, voice_tokens) if voice_tokens else None
    options = GenerationOptions(temperature=0, min_eos_p=0, max_semantic_tokens=length)
    generated = engine.generate("hello", voice, options, ProgressReporter())
    tokens, samples = by_transformers(
        model, "hello", voice, do_sample=False, temperature=1.0, semantic_max_new_tokens=length
    )
    np.testing.assert_array_equal(generated.prompt.fine, tokens)
    np.testing.assert_allclose(generated.samples, samples, atol=1e-5)
    assert generated.samples.shape == (engine.spec.frames(generated.prompt.semantic.size) * 320,)


@pytest.mark.parametrize("voice_tokens", [0, 150])
@pytest.mark.parametrize(
    ("windows", "history", "window"), [(Windows.LONG, 120, 72), (Windows.SHORT_HISTORY, 96, 96)], ids=["long", "short"]
)
def test_other_coarse_windows_are_the_reference_with_such_windows(
    model: Any, windows: Windows, history: int, window: int, voice_tokens: int
) -> None:
    engine = tiny_engine(model, windows=windows)
    voice = a_voice(engine, voice_tokens) if voice_tokens else None
    options = GenerationOptions(temperature=0, min_eos_p=0, max_semantic_tokens=190)
    exact = models(PUBLISHED)[1].generate("hello", voice, options, ProgressReporter()).prompt
    other = engine.generate("hello", voice, options, ProgressReporter()).prompt
    changed = copy.deepcopy(model)
    changed.generation_config.coarse_acoustics_config |= {"max_coarse_history": history, "sliding_window_len": window}
    tokens, _ = by_transformers(changed, "hello", voice, do_sample=False, temperature=1.0, semantic_max_new_tokens=190)
    np.testing.assert_array_equal(other.coarse, tokens[:2])
    assert np.array_equal(other.semantic, exact.semantic)
    assert not np.array_equal(other.coarse, exact.coarse)
    assert other.fine.max() < engine.spec.codebook_size  # every frame of several windows is filled


@pytest.mark.parametrize("voice_tokens", [0, 10, 150])
def test_fine_windows_of_a_short_history_end_with_the_text(model: Any, voice_tokens: int) -> None:
    engine = tiny_engine(model, windows=Windows.SHORT_HISTORY)
    voice = a_voice(engine, voice_tokens) if voice_tokens else None
    options = GenerationOptions(temperature=0, min_eos_p=0, max_semantic_tokens=40)
    short = engine.generate("hello", voice, options, ProgressReporter()).prompt
    read = min(32, engine.spec.frames(voice_tokens))
    changed = copy.deepcopy(model)
    changed.generation_config.coarse_acoustics_config |= {"max_coarse_history": 96, "sliding_window_len": 96}
    window = {"max_fine_history_length": 32, "max_fine_input_length": read + engine.spec.frames(40)}
    changed.generation_config.fine_acoustics_config |= window
    tokens, _ = by_transformers(changed, "hello", voice, do_sample=False, temperature=1.0, semantic_max_new_tokens=40)
    np.testing.assert_array_equal(short.fine, tokens)


@pytest.mark.parametrize("voice_tokens", [0, 150])
def test_fine_windows_of_long_coarse_ones_are_the_reference(model: Any, voice_tokens: int) -> None:
    engine = tiny_engine(model, windows=Windows.LONG)
    voice = a_voice(engine, voice_tokens) if voice_tokens else None
    options = GenerationOptions(temperature=0, min_eos_p=0, max_semantic_tokens=190)
    generated = engine.generate("hello", voice, options, ProgressReporter()).prompt
    changed = copy.deepcopy(model)
    changed.generation_config.coarse_acoustics_config |= {"sliding_window_len": 72}
    tokens, _ = by_transformers(changed, "hello", voice, do_sample=False, temperature=1.0, semantic_max_new_tokens=190)
    np.testing.assert_array_equal(generated.fine, tokens)


@pytest.mark.parametrize(
    "options",
    [
        GenerationOptions(None, min_eos_p=0, seed=5, max_semantic_tokens=70),
        GenerationOptions(1.0, min_eos_p=0, seed=6, max_semantic_tokens=70),
        GenerationOptions(0.3, min_eos_p=0, seed=7, max_semantic_tokens=70),
        GenerationOptions(0.7, min_eos_p=0, seed=8, max_semantic_tokens=50, top_k=20),
        GenerationOptions(1.0, min_eos_p=0, seed=9, max_semantic_tokens=50, top_p=0.8),
        GenerationOptions(1.5, min_eos_p=0, seed=10, max_semantic_tokens=50, top_k=30, top_p=0.95),
    ],
)
def test_draws_are_sunos(model: Any, engine: BarkEngine, options: GenerationOptions) -> None:
    generated = engine.generate("hello", None, options, ProgressReporter())
    assert generated.prompt.semantic.size > 30
    np.testing.assert_array_equal(generated.prompt.fine, by_suno(model, "hello", options))


@pytest.mark.parametrize(
    "options",
    [
        GenerationOptions(0.7, min_eos_p=3e-5, seed=2, max_semantic_tokens=80),
        GenerationOptions(1.5, min_eos_p=3e-4, seed=0, max_semantic_tokens=80, top_k=150),
    ],
)
def test_draws_end_where_sunos_end(model: Any, engine: BarkEngine, options: GenerationOptions) -> None:
    generated = engine.generate("hello", None, options, ProgressReporter())
    assert 0 < generated.prompt.semantic.size < 80
    np.testing.assert_array_equal(generated.prompt.fine, by_suno(model, "hello", options))


def test_without_a_temperature_every_stage_has_its_checkpoints() -> None:
    model, named = tiny_bark(), (0.4, 1.1, 0.9)
    generation = model.generation_config
    stages = (generation.semantic_config, generation.coarse_acoustics_config, generation.fine_acoustics_config)
    for stage, temperature in zip(stages, named, strict=True):
        stage["temperature"] = temperature
    engine, options = tiny_engine(model), GenerationOptions(min_eos_p=0, seed=5, max_semantic_tokens=70)
    codes = engine.generate("hello", None, options, ProgressReporter()).prompt.fine
    np.testing.assert_array_equal(codes, by_suno(model, "hello", options, named))


def test_what_was_generated_is_a_voice(engine: BarkEngine) -> None:
    generated = engine.generate("hello", None, GREEDY, ProgressReporter())
    generated.prompt.validate(engine.spec.prompt)
    assert generated.prompt.coarse_matches_fine
    again = engine.generate(
        "hello", VoicePrompt.load(generated.prompt.to_bytes(), engine.spec.prompt), GREEDY, ProgressReporter()
    )
    again.prompt.validate(engine.spec.prompt)


def test_the_voice_and_the_text_matter(engine: BarkEngine) -> None:
    plain = engine.generate("hello", None, GREEDY, ProgressReporter()).prompt
    assert plain != engine.generate("hello", a_voice(engine), GREEDY, ProgressReporter()).prompt
    assert plain != engine.generate("other", None, GREEDY, ProgressReporter()).prompt


def test_seeds_decide_and_leave_the_global_state_alone(engine: BarkEngine) -> None:
    def speak(seed: int, temperature: float | None = None) -> VoicePrompt:
        options = GenerationOptions(temperature, seed=seed, max_semantic_tokens=20)
        return engine.generate("hello", None, options, ProgressReporter()).prompt

    state = torch.get_rng_state()
    assert speak(1) == speak(1)
    assert speak(1) != speak(2)
    assert speak(1, 0.0) == speak(2, 0.0)
    assert speak(1, 1.0) != speak(2, 1.0)
    assert torch.equal(state, torch.get_rng_state())


def one_favourite(hidden: torch.Tensor) -> torch.Tensor:
    """A head for which token 5 is as likely as the other 200 (the end is the last) together, whatever came before."""
    logits = torch.zeros(hidden.shape[0], 201)
    logits[:, 5] = np.log(200)
    return logits


@pytest.mark.parametrize(
    ("temperature", "probability_of_the_end"),
    [(0.0, 1 / 400), (1.0, 1 / 400), (0.5, 1 / (200 + 200**2)), (2.0, 1 / (200 + 200**0.5))],
)
def test_speech_ends_when_its_end_is_likely_enough(temperature: float, probability_of_the_end: float) -> None:
    engine = tiny_engine(tiny_bark())
    engine._stages.semantic.heads = [one_favourite]  # type: ignore[list-item]  # a stand-in

    def length(min_eos_p: float) -> int:
        options = GenerationOptions(temperature, min_eos_p, seed=3, max_semantic_tokens=9)
        return engine.semantic("hello", None, options, ProgressReporter()).size

    assert length(0.0) == 9
    assert length(1.01 * probability_of_the_end) == 9
    assert length(0.99 * probability_of_the_end) == 0


def test_speech_that_ends_at_once_is_empty(engine: BarkEngine) -> None:
    options = GenerationOptions(2.0, min_eos_p=1e-30, max_semantic_tokens=30)
    generated = engine.generate("hello", None, options, ProgressReporter())
    assert generated.samples.size == 0
    assert generated.prompt.fine.shape == (8, 0)


def test_progress_covers_every_stage_and_grows(engine: BarkEngine) -> None:
    seen: list[tuple[str, float]] = []
    engine.generate(
        "hello", a_voice(engine), GREEDY, ProgressReporter(lambda stage, fraction: seen.append((stage, fraction)))
    )
    for stage in (SEMANTIC, COARSE, FINE):
        fractions = [fraction for name, fraction in seen if name == stage]
        assert len(fractions) > 10
        assert fractions == sorted(fractions)
        assert 0 <= fractions[0] < 0.2
        assert 0.9 < fractions[-1] <= 1


@pytest.mark.parametrize("stage", [SEMANTIC, COARSE, FINE])
def test_cancelling_stops_within_one_step(engine: BarkEngine, stage: str) -> None:
    cancelled = threading.Event()
    after = 0

    def progress(name: str, fraction: float) -> None:
        nonlocal after
        after += cancelled.is_set()
        if name == stage and fraction > 0.3:
            cancelled.set()

    with pytest.raises(Cancelled):
        engine.generate("hello", None, GREEDY, ProgressReporter(progress, cancelled))
    assert after == 0
    engine.generate("hello", None, GREEDY, ProgressReporter())  # no hook is left behind


def test_texts_that_do_not_fit_are_refused(engine: BarkEngine) -> None:
    assert engine.count_text_tokens("hello") == 5
    with pytest.raises(InvalidInput, match="65 tokens, and 64 fit"):
        engine.generate("a" * 65, None, GREEDY, ProgressReporter())
    with pytest.raises(InvalidInput, match="no text"):
        engine.generate("...", None, GREEDY, ProgressReporter())


def test_a_prompt_of_other_models_is_refused(engine: BarkEngine) -> None:
    voice = a_voice(engine)
    with pytest.raises(InvalidInput):
        engine.generate(
            "hello", VoicePrompt(voice.semantic + 200, voice.coarse, voice.fine), GREEDY, ProgressReporter()
        )


@pytest.mark.parametrize(
    "options", [{"temperature": -0.1}, {"temperature": 2.1}, {"min_eos_p": 2}, {"seed": -1}, {"max_semantic_tokens": 0}]
)
def test_options_are_checked(options: dict[str, float]) -> None:
    with pytest.raises(InvalidInput):
        GenerationOptions(**options)  # type: ignore[arg-type]  # one of each type
