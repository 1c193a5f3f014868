"""The files beside the rows: uploads, work in progress, voices and results, named by ids and keys.

A file or folder appears under its final name only when it is complete and on disk: it is written under `tmp`, synced
and renamed, and the folder that now holds it is synced. `sweep` moves files without a row, such as those left by a
crash, to the trash, where they are deleted days later. Dropped files are deleted immediately. Keys and file names come
from Barkeep, never from users; a key that contains a path raises ValueError.

    tmp/  uploads/KEY  staging/JOB/  voices/GUILD-VOICE/NAME  results/JOB.ogg  aloud/JOB/NAME
    trash/SECONDS-NUMBER-FOLDER-NAME  installation-id
"""

import asyncio
import os
import re
import shutil
import uuid
from collections.abc import AsyncIterator, Callable, Collection, Iterable
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from pathlib import Path

import aiofiles

from errors import NotFound, Unavailable
from storage import modes
from storage.disk import (
    DurableMoves,
    QuickWork,
    delete,
    discard_folder,
    existing,
    in_thread,
    link,
    make_folder,
    move,
    names_in,
    read_file,
    readable_errors,
    remove_all,
    remove_folder,
    rename,
)

LOST = "The files of this voice were lost before they could be stored. Please clone it again."

KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")
NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}")
VOICE = re.compile(r"(\d{1,20})-(\d{1,20})")
TRASHED = re.compile(r"(\d{1,15})-[0-9a-f]{32}-.+")


