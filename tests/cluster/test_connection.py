"""Ray's errors on the way to a node become what the node does."""

from collections.abc import Awaitable

import pytest
from ray.exceptions import (
    ActorDiedError,
    ActorUnavailableError,
    GetTimeoutError,
    ObjectStoreFullError,
    OutOfDiskError,
    RayTaskError,
)

from cloning.cluster.connection import RayNode
from errors import Unavailable


class FailingMethod:
    """A method of an actor that fails: as its call begins, or later."""

    def __init__(self, error: Exception, *, at_once: bool) -> None:
        self._error, self._at_once = error, at_once

    def remote(self) -> Awaitable[None]:
        if self._at_once:
            raise self._error
        return self._later()

    async def _later(self) -> None:
        raise self._error


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ActorUnavailableError("The actor is unavailable.", b"0" * 16), "was interrupted"),
        (ActorDiedError(), "was stopped"),
        (
            ActorDiedError(RayTaskError("__init__", "ModuleNotFoundError: No module named 'cloning'", ImportError())),
            "does not find Barkeep's program",
        ),
        (RayTaskError("attach", "a traceback", Unavailable("is drained")), "is drained"),
        (RayTaskError("attach", "a traceback", ValueError("a bug")), "failed; the log"),
        (GetTimeoutError("slow"), "cannot be reached"),
    ],
)
async def test_each_error_of_ray_says_what_the_node_does(error: Exception, words: str, at_once: bool) -> None:
    with pytest.raises(Unavailable, match=words):
        await RayNode("key", "node", 0.0, "auto")._call(FailingMethod(error, at_once=at_once))


@pytest.mark.parametrize(
    ("at_once", "words"), [(True, "on the bot's machine, Ray's"), (False, "on its machine, Ray's")]
)
@pytest.mark.parametrize("error", [ObjectStoreFullError("full"), OutOfDiskError("full")])
async def test_it_is_said_which_machine_has_no_room(error: Exception, words: str, at_once: bool) -> None:
    with pytest.raises(Unavailable, match=words):
        await RayNode("key", "node", 0.0, "auto")._call(FailingMethod(error, at_once=at_once))


async def test_a_node_without_a_gpu_is_not_waited_for() -> None:
    with pytest.raises(Unavailable, match="has no GPU, and DEVICE asks for one"):
        await RayNode("key", "node", 0.0, "cuda:0").attach("session", None)  # type: ignore[arg-type]  # not reached
