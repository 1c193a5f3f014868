"""The files of bot processes on several machines: uploads, voices and results are in a bucket, the rest is on disk.

A file is complete in the bucket before the row that refers to it is stored. A job's input files are fetched into its
staging folder and deleted with it, so that no copy of a voice outlives the voice on another machine. A result is
fetched when it is sent.

    BUCKET: uploads/KEY  voices/GUILD-VOICE/NAME  results/JOB.ogg  trash/SECONDS-NUMBER-FOLDER-NAME  installation-id
"""

import uuid
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from pathlib import Path, PurePosixPath

from errors import NotFound, Unavailable
from storage.bucket import Bucket
from storage.disk import in_thread, read_file
from storage.files import KEY, LOST, NAME, TRASHED, VOICE, FileStore, checked

_ID = "installation-id"
_RESULT = ".ogg"
_GIVEN = "given"
"""The subfolder of a job's staging folder for its input files."""


class SharedFiles(FileStore):
    """A FileStore whose lasting files are in a bucket."""

    def __init__(self, data_dir: Path, bucket: Bucket) -> None:
        super().__init__(data_dir)
        self.place = f"the file store {bucket.url}"
        self._bucket = bucket

    async def prepare(self) -> None:
        """Create the folders of the disk, and check the bucket. Raises Unavailable with a sentence for the owner."""
        await super().prepare()
        await self._bucket.check()

    async def installation_id(self) -> str | None:
        """Return the id that the bucket shares with its database, or None in a new one."""
        try:
            return (await self._bucket.get(_ID)).decode(errors="replace").strip() or None
        except NotFound:
            return None

    async def put_installation_id(self, installation_id: str) -> None:
        """Store the id of the database that the bucket belongs to."""
        await self._bucket.put(_ID, f"{installation_id}\n".encode())

    async def put_upload(self, key: str, data: bytes) -> None:
        """Store an upload; it replaces an earlier one with the same key."""
        await self._bucket.put(_upload(key), data)

    async def upload_for_job(self, job_id: str) -> Path:
        """Return a job's upload as a file in its staging folder. Raises NotFound."""
        return await self._fetch(job_id, "upload", _upload(job_id))

    @asynccontextmanager
    async def upload_at_hand(self, key: str) -> AsyncIterator[Path]:
        """An upload as a file that exists inside the `with`. Raises NotFound."""
        async with self.briefly(await self._bucket.get(_upload(key))) as path:
            yield path

    async def drop_upload(self, key: str) -> None:
        """Delete an upload, if it exists."""
        await self._bucket.delete([_upload(key)])

    async def voice_folders(self) -> set[tuple[int, int]]:
        """Return the (guild, voice) of every voice that has files, with or without a row."""
        names = {PurePosixPath(name).parts[1] for name in await self._bucket.names("voices")}
        return {(int(match[1]), int(match[2])) for match in map(VOICE.fullmatch, names) if match}

    async def adopt_voice(self, guild_id: int, voice_id: int, staging: Path, names: Iterable[str]) -> None:
        """Store the files `names` of a staging folder as the voice's; its other files stay.

        Idempotent, so that it can be repeated after a crash. Raises Unavailable if a file is neither in staging nor
        stored.
        """
        for name in names:
            try:
                data = await read_file(staging / checked(NAME, name))
            except NotFound:
                await self._require(_voice_file(guild_id, voice_id, name))
                continue
            await self.put_voice_file(guild_id, voice_id, name, data)

    async def put_voice_file(self, guild_id: int, voice_id: int, name: str, data: bytes) -> None:
        """Write one file of a voice; it replaces an earlier one."""
        await self._bucket.put(_voice_file(guild_id, voice_id, name), data)

    async def voice_file_for_job(self, job_id: str, guild_id: int, voice_id: int, name: str) -> Path:
        """Return a file of a voice as a file in the job's staging folder. Raises NotFound."""
        return await self._fetch(job_id, name, _voice_file(guild_id, voice_id, name))

    async def read_voice_file(self, guild_id: int, voice_id: int, name: str) -> bytes:
        """Return the bytes of one file of a voice."""
        return await self._bucket.get(_voice_file(guild_id, voice_id, name))

    async def drop_voice(self, guild_id: int, voice_id: int) -> None:
        """Delete a voice's files, if there are any."""
        await self._bucket.delete(await self._bucket.names(f"voices/{guild_id:d}-{voice_id:d}"))

    async def keep_result(self, job_id: str, file: Path) -> None:
        """Store a finished file until it is delivered. Idempotent."""
        try:
            data = await read_file(file)
        except NotFound:
            await self._bucket.get(_result(job_id))
            return
        await self._bucket.put(_result(job_id), data)

    async def result(self, job_id: str) -> Path | None:
        """Fetch the file that waits for delivery, or return None. `drop_result` or `drop_copies` deletes the copy."""
        copy = self._copy(job_id)
        try:
            await self._put(copy, await self._bucket.get(_result(job_id)))
        except NotFound:
            await in_thread(copy.unlink, True)
            return None
        return copy

    async def drop_copies(self, before: datetime) -> None:
        """Delete copies on this disk, made before `before`, of results that are kept elsewhere."""
        await in_thread(self._drop_copies, before.timestamp())

    async def drop_result(self, job_id: str) -> None:
        """Delete the file that waited for delivery, if it exists, and its copy on this disk."""
        await self._bucket.delete([_result(job_id)])
        await in_thread(self._copy(job_id).unlink, True)

    async def drop_many(self, keys: Collection[str]) -> None:
        """Delete the uploads and results with these keys, if they exist."""
        await self._bucket.delete([name for key in keys for name in (_upload(key), _result(key))])
        for key in keys:
            await in_thread(self._copy(key).unlink, True)

    async def sweep(
        self, voice_ids: set[tuple[int, int]], job_ids: set[str], upload_keys: set[str], *, now: datetime
    ) -> int:
        """Move every unclaimed object to the trash; delete half-written files and copies on this disk."""
        claimed = {f"{guild_id:d}-{voice_id:d}" for guild_id, voice_id in voice_ids}
        unclaimed = [
            *(name for name in await self._bucket.names("uploads") if _stem(name) not in upload_keys),
            *(name for name in await self._bucket.names("voices") if PurePosixPath(name).parts[1] not in claimed),
            *(name for name in await self._bucket.names("results") if _stem(name) not in job_ids),
        ]
        batch = uuid.uuid4().hex
        for name in unclaimed:
            flat = "-".join(PurePosixPath(name).parts)
            await self._bucket.rename(name, f"trash/{int(now.timestamp())}-{batch}-{flat}")
        return len(unclaimed) + await self._sweep_disk([(self._staging, lambda path: path.name in job_ids)], now)

    async def empty_trash(self, before: datetime) -> None:
        """Delete files that were moved to the trash before `before`, in the bucket and on this disk."""
        names = await self._bucket.names("trash")
        trashed = [(name, TRASHED.fullmatch(PurePosixPath(name).name)) for name in names]
        await self._bucket.delete([name for name, match in trashed if match and int(match[1]) < before.timestamp()])
        await super().empty_trash(before)

    def _drop_copies(self, before: float) -> None:
        for copy in self._tmp.glob(f"*{_RESULT}"):
            with suppress(FileNotFoundError):  # it was sent meanwhile
                if copy.stat().st_mtime < before:
                    copy.unlink()

    def _copy(self, job_id: str) -> Path:
        """Return the path of the copy of a result on this disk."""
        return self._tmp / (checked(KEY, job_id) + _RESULT)

    async def _fetch(self, job_id: str, name: str, stored: str) -> Path:
        data = await self._bucket.get(stored)
        path = await self.staging(job_id) / _GIVEN / checked(NAME, name)
        await in_thread(path.parent.mkdir, 0o700, False, True)
        await self._put(path, data)
        return path

    async def _require(self, name: str) -> None:
        try:
            await self._bucket.get(name)
        except NotFound as error:
            raise Unavailable(LOST) from error


def _upload(key: str) -> str:
    return f"uploads/{checked(KEY, key)}"


def _result(job_id: str) -> str:
    return f"results/{checked(KEY, job_id)}{_RESULT}"


def _voice_file(guild_id: int, voice_id: int, name: str) -> str:
    return f"voices/{guild_id:d}-{voice_id:d}/{checked(NAME, name)}"


def _stem(name: str) -> str:
    return PurePosixPath(name).name.removesuffix(_RESULT)
