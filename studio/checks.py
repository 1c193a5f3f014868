"""Checks recordings for the mark of generated speech. Every member may, whatever their rights to voices.

The recording is deleted after the check. The number of checks is kept for an hour.
"""

from collections.abc import Awaitable, Callable

from cloning.watermark.finding import Finding
from cloning.worker.protocol import Executor
from errors import InvalidInput, LimitReached
from storage.database import Storage
from storage.records import Asked
from studio.clones import MAX_RECORDING_BYTES
from studio.values import Actor

CHECKS_PER_HOUR = 12
"""Checks an hour of one member, in all servers together."""


class CheckService:
    """Has recordings checked, one at a time for each member."""

    def __init__(self, storage: Storage, executor: Executor) -> None:
        self._storage = storage
        self._executor = executor
        self._busy: set[int] = set()

    def admit(self, actor: Actor, size: int) -> None:
        """Run the checks that need no database; `size` in bytes. Raises InvalidInput and LimitReached."""
        _check_size(size)
        if actor.member_id in self._busy:
            raise LimitReached("I am still checking another recording for you. Please try again when it is done.")

    async def check(self, actor: Actor, size: int, read: Callable[[], Awaitable[bytes]]) -> Finding:
        """Count the check, read the recording of `size` bytes, and look for the mark.

        Raises as `admit` and `read` do, LimitReached after CHECKS_PER_HOUR, InvalidInput if the file is not a
        recording, and Unavailable.
        """
        self.admit(actor, size)
        self._busy.add(actor.member_id)
        try:
            await self._storage.hourly.count(actor.member_id, Asked.CHECK, CHECKS_PER_HOUR)
            audio = await read()
            _check_size(len(audio))
            async with self._storage.files.briefly(audio) as path:
                return await self._executor.check(path)
        finally:
            self._busy.discard(actor.member_id)


def _check_size(size: int) -> None:
    if size == 0:
        raise InvalidInput("That file is empty. Please choose a recording.")
    if size > MAX_RECORDING_BYTES:
        raise InvalidInput(f"That file has more than {MAX_RECORDING_BYTES >> 20} MB. Cut out the part in question.")
