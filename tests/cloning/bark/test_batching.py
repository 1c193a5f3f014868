"""Many utterances at once: each is what it is alone, one's end is nobody else's, and the turns are fair."""

import math
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from cloning.bark.bark import BarkEngine
from cloning.bark.engine import GenerationOptions, Utterance
from cloning.bark.linear import MOST_ROWS, Linear
from cloning.bark.precision import PRECISIONS
from cloning.progress import ProgressReporter
from cloning.prompt import VoicePrompt
from errors import Cancelled, InvalidInput
from settings import Settings
from tests.cloning.tiny_engine import a_voice, tiny_bark, tiny_engine


@pytest.fixture(scope="module")
def model() -> Any:
    return tiny_bark()


@pytest.fixture(scope="module")
def engine(model: Any) -> BarkEngine:
    return tiny_engine(model, batch=3)


def utterances(engine: BarkEngine, reporter: ProgressReporter | None = None) -> list[Utterance]:
    """Seven, each with another text, voice, length, temperature and seed."""
    return [
        Utterance(
            "hello world"[: number + 3],
            a_voice(engine, 20 * number, seed=number) if number % 3 else None,
            GenerationOptions(
                (None, 0.0, 1.0)[number % 3], seed=number, max_semantic_tokens=10 + 17 * number, min_eos_p=0
            ),
            reporter or ProgressReporter(),
        )
        for number in range(7)
    ]


def test_together_is_as_alone_to_the_last_bit(engine: BarkEngine) -> None:
    wanted = utterances(engine)
    alone = [engine.generate(one.text, one.history, one.options, ProgressReporter()) for one in wanted]
    together = engine.generate_many(wanted)
    for one, other in zip(alone, together, strict=True):
        assert one.prompt == other.prompt
        assert np.array_equal(one.samples, other.samples)
    assert len({generated.prompt.semantic.tobytes() for generated in together}) == 7


SIZES = [(768, 2304), (768, 3072), (3072, 768), (768, 1024), (1024, 1024), (48, 10_001)]


