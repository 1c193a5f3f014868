"""Steps of shapes that never change: what steps are anywhere, nothing that waits, and a capture that leaves no trace.

No CUDA is needed: what is captured is plain torch code, and a stand-in for CUDA's graphs replays it on the CPU.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from cloning.bark.bark import BarkEngine
from cloning.bark.coarse import CoarseModel
from cloning.bark.config import BarkSpec, InputLayout
from cloning.bark.cuda_graphs import CapturedBatch, batch_for
from cloning.bark.decoding import STRIDE, Batch, CausalModel, Decoder, RowState
from cloning.bark.sampling import Sampler
from cloning.bark.semantic import SemanticModel
from tests.cloning.bark.test_decoding import Scripted, late, utterances
from tests.cloning.tiny_engine import tiny_bark, tiny_engine


@pytest.fixture(scope="module")
def model() -> Any:
    return tiny_bark()


@pytest.fixture(scope="module")
def eager(model: Any) -> BarkEngine:
    return tiny_engine(model, batch=3)


@pytest.fixture
def elsewhere() -> Iterator[list[CausalModel]]:
    """Both causal models on a device whose numbers nobody can read, nor mix with those of the host."""
    model = tiny_bark()
    spec = BarkSpec.from_configs(model.config.to_dict(), model.generation_config.to_dict())
    layout = InputLayout.from_config(model.generation_config.to_dict())
    model = model.to("meta")
    yield [SemanticModel(model.semantic, spec, layout), CoarseModel(model.coarse_acoustics, spec, layout)]


def test_a_step_on_a_device_waits_for_nothing(elsewhere: list[CausalModel], monkeypatch: pytest.MonkeyPatch) -> None:
    samplers = [Sampler(0.7, torch.Generator(), 5, 0.9), Sampler(0.0, torch.Generator())]
    for model in elsewhere:
        batch = CapturedBatch(model, 3)
        for slot, sampler in zip((0, 2), samplers, strict=True):
            batch.sampling.enter(slot, sampler, 0.2)
        monkeypatch.setattr(batch.sampling, "draw_noise", lambda *_: None)  # for want of a generator there
        last = len(model.heads) - 1
        assert batch.read(model.embeddings[:5], 2, last, samplers[1]).device.type == "meta"
        tokens = batch.step([RowState(0, 9, 0), RowState(2, 5, last)], samplers)
        assert (tokens.device.type, tokens.shape) == ("meta", (2,))


def test_a_decoder_for_a_device_looks_at_its_stride_only(elsewhere: list[CausalModel]) -> None:
    model = elsewhere[0]
    decoder = Decoder[Scripted](batch_for(model, 2))
    decoder.add(Scripted(model, 20, 1, temperature=0.0))
    for _ in range(STRIDE - 1):
        assert decoder.step() == []
    with pytest.raises(NotImplementedError, match="meta"):
        decoder.step()


def test_a_step_of_fixed_shapes_is_a_step(eager: BarkEngine) -> None:
    torch.manual_seed(0)
    stage, slots, lengths = eager._stages.coarse, [0, 1, 2], [4, 199, 0]
    plain, captured = Batch(stage, 4), CapturedBatch(stage, 4)
    for batch in (plain, captured):
        torch.manual_seed(1)
        batch.cache.keys.normal_()
        batch.cache.values.normal_()
    x = torch.randn(3, stage.transformer.shape.width)
    with torch.inference_mode():
        step = stage.transformer.step(x, plain.cache, slots, lengths)
        fixed = stage.transformer.step_within(x, captured.cache, torch.tensor(lengths), 256)
    torch.testing.assert_close(fixed, step, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(captured.cache.keys, plain.cache.keys, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(captured.cache.values, plain.cache.values, rtol=1e-5, atol=1e-5)


def test_a_larger_span_changes_nothing(eager: BarkEngine) -> None:
    torch.manual_seed(0)
    stage, lengths = eager._stages.semantic, torch.tensor([30, 2])
    batch = CapturedBatch(stage, 2)
    batch.cache.keys.normal_()
    batch.cache.values.normal_()
    x = torch.randn(2, stage.transformer.shape.width)
    with torch.inference_mode():
        small, large = (stage.transformer.step_within(x, batch.cache, lengths, span) for span in (31, 256))
    assert np.allclose(small, large, atol=1e-5)


class Graphs:
    """Stands in for CUDA's graphs: what is captured does not run, and runs at every replay."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, error: Exception | None = None) -> None:
        self._capturing: Graph | None = None
        self._error = error
        self.captured: list[object] = []
        self.replays = 0
        monkeypatch.setattr(torch.cuda, "CUDAGraph", partial(Graph, self))
        monkeypatch.setattr(torch.cuda, "graph", self._capture)
        monkeypatch.setattr(torch.cuda, "Stream", Stream)
        monkeypatch.setattr(torch.cuda, "current_stream", Stream)
        monkeypatch.setattr(torch.cuda, "stream", nullcontext)
        monkeypatch.setattr(torch.cuda, "device", nullcontext)

    def serve(self, batch: Batch) -> None:
        """Let `batch` capture."""
        assert isinstance(batch, CapturedBatch)
        batch._can_capture = True
        compute = batch.compute

        def computed(form: Any) -> None:
            if self._capturing is None:
                compute(form)
            else:
                self.captured.append((id(batch), form))
                self._capturing.action = partial(compute, form)

        batch.compute = computed  # type: ignore[method-assign]  # notes what is captured

    @contextmanager
    def _capture(self, graph: "Graph", pool: object, capture_error_mode: str) -> Iterator[None]:
        if self._error is not None:
            raise self._error
        self._capturing = graph
        yield
        self._capturing = None


class Graph:
    """Of one step."""

    def __init__(self, graphs: Graphs) -> None:
        self._graphs = graphs
        self.action: Callable[[], None]

    def replay(self) -> None:
        self._graphs.replays += 1
        self.action()


class Stream:
    """Work on a CPU is done in the order of the code."""

    def wait_stream(self, other: "Stream") -> None:
        pass


def captured_engine(model: Any, graphs: Graphs) -> BarkEngine:
    engine = late(model, 8, CapturedBatch)
    for decoder in (engine._scheduler._semantic, engine._scheduler._coarse):
        graphs.serve(decoder._batch)
    return engine


def test_replayed_steps_are_the_same_and_captured_once(
    model: Any, eager: BarkEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    graphs = Graphs(monkeypatch)
    engine = captured_engine(model, graphs)
    wanted = utterances(engine)[5:]
    expected = [one.prompt for one in eager.generate_many(wanted)]
    assert [one.prompt for one in engine.generate_many(wanted)] == expected
    assert len(graphs.captured) == len(set(graphs.captured)) > 3
    assert graphs.replays > 10 * len(graphs.captured)


def test_where_nothing_can_be_captured_steps_run_and_one_line_says_so(
    model: Any, eager: BarkEngine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    graphs = Graphs(monkeypatch, RuntimeError("operation not permitted when stream is capturing"))
    engine = captured_engine(model, graphs)
    wanted = utterances(engine)[5:]
    expected = [one.prompt for one in eager.generate_many(wanted)]
    with caplog.at_level(logging.WARNING):
        assert [one.prompt for one in engine.generate_many(wanted)] == expected
    assert graphs.replays == 0
    warnings = [record.message for record in caplog.records if "no CUDA graph" in record.message]
    assert len(warnings) == 2  # one of each model
