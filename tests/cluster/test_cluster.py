"""Real nodes that are killed, stopped and added while they speak: every job is answered once, counted in SQL."""

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import pytest

from tests.cluster import processes
from tests.cluster.bot import PLACES, Bot, all_answered, answers, begun, counts, open_bot
from tests.cluster.conftest import ROOT, LocalCluster

NOTICED_SECONDS = 35
LONG = "The evening was long, and the keeper of the bar told many stories."

Record = Callable[[str, object], None]

pytestmark = pytest.mark.timeout(1800)


def each_answered_once(folder: Path, jobs: int) -> None:
    """Every job was delivered, and its answer brought exactly once."""
    assert counts(folder) == {"delivered": jobs}
    told = Counter(job for job, _ in answers(folder))
    assert (len(told), set(told.values())) == (jobs, {1}), told


async def busy(bot: Bot, jobs: int = 4) -> list[str]:
    """Long lines at work on both nodes."""
    await bot.until_places(2 * PLACES)
    ids = [await bot.say(LONG, member) for member in range(1, jobs + 1)]
    await bot.until(lambda: all(bot.begun(job) for job in ids), "every job to begin")
    assert set(bot.running().values()) == {jobs // 2}, bot.running()
    return ids


async def test_eight_lines_are_spread_over_both_nodes(cluster: LocalCluster, tmp_path: Path) -> None:
    async with open_bot(tmp_path, cluster.address) as bot:
        await bot.until_places(2 * PLACES)
        for member in range(8):
            await bot.say("Good evening.", member)
        await bot.until(lambda: bot.running() == {"one": 4, "two": 4}, "four jobs on each")
        await bot.until_answered()
    each_answered_once(tmp_path, 8)


async def test_a_worker_is_killed(cluster: LocalCluster, tmp_path: Path) -> None:
    async with open_bot(tmp_path, cluster.address) as bot:
        await busy(bot)
        (worker,) = processes.workers(cluster.nodes["one"])
        os.kill(worker, signal.SIGKILL)
        await bot.until_answered()
        assert {node.name: node.restarts for node in bot.studio.executor.health().nodes}["one"] >= 1
    each_answered_once(tmp_path, 4)


async def test_a_node_is_killed_and_another_added(
    cluster: LocalCluster, tmp_path: Path, record_property: Record
) -> None:
    async with open_bot(tmp_path, cluster.address) as bot:
        await busy(bot)
        killed = monotonic()
        cluster.remove("one")
        await bot.until_places(PLACES)
        record_property("noticed after", noticed := monotonic() - killed)
        assert noticed < NOTICED_SECONDS
        cluster.add("three")
        await bot.until_places(2 * PLACES)
        await bot.until_answered()
    each_answered_once(tmp_path, 4)


async def test_a_node_falls_silent(cluster: LocalCluster, tmp_path: Path, record_property: Record) -> None:
    async with open_bot(tmp_path, cluster.address) as bot:
        await busy(bot)
        family = processes.family(processes.raylet(cluster.nodes["one"]))
        stopped = monotonic()
        processes.send(signal.SIGSTOP, family)
        try:
            await bot.until_places(PLACES)
            record_property("noticed after", noticed := monotonic() - stopped)
            await bot.until_answered()
        finally:
            processes.send(signal.SIGCONT, family)
            cluster.remove("one")
        assert noticed < NOTICED_SECONDS
    each_answered_once(tmp_path, 4)


async def test_a_node_is_added_in_mid_queue(cluster: LocalCluster, tmp_path: Path) -> None:
    cluster.remove("two")
    async with open_bot(tmp_path, cluster.address) as bot:
        await bot.until_places(PLACES)
        for member in range(3 * PLACES):
            await bot.say(LONG, member)
        await bot.until(lambda: bot.running() == {"one": PLACES}, "a full node")
        cluster.add("two")
        await bot.until(lambda: bot.running().get("two", 0) > 0, "jobs on the new node")
        await bot.until_answered()
    each_answered_once(tmp_path, 3 * PLACES)


async def test_a_bot_is_killed_in_mid_job(cluster: LocalCluster, tmp_path: Path) -> None:
    async def start(*texts: str) -> asyncio.subprocess.Process:
        program = (sys.executable, "-m", "tests.cluster.bot", str(tmp_path), cluster.address, *texts)
        return await asyncio.create_subprocess_exec(*program, cwd=ROOT)

    first = await start(LONG, LONG)
    async with asyncio.timeout(300):
        while begun(tmp_path) < 2:  # noqa: ASYNC110  # in another process
            await asyncio.sleep(0.05)
    first.kill()
    await first.wait()
    assert not all_answered(tmp_path)
    second = await start()
    assert await asyncio.wait_for(second.wait(), 300) == 0
    each_answered_once(tmp_path, 2)