class FileStore:
    """Files under one data folder. Methods that touch the disk are async; paths are computed without touching it.

    Raises Unavailable when the disk is full or refuses access, and NotFound when a requested file does not exist.
    """

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.place = f"the data folder {data_dir.absolute()}"
        """Where voices are stored, in words for messages to the owner."""
        self._installation_id = data_dir / "installation-id"
        self._trash = data_dir / "trash"
        self._tmp = data_dir / "tmp"
        self._uploads = data_dir / "uploads"
        self._staging = data_dir / "staging"
        self._voices = data_dir / "voices"
        self._results = data_dir / "results"
        self._aloud = data_dir / "aloud"
        self._quick = QuickWork()
        self._moves = DurableMoves()

    async def prepare(self) -> None:
        """Create the folders and close them, new or existing, to every other user of the machine."""
        await in_thread(self._prepare)

    async def installation_id(self) -> str | None:
        """Return the id that this folder shares with its database, or None in a new folder."""
        try:
            return (await read_file(self._installation_id)).decode(errors="replace").strip() or None
        except NotFound:
            return None

    async def put_installation_id(self, installation_id: str) -> None:
        """Store the id of the database that this folder belongs to."""
        await self._put(self._installation_id, f"{installation_id}\n".encode())

    def upload(self, key: str) -> Path:
        """Return the path of the upload `key`."""
        return self._uploads / checked(KEY, key)

    async def put_upload(self, key: str, data: bytes) -> None:
        """Store an upload; it replaces an earlier one with the same key."""
        await self._put(self.upload(key), data)

    async def upload_for_job(self, job_id: str) -> Path:
        """Return a job's upload as a file that exists as long as the job's staging folder. Raises NotFound."""
        return await existing(self.upload(job_id))

    @asynccontextmanager
    async def upload_at_hand(self, key: str) -> AsyncIterator[Path]:
        """An upload as a file that exists inside the `with`. Raises NotFound."""
        yield await existing(self.upload(key))

    async def drop_upload(self, key: str) -> None:
        """Delete an upload, if it exists."""
        await in_thread(self.upload(key).unlink, True)

    def staging_folder(self, job_id: str) -> Path:
        """Return the path of a job's own folder for work in progress."""
        return self._staging / checked(KEY, job_id)

    async def staging(self, job_id: str) -> Path:
        """Return a job's own folder for work in progress, and create it if needed."""
        folder = self.staging_folder(job_id)
        await self._quick.do(modes.private_folder, folder)
        return folder

    async def drop_staging(self, job_id: str) -> None:
        """Delete a job's work in progress, if there is any."""
        await self._quick.do(discard_folder, self.staging_folder(job_id), self._temporary())

    async def staged(self, before: datetime) -> list[str]:
        """Return the jobs whose work in progress on this disk was last changed before `before`."""
        return await in_thread(self._staged, before.timestamp())

    @asynccontextmanager
    async def briefly(self, data: bytes) -> AsyncIterator[Path]:
        """A temporary file that exists inside the `with`. After a crash the next `sweep` deletes it."""
        path = await self._put(self._temporary(), data)
        try:
            yield path
        finally:
            await in_thread(path.unlink, True)

    def voice_dir(self, guild_id: int, voice_id: int) -> Path:
        """Return the folder of a voice."""
        return self._voices / f"{guild_id:d}-{voice_id:d}"

    async def voice_folders(self) -> set[tuple[int, int]]:
        """Return the (guild, voice) of every voice folder, with or without a row."""
        names = await in_thread(names_in, self._voices)
        return {(int(match[1]), int(match[2])) for match in map(VOICE.fullmatch, names) if match}

    def voice_file(self, guild_id: int, voice_id: int, name: str) -> Path:
        """Return the path of a voice's file `name`."""
        return self.voice_dir(guild_id, voice_id) / checked(NAME, name)

    async def adopt_voice(self, guild_id: int, voice_id: int, staging: Path, names: Iterable[str]) -> None:
        """Move the files `names` from a staging folder into the voice's folder; other files there stay.

        A new voice's folder appears with all its files at once. Idempotent, so that it can be repeated after a crash.
        Raises Unavailable if a file is in neither folder.
        """
        safe = [checked(NAME, name) for name in names]
        await in_thread(self._adopt, staging, self.voice_dir(guild_id, voice_id), safe)

    async def put_voice_file(self, guild_id: int, voice_id: int, name: str, data: bytes) -> None:
        """Write one file of a voice; it replaces an earlier one."""
        target = self.voice_file(guild_id, voice_id, name)
        await in_thread(make_folder, target.parent)
        try:
            await self._put(target, data)
        except Unavailable:
            with suppress(OSError):  # The folder of an existing voice is not empty, so it stays.
                await asyncio.to_thread(target.parent.rmdir)
            raise

    async def voice_file_for_job(self, job_id: str, guild_id: int, voice_id: int, name: str) -> Path:
        """Return a file of a voice that exists as long as the job's staging folder. Raises NotFound."""
        return await existing(self.voice_file(guild_id, voice_id, name))

    async def read_voice_file(self, guild_id: int, voice_id: int, name: str) -> bytes:
        """Return the bytes of one file of a voice."""
        return await read_file(self.voice_file(guild_id, voice_id, name))

    async def drop_voice(self, guild_id: int, voice_id: int) -> None:
        """Delete a voice's folder, if it exists. The folder is renamed away first, then its files are deleted."""
        await in_thread(remove_folder, self.voice_dir(guild_id, voice_id), self._temporary())

    async def keep_result(self, job_id: str, file: Path) -> None:
        """Move a finished Ogg file out of staging, to be kept until it is delivered. Idempotent."""
        await self._moves.do(file, self._result(job_id))

    async def result(self, job_id: str) -> Path | None:
        """Return the file that waits for delivery, or None."""
        kept = self._result(job_id)
        return kept if await self._quick.do(kept.is_file) else None

    async def drop_result(self, job_id: str) -> None:
        """Delete the file that waited for delivery, if it exists."""
        await self._quick.do(self._result(job_id).unlink, True)

    async def drop_copies(self, before: datetime) -> None:
        """Delete copies on this disk, made before `before`, of results that are kept elsewhere. This store has none."""

    async def keep_aloud(self, job_id: str, file: Path) -> Path:
        """Hard-link a finished file, so that it exists until `drop_aloud`, for a voice channel. Return the link."""
        kept = self._aloud / checked(KEY, job_id) / checked(NAME, file.name)
        await self._quick.do(link, file, kept)  # in the same queue as `drop_aloud`, which may be called meanwhile
        return kept

    async def drop_aloud(self, job_id: str) -> None:
        """Delete the files that `keep_aloud` linked for a job, if there are any."""
        await self._quick.do(discard_folder, self._aloud / checked(KEY, job_id), self._temporary())

    async def drop_many(self, keys: Collection[str]) -> None:
        """Delete the uploads and results with these keys, if they exist."""
        wanted = {checked(KEY, key) for key in keys}
        await in_thread(self._drop_many, wanted)

    async def sweep(
        self, voice_ids: set[tuple[int, int]], job_ids: set[str], upload_keys: set[str], *, now: datetime
    ) -> int:
        """Move every unclaimed file and folder to the trash and delete half-written files. Return their number.

        `voice_ids`: (guild, voice) of all voices. `job_ids`: jobs whose staging folder or result is still needed.
        Call it at start-up only, while no other process uses the folder: a file can be older than the row that refers
        to it.
        """
        voices = {self.voice_dir(guild_id, voice_id).name for guild_id, voice_id in voice_ids}
        claims: list[tuple[Path, Callable[[Path], bool]]] = [
            (self._uploads, lambda path: path.name in upload_keys),
            (self._staging, lambda path: path.name in job_ids),
            (self._voices, lambda path: path.name in voices),
            (self._results, lambda path: path.stem in job_ids),
        ]
        return await self._sweep_disk(claims, now)

    async def _sweep_disk(self, claims: list[tuple[Path, Callable[[Path], bool]]], now: datetime) -> int:
        """Move what is not claimed in these folders to the trash, and delete half-written files."""
        half_written = await in_thread(remove_all, self._tmp)
        await in_thread(remove_all, self._aloud)  # files that an earlier process was playing
        return half_written + await in_thread(self._sweep, claims, int(now.timestamp()))

    async def empty_trash(self, before: datetime) -> None:
        """Delete files that were moved to the trash before `before`."""
        await in_thread(self._empty_trash, before.timestamp())

    def _prepare(self) -> None:
        modes.private_folder(self.data_dir)
        for folder in (
            self._tmp,
            self._uploads,
            self._staging,
            self._voices,
            self._results,
            self._aloud,
            self._trash,
        ):
            modes.private_folder(folder)
            modes.close_all_to_others(folder)
        for path in self.data_dir.iterdir():
            if path.is_file():
                modes.close_to_others(path)

    def _sweep(self, claims: list[tuple[Path, Callable[[Path], bool]]], seconds: int) -> int:
        unclaimed = [path for folder, is_claimed in claims for path in folder.iterdir() if not is_claimed(path)]
        for path in unclaimed:
            path.rename(self._trash / f"{seconds}-{uuid.uuid4().hex}-{path.parent.name}-{path.name}")
        return len(unclaimed)

    def _empty_trash(self, before: float) -> None:
        for path in list(self._trash.iterdir()):
            trashed = TRASHED.fullmatch(path.name)
            if trashed and int(trashed[1]) < before:
                delete(path)

    def _drop_many(self, keys: set[str]) -> None:
        for path in [*self._uploads.iterdir(), *self._results.iterdir()]:
            if path.stem in keys:
                path.unlink(missing_ok=True)

    def _result(self, job_id: str) -> Path:
        return self._results / f"{checked(KEY, job_id)}.ogg"

    async def _put(self, target: Path, data: bytes) -> Path:
        temporary = self._temporary()
        with readable_errors():
            try:
                async with aiofiles.open(temporary, "wb", opener=modes.private_opener) as file:
                    await file.write(data)
                    await file.flush()
                    await asyncio.to_thread(os.fsync, file.fileno())
                await asyncio.to_thread(rename, temporary, target)
            finally:
                with suppress(OSError):
                    temporary.unlink(missing_ok=True)
        return target

    def _staged(self, before: float) -> list[str]:
        found = []
        for folder in self._staging.iterdir():
            with suppress(FileNotFoundError):  # its job ended meanwhile
                if folder.stat().st_mtime < before:
                    found.append(folder.name)
        return found

    def _adopt(self, staging: Path, folder: Path, names: list[str]) -> None:
        if any(not (staging / name).is_file() and not (folder / name).is_file() for name in names):
            raise Unavailable(LOST)
        moving = [name for name in names if (staging / name).is_file()]
        if folder.is_dir():
            for name in moving:
                move(staging / name, folder / name)
        else:
            complete = self._temporary()
            complete.mkdir(modes.FOLDER)
            try:
                for name in moving:
                    move(staging / name, complete / name)
                rename(complete, folder)
            except OSError:
                shutil.rmtree(complete, ignore_errors=True)
                raise

    def _temporary(self) -> Path:
        return self._tmp / uuid.uuid4().hex


def checked(pattern: re.Pattern[str], word: str) -> str:
    """Return a key or name that contains no path. Raises ValueError for any other."""
    if not pattern.fullmatch(word):
        raise ValueError(f"not a key or name for a file: {word!r}")
    return word
