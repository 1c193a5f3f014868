"""An in-memory Discord that runs in real time, so that people can use the bot in it.

simcord's own environment is made for tests: its clock stands still, and every action waits until the bot has nothing
left to do. Here the clock is real, an action waits for the acknowledgement of its interaction and no longer, and people
act at the same time. Knows nothing of Barkeep's work: any bot will do.

Names with a leading underscore are simcord's private ones. Its version is pinned, and tests/simulator/test_page.py
drives the whole in a browser.
"""

import asyncio
import contextvars
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import discord
from discord.webhook.async_ import async_context
from simcord._clock import Clock
from simcord.backend.models import Interaction
from simcord.env import Env

from errors import BarkeepError

ACKNOWLEDGE = 3.0
"""Seconds that Discord gives a bot to acknowledge an interaction."""
BREATH = 0.05
"""Seconds an action waits for what follows at once, so that the page shows it together with the action."""


class LiveClock(Clock):
    """The time of day, where simcord's own clock moves by hand."""

    def now(self) -> datetime:
        """The present moment in UTC."""
        return datetime.now(UTC)

    def advance(self, seconds: float) -> None:
        """Time passes by itself."""


class Journal(list[Any]):
    """A log that keeps nothing and tells somebody that there is news."""

    def __init__(self, told: Callable[[], None]) -> None:
        super().__init__()
        self._told = told

    def append(self, entry: Any, /) -> None:
        """Tell, and forget the entry: a page may be open for days."""
        self._told()


class LiveEnv(Env):
    """simcord's environment with real time, overlapping actions and untracked background work."""

    def __init__(self, bot: discord.Client) -> None:
        shards = 1 if isinstance(bot, discord.AutoShardedClient) and bot.shard_count is None else None
        super().__init__(bot, check_errors=False, shard_count=shards)
        self.changed = asyncio.Event()
        self.backend.transcript = Journal(self.changed.set)
        self.backend.http_requests = Journal(self.changed.set)
        self._dispatched: Interaction | None = None

    async def start(self) -> None:
        """Let time run, attach the bot, and wait until it is ready."""
        self.backend.clock = LiveClock()
        await super().start()
        # Work that was started by another thread does not inherit the context in which simcord put its adapter.
        _default_adapter().request = self._webhook_adapter.request

    async def shutdown(self) -> None:
        """Close the pages and the bot. The bot's own close() ends its work."""
        await self._run_pre_shutdown()
        await self.bot.close()
        _default_adapter().__dict__.pop("request", None)
        await super().shutdown()

    @contextmanager
    def _bot_scope(self) -> Iterator[None]:
        """Track nothing: tracked work would run on the clock that stands still."""
        yield

    def _begin_operation(self, label: str) -> None:
        """People act at the same time; only a page's own actions follow one another, and the page sees to that."""

    def _end_operation(self) -> None:
        """See `_begin_operation`."""

    def _mark_mutation(self) -> None:
        if self._preview is not None:
            self._preview._mark_action_dispatched()

    def _notify_dispatch_observers(self, interaction: Interaction) -> None:
        self._dispatched = interaction
        super()._notify_dispatch_observers(interaction)

    async def _settle_internal(self, *, dispatch: str | None = None, **_: Any) -> None:
        """Wait for the acknowledgement of the interaction just sent, not for the work that it starts."""
        interaction, self._dispatched = self._dispatched, None
        if dispatch == "INTERACTION_CREATE" and interaction is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(ACKNOWLEDGE):
                    while not interaction.responded:  # noqa: ASYNC110 (simcord tells nobody when it changes)
                        await asyncio.sleep(BREATH / 5)
        await asyncio.sleep(BREATH)

    def _record_error(self, error: BaseException) -> None:
        """Expected faults were answered with their sentence: they are not errors of the bot."""
        if not isinstance(getattr(error, "original", error), BarkeepError):
            super()._record_error(error)


def _default_adapter() -> Any:
    """What discord.py answers interactions through where no context variable says otherwise."""
    return contextvars.Context().run(async_context.get)
