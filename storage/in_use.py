"""Whether another process uses the same data folder. It knows nothing of what is in it."""

import asyncio
import fcntl
from pathlib import Path

from storage.files import told
from storage.modes import private_opener


class InUse:
    """A lock file that every process with this folder open holds together; the kernel lets go when a process dies."""

    def __init__(self, data_dir: Path) -> None:
        with told():
            path = data_dir / "in-use.lock"
            self._file = open(path, "wb", opener=private_opener)  # noqa: SIM115 (Path has no opener)

    def alone(self) -> bool:
        """Whether nobody else has the folder open; then nobody else can open it until `share`."""
        with told():
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True

    async def share(self) -> None:
        """Let others in, and keep them from believing that they are alone. Waits for one that is alone now."""
        with told():
            await asyncio.to_thread(fcntl.flock, self._file, fcntl.LOCK_SH)

    def close(self) -> None:
        """Let go. Twice is harmless."""
        self._file.close()
