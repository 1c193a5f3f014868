"""A file that reserves room on the disk. It is deleted when the disk is full, so that deleting rows still works.

Deleting a row writes first: SQLite's log grows before anything shrinks.
"""

import os
import shutil
from contextlib import suppress
from pathlib import Path

import structlog

from storage import modes

RESERVE_BYTES = 8 * 1024 * 1024
"""Twice the size that SQLite's log has before SQLite reuses it from the beginning (1,000 pages of 4 KiB)."""
_LEAST_FREE = 1024 * 1024
"""With less room than this the disk counts as full."""

_log = structlog.get_logger(__name__)


class Reserve:
    """One file of `size` bytes. Blocking: call it in a thread."""

    def __init__(self, path: Path, *, size: int = RESERVE_BYTES) -> None:
        self._path = path
        self._size = size

    def take(self) -> None:
        """Create the file, if it is missing and the free space is at least twice its size. Errors are only logged."""
        try:
            if self._path.exists() or self._free() < 2 * self._size:
                return
            part = self._path.with_name(f"{self._path.name}.part")
            try:
                with open(part, "wb", opener=modes.private_opener) as file:
                    file.write(os.urandom(self._size))  # Zeros take no space on a disk that compresses.
                part.replace(self._path)
            finally:
                part.unlink(missing_ok=True)  # a quota can be exhausted on a disk with free space
        except OSError as error:
            _log.warning("no_reserve", reason=error.strerror)

    def give_up_if_full(self) -> None:
        """Delete the file if the disk is full. Does nothing if there is no file."""
        with suppress(OSError):
            if self._path.exists() and self._free() < _LEAST_FREE:
                self._path.unlink(missing_ok=True)
                _log.warning("reserve_given_up")

    def _free(self) -> int:
        return shutil.disk_usage(self._path.parent).free
