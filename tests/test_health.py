"""The health port over HTTP: alive, ready or why not, and metrics."""

import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import create_autospec

import aiohttp
import discord
import pytest

from cloning.worker.protocol import Health
from errors import Unavailable
from health import HealthServer
from storage.database import Storage
from studio.studio import Studio
from tests.fakes import FakeCourier, FakeExecutor


@dataclass
class Port:
    """A health port with what stands behind it."""

    client: discord.Client
    executor: FakeExecutor
    storage: Storage
    studio: Studio | None
    url: str = ""

    async def get(self, path: str) -> tuple[int, str]:
        """The status and the body."""
        async with aiohttp.ClientSession() as session, session.get(self.url + path) as response:
            return response.status, await response.text()


@pytest.fixture
async def port(tmp_path: Path) -> AsyncIterator[Port]:
    storage = await Storage.open(f"sqlite+aiosqlite:///{tmp_path / 'test.sqlite3'}", tmp_path)
    executor = FakeExecutor()
    client = create_autospec(discord.Client, instance=True)
    client.is_ready.return_value = True
    port = Port(client, executor, storage, Studio(storage, executor, FakeCourier()))
    server = HealthServer(client, lambda: port.studio)
    port.url = f"http://127.0.0.1:{await server.start('127.0.0.1', 0)}"
    yield port
    await server.close()
    await storage.close()


async def test_alive(port: Port) -> None:
    assert await port.get("/livez") == (200, "ok\n")


async def test_ready(port: Port) -> None:
    assert await port.get("/readyz") == (200, '{"discord": "ok", "database": "ok", "worker": "ok"}')


async def test_not_ready_before_the_studio_is_open(port: Port) -> None:
    port.studio = None
    status, body = await port.get("/readyz")
    assert status == 503
    assert '"database": "not open", "worker": "not started"' in body
    assert await port.get("/livez") == (200, "ok\n")


async def test_not_ready_without_discord(port: Port) -> None:
    port.client.is_ready.return_value = False  # type: ignore[attr-defined]  # it is a mock
    assert await port.get("/readyz") == (503, '{"discord": "not connected", "database": "ok", "worker": "ok"}')


async def test_not_ready_while_the_models_load(port: Port) -> None:
    port.executor.ready = None
    status, body = await port.get("/readyz")
    assert (status, '"worker": "loading its models"' in body) == (503, True)


async def test_not_ready_when_the_worker_cannot_start(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port.executor, "health", lambda: Health(False, None, "/srv/barkeep/models/x is missing.", 3))
    status, body = await port.get("/readyz")
    assert (status, '"worker": "cannot start; the log says why"' in body) == (503, True)
    assert "/srv" not in body


async def test_not_ready_when_the_database_is_away(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away() -> list[int]:
        raise Unavailable("The database is away.")

    monkeypatch.setattr(port.storage.guilds, "all_ids", away)
    status, body = await port.get("/readyz")
    assert (status, "The database is away." in body) == (503, True)


async def test_metrics(port: Port) -> None:
    status, body = await port.get("/metrics")
    assert status == 200
    assert "barkeep_" in body


async def test_a_port_that_is_taken() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        server = HealthServer(create_autospec(discord.Client, instance=True), lambda: None)
        with pytest.raises(Unavailable, match="HEALTH_PORT"):
            await server.start("127.0.0.1", listener.getsockname()[1])
        await server.close()


@pytest.mark.parametrize("host", ["a..b", "x" * 70])
async def test_a_host_that_is_none(host: str) -> None:
    server = HealthServer(create_autospec(discord.Client, instance=True), lambda: None)
    with pytest.raises(Unavailable, match="HEALTH_HOST"):
        await server.start(host, 0)
    await server.close()
