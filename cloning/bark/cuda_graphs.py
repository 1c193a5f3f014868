"""A step whose shapes never change, so that a CUDA graph can replay it: one launch in place of hundreds.

What changes from step to step lies in buffers that stay where they are. A step covers the slots from the first to the
last one that is wanted, and a span of positions that covers all rows; slots in between that do not step compute what
nobody looks at, at their position 0: they are free, or wait to be read anew. It is plain torch code: it runs anywhere.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cloning.bark.batch import Batch, CausalModel, Place
from cloning.bark.sampling import Sampler

_SPAN = 256
"""Positions are rounded up to a multiple of this: a few graphs serve all lengths, and little is read in vain."""
_WARM_UP = 3
"""How often a step runs before it is captured, so that libraries have their workspaces (PyTorch's notes say a few)."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Form:
    """What a graph is made for: so many slots and positions, these heads, with or without sorting the tokens."""

    slots: int
    span: int
    heads: tuple[int, ...]
    keep_all: bool


class CapturedBatch(Batch):
    """For a GPU. On CUDA every form of a step is captured when it first comes up, and replayed from then on."""

    def __init__(self, model: CausalModel, slots: int) -> None:
        super().__init__(model, slots)
        device = model.transformer.device
        self._plan = torch.zeros(slots, 2, dtype=torch.int64, device=device)
        """For each slot, how many positions it holds and whose turn it is."""
        self._tokens = torch.zeros(slots, dtype=torch.int64, device=device)
        self.graphs: dict[Form, torch.cuda.CUDAGraph | str] = {}
        """Of every form that came up, or why it could not be captured."""
        self._can_capture = device.type == "cuda"
        self._pool = torch.cuda.graph_pool_handle() if self._can_capture else None

    def step(self, places: Sequence[Place], samplers: Sequence[Sampler]) -> Tensor:
        """See `Batch.step`. Waits for nothing: what the device needs to know is on its way before the step is."""
        for place, sampler in zip(places, samplers, strict=True):
            self.draws.shake(place.slot, sampler)
        form = self.form_of(places, samplers)
        plan = [[0, 0] for _ in range(form.slots)]
        for place in places:
            plan[place.slot] = [place.length, place.turn]
        self._plan[: len(plan)].copy_(_pinned(plan, self._plan.device), non_blocking=True)
        self._run(form)
        return torch.stack([self._tokens[place.slot] for place in places])

    def form_of(self, places: Sequence[Place], samplers: Sequence[Sampler]) -> Form:
        """What such a step needs."""
        longest = 1 + max(place.length for place in places)
        return Form(
            slots=min(1 << max(place.slot for place in places).bit_length(), self._plan.shape[0]),
            span=min(-(-longest // _SPAN) * _SPAN, self.model.transformer.shape.block),
            heads=tuple(sorted({place.turn for place in places})),
            keep_all=all(sampler.keeps_all for sampler in samplers),
        )

    def _run(self, form: Form) -> None:
        if self._can_capture and form not in self.graphs:
            self.graphs[form] = self._captured(form)
        graph = self.graphs.get(form)
        if graph is None or isinstance(graph, str):
            self.compute(form)
        else:
            graph.replay()

    def compute(self, form: Form) -> None:
        """Everything between two steps of the host. Reads and writes buffers only."""
        rows, model = slice(0, form.slots), self.model
        lengths, turns = self._plan[rows].unbind(1)
        lasts = model.embeddings[self._last[rows]]
        hidden = model.transformer.step_within(lasts, self.cache, lengths, form.span)
        tokens = self.draws.choose(self._logits(hidden, turns, form.heads), rows, keep_all=form.keep_all)
        self._tokens[rows] = tokens
        self._last[rows] = tokens.clamp(min=0) + self._offsets[turns]

    def _captured(self, form: Form) -> torch.cuda.CUDAGraph | str:
        """The graph of a step, which leaves the buffers as they were. The error, with a warning, if that fails."""
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
                # Other threads (cloning, decoding) use the device meanwhile: only this one's calls may spoil it.
                with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
                    self.compute(form)
        except RuntimeError as fault:
            if not any(isinstance(known, str) for known in self.graphs.values()):
                _log.warning("no CUDA graph of %s; such steps run one operation at a time", form, exc_info=True)
            return str(fault)
        finally:
            self._last.copy_(before)
        return graph


def _pinned(plan: list[list[int]], device: torch.device) -> Tensor:
    """On the host, where a GPU can fetch it while the host goes on."""
    return torch.tensor(plan, pin_memory=device.type == "cuda")
