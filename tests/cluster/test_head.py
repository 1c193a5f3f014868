"""The cluster as an owner starts it, by `cluster.py`: three machines on loopback, a drained node, a lost head."""

import asyncio
import os
import platform
import signal
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.cluster import processes
from tests.cluster.bot import PLACES, TOKEN, answers, counts, open_bot
from tests.cluster.conftest import ROOT
from tests.cluster.test_cluster import LONG

CLI = (sys.executable, str(ROOT / "cluster.py"))

pytestmark = pytest.mark.timeout(1800)


@asynccontextmanager
async def machine(folder: Path, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A running `cluster.py head` or `node`."""
    process = await asyncio.create_subprocess_exec(*CLI, *arguments, "--store", "80", cwd=folder)
    try:
        yield process
    finally:
        process.terminate()
        await process.wait()


async def ask(folder: Path, *arguments: str) -> tuple[int | None, str]:
    """Exit code and output of another command."""
    process = await asyncio.create_subprocess_exec(*CLI, *arguments, cwd=folder, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    return process.returncode, output.decode()


OTHER_VERSIONS = """
import sys
import environment
environment.join_a_cluster(sys.argv[2])
import ray._private.utils
ray._private.utils.compute_version_info = lambda: (sys.argv[3], sys.argv[4])
from cloning.cluster.connection import join
from errors import Unavailable
try:
    join(sys.argv[1])
except Unavailable as error:
    sys.stdout.write(error.message)
"""


async def joined_with(address: str, token: str, ray: str, python: str) -> str:
    """What a machine with these versions and this token is told."""
    command = (sys.executable, "-c", OTHER_VERSIONS, address, token, ray, python)
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    return output.decode()


async def test_three_machines_a_drained_node_and_a_lost_head(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    address = f"127.0.0.1:{port}"
    here = tmp_path / "machines"
    here.mkdir()
    (here / ".env").write_text(f"RAY_ADDRESS={address}\nRAY_AUTH_TOKEN={TOKEN}\n")
    assert await ask(here, "nodes") == (
        7,
        f"Nothing answers at RAY_ADDRESS={address}. Does `python cluster.py head` run there?\n",
    )
    async with AsyncExitStack() as stack:
        head = await stack.enter_async_context(machine(here, "head", "--port", str(port), "--name", "head"))
        for number, name in ((2, "one"), (3, "two")):
            await stack.enter_async_context(machine(here, "node", "--host", f"127.0.0.{number}", "--name", name))
        bot = await stack.enter_async_context(open_bot(tmp_path, address))
        await bot.until_places(2 * PLACES)
        code, listed = await ask(here, "nodes")
        assert (code, sorted(listed.splitlines())) == (
            0,
            ["one (127.0.0.2): bundled on cpu, 0 jobs", "two (127.0.0.3): bundled on cpu, 0 jobs"],
        )
        ours, python = version("ray"), platform.python_version()
        minor = python.rpartition(".")[0]
        assert f"runs Ray {ours} with" in await joined_with(address, TOKEN, "2.0.0", python)
        assert "and this machine Ray" in await joined_with(address, TOKEN, ours, "3.99.0")
        assert "RAY_AUTH_TOKEN" in await joined_with(address, "another-word", ours, python)
        assert await joined_with(address, TOKEN, ours, f"{minor}.99") == ""
        assert (await ask(here, "drain", "one"))[0] == 0
        await bot.until_places(PLACES)
        for member in range(2):
            await bot.say(LONG, member)
        await bot.until(lambda: bot.running() == {"one": 0, "two": 2}, "jobs on the node that is not drained")
        assert (await ask(here, "resume", "127.0.0.2"))[0] == 0
        await bot.until_places(2 * PLACES)
        (gcs,) = [process for process in processes.family(head.pid) if "gcs_server" in processes.command(process)]
        os.kill(gcs, signal.SIGKILL)
        await bot.until(lambda: not bot.studio.executor.health().alive, "the end of the relay process")
        await bot.until_answered()
        await bot.until_places(2 * PLACES)  # the jobs may have been answered before the head's end was noticed
        code, told = await ask(here, "drain", "nobody")
        assert code == 2
        assert "There is no node nobody" in told
    assert counts(tmp_path) == {"delivered": 2}
    assert set(Counter(job for job, _ in answers(tmp_path)).values()) == {1}
