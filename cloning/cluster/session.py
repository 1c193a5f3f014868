"""A relay's session at a speech node: the events that the relay has not received yet."""

import asyncio
from contextlib import suppress
from time import monotonic

from cloning.cluster import messages
from cloning.worker import protocol
from cloning.worker.protocol import Event

_EVENTS_AT_ONCE = 32


class Session:
    """The numbered events for one relay. `heard`: when the relay last called, by `monotonic`."""

    def __init__(self) -> None:
        self.heard = monotonic()
        self._events: list[tuple[int, str, dict[str, bytes]]] = []
        self._last = 0
        self._changed = asyncio.Event()
        self._answer: asyncio.TimerHandle | None = None

    def add(self, event: Event, files: dict[str, bytes], *, within: float, replaces: int = 0) -> int:
        """Keep an event, which replaces event number `replaces`. Return its number.

        The relay receives it after at most `within` seconds, together with others.
        """
        self._last += 1
        self._events = [kept for kept in self._events if kept[0] != replaces]
        self._events.append((self._last, protocol.encode(event), files))
        self._wake_within(within)
        return self._last

    async def after(self, received: int) -> tuple[tuple[int, str, dict[str, bytes]], ...]:
        """Forget the events up to number `received`, wait up to POLL_SECONDS for new ones, and return the rest.

        Up to 32 events, as in `News`; if there are more, the next call does not wait.
        """
        self.heard = monotonic()
        self._events = [event for event in self._events if event[0] > received]
        with suppress(TimeoutError):
            async with asyncio.timeout(messages.POLL_SECONDS):
                await self._changed.wait()
        self._changed.clear()
        if len(self._events) > _EVENTS_AT_ONCE:
            self._changed.set()
        return tuple(self._events[:_EVENTS_AT_ONCE])

    def wake(self) -> None:
        """End the wait of `after`: the node's state has changed."""
        self._changed.set()

    def _wake_within(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        if self._answer is not None:
            if self._answer.when() <= loop.time() + seconds:
                return
            self._answer.cancel()
        self._answer = loop.call_later(seconds, self._answer_now)

    def _answer_now(self) -> None:
        self._answer = None
        self.wake()
