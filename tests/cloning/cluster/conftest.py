"""A relay of the bot with nodes in this process."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from cloning.cluster import messages, place
from cloning.cluster.messages import Arrangement, News, Parcel
from cloning.cluster.node import SpeechNode
from cloning.cluster.relay import Found, Relay
from cloning.worker.protocol import Event, Nodes, SpeakRequest, Spoken
from errors import Unavailable
from tests.fakes import FakeExecutor, prompt_bytes

HOW = Arrangement({}, 4, 60.0)


class Near:
    """Implements `place.Remote` by a node in this process, which can be made to hang, to fail, or to forget."""

    def __init__(self, model: str = "tiny") -> None:
        self.worker = FakeExecutor(capacity=HOW.capacity, model=model)
        self.node = SpeechNode(lambda _: self.worker)
        self.hangs = False
        self.error = ""
        self.breaks: Exception | None = None
        self.refuses: Exception | None = None
        self.parcels: list[Parcel] = []

    async def _line(self) -> None:
        if self.error:
            raise Unavailable(self.error)
        if self.breaks is not None:
            raise self.breaks
        if self.hangs:
            await asyncio.Event().wait()

    async def attach(self, session: str, arrangement: Arrangement) -> None:
        await self._line()
        await self.node.attach(session, arrangement)

    async def submit(self, session: str, parcel: Parcel) -> bool:
        await self._line()
        if self.refuses is not None:
            raise self.refuses
        self.parcels.append(parcel)
        return await self.node.submit(session, parcel)

    async def cancel(self, session: str, job_id: str) -> None:
        await self._line()
        await self.node.cancel(session, job_id)

    async def exchange(self, session: str, received: int) -> News | None:
        await self._line()
        news = await self.node.exchange(session, received)
        await self._line()
        return news


class Bench:
    """A relay, its nodes by name, and what it told the bot."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.events: list[Event] = []
        self.relay = Relay(HOW, self.events.append)
        self.nodes: dict[str, Near] = {}

    def add(self, name: str, model: str = "tiny") -> Near:
        self.nodes[name] = node = Near(model)
        self.update()
        return node

    def remove(self, name: str) -> Near:
        node = self.nodes.pop(name)
        self.update()
        return node

    def update(self) -> None:
        self.relay.update({name: Found(name, name, "127.0.0.1", node) for name, node in self.nodes.items()})

    async def say(self, job_id: str, seed: int | None = None) -> None:
        """Have a job spoken; with `seed` in a voice, whose prompt is made by that seed."""
        (folder := self.folder / f"{job_id}-{len(list(self.folder.iterdir()))}").mkdir()
        prompt = None
        if seed is not None:
            prompt = folder / "prompt.npz"
            prompt.write_bytes(prompt_bytes(seed))
        await self.relay.submit(SpeakRequest(job_id, "hello", folder, prompt=prompt, prompt_digest="weights of tiny"))

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not condition():  # noqa: ASYNC110  # events come by a callback
                await asyncio.sleep(0.01)

    def of(self, kind: type[Event]) -> list[str]:
        return [getattr(event, "job_id", "") for event in self.events if isinstance(event, kind)]

    def spoke(self, times: int) -> bool:
        return len(self.of(Spoken)) == times

    @property
    def capacity(self) -> int:
        nodes = [event for event in self.events if isinstance(event, Nodes)]
        return sum(node.capacity for node in nodes[-1].nodes) if nodes else 0

    def states(self) -> dict[str, str]:
        nodes = [event for event in self.events if isinstance(event, Nodes)]
        return {node.name: node.error or node.state for node in nodes[-1].nodes}


@pytest.fixture
async def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    monkeypatch.setattr(messages, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(messages, "SILENT_SECONDS", 0.5)
    monkeypatch.setattr(place, "ATTACH_SECONDS", 0.5)
    monkeypatch.setattr(place, "_RETRY_SECONDS", 0.02)
    made = Bench(tmp_path)
    nodes = made.nodes
    made.update()
    yield made
    left = list(nodes.values())
    nodes.clear()
    made.update()
    for node in left:
        await node.node.close()