@pytest.mark.parametrize(("inside", "outside"), SIZES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_a_row_of_a_step_does_not_depend_on_the_others(inside: int, outside: int, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    weight, rows = torch.randn(outside, inside).to(dtype), torch.randn(MOST_ROWS, inside).to(dtype)
    linear = Linear(weight)
    if not linear.packed:
        pytest.skip("this processor has no kernel for it")
    everybody = linear(rows)
    torch.testing.assert_close(everybody, torch.nn.functional.linear(rows, weight), rtol=0.02, atol=1e-3)
    for count in (1, 2, 3, 5, 8, 15, 16, 17, 31, 40):
        assert torch.equal(linear(rows[:count]), everybody[:count])
        order = torch.randperm(MOST_ROWS)[:count]
        assert torch.equal(linear(rows[order]), everybody[order])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_with_amx_a_step_in_half_precision_is_computed_in_whole_tiles(dtype: torch.dtype) -> None:
    """The plan for one tile is the only one that a step is computed by, so that its rows cannot differ by plan."""
    torch.manual_seed(0)
    weight, rows = torch.randn(80, 64).to(dtype), torch.randn(MOST_ROWS + 1, 64).to(dtype)
    with mock.patch.object(torch.cpu, "_is_amx_tile_supported", autospec=True, return_value=True):
        linear = Linear(weight)
    if not linear.packed:
        pytest.skip("this processor has no kernel for it")
    for count in (1, 15, 16, 17, MOST_ROWS, MOST_ROWS + 1):
        with mock.patch.object(linear, "_packed_product", wraps=linear._packed_product) as product:
            y = linear(rows[:count])
        multiplied = [call.args[0].shape[0] for call in product.call_args_list]
        tiles = [16] * math.ceil(count / 16)
        assert multiplied == (tiles if dtype != torch.float32 and count <= MOST_ROWS else [max(count, 4)])
        torch.testing.assert_close(y, torch.nn.functional.linear(rows[:count], weight), rtol=0.02, atol=0.02)


def test_no_step_has_more_rows_than_the_layers_promise_it_for() -> None:
    assert Settings(_env_file=None, batch=MOST_ROWS).batch == MOST_ROWS
    with pytest.raises(ValidationError):
        Settings(_env_file=None, batch=MOST_ROWS + 1)


def test_parties_of_several_threads_are_generated_together(engine: BarkEngine) -> None:
    alone = engine.generate_many(utterances(engine))
    with ThreadPoolExecutor(2) as pool:
        parties = list(pool.map(lambda _: engine.generate_many(utterances(engine)), range(2)))
    assert all([one.prompt for one in party] == [one.prompt for one in alone] for party in parties)


def test_a_small_party_does_not_wait_for_a_large_one(engine: BarkEngine) -> None:
    began, ended = threading.Event(), []
    options = GenerationOptions(0.0, min_eos_p=0, max_semantic_tokens=60)
    reporter = ProgressReporter(lambda *_: began.set())
    with ThreadPoolExecutor(2) as pool:
        large = pool.submit(engine.generate_many, [Utterance("hello", None, options, reporter)] * 12)
        large.add_done_callback(lambda _: ended.append("large"))
        began.wait(10)
        small = pool.submit(engine.generate_many, [Utterance("hello", None, options)])
        small.add_done_callback(lambda _: ended.append("small"))
    assert ended == ["small", "large"]


def test_one_that_is_cancelled_or_refused_leaves_the_others_alone(engine: BarkEngine) -> None:
    cancelled = threading.Event()
    stop = ProgressReporter(lambda _, fraction: cancelled.set() if fraction > 0.2 else None, cancelled)
    (good, *_, long) = utterances(engine)
    with ThreadPoolExecutor(3) as pool:
        fine = pool.submit(engine.generate, good.text, good.history, good.options, ProgressReporter())
        gone = pool.submit(engine.generate, long.text, long.history, long.options, stop)
        refused = pool.submit(engine.generate, "a" * 65, None, good.options, ProgressReporter())
    assert isinstance(gone.exception(), Cancelled)
    assert isinstance(refused.exception(), InvalidInput)
    assert fine.result().prompt == engine.generate(good.text, good.history, good.options, ProgressReporter()).prompt


def test_a_party_ends_with_its_first_error_and_nothing_goes_on(engine: BarkEngine) -> None:
    reports = 0

    def count(*_: object) -> None:
        nonlocal reports
        reports += 1

    with pytest.raises(InvalidInput):
        engine.generate_many([*utterances(engine, ProgressReporter(count)), Utterance("a" * 65, None)])
    after = reports
    engine.generate_many(utterances(engine)[:1])
    assert reports == after


def test_a_step_that_fails_ends_those_in_it_and_the_engine_goes_on(model: Any) -> None:
    engine = tiny_engine(model, batch=3)
    step = engine._stages.coarse.transformer.step
    engine._stages.coarse.transformer.step = lambda *_: torch.empty(10**14)  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="memory"):
        engine.generate_many(utterances(engine))
    engine._stages.coarse.transformer.step = step  # type: ignore[method-assign]
    assert engine.generate_many(utterances(engine))[3].samples.size


def test_no_thread_is_left_and_the_memory_of_the_batch_stays(engine: BarkEngine) -> None:
    before = engine._scheduler._coarse._batch.cache.keys.data_ptr()
    engine.generate_many(utterances(engine))
    for thread in threading.enumerate():
        if thread.name == "bark":
            thread.join(5)
    assert "bark" not in [thread.name for thread in threading.enumerate()]
    assert engine._scheduler._coarse._batch.cache.keys.data_ptr() == before
    assert len(engine._scheduler._coarse._free) == len(engine._scheduler._semantic._free) == 3


def test_a_voice_of_other_models_is_refused_within_a_party(engine: BarkEngine) -> None:
    voice = a_voice(engine)
    other = VoicePrompt(voice.semantic + 200, voice.coarse, voice.fine)
    with pytest.raises(InvalidInput):
        engine.generate_many([Utterance("hello", voice), Utterance("hello", other)])


def test_memory_is_planned_as_it_is_taken(model: Any) -> None:
    engine = tiny_engine(model, batch=5)
    plan = PRECISIONS["float32"].plan(model.config.to_dict(), 5)
    caches = [engine._scheduler._semantic._batch.cache, engine._scheduler._coarse._batch.cache]
    assert plan.caches == sum(cache.keys.nbytes + cache.values.nbytes for cache in caches)
    parts = (model.semantic, model.coarse_acoustics, model.fine_acoustics)
    weights = [tensor for part in parts for name, tensor in part.state_dict().items() if not name.endswith("attn.bias")]
    assert plan.weights == pytest.approx(sum(tensor.nbytes for tensor in weights), rel=0.05)


def test_memory_of_the_published_models() -> None:
    small = {"num_layers": 12, "num_heads": 12, "hidden_size": 768, "block_size": 1024}
    sizes = ((129_600, 10_048), (12_096, 12_096), (1_056, 1_056))
    stages = ("semantic_config", "coarse_acoustics_config", "fine_acoustics_config")
    config = {
        stage: {**small, "input_vocab_size": given, "output_vocab_size": said}
        for stage, (given, said) in zip(stages, sizes, strict=True)
    }
    plan = PRECISIONS["float32"].plan(config, 8)
    assert plan.caches == 8 * 150_994_944
    assert plan.weights == pytest.approx(1.6e9, rel=0.1)
