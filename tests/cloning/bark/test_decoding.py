"""The way for a GPU on a CPU: tokens that are looked at late, and steps of shapes that never change, alter nothing."""

import threading
from typing import Any

import pytest
import torch

from cloning.bark.bark import BarkEngine
from cloning.bark.coarse import CoarseRow
from cloning.bark.cuda_graphs import CapturedBatch
from cloning.bark.decoding import Batch, CausalModel, Decoder
from cloning.bark.engine import GenerationOptions, Utterance
from cloning.bark.sampling import END, Sampler
from cloning.bark.semantic import SemanticRow
from cloning.progress import ProgressReporter
from cloning.prompt import VoicePrompt
from errors import Cancelled
from tests.cloning.tiny_engine import a_voice, tiny_bark, tiny_engine

STRIDES = pytest.mark.parametrize(
    ("stride", "kind"), [(3, Batch), (8, Batch), (1, CapturedBatch), (8, CapturedBatch), (50, CapturedBatch)]
)


@pytest.fixture(scope="module")
def model() -> Any:
    return tiny_bark()


@pytest.fixture(scope="module")
def eager(model: Any) -> BarkEngine:
    return tiny_engine(model, batch=3)


def late(model: Any, stride: int, kind: type[Batch]) -> BarkEngine:
    """An engine for three rows that works as on a GPU."""
    engine = tiny_engine(model, batch=3)
    scheduler, stages = engine._scheduler, engine._stages
    scheduler._semantic = Decoder[SemanticRow](kind(stages.semantic, 3), stride=stride)
    scheduler._coarse = Decoder[CoarseRow](kind(stages.coarse, 3), stride=stride)
    return engine


def utterances(engine: BarkEngine) -> list[Utterance]:
    """Of many lengths, which limits or the end decide; they come, read windows and leave at all times."""
    limits = [1, 2, 8, 9, 60, 40, 75, 33]
    return [
        Utterance(
            "hello world"[: number + 3],
            a_voice(engine, 30 * number, seed=number) if number % 3 else None,
            GenerationOptions(
                (None, 0.0, 1.0, 0.8)[number % 4],
                seed=number,
                max_semantic_tokens=limit,
                min_eos_p=(0.0, 1e-5, 1e-6)[number % 3],
                top_k=(None, 30)[number % 2],
                top_p=(None, None, 0.9)[number % 3],
            ),
        )
        for number, limit in enumerate(limits)
    ]


@pytest.fixture(scope="module")
def expected(eager: BarkEngine) -> list[VoicePrompt]:
    wanted = utterances(eager)
    prompts = [one.prompt for one in eager.generate_many(wanted)]
    lengths = [prompt.semantic.size for prompt in prompts]
    limits = [one.options.max_semantic_tokens or 0 for one in wanted]
    assert any(0 < length < limit - 1 for length, limit in zip(lengths, limits, strict=True)), lengths
    assert any(length == limit for length, limit in zip(lengths, limits, strict=True)), lengths
    return prompts


@STRIDES
def test_tokens_that_are_looked_at_late_are_the_same(
    model: Any, expected: list[VoicePrompt], stride: int, kind: type[Batch]
) -> None:
    engine = late(model, stride, kind)
    assert [one.prompt for one in engine.generate_many(utterances(engine))] == expected


class Scripted:
    """A row that begins with a vector of its own, goes on for `limit` tokens, and may be cancelled."""

    min_eos_p = 0.0

    def __init__(self, model: CausalModel, limit: int, seed: int, *, temperature: float = 1.0) -> None:
        self.sampler = Sampler(temperature, torch.Generator().manual_seed(seed))
        self._vectors = model.embeddings[seed : seed + 4]
        self._limit = limit
        self.tokens: list[int] = []
        self.cancelled = False

    @property
    def missing(self) -> int:
        return self._limit - len(self.tokens)

    def check(self) -> None:
        if self.cancelled:
            raise Cancelled("Enough.")

    def turn(self, ahead: int) -> int:
        return 0

    def reads(self, ahead: int) -> bool:
        return not self.tokens and not ahead

    def context(self) -> torch.Tensor:
        return self._vectors

    def take(self, token: int) -> bool:
        if token != END:
            self.tokens.append(token)
        return token == END or not self.missing


def test_the_host_looks_every_few_steps_only_and_never_past_a_limit(eager: BarkEngine) -> None:
    decoder = Decoder[Scripted](Batch(eager._stages.semantic, 2), stride=8)
    row = Scripted(eager._stages.semantic, 29, 1)
    decoder.add(row)
    seen = []
    while not decoder.step():
        seen.append(len(row.tokens))
    assert seen == [0] * 7 + [8] * 8 + [16] * 8 + [24] * 5
    assert len(row.tokens) == 29


def test_whoever_is_cancelled_leaves_at_the_next_step_and_its_slot_serves_another(eager: BarkEngine) -> None:
    def alone(limit: int, seed: int) -> list[int]:
        model = eager._stages.semantic
        decoder, row = Decoder[Scripted](Batch(model, 1)), Scripted(model, limit, seed)
        decoder.add(row)
        while not decoder.step():
            pass
        return row.tokens

    decoder = Decoder[Scripted](CapturedBatch(eager._stages.semantic, 2), stride=8)
    staying, going, coming = (
        Scripted(eager._stages.semantic, 40, 1),
        Scripted(eager._stages.semantic, 40, 2),
        Scripted(eager._stages.semantic, 12, 3),
    )
    decoder.add(staying)
    decoder.add(going)
    for _ in range(5):
        assert decoder.step() == []
    going.cancelled = True
    [(row, error)] = decoder.step()
    assert row is going
    assert isinstance(error, Cancelled)
    decoder.add(coming)
    left: list[tuple[Scripted, Exception | None]] = []
    while len(left) < 2:
        left += decoder.step()
    assert left == [(coming, None), (staying, None)]
    assert going.tokens == []
    assert (staying.tokens, coming.tokens) == (alone(40, 1), alone(12, 3))


def test_cancelling_while_tokens_are_ahead(model: Any) -> None:
    engine, cancelled, after = late(model, 8, CapturedBatch), threading.Event(), 0

    def progress(name: str, fraction: float) -> None:
        nonlocal after
        after += cancelled.is_set()
        if fraction > 0.3:
            cancelled.set()

    with pytest.raises(Cancelled):
        engine.generate("hello", None, GenerationOptions(max_semantic_tokens=40), ProgressReporter(progress, cancelled))
    assert after == 0
    assert len(engine._scheduler._semantic._free) == 3


def test_clearing_forgets_the_tokens_ahead(eager: BarkEngine) -> None:
    decoder = Decoder[Scripted](Batch(eager._stages.semantic, 2), stride=8)
    gone, coming = Scripted(eager._stages.semantic, 20, 1), Scripted(eager._stages.semantic, 3, 2)
    decoder.add(gone)
    decoder.step()
    decoder.clear()
    decoder.add(coming)
    while not decoder.step():
        pass
    assert gone.tokens == []
    assert len(coming.tokens) == 3
