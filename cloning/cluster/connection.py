"""The only module that uses Ray's interface on the bot's side: it joins a cluster, finds its speech nodes, calls them.

`python cluster.py node` offers one unit of the resource SPEECH for each speech worker. Each worker is a detached, named
actor that is bound to its node, so that every bot process finds the same one, also after a restart.
"""

import asyncio
import logging
from contextlib import suppress
from typing import Any, cast

import ray
from ray._private.state import available_resources_per_node  # the public calls count the whole cluster
from ray.exceptions import (
    ActorDiedError,
    ActorUnavailableError,
    ObjectStoreFullError,
    OutOfDiskError,
    RayError,
    RayTaskError,
)
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from cloning.cluster import messages
from cloning.cluster.messages import Arrangement, News, Parcel
from cloning.cluster.node import SpeechNode
from cloning.cluster.refusals import why_dead, why_not
from cloning.cluster.relay import Found
from cloning.cluster.start import SPEECH
from cloning.worker.protocol import Health
from errors import Unavailable

NAMESPACE = "barkeep"

_log = logging.getLogger(__name__)


def join(address: str) -> None:
    """Join the cluster whose head is at `address` (host:port). Blocks for some seconds. Raises Unavailable."""
    logging.getLogger("ray").setLevel(logging.ERROR)
    try:
        ray.init(address=address, namespace=NAMESPACE, log_to_driver=False, configure_logging=False)
    except Exception as error:  # Ray raises RuntimeError, ConnectionError, RayError and its own C++ errors here
        raise Unavailable(why_not(address, str(error))) from error


def speech_nodes(device: str) -> "dict[str, Found[RayNode]]":
    """Return the speech workers that the cluster has now, including those that no bot process has started yet.

    device: the setting DEVICE; with CUDA, nodes need a GPU. Blocks; raises Unavailable.
    """
    try:
        nodes = ray.nodes()
    except Exception as error:  # as in `join`
        raise Unavailable("The head of the cluster does not answer.") from error
    found: dict[str, Found[RayNode]] = {}
    for node in nodes:
        workers = int(node["Resources"].get(SPEECH, 0)) if node["Alive"] else 0
        for number in range(workers):
            key = f"{node['NodeID']}-{number}"
            name = node["NodeName"] or node["NodeManagerHostname"]
            remote = RayNode(key, node["NodeID"], node["Resources"].get("GPU", 0) / workers, device)
            found[key] = Found(key, name if workers == 1 else f"{name}/{number}", node["NodeManagerAddress"], remote)
    return found


class RayNode:
    """Calls one speech node. Implements `place.Remote`.

    key: the actor's name. gpus: its share of the node's GPUs.
    """

    def __init__(self, key: str, node_id: str, gpus: float, device: str) -> None:
        self._key = key
        self._node_id = node_id
        self._gpus = gpus
        self._device = device
        self._actor: Any = None

    async def attach(self, session: str, arrangement: Arrangement) -> None:
        """Start the actor if it is not running, and open a session."""
        if self._device.startswith("cuda") and self._gpus == 0:
            raise Unavailable("has no GPU, and DEVICE asks for one; set DEVICE=auto, or start it where there is one")
        self._actor = await asyncio.to_thread(self._started)
        if await self._call(self._actor.version) != messages.protocol_digest():
            raise Unavailable("runs another version of Barkeep; install the bot's version there, and start it again")
        await self._call(self._actor.attach, session, arrangement)

    async def submit(self, session: str, parcel: Parcel) -> bool:
        """Send a request. Return False if the node needs its prompt."""
        return cast(bool, await self._call(self._actor.submit, session, parcel))

    async def cancel(self, session: str, job_id: str) -> None:
        """Stop a job."""
        await self._call(self._actor.cancel, session, job_id)

    async def exchange(self, session: str, received: int) -> News | None:
        """Fetch the new events and the node's state. Return None if the node does not know the session."""
        return cast(News | None, await self._call(self._actor.exchange, session, received))

    async def drain(self, on: bool) -> None:
        """Stop the node from accepting jobs, or let it accept them again."""
        self._actor = self._actor or await asyncio.to_thread(self._existing)
        await self._call(self._actor.drain, on)

    async def state(self) -> tuple[Health | None, int, bool]:
        """Return the worker's state, the number of jobs, and whether it is drained."""
        self._actor = self._actor or await asyncio.to_thread(self._existing)
        return cast(tuple[Health | None, int, bool], await self._call(self._actor.state))

    def _started(self) -> Any:
        """Return the actor, which Ray starts if it is not running. Raises Unavailable instead of waiting for a GPU."""
        with suppress(ValueError):
            return ray.get_actor(self._key)
        free = available_resources_per_node().get(self._node_id, {}).get("GPU", 0.0)
        if free < self._gpus:
            raise Unavailable(
                f"has no GPU free: its speech worker needs {self._gpus:g}, and {free:g} are left by other programs of "
                "the cluster; end them"
            )
        try:
            return (
                ray.remote(SpeechNode)
                .options(
                    name=self._key,
                    lifetime="detached",
                    get_if_exists=True,
                    num_cpus=0,
                    num_gpus=self._gpus,
                    resources={SPEECH: 1},
                    max_restarts=-1,
                    max_task_retries=0,  # the bot decides whether a job is tried again
                    scheduling_strategy=NodeAffinitySchedulingStrategy(self._node_id, soft=False),
                )
                .remote()
            )
        except RayError as error:
            raise Unavailable(f"cannot be started by Ray ({type(error).__name__})") from error

    def _existing(self) -> Any:
        try:
            return ray.get_actor(self._key)
        except ValueError as error:
            raise Unavailable("runs no speech worker yet; a bot process starts it") from error

    async def _call(self, method: Any, *values: object) -> Any:
        """Call a method of the actor. Ray stores large arguments on this machine first, and large answers on both."""
        is_sent = False
        try:
            answer = await asyncio.to_thread(method.remote, *values)
            is_sent = True
            return await answer
        except ActorUnavailableError as error:
            raise Unavailable("was interrupted") from error
        except ActorDiedError as error:
            raise Unavailable(why_dead(str(error))) from error
        except (ObjectStoreFullError, OutOfDiskError) as error:
            where = "on its machine" if is_sent else "on the bot's machine"
            raise Unavailable(
                f"cannot be used for the files of a job: {where}, Ray's object store is full, and so is its disk; make "
                "room on the disk, or start Ray there with a larger `--store`"
            ) from error
        except RayTaskError as error:
            if isinstance(error.cause, Unavailable):
                raise error.cause from None
            _log.error("a speech node failed: %s", error)
            raise Unavailable("failed; the bot's log has the error") from error
        except RayError as error:
            raise Unavailable(f"cannot be reached ({type(error).__name__})") from error
