"""Nodes that cannot do what the settings ask for, on a real cluster: each is named with what is missing, at once."""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.cluster.bot import PLACES, TOKEN, Bot, open_bot
from tests.cluster.conftest import ROOT, LocalCluster

pytestmark = pytest.mark.timeout(1800)


def errors(bot: Bot) -> dict[str, str]:
    """Node -> why it is not used; "" while that is not known."""
    return {node.name: node.error or "" for node in bot.studio.executor.health().nodes}


async def until_said(bot: Bot, node: str, words: str) -> None:
    """Wait until a node is not used for a reason."""
    await bot.until(lambda: words in errors(bot).get(node, ""), f'"{words}" of {node}')


async def test_models_that_are_not_there(cluster: LocalCluster, tmp_path: Path) -> None:
    settings = {"model": "suno/bark-small", "model_cache": tmp_path, "offline": True}
    async with open_bot(tmp_path, cluster.address, **settings) as bot:
        for node in ("one", "two"):
            await until_said(bot, node, "OFFLINE")
            assert "suno/bark-small" in errors(bot)[node]
        await bot.until(lambda: bot.studio.executor.health().error is not None, "the bot's own error")
        assert "one: " in str(bot.studio.executor.health().error)


HOLD = """
import sys
import environment
environment.join_a_cluster(sys.argv[2])
import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
ray.init(address=sys.argv[1], log_to_driver=False)
(node,) = [node["NodeID"] for node in ray.nodes() if node["NodeName"] == "with-a-gpu" and node["Alive"]]
@ray.remote(num_cpus=0, num_gpus=1, scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False))
class Holder:
    def holds(self):
        return True
holder = Holder.remote()
ray.get(holder.holds.remote())
print("held", flush=True)
sys.stdin.read()
"""


async def test_a_gpu_that_is_not_there(cluster: LocalCluster, tmp_path: Path) -> None:
    cluster.add("with-a-gpu", gpus=1)
    program = (sys.executable, "-c", HOLD, cluster.address, TOKEN)
    pipe = asyncio.subprocess.PIPE
    other = await asyncio.create_subprocess_exec(*program, cwd=ROOT, stdin=pipe, stdout=pipe)
    assert other.stdout is not None
    async with asyncio.timeout(200):
        while (line := await other.stdout.readline()) != b"held\n":
            assert line, "the other program has ended"
    async with open_bot(tmp_path, cluster.address, device="cuda") as bot:
        await until_said(bot, "one", "has no GPU, and DEVICE asks for one")
        await until_said(bot, "with-a-gpu", "needs 1, and 0 are left by other programs")
        await other.communicate(b"")  # it ends with its input
        await until_said(bot, "with-a-gpu", "has no device cuda")  # what its worker finds out
    async with open_bot(tmp_path, cluster.address) as bot:
        await bot.until_places(3 * PLACES)


FULL = """
import asyncio, os, sys
import environment
environment.join_a_cluster(sys.argv[1], PYTHONPATH=os.getcwd())
import ray
from cloning.cluster.connection import NAMESPACE, speech_nodes
from cloning.cluster.messages import Parcel
from cloning.cluster.start import SPEECH
from errors import Unavailable

ray.init(address="local", namespace=NAMESPACE, num_cpus=1, resources={SPEECH: 1}, object_store_memory=80_000_000,
         include_dashboard=False, log_to_driver=False, _system_config={"local_fs_capacity_threshold": 0.0001})

async def main():
    (found,) = speech_nodes("auto").values()
    found.remote._actor = await asyncio.to_thread(found.remote._started)
    held = ray.put(os.urandom(60_000_000))
    for _ in range(2):
        try:
            await found.remote.submit("no session", Parcel("job", "", {"source": os.urandom(40_000_000)}))
        except Unavailable as error:
            print(error.message, flush=True)
        held = None

asyncio.run(main())
"""


async def test_a_full_object_store_on_a_full_disk(tmp_path: Path) -> None:
    """A job that finds no room is told so at once, and the next one goes through when there is room again."""
    program = (sys.executable, "-c", FULL, TOKEN)
    process = await asyncio.create_subprocess_exec(*program, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    first, second = output.decode().splitlines()
    assert "on the bot's machine, Ray's object store is full, and so is its disk" in first
    assert second == "was started again"  # the node's own answer: it knows no such session
