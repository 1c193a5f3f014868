"""An in-memory Discord that runs in real time, so that people can use a bot in it.

simcord's own environment is made for tests: its clock stands still, and every action waits until the bot is idle. Here
the clock is real, an action waits only for the acknowledgement of its interaction, and people act at the same time. It
works with any bot.

Names with a leading underscore are private to simcord. Its version is pinned, and tests/simulator/test_page.py drives
the whole in a browser.
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
"""How many seconds an action waits for immediate effects, so that the page shows them together with the action."""


class LiveClock(Clock):
    """The real time, in place of simcord's clock that tests move by hand."""

    def now(self) -> datetime:
        """Return the current time in UTC."""
        return datetime.now(UTC)

    def advance(self, seconds: float) -> None:
        """Do nothing: time passes by itself."""


class Journal(list[Any]):
    """A log that stores nothing and calls `told` for each entry."""

    def __init__(self, told: Callable[[], None]) -> None:
        super().__init__()
        self._told = told

    def append(self, entry: Any, /) -> None:
        """Call `told` and drop the entry: a page may be open for days."""
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
        """Start the clock, attach the bot, and wait until it is ready."""
        self.backend.clock = LiveClock()
        await super().start()
        # Tasks started from another thread do not inherit the context in which simcord put its adapter.
        default_adapter().request = self._webhook_adapter.request

    async def shutdown(self) -> None:
        """Close the pages and the bot, which ends its own work."""
        await self._run_pre_shutdown()
        await self.bot.close()
        default_adapter().__dict__.pop("request", None)
        await super().shutdown()

    @contextmanager
    def _bot_scope(self) -> Iterator[None]:
        """Track nothing: tracked work would run on the stopped clock."""
        yield

    def _begin_operation(self, label: str) -> None:
        """Do nothing: people act at the same time. A page queues its own actions."""

    def _end_operation(self) -> None:
        """Do nothing, as in `_begin_operation`."""

    def _mark_mutation(self) -> None:
        if self._preview is not None:
            self._preview._mark_action_dispatched()

    def _notify_dispatch_observers(self, interaction: Interaction) -> None:
        self._dispatched = interaction
        super()._notify_dispatch_observers(interaction)

    async def _settle_internal(self, *, dispatch: str | None = None, **_: Any) -> None:
        """Wait until the interaction just sent is acknowledged, but not for the work that it starts."""
        interaction, self._dispatched = self._dispatched, None
        if dispatch == "INTERACTION_CREATE" and interaction is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(ACKNOWLEDGE):
                    while not interaction.responded:  # noqa: ASYNC110 (simcord tells nobody when it changes)
                        await asyncio.sleep(BREATH / 5)
        await asyncio.sleep(BREATH)

    def _record_error(self, error: BaseException) -> None:
        """Record an error of the bot. A BarkeepError is none: it was answered with its sentence."""
        if not isinstance(getattr(error, "original", error), BarkeepError):
            super()._record_error(error)


def default_adapter() -> Any:
    """Return the adapter through which discord.py answers interactions if no context variable sets another."""
    return contextvars.Context().run(async_context.get)
