"""Checks recordings for the mark of generated speech. Every member may ask, independent of rights to voices.

The recording is deleted after the check. The number of checks is kept for an hour, in memory only.
"""

from collections.abc import Callable
from datetime import datetime

from cloning.watermark.finding import Finding
from cloning.worker.protocol import Executor
from errors import InvalidInput, LimitReached
from storage.files import FileStore
from studio.clones import MAX_RECORDING_BYTES
from studio.hourly import HourlyCount
from studio.values import Actor

CHECKS_PER_HOUR = 12
"""Checks an hour of one member, in all servers together."""


class CheckService:
    """Has recordings checked, one at a time for each member."""

    def __init__(self, files: FileStore, executor: Executor, *, clock: Callable[[], datetime]) -> None:
        self._files = files
        self._executor = executor
        self._asked = HourlyCount(CHECKS_PER_HOUR, clock)
        self._busy: set[int] = set()

    def admit(self, actor: Actor, size: int) -> None:
        """Check what is known before the recording is read; `size` in bytes. Raises InvalidInput and LimitReached."""
        if size == 0:
            raise InvalidInput("That file is empty. Please choose a recording.")
        if size > MAX_RECORDING_BYTES:
            raise InvalidInput(f"That file has more than {MAX_RECORDING_BYTES >> 20} MB. Cut out the part in question.")
        if actor.member_id in self._busy:
            raise LimitReached("I am still checking another recording for you. Please try again when it is done.")
        if minutes := self._asked.minutes_to_wait(actor.member_id):
            raise LimitReached(
                f"You have used all {CHECKS_PER_HOUR} of your checks for this hour. "
                f"Try again in {minutes} minute{'' if minutes == 1 else 's'}."
            )

    async def check(self, actor: Actor, audio: bytes) -> Finding:
        """Look for the mark. Raises as `admit`, InvalidInput if the file is no recording, Unavailable."""
        self.admit(actor, len(audio))
        self._asked.note(actor.member_id)
        self._busy.add(actor.member_id)
        try:
            async with self._files.briefly(audio) as path:
                return await self._executor.check(path)
        finally:
            self._busy.discard(actor.member_id)
