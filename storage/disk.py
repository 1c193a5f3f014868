"""Files and folders on disk: renamed and deleted durably, with errors as sentences."""

import asyncio
import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any, TypeVar, cast

import aiofiles
import structlog

from errors import NotFound, Unavailable
from storage import modes
from storage.group_commit import GroupCommit
from storage.sessions import FULL

GONE = "That file no longer exists. It may just have been deleted."
REFUSED = "Barkeep cannot use its data folder right now. Please tell the person who runs Barkeep."

_LANES = 4
"""The number of threads that move files at the same time."""

_log = structlog.get_logger(__name__)
_T = TypeVar("_T")


@contextmanager
def readable_errors() -> Iterator[None]:
    """Turn OSErrors into NotFound or Unavailable, with a sentence for members, and log the reason."""
    try:
        yield
    except FileNotFoundError as error:
        raise NotFound(GONE) from error
    except OSError as error:
        _log.error("file_error", kind=type(error).__name__, reason=error.strerror, file=str(error.filename))
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Unavailable(FULL) from error
        raise Unavailable(REFUSED) from error


async def read_file(path: Path) -> bytes:
    """Return the bytes of a file. Raises NotFound or Unavailable as readable_errors does."""
    with readable_errors():
        async with aiofiles.open(path, "rb") as file:
            return await file.read()


async def existing(path: Path) -> Path:
    """Return the path of a file that exists. Raises NotFound."""
    if not await in_thread(path.is_file):
        raise NotFound(GONE)
    return path


async def in_thread(work: Callable[..., _T], *arguments: object) -> _T:
    """Run file operations in a thread. Raises NotFound or Unavailable as readable_errors does."""
    with readable_errors():
        return await asyncio.to_thread(work, *arguments)


class QuickWork:
    """Runs file operations that are instant on a working disk, in batches: switching threads takes longer."""

    def __init__(self) -> None:
        self._group: GroupCommit[object, Callable[[], Any], Any] = GroupCommit(self._run)

    async def do(self, work: Callable[..., _T], *arguments: object) -> _T:
        """Run an operation in the next batch. Raises NotFound or Unavailable as readable_errors does."""
        outcome = await self._group.do(object(), partial(work, *arguments))
        with readable_errors():
            if isinstance(outcome, Exception):
                raise outcome
        return cast(_T, outcome)

    async def _run(self, works: dict[object, Callable[[], Any]]) -> dict[object, Any]:
        return await asyncio.to_thread(lambda: {key: _outcome(work) for key, work in works.items()})


class DurableMoves:
    """Moves files durably, with group commit: moves that arrive meanwhile share a thread and a sync of the folder.

    Several threads are used, because each waits for its disk: on some, a sync takes milliseconds.
    """

    def __init__(self) -> None:
        self._lanes = cycle([GroupCommit[Path, Path, Exception](self._run) for _ in range(_LANES)])

    async def do(self, source: Path, target: Path) -> None:
        """Move a file. Idempotent. Raises NotFound or Unavailable as readable_errors does."""
        error = await next(self._lanes).do(target, source)
        with readable_errors():
            if error is not None:
                raise error

    async def _run(self, sources: dict[Path, Path]) -> dict[Path, Exception]:
        return await asyncio.to_thread(_move_all, sources)


def _move_all(sources: dict[Path, Path]) -> dict[Path, Exception]:
    """Move files, given by target. Return the errors by target."""
    outcomes = {target: _outcome(partial(_place, source, target)) for target, source in sources.items()}
    folders = {folder: _outcome(partial(sync, folder)) for folder in {target.parent for target in sources}}
    errors = {target: outcome or folders[target.parent] for target, outcome in outcomes.items()}
    return {target: error for target, error in errors.items() if error is not None}


def move(source: Path, target: Path) -> None:
    """Move a file durably. Idempotent."""
    _place(source, target)
    sync(target.parent)


def _place(source: Path, target: Path) -> None:
    if not source.exists() and target.exists():
        return
    modes.close_to_others(source)
    sync(source)
    source.replace(target)


def _outcome(work: Callable[[], Any]) -> Any:
    """Return what the work returns, or the error that it raises."""
    try:
        return work()
    except Exception as error:
        return error


def rename(source: Path, target: Path) -> None:
    """Replace `target` atomically and durably."""
    source.replace(target)
    sync(target.parent)


def sync(path: Path) -> None:
    """Wait until a file's bytes, or a folder's entries, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Create a folder durably, if it is missing."""
    folder.mkdir(0o700, exist_ok=True)
    sync(folder.parent)


def link(file: Path, kept: Path) -> None:
    """Hard-link a file as `kept`, or copy it if the file system has no hard links."""
    kept.parent.mkdir(modes.FOLDER, exist_ok=True)
    kept.unlink(missing_ok=True)
    try:
        kept.hardlink_to(file)
    except FileNotFoundError:
        raise
    except OSError:  # Some file systems have no hard links.
        shutil.copyfile(file, kept)


def remove_folder(folder: Path, temporary: Path) -> None:
    """Rename a folder away, durably, then delete it. Does nothing if there is none."""
    with suppress(FileNotFoundError):
        folder.rename(temporary)
        sync(folder.parent)
        shutil.rmtree(temporary)


def discard_folder(folder: Path, temporary: Path) -> None:
    """Rename a folder away, then delete it. A power failure can undo both. Does nothing if there is none."""
    with suppress(FileNotFoundError):
        folder.rename(temporary)
        shutil.rmtree(temporary)


def names_in(folder: Path) -> list[str]:
    """Return the names of a folder's entries."""
    return [path.name for path in folder.iterdir()]


def remove_all(folder: Path) -> int:
    """Delete the files and folders in a folder. Return their number."""
    paths = list(folder.iterdir())
    for path in paths:
        delete(path)
    return len(paths)


def delete(path: Path) -> None:
    """Delete a file, or a folder with its contents."""
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
