"""Starting Ray, with a program of a few lines in its place."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from cloning.cluster import start
from cloning.cluster.start import Machine


@pytest.mark.parametrize(
    ("workers", "gpus", "share"),
    [(1, 0, 0.0), (0, 2, 0.0), (1, 1, 1.0), (2, 1, 0.5), (2, 4, 2.0), (4, 2, 0.5), (2, 3, None), (3, 2, None)],
)
def test_gpus_are_shared_in_parts_of_one_or_whole(workers: int, gpus: int, share: float | None) -> None:
    assert start.gpus_for_each(workers, gpus) == share


def test_a_node_offers_its_workers_and_no_more() -> None:
    command = start.node_command(Machine("gpu-1", "10.0.0.7", 2, 1, 200), "10.0.0.1:6379")
    assert "--address=10.0.0.1:6379" in command
    assert '--resources={"barkeep-speech": 2}' in command
    assert {"--num-gpus=1", "--node-name=gpu-1", "--node-ip-address=10.0.0.7"} <= set(command)
    assert "--head" not in command
    bot = start.head_command(Machine("bot", None, 0, 0, 200), 6379)
    assert {"--head", "--port=6379", "--resources={}", "--include-dashboard=false"} <= set(bot)
    assert not any(part.startswith("--node-ip-address") for part in bot)


def test_ray_runs_without_processes_that_are_not_used() -> None:
    machine = Machine("bot", None, 1, 0, 200)
    head, node = start.head_command(machine, 6379), start.node_command(machine, "10.0.0.1:6379")
    assert all({"--num-cpus=0", "--include-log-monitor=false"} <= set(command) for command in (head, node))
    assert "--no-monitor" in head


async def test_an_address_is_tried() -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    assert await start.is_reachable(f"127.0.0.1:{port}")
    server.close()
    await server.wait_closed()
    assert not await start.is_reachable(f"127.0.0.1:{port}")


@pytest.mark.parametrize("address", ["127.0.0.1:99999", "127.0.0.1:", "a..b:6379", f"{'x' * 64}:6379"])
async def test_nothing_listens_at_what_is_no_address(address: str) -> None:
    assert not await start.is_reachable(address)


async def test_ray_is_started_again_until_it_is_told_to_stop(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(start, "_PAUSE_SECONDS", 0.01)
    log = tmp_path / "starts"
    program = (
        "import os, signal, sys, time\n"
        f"starts = open({str(log)!r}, 'a+'); starts.write('x'); starts.flush(); starts.seek(0)\n"
        "print('RuntimeError: no reason today')\n"
        "if len(starts.read()) < 3: sys.exit(1)\n"
        f"os.kill({os.getpid()}, signal.SIGTERM)\n"
        "time.sleep(600)\n"
    )
    said: list[str] = []
    running = start.keep_running([sys.executable, "-c", program], os.environ, "here:1", said.append, joins=False)
    await asyncio.wait_for(running, 60)
    assert await asyncio.to_thread(log.read_text) == "xxx"
    assert len([line for line in said if "started again" in line and "no reason today" in line]) == 2
    assert said[-1] == "Ray has stopped."
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().remove_signal_handler(number)


async def test_a_node_waits_for_its_head(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "_PAUSE_SECONDS", 0.01)
    said: list[str] = []
    asked = 0

    async def is_reachable(_: str) -> bool:
        nonlocal asked
        asked += 1
        return asked > 3

    monkeypatch.setattr(start, "is_reachable", is_reachable)
    program = f"import os, signal, time; os.kill({os.getpid()}, signal.SIGINT); time.sleep(600)"
    running = start.keep_running([sys.executable, "-c", program], os.environ, "there:1", said.append, joins=True)
    await asyncio.wait_for(running, 60)
    assert said == [
        "Nothing answers at there:1. This machine joins as soon as `python cluster.py head` runs there.",
        "Ray starts, for the cluster at there:1.",
        "Ray has stopped.",
    ]
