"""Who is generated when: the orders of any number of threads, together through the three stages.

A thread of its own works while there is work. Each of its rounds gives every row of the two causal stages one token,
and makes one pass of the oldest utterance in the fine stage, so that the first to be done is heard first. Knows nothing
of what the stages compute.
"""

import threading
from collections import Counter, deque
from collections.abc import Callable
from functools import partial

import torch

from cloning.bark.coarse import CoarseRow
from cloning.bark.decoding import Decoder
from cloning.bark.fine import FineWork
from cloning.bark.semantic import SemanticRow
from cloning.bark.stages import Order, Stages


class Scheduler:
    """At most `size` orders are in the causal stages at once; parties take turns for the places that become free.

    The fine stage takes one window at a time: it saturates a CPU alone, so that together would only mean later.
    """

    def __init__(self, stages: Stages, size: int) -> None:
        self._stages = stages
        self._size = size
        self._semantic = Decoder[SemanticRow](stages.semantic, size)
        self._coarse = Decoder[CoarseRow](stages.coarse, size)
        self._fine: deque[tuple[Order, FineWork]] = deque()
        self._orders: dict[SemanticRow | CoarseRow, Order] = {}
        self._waiting: list[Order] = []
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def submit(self, order: Order) -> None:
        """Take an order; its result follows."""
        with self._lock:
            self._waiting.append(order)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="bark", daemon=True)
                self._thread.start()

    def _work(self) -> None:
        with torch.inference_mode():
            while self._admit():
                try:
                    self._round()
                except Exception as fault:
                    self._fail_everybody(fault)

    def _admit(self) -> bool:
        """Let in who fits. Returns whether there is anything to do; if not, this thread is no more the working one."""
        while len(self._orders) < self._size and (order := self._next()) is not None:
            self._for(order, self._begin)
        with self._lock:
            busy = bool(self._waiting or self._orders or self._fine)
            if not busy:
                self._thread = None
            return busy

    def _next(self) -> Order | None:
        """Of those who wait, the first of a party that has the fewest places."""
        with self._lock:
            if not self._waiting:
                return None
            places = Counter(id(order.party) for order in self._orders.values())
            order = min(self._waiting, key=lambda waiting: places[id(waiting.party)])
            self._waiting.remove(order)
            return order

    def _round(self) -> None:
        for semantic, fault in self._semantic.step():
            order = self._orders.pop(semantic)
            self._for(order, partial(self._after_semantic, semantic), fault)
        for coarse, fault in self._coarse.step():
            order = self._orders.pop(coarse)
            self._for(order, partial(self._after_coarse, coarse), fault)
        if self._fine:
            order, work = self._fine[0]
            self._for(order, partial(self._advance, work))
            if order.result.done():
                self._fine.popleft()

    def _begin(self, order: Order) -> None:
        row = self._stages.begin(order)
        self._orders[row] = order
        self._semantic.add(row)

    def _after_semantic(self, row: SemanticRow, order: Order) -> None:
        following = self._stages.go_on(order, row)
        if following is not None:
            self._orders[following] = order
            self._coarse.add(following)

    def _after_coarse(self, row: CoarseRow, order: Order) -> None:
        self._fine.append((order, self._stages.refine(order, row)))

    def _advance(self, work: FineWork, order: Order) -> None:
        if work.advance():
            self._stages.finish(order, work)

    def _for(self, order: Order, deed: Callable[[Order], None], fault: Exception | None = None) -> None:
        """Do what concerns one order only; a fault, also one from before, ends that order and nobody else's."""
        try:
            if fault is not None:
                raise fault
            deed(order)
        except Exception as reason:
            order.result.set_exception(reason)

    def _fail_everybody(self, fault: Exception) -> None:
        """A step for all has failed: no memory is left, or the device is gone."""
        self._semantic.clear()
        self._coarse.clear()
        orders = [*self._orders.values(), *(order for order, _ in self._fine)]
        self._orders.clear()
        self._fine.clear()
        for order in orders:
            order.result.set_exception(fault)
