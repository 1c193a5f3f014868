"""Writes a file so that a reader sees all of it or nothing. Knows nothing of what is inside."""

import errno
import os
import secrets
from pathlib import Path

from errors import Unavailable

_FULL = {errno.ENOSPC, errno.EDQUOT}


def write_atomically(path: Path, data: bytes) -> None:
    """Write `data` beside `path`, sync it, and rename it to `path`. Raises Unavailable; leaves nothing half-written."""
    temporary: Path | None = None
    try:
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as fault:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise write_fault(path, fault) from fault


def write_fault(path: Path, fault: OSError) -> Unavailable:
    """What to say when `path` could not be written."""
    if fault.errno in _FULL:
        return Unavailable(f"The disk is full, so {path.name} could not be saved. Free some space and try again.")
    return Unavailable(f"{path.name} could not be saved. Check that its folder exists and can be written.")
