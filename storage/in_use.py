"""Detects whether another process uses the same data folder."""

import asyncio
import fcntl
from pathlib import Path

from storage.files import readable_errors
from storage.modes import private_opener


class InUse:
    """A lock file, shared by all processes with this folder open. The kernel releases it when a process dies."""

    def __init__(self, data_dir: Path) -> None:
        with readable_errors():
            path = data_dir / "in-use.lock"
            self._file = open(path, "wb", opener=private_opener)  # noqa: SIM115 (Path has no opener)

    def alone(self) -> bool:
        """Return whether no other process has the folder open. If so, none can open it until `share`."""
        with readable_errors():
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True

    async def share(self) -> None:
        """Share the lock with other processes. Waits while another process holds it alone."""
        with readable_errors():
            await asyncio.to_thread(fcntl.flock, self._file, fcntl.LOCK_SH)

    def close(self) -> None:
        """Release the lock. Calling it twice is harmless."""
        self._file.close()
