"""Write files atomically: a reader sees the whole file or none."""

import errno
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from errors import Unavailable

_FULL = {errno.ENOSPC, errno.EDQUOT}


class NotSaved(Unavailable):
    """A file could not be written. The message is for the owner of the disk; members get a different one."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; at the end its file is synced and renamed to `path`.

    If the block or the disk fails, `path` stays as it was. Raises NotSaved for an OSError.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_atomically(path: Path, data: bytes) -> None:
    """Write `data` to `path` atomically. Raises NotSaved and leaves no partial file."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def require_folder(path: Path) -> None:
    """Raise NotSaved if the folder of `path` does not exist. Call it before work whose result goes to `path`."""
    if not path.parent.is_dir():
        raise write_error(path, NotADirectoryError())


def make_folder(folder: Path) -> None:
    """Create a folder with its parents, if it is missing. Raises Unavailable."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(f"The folder {folder} cannot be made. Choose another one where you may write.") from error


def require_temporary_folder() -> None:
    """Raise Unavailable if there is no writable folder for temporary files, without which torch cannot be imported."""
    try:
        tempfile.gettempdir()
    except OSError as error:
        raise Unavailable(
            "There is no writable folder for temporary files, perhaps because the disk is full. Free some space, or "
            "set TMPDIR to a folder on another disk."
        ) from error


def write_error(path: Path, error: OSError) -> NotSaved:
    """Return the error for an OSError raised while writing `path`."""
    if error.errno in _FULL:
        return NotSaved(f"The disk is full, so {path.name} could not be saved. Free some space and try again.")
    return NotSaved(f"{path.name} could not be saved. Check that its folder exists and can be written.")
