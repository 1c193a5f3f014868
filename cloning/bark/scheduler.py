"""Schedule the orders of any number of threads together through the three stages.

A separate thread works while there is work. Each round gives every row of the two causal stages one token, and makes
one pass of the oldest utterances in the fine stage, so that the first result comes early.
"""

import threading
from collections import Counter
from collections.abc import Callable
from functools import partial

import torch

from cloning.bark.coarse import CoarseRow
from cloning.bark.decoding import Decoder
from cloning.bark.fine import FineWork, Refiner
from cloning.bark.semantic import SemanticRow
from cloning.bark.stages import Order, Stages
from cloning.bark.thread_count import ThreadCount
from cloning.prompt import Tokens


class Scheduler:
    """Runs at most `size` orders in the causal stages at once; parties take turns for free places.

    windows: the number that share a pass of the fine stage, and then the codec.
    """

    def __init__(self, stages: Stages, size: int, windows: int) -> None:
        self._stages = stages
        self._size = size
        self._semantic = Decoder[SemanticRow](stages.semantic, size)
        self._coarse = Decoder[CoarseRow](stages.coarse, size)
        self._fine = Refiner(stages.fine, windows)
        self._orders: dict[SemanticRow | CoarseRow, Order] = {}
        self._refined: dict[FineWork, Order] = {}
        self._waiting: list[Order] = []
        self._threads: ThreadCount | None = None
        """Made by the first thread that works: the number of threads may be set after the engine is loaded."""
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def submit(self, order: Order) -> None:
        """Queue an order; its result follows."""
        with self._lock:
            self._waiting.append(order)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="bark", daemon=True)
                self._thread.start()

    def _work(self) -> None:
        threads = self._threads = self._threads or ThreadCount()
        threads.start()
        with torch.inference_mode():
            while self._admit(threads):
                try:
                    self._round()
                except Exception as error:
                    self._fail_everybody(error)
                threads.adjust()

    def _admit(self, threads: ThreadCount) -> bool:
        """Admit waiting orders. Return whether there is work; if not, this thread ends."""
        while len(self._orders) < self._size and (order := self._next()) is not None:
            self._for(order, self._begin)
        with self._lock:
            busy = bool(self._waiting or self._orders or self._refined)
            if not busy:
                threads.restore()
                self._thread = None
            return busy

    def _next(self) -> Order | None:
        """Return the first waiting order of the party that has the fewest places."""
        with self._lock:
            if not self._waiting:
                return None
            places = Counter(id(order.party) for order in self._orders.values())
            order = min(self._waiting, key=lambda waiting: places[id(waiting.party)])
            self._waiting.remove(order)
            return order

    def _round(self) -> None:
        for semantic, error in self._semantic.step():
            order = self._orders.pop(semantic)
            self._for(order, partial(self._after_semantic, semantic), error)
        for coarse, error in self._coarse.step():
            order = self._orders.pop(coarse)
            self._for(order, partial(self._after_coarse, coarse), error)
        codes: dict[Order, Tokens] = {}
        for work, error in self._fine.step():
            order = self._refined.pop(work)
            self._for(order, partial(self._after_fine, work, codes), error)
        if codes:
            self._sound(codes)

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
        work = self._stages.refine(order, row)
        self._refined[work] = order
        self._fine.add(work)

    def _after_fine(self, work: FineWork, codes: dict[Order, Tokens], order: Order) -> None:
        codes[order] = self._stages.codes(order, work)

    def _sound(self, codes: dict[Order, Tokens]) -> None:
        """Decode finished codes together; an error of the codec ends all of them."""
        try:
            sounds = self._stages.decode(list(codes.values()))
        except Exception as error:
            for order in codes:
                order.result.set_exception(error)
            return
        for (order, tokens), samples in zip(codes.items(), sounds, strict=True):
            self._for(order, partial(self._stages.finish, codes=tokens, samples=samples))

    def _for(self, order: Order, action: Callable[[Order], None], error: Exception | None = None) -> None:
        """Run a step of one order; an error, also an earlier one, ends only that order."""
        try:
            if error is not None:
                raise error
            action(order)
        except Exception as reason:
            order.result.set_exception(reason)

    def _fail_everybody(self, error: Exception) -> None:
        """End all orders: a shared step has failed, since memory is full or the device is gone."""
        self._semantic.clear()
        self._coarse.clear()
        self._fine.clear()
        orders = [*self._orders.values(), *self._refined.values()]
        self._orders.clear()
        self._refined.clear()
        for order in orders:
            order.result.set_exception(error)
