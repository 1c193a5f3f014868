"""Ray's errors on the way to a node become what the node does."""

import pytest
from ray.exceptions import ActorDiedError, ActorUnavailableError, GetTimeoutError, ObjectStoreFullError, RayTaskError

from cloning.cluster.connection import RayNode
from errors import Unavailable


async def failing(error: Exception) -> None:
    raise error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ActorUnavailableError("The actor is unavailable.", b"0" * 16), "was interrupted"),
        (ActorDiedError(), "was stopped"),
        (
            ActorDiedError(RayTaskError("__init__", "ModuleNotFoundError: No module named 'cloning'", ImportError())),
            "does not find Barkeep's program",
        ),
        (ObjectStoreFullError("full"), "object store is full"),
        (RayTaskError("attach", "a traceback", Unavailable("is drained")), "is drained"),
        (RayTaskError("attach", "a traceback", ValueError("a bug")), "failed; the log"),
        (GetTimeoutError("slow"), "cannot be reached"),
    ],
)
async def test_each_error_of_ray_says_what_the_node_does(error: Exception, words: str) -> None:
    with pytest.raises(Unavailable, match=words):
        await RayNode("key", "node", 0.0, "auto")._call(failing(error))


async def test_a_node_without_a_gpu_is_not_waited_for() -> None:
    with pytest.raises(Unavailable, match="has no GPU, and DEVICE asks for one"):
        await RayNode("key", "node", 0.0, "cuda:0").attach("session", None)  # type: ignore[arg-type]  # not reached
