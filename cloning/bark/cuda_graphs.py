"""A step with constant shapes, so that a CUDA graph can replay it: one launch in place of hundreds.

Everything that changes from step to step is in static buffers. A step covers the slots from the first to the last that
is used, and a span of positions that covers all rows; slots in between that do not step compute values at position 0
that are not read: they are free, or wait for a new context. It is plain torch code and runs on any device.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cloning.bark.cache import KeyValueCache
from cloning.bark.decoding import Batch, CausalModel, RowState
from cloning.bark.sampling import Sampler

_SPAN = 256
"""Positions are rounded up to a multiple of this: few graphs serve all lengths, and little is read needlessly."""
_WARM_UP = 3
"""The number of runs before a step is captured, so that libraries have their workspaces (PyTorch's notes say a few)."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class GraphKey:
    """The key of a graph: number of slots and positions, the heads, and whether tokens need no sorting."""

    slots: int
    span: int
    heads: tuple[int, ...]
    keep_all: bool


class CapturedBatch(Batch):
    """A batch for a GPU. On CUDA every form of a step is captured on first use and replayed afterwards."""

    cache: KeyValueCache  # rounded matrices are for a CPU

    def __init__(self, model: CausalModel, slots: int) -> None:
        super().__init__(model, slots)
        device = model.transformer.device
        self._plan = torch.zeros(slots, 2, dtype=torch.int64, device=device)
        """For each slot, the number of cached positions and the head that is next."""
        self._tokens = torch.zeros(slots, dtype=torch.int64, device=device)
        self.graphs: dict[GraphKey, torch.cuda.CUDAGraph | str] = {}
        """The graph of every form in use, or the reason why it could not be captured."""
        self._can_capture = device.type == "cuda"
        self._pool = torch.cuda.graph_pool_handle() if self._can_capture else None

    def step(self, states: Sequence[RowState], samplers: Sequence[Sampler]) -> Tensor:
        """See `Batch.step`. Does not wait: inputs are transferred asynchronously before the step."""
        for state, sampler in zip(states, samplers, strict=True):
            self.sampling.draw_noise(state.slot, sampler)
        form = self.form_of(states, samplers)
        plan = [[0, 0] for _ in range(form.slots)]
        for state in states:
            plan[state.slot] = [state.length, state.turn]
        self._plan[: len(plan)].copy_(_pinned(plan, self._plan.device), non_blocking=True)
        self._run(form)
        return torch.stack([self._tokens[state.slot] for state in states])

    def form_of(self, states: Sequence[RowState], samplers: Sequence[Sampler]) -> GraphKey:
        """Return the form of such a step."""
        longest = 1 + max(state.length for state in states)
        return GraphKey(
            slots=min(1 << max(state.slot for state in states).bit_length(), self._plan.shape[0]),
            span=min(-(-longest // _SPAN) * _SPAN, self.model.transformer.shape.block),
            heads=tuple(sorted({state.turn for state in states})),
            keep_all=all(sampler.keeps_all for sampler in samplers),
        )

    def _run(self, form: GraphKey) -> None:
        if self._can_capture and form not in self.graphs:
            self.graphs[form] = self._captured(form)
        graph = self.graphs.get(form)
        if graph is None or isinstance(graph, str):
            self.compute(form)
        else:
            graph.replay()

    def compute(self, form: GraphKey) -> None:
        """Compute everything between two steps of the host. Reads and writes buffers only."""
        rows, model = slice(0, form.slots), self.model
        lengths, turns = self._plan[rows].unbind(1)
        lasts = model.embeddings[self._last[rows]]
        hidden = model.transformer.step_within(lasts, self.cache, lengths, form.span)
        tokens = self.sampling.choose(self._logits(hidden, turns, form.heads), rows, keep_all=form.keep_all)
        self._tokens[rows] = tokens
        self._last[rows] = tokens.clamp(min=0) + self._offsets[turns]

    def _captured(self, form: GraphKey) -> torch.cuda.CUDAGraph | str:
        """Capture the graph of a step, with the buffers restored; return the error, with a warning, if that fails."""
        before = self._last.clone()
        try:
            with torch.cuda.device(self._plan.device):
                side = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # torch has no annotation here
                side.wait_stream(torch.cuda.current_stream())
                with torch.cuda.stream(side):
                    for _ in range(_WARM_UP):
                        self.compute(form)
                torch.cuda.current_stream().wait_stream(side)
                graph = torch.cuda.CUDAGraph()
                # Other threads (cloning, decoding) use the device meanwhile; only this thread's calls may fail it.
                with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
                    self.compute(form)
        except RuntimeError as error:
            if not any(isinstance(known, str) for known in self.graphs.values()):
                _log.warning("no CUDA graph of %s; such steps run one operation at a time", form, exc_info=True)
            return str(error)
        finally:
            self._last.copy_(before)
        return graph


def batch_for(model: CausalModel, slots: int) -> Batch:
    """Return a batch for the model's device."""
    return (Batch if model.transformer.device.type == "cpu" else CapturedBatch)(model, slots)


def _pinned(plan: list[list[int]], device: torch.device) -> Tensor:
    """Return a tensor in pinned memory on the host for an asynchronous transfer."""
    return torch.tensor(plan, pin_memory=device.type == "cuda")
