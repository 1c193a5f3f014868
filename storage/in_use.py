"""Detects whether another process uses the same data folder, or the same PostgreSQL database from elsewhere."""

import asyncio
import fcntl
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path

from storage.disk import readable_errors
from storage.modes import private_opener
from storage.process_locks import ProcessLocks


class InUse:
    """A lock file, shared by all processes with this folder open. The kernel releases it when a process dies.

    locks: the same among the processes of a PostgreSQL database, which may run on several machines.
    """

    def __init__(self, data_dir: Path, locks: ProcessLocks | None = None) -> None:
        self._locks = locks
        with readable_errors():
            path = data_dir / "in-use.lock"
            self._file = open(path, "wb", opener=private_opener)  # noqa: SIM115 (Path has no opener)

    async def alone(self) -> bool:
        """Return whether no other process has the folder open. If so, none can open it until `share`."""
        return self._alone_here() and (self._locks is None or await self._locks.alone())

    def _alone_here(self) -> bool:
        with readable_errors():
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True

    def kept_alone(self) -> AbstractAsyncContextManager[None]:
        """Interrupt what is inside with Unavailable if it is not certain any more that this process is alone."""
        return nullcontext() if self._locks is None else self._locks.kept_alone()

    async def share(self) -> None:
        """Share the lock with other processes. Waits while another process holds it alone."""
        with readable_errors():
            await asyncio.to_thread(fcntl.flock, self._file, fcntl.LOCK_SH)
        if self._locks is not None:
            await self._locks.share()

    def close(self) -> None:
        """Release the lock. Calling it twice is harmless."""
        self._file.close()
