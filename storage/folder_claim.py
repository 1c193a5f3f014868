"""Keeps a second bot process from serving the same servers with one SQLite file."""

import asyncio
import fcntl
import time
from pathlib import Path

from errors import Conflict
from storage.disk import readable_errors
from storage.modes import private_opener

_TRY_SECONDS = 0.25


class FolderClaim:
    """A lock file with the name of the process that holds it. The kernel releases it when that process dies."""

    def __init__(self, data_dir: Path) -> None:
        with readable_errors():
            path = data_dir / "bot.lock"
            self._file = open(path, "a+b", opener=private_opener)  # noqa: SIM115 (Path has no opener)

    async def take(self, name: str, patience: float) -> None:
        """Take the lock. Waits up to `patience` seconds for a process that just ends.

        name: of this process. Raises Conflict, with a sentence for the owner, if another process has it.
        """
        deadline = time.monotonic() + patience
        while not self._taken(name):
            if time.monotonic() > deadline:
                raise Conflict(
                    f"Another bot process already serves all servers with this data folder ({self._holder()}). Stop it "
                    "first. Several processes at once need PostgreSQL (docs/cluster.md)."
                )
            await asyncio.sleep(_TRY_SECONDS)

    def close(self) -> None:
        """Release the lock. Calling it twice is harmless."""
        self._file.close()

    def _taken(self, name: str) -> bool:
        with readable_errors():
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            self._file.truncate(0)
            self._file.write(name.encode())
            self._file.flush()
        return True

    def _holder(self) -> str:
        with readable_errors():
            self._file.seek(0)
            return self._file.read(100).decode(errors="replace")
