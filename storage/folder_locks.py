"""Locks on the data folder: only one bot process serves an SQLite file, and at most one cleans up.

The kernel releases both when their process dies.
"""

import asyncio
import fcntl
import time
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path
from typing import IO

from errors import Conflict
from storage.disk import readable_errors
from storage.modes import private_opener
from storage.process_locks import ProcessLocks

_TRY_SECONDS = 0.25


class InUse:
    """A lock file, shared by all processes that have this folder open.

    locks: the corresponding locks of the processes on a PostgreSQL database, which may run on several machines.
    """

    def __init__(self, data_dir: Path, locks: ProcessLocks | None = None) -> None:
        self._locks = locks
        self._file = _opened(data_dir / "in-use.lock", "wb")

    async def alone(self) -> bool:
        """Return whether no other process has the folder open. If so, none can open it until `share`."""
        return _taken(self._file) and (self._locks is None or await self._locks.alone())

    def kept_alone(self) -> AbstractAsyncContextManager[None]:
        """Interrupt the `with` block with Unavailable once it is uncertain whether this process is alone."""
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


class FolderClaim:
    """A lock file with the name of the process that holds it."""

    def __init__(self, data_dir: Path) -> None:
        self._file = _opened(data_dir / "bot.lock", "a+b")

    async def take(self, name: str, patience: float) -> None:
        """Take the lock. Waits up to `patience` seconds for a process that is just ending.

        name: of this process. Raises Conflict, with a sentence for the owner, if another process has it.
        """
        deadline = time.monotonic() + patience
        while not _taken(self._file):
            if time.monotonic() > deadline:
                raise Conflict(
                    f"Another bot process already serves all servers with this data folder ({self._holder()}). Stop it "
                    "first. Several processes at once need PostgreSQL (docs/cluster.md)."
                )
            await asyncio.sleep(_TRY_SECONDS)
        with readable_errors():
            self._file.truncate(0)
            self._file.write(name.encode())
            self._file.flush()

    def close(self) -> None:
        """Release the lock. Calling it twice is harmless."""
        self._file.close()

    def _holder(self) -> str:
        with readable_errors():
            self._file.seek(0)
            return self._file.read(100).decode(errors="replace")


def _opened(path: Path, mode: str) -> IO[bytes]:
    with readable_errors():
        return open(path, mode, opener=private_opener)


def _taken(file: IO[bytes]) -> bool:
    """Take the lock of a file for this process alone. Return False if another process has it."""
    with readable_errors():
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True
