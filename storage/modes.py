"""File modes: only the user who runs Barkeep can read its data."""

import os
import stat
from pathlib import Path

import structlog

FOLDER = 0o700
FILE = 0o600

_log = structlog.get_logger(__name__)


def private_folder(folder: Path) -> None:
    """Create the folder if it is missing, and close it to others. Raises OSError if it cannot be created."""
    folder.mkdir(FOLDER, parents=True, exist_ok=True)
    close_to_others(folder)


def private_opener(path: str, flags: int) -> int:
    """Open a file for `open`; a new file is closed to others from the start, whatever the umask."""
    return os.open(path, flags, FILE)


def close_to_others(path: Path) -> None:
    """Let only the owner read a file or enter a folder. If the system refuses, log a warning."""
    try:
        mode = path.stat().st_mode
        wanted = FOLDER if stat.S_ISDIR(mode) else FILE
        if stat.S_IMODE(mode) & ~wanted:
            path.chmod(wanted)
    except FileNotFoundError:
        return
    except OSError as error:  # another user's folder, or a file system without modes: start all the same
        _log.warning("open_to_others", path=str(path), reason=error.strerror)


def close_all_to_others(folder: Path) -> None:
    """Close everything in a folder to others, without following links."""
    for parent, folders, files in os.walk(folder):
        for path in (Path(parent, name) for name in (*folders, *files)):
            if not path.is_symlink():
                close_to_others(path)
