"""RAY_ADDRESS names something that is no head of a cluster: bot and node say so, where Ray waits."""

import asyncio
import sys
from pathlib import Path

import pytest

from assembly import create_executor
from cloning.worker.protocol import Executor
from tests.cluster.bot import TOKEN, cluster_settings
from tests.cluster.conftest import ROOT

SAID = "Something listens at 127.0.0.1:{port}, but it refused the connection."

pytestmark = pytest.mark.timeout(300)


async def error_of(executor: Executor) -> str:
    """What is wrong with an executor."""
    await executor.start()
    while (error := executor.health().error) is None:  # noqa: ASYNC110  # another process finds it out
        await asyncio.sleep(0.2)
    await executor.close()
    return error


async def error_of_node(folder: Path, address: str) -> str:
    """What `cluster.py node` says when Ray has ended."""
    (folder / ".env").write_text(f"RAY_AUTH_TOKEN={TOKEN}\n")
    command = (sys.executable, str(ROOT / "cluster.py"), "node", "--head", address, "--workers", "0")
    process = await asyncio.create_subprocess_exec(*command, cwd=folder, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    said = [(await process.stdout.readline()).decode() for _ in range(2)]
    process.terminate()
    await process.communicate()
    assert said[0].startswith("Ray starts")
    return said[1]


async def test_it_is_said_within_minutes(tmp_path: Path) -> None:
    async def keep_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(keep_silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    address = f"127.0.0.1:{port}"
    executor = create_executor(cluster_settings(tmp_path, address))
    for error in await asyncio.gather(error_of(executor), error_of_node(tmp_path, address)):
        assert SAID.format(port=port) in error
    server.close()
