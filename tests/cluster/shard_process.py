"""One of two bot processes, with its half of Discord.

    python -m tests.cluster.shard_process URL FOLDER SHARD JOBS [ADDRESS]

Members of ten servers use /say until JOBS jobs of this shard are accepted in all, also by processes that were killed
before. With ADDRESS, that of a Ray cluster, four of them hear the bundled model; else a hundred, and speech is instant.
What the bot answers is written to FOLDER/sent before Discord's simulation has it, as if it was accepted there: "number
of the line, process, way".
"""

import asyncio
import itertools
import os
import random
import re
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import discord
from discord.utils import DISCORD_EPOCH
from sqlalchemy import func, select

import logs
from assembly import create_executor
from cloning.worker.protocol import Executor
from cogs.client import Barkeep
from cogs.courier import DiscordCourier
from errors import BarkeepError
from simulator.live import LiveEnv, default_adapter
from storage.database import Storage
from storage.models import JobRow
from storage.records import GuildSettings, JobRecord
from storage.shards import Shards
from studio.studio import Studio
from studio.values import Actor, Courier, SayOrder
from tests.cluster.bot import cluster_settings
from tests.fakes import FakeExecutor

SERVERS, MEMBERS = 10, 10
"""Servers of this process, and members of each."""
AT_ONCE = 8
"""Members who use a command at the same time."""
FEW = 4
"""Members who hear real speech, which takes its time."""
LIMIT = 100_000
NUMBER = re.compile(r"Line (\d{12})")


class HalfOfDiscord(LiveEnv):
    """Servers and members with the same ids in every process of the shard."""

    def __init__(self, bot: Barkeep, shard: int, sent: Path) -> None:
        super().__init__(bot)
        self._sent = sent
        self._tokens: set[str] = set()
        self._moment = 0
        self.places: list[tuple[Any, Any]] = []
        for number in range(SERVERS):
            guild = self.create_guild(f"Server {number}", id=(100 + 2 * number + shard) << 22 | 7)
            channel = guild.create_text_channel("voices")
            for place in range(MEMBERS):
                user_id = (1 << 50) + 1000 * shard + MEMBERS * number + place
                self.backend.snowflake = lambda user_id=user_id: user_id  # type: ignore[method-assign,misc]
                member = guild.add_member(self.create_user(f"member-{number}-{place}"))
                self.places.append((member, channel))
        # Interactions of processes that were killed before have other ids.
        self.backend.snowflake = self._snowflake  # type: ignore[method-assign]

    def _snowflake(self) -> int:
        """Return an id of now, which no other process gives."""
        self._moment = max(self._moment + 1, round(1000 * time.time()) - DISCORD_EPOCH)
        return self._moment << 22 | os.getpid()

    def note_answers(self) -> None:
        """Note what the bot answers from now on. Call it before its studio starts, which brings answers at once."""
        request = self._webhook_adapter.request

        async def noted(route: Any, *arguments: Any, **options: Any) -> Any:
            number = NUMBER.search(repr((options.get("payload"), options.get("multipart"))))
            if number is not None and (options.get("files") or options.get("multipart")):
                self.note(number[1], "interaction")
            try:
                return await request(route, *arguments, **options)
            except discord.NotFound:  # An interaction of a process that was killed; Discord knows it for 15 minutes.
                return {**_MESSAGE, "id": str(self._snowflake())}

        self._webhook_adapter.request = default_adapter().request = noted

    def note(self, number: str, way: str) -> None:
        """Write one line, which stays when the process is killed."""
        with self._sent.open("ab", buffering=0) as file:
            file.write(f"{number} {os.getpid()} {way}\n".encode())


_MESSAGE: dict[str, Any] = {
    "channel_id": "1",
    "content": "",
    "type": 0,
    "author": {"id": "1", "username": "barkeep", "discriminator": "0", "avatar": None},
    "attachments": [],
    "embeds": [],
    "mentions": [],
    "mention_roles": [],
    "mention_everyone": False,
    "pinned": False,
    "tts": False,
    "edited_timestamp": None,
    "timestamp": "2026-11-29T12:00:00+00:00",
    "flags": 0,
}


class NotedCourier(DiscordCourier):
    """Notes the other ways, which make a message of their own."""

    env: HalfOfDiscord

    async def _send(self, target: Any, job: Any, answer: Any, buttons: Any) -> Any:
        number = NUMBER.search(repr(job.order))
        self.env.note(number[1] if number else "0", "message")
        return await super()._send(target, job, answer, buttons)


def speech(folder: Path, address: str | None) -> Executor:
    """Return what makes the speech."""
    if address is not None:
        return create_executor(cluster_settings(folder, address))
    executor = FakeExecutor(capacity=8)
    executor.delay = 0.2
    return executor


async def run(url: str, folder: Path, shard: int, jobs: int, address: str | None) -> None:
    """Serve until this process is killed."""
    shards = Shards((shard,), 2)

    async def open_studio(courier: Courier) -> Studio:
        env.note_answers()
        storage = await Storage.open(url, folder, shards=shards)
        limits = {name: LIMIT for name in GuildSettings.__dataclass_fields__ if name.startswith(("jobs_", "seconds_"))}
        for _, channel in env.places[::MEMBERS]:
            await storage.guilds.change(channel.guild.id, **limits)
        return Studio(storage, speech(folder, address), courier)

    bot = Barkeep(open_studio, shard_count=2, shard_ids=(shard,), claims_data=True)
    env = HalfOfDiscord(bot, shard, folder / "sent")
    NotedCourier.env = env
    await env.start()
    await bot.tree.sync()  # an earlier process told Discord the commands, but not this half of it
    enough = asyncio.Event()
    numbers = itertools.count()

    at_once = asyncio.Semaphore(AT_ONCE)
    decided: dict[str, asyncio.Event] = {}
    submit = bot.studio.speech.submit

    async def noted(actor: Actor, order: SayOrder, *arguments: Any, **options: Any) -> JobRecord:
        try:
            return await submit(actor, order, *arguments, **options)
        finally:
            if (event := decided.get(order.text)) is not None:
                event.set()

    bot.studio.speech.submit = noted  # type: ignore[method-assign]

    async def ask(member: Any, channel: Any) -> None:
        while not enough.is_set():
            await asyncio.sleep(random.uniform(0, 3))
            async with at_once:
                text = f"Line {shard}{os.getpid() % 10_000_000:07d}{next(numbers):04d}."
                accepted = decided[text] = asyncio.Event()
                await asyncio.gather(member.slash(channel, "say", text=text), return_exceptions=True)
                with suppress(TimeoutError):
                    await asyncio.wait_for(accepted.wait(), 20)
                del decided[text]

    async def count() -> None:
        accepted = select(func.count()).select_from(JobRow).where(shards.matching(JobRow.guild_id.expression))
        while True:
            try:
                async with bot.studio.storage._sessions.read() as session:
                    if (await session.scalar(accepted) or 0) >= jobs:
                        enough.set()
            except BarkeepError:
                pass
            await asyncio.sleep(0.3)

    members = env.places if address is None else env.places[:: len(env.places) // FEW]
    await asyncio.gather(count(), *(ask(member, channel) for member, channel in members))


if __name__ == "__main__":
    logs.configure("INFO", "text", secrets=[])
    import cogs.client

    cogs.client.DiscordCourier = NotedCourier  # type: ignore[attr-defined]  # the one that notes
    address = sys.argv[5] if len(sys.argv) > 5 else None
    asyncio.run(run(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), address))
