"""Opens the database and the file store, upgrades both, and cleans up after a crash."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Self

import structlog
from sqlalchemy import delete, exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from errors import BarkeepError, NotFound, Unavailable
from storage.acceptance import JobAcceptance
from storage.audit import AuditRepository
from storage.bucket import FILES_AWAY, Bucket
from storage.columns import Clock, utc_now
from storage.consent_records import ConsentState
from storage.consents import ConsentRepository
from storage.disk import GONE, REFUSED
from storage.erasures import ErasureRepository
from storage.files import FileStore
from storage.folder_locks import FolderClaim, InUse
from storage.guilds import GuildRepository, PronunciationRepository, SeatRepository
from storage.installation import Installation, check_pair
from storage.jobs import UNFINISHED, JobRepository
from storage.limits import HourlyCounts
from storage.members import MemberRepository
from storage.migrations.upgrade import upgrade
from storage.models import ConsentRequestRow, GuildRow, JobRow, VoiceRow
from storage.process_locks import ProcessLocks
from storage.records import JobKind, JobState, VoiceState
from storage.reserve import Reserve
from storage.sessions import AWAY, FULL, Sessions
from storage.shards import ALL, Notice, Shards
from storage.shared_files import SharedFiles
from storage.spoken_consents import SpokenConsentRepository, open_uploads
from storage.voices import VoiceRepository

TRASH_KEPT = timedelta(days=7)
"""How long files in the trash can be restored."""
COPY_KEPT = timedelta(hours=1)
"""How long this disk keeps copies and work in progress of jobs that another process may have finished; longer than a
round of attempts to send a result."""
FEW_VOICES = 3
"""The number of voice folders without a row that a crash explains, in a database of any size."""
SWEPT_SHARE = 0.1
"""The share of voice folders that may lack a row in a larger database."""

RESERVE = "reserve"
"""The name of the file that reserves disk space for deletions."""

_log = structlog.get_logger(__name__)


class Storage:
    """All repositories and files. Create one with `open`."""

    def __init__(
        self,
        sessions: Sessions,
        files: FileStore,
        clock: Clock,
        in_use: InUse,
        reserve: Reserve | None,
        shards: Shards,
        locks: ProcessLocks | None,
    ) -> None:
        self.installation = Installation(sessions)
        self.voices = VoiceRepository(sessions, clock, shards)
        self.acceptance = JobAcceptance(sessions, clock, shards)
        self.jobs = JobRepository(sessions, clock, shards)
        self.guilds = GuildRepository(sessions, clock)
        self.erasures = ErasureRepository(sessions, clock)
        self.members = MemberRepository(sessions, clock)
        self.consents = ConsentRepository(sessions, clock)
        self.spoken_consents = SpokenConsentRepository(sessions, clock)
        self.hourly = HourlyCounts(sessions, clock)
        self.pronunciations = PronunciationRepository(sessions, clock)
        self.audit = AuditRepository(sessions, clock)
        self.seats = SeatRepository(sessions, shards)
        self.files = files
        self.shards = shards
        self._clock = clock
        self._sessions = sessions
        self._in_use = in_use
        self._reserve = reserve
        self._locks = locks
        self._folder_claim: FolderClaim | None = None

    @classmethod
    async def open(
        cls,
        url: str,
        data_dir: Path,
        *,
        clock: Clock = utc_now,
        busy_timeout: float = 10.0,
        reserves: bool = False,
        shards: Shards = ALL,
        bucket: Bucket | None = None,
    ) -> Self:
        """Open the database at an SQLAlchemy URL (SQLite or PostgreSQL) and the files in `data_dir`.

        Creates what is missing and upgrades an older database. Unless another process uses the same folder, it also
        removes what a crash left behind: files without a row, which stay in the trash for TRASH_KEPT, and reserved
        names whose job has ended.

        `busy_timeout`: seconds to wait for a lock. `reserves`: reserve disk space for deletions. `shards`: the servers
        of this process; other processes on the same PostgreSQL database serve the rest. `bucket`: holds uploads,
        voices and results in place of `data_dir`. Raises Unavailable with a sentence for the owner, also if the
        database and the folder do not belong together or too many voices lack a row.
        """
        with _errors_for_the_owner(data_dir, bucket):
            files = FileStore(data_dir) if bucket is None else SharedFiles(data_dir, bucket)
            await files.prepare()
            reserve = Reserve(data_dir / RESERVE) if reserves else None
            if reserve is not None:
                await asyncio.to_thread(reserve.give_up_if_full)  # so that members can delete after a restart, too
            sessions = Sessions(url, busy_timeout=busy_timeout, reserve=reserve)
            locks = ProcessLocks(sessions, process_name()) if sessions.engine.dialect.name == "postgresql" else None
            in_use = InUse(data_dir, locks)
            try:
                await upgrade(sessions)
                if locks is not None:
                    await locks.open()
                if await in_use.alone():
                    async with in_use.kept_alone():
                        await check_pair(sessions, files)
                        await _tidy(sessions, files, clock)
                    await in_use.share()
                else:
                    await in_use.share()
                    await check_pair(sessions, files)
            except BaseException:
                in_use.close()
                if locks is not None:
                    await locks.close()
                await sessions.close()
                raise
        storage = cls(sessions, files, clock, in_use, reserve, shards, locks)
        await storage.keep_room()
        return storage

    @asynccontextmanager
    async def in_turn(self) -> AsyncIterator[None]:
        """Hold a lock that only one process can hold at a time. Waits for it."""
        if self._locks is None:
            yield
            return
        async with self._locks.in_turn():
            yield

    async def claim_shards(self, refused: Callable[[BarkeepError], None], *, patience: float = 10.0) -> None:
        """Claim this process's shards until it ends.

        refused: called if another process took a shard while the connection to PostgreSQL was lost. patience: seconds
        to wait for a process that is just ending. Raises Conflict, with a sentence for the owner, if another process
        has one of the shards.
        """
        if self._locks is not None:
            await self._locks.claim(self.shards, patience, refused)
            return
        self._folder_claim = FolderClaim(self.files.data_dir)
        await self._folder_claim.take(process_name(), patience)

    async def leads(self) -> bool:
        """Return whether this process is the leader, which does the work that only one process has to do."""
        return self._locks is None or await self._locks.leads()

    async def listen(self, hear: Callable[[Notice | None], None]) -> None:
        """Call `hear` with each change that another process makes to this one's servers.

        None: changes may have been missed, because the connection to PostgreSQL was lost.
        """

        def hear_own(notice: Notice | None) -> None:
            if notice is None or self.shards.own(notice.guild_id):
                hear(notice)

        if self._locks is not None:
            await self._locks.listen(hear_own)

    async def drop_copies(self) -> None:
        """Delete files on this disk that are older than COPY_KEPT, of jobs that another process may have finished.

        These are copies of results, and work in progress, which has copies of voices and recordings.
        """
        before = self._clock() - COPY_KEPT
        await self.files.drop_copies(before)
        if staged := await self.files.staged(before):
            async with self._sessions.read() as session:
                needed = select(JobRow.id).where(JobRow.id.in_(staged), JobRow.state.in_((*UNFINISHED, JobState.READY)))
                kept = set(await session.scalars(needed))
            for job_id in staged:
                if job_id not in kept:
                    await self.files.drop_staging(job_id)

    async def empty_trash(self) -> None:
        """Delete files that have been in the trash for TRASH_KEPT."""
        await self.files.empty_trash(self._clock() - TRASH_KEPT)

    async def finish_deleting(self) -> None:
        """Remove deleted rows from SQLite's write-ahead log as well.

        If that is not possible now (the disk is full, or another connection reads), the deletion stands and the next
        call retries.
        """
        try:
            await self._sessions.empty_log()
        except Unavailable as error:
            _log.warning("log_not_emptied", reason=error.message)

    async def keep_room(self) -> None:
        """Reserve disk space for deletions again, once there is enough. Call it regularly."""
        if self._reserve is not None:
            await asyncio.to_thread(self._reserve.take)

    async def close(self) -> None:
        """Close the connections. The object cannot be used afterwards."""
        if self._locks is not None:
            await self._locks.close()
        if self._folder_claim is not None:
            self._folder_claim.close()
        await self._sessions.close()
        self._in_use.close()


def process_name() -> str:
    """Return the name of this process in messages to the owner."""
    return f"{socket.gethostname()}, process {os.getpid()}"


@contextmanager
def _errors_for_the_owner(data_dir: Path, bucket: Bucket | None) -> Iterator[None]:
    """Replace storage errors that are written for members with sentences for the owner."""
    folder = (
        f"The data folder {data_dir.absolute()} cannot be used. Let the user who runs Barkeep write there, or set "
        "DATA_DIR to another folder."
    )
    database = (
        "The database cannot be opened; the log says why. PostgreSQL must be running and know the user, password and "
        "database of DATABASE_URL; an SQLite file must be whole, and writable for the user who runs Barkeep."
    )
    full = (
        f"The disk of the data folder {data_dir.absolute()}, or of the database, is full. Free some space and start "
        "again."
    )
    try:
        yield
    except (NotFound, Unavailable) as error:
        sentence = {GONE: folder, REFUSED: folder, AWAY: database, FULL: full}.get(error.message)
        if bucket is not None and error.message == FILES_AWAY:
            sentence = bucket.sentence()
        if sentence is None:
            raise
        raise Unavailable(sentence) from error


async def _tidy(sessions: Sessions, files: FileStore, clock: Clock) -> None:
    """Remove rows and files that a crash left between two steps. Raises Unavailable if too many voices lack a row."""
    wanted = (*UNFINISHED, JobState.READY)
    in_work = exists().where(JobRow.voice_id == VoiceRow.id, JobRow.kind == JobKind.CLONE, JobRow.state.in_(UNFINISHED))
    async with sessions.write() as session:
        await session.execute(delete(VoiceRow).where(VoiceRow.state == VoiceState.CLONING, ~in_work))
        voices = {(row.guild_id, row.id) for row in await session.execute(select(VoiceRow.guild_id, VoiceRow.id))}
        await _check_sweep(session, files, voices)
        jobs = set(await session.scalars(select(JobRow.id).where(JobRow.state.in_(wanted))))
        asked = await session.scalars(
            select(ConsentRequestRow.id).where(ConsentRequestRow.state == ConsentState.PENDING)
        )
        at_work = await session.scalars(select(JobRow.id).where(JobRow.state.in_(UNFINISHED)))
        uploads = set(at_work) | set(asked) | await open_uploads(session)
    removed = await files.sweep(voices, jobs, uploads, now=clock())
    if removed:
        _log.info("swept_files", removed=removed)
    await files.empty_trash(clock() - TRASH_KEPT)


async def _check_sweep(session: AsyncSession, files: FileStore, voices: set[tuple[int, int]]) -> None:
    """Raise Unavailable if more voices lack a row than a crash explains, as with an older copy of the database.

    Servers without a row do not count: they were removed, and a crash came before their files were deleted.
    """
    guilds = set(await session.scalars(select(GuildRow.guild_id)))
    folders = {folder for folder in await files.voice_folders() if folder[0] in guilds}
    lost = sorted(folders - voices)
    if len(lost) > max(FEW_VOICES, SWEPT_SHARE * len(folders)):
        _log.error("voices_without_a_row", folders=[files.voice_dir(*folder).name for folder in lost])
        raise Unavailable(
            f"Of {len(folders)} voices in {files.place}, {len(lost)} are not in the database, which may be an older "
            "copy. Nothing was removed. Restore the newest database; or, if those voices are not wanted, move their "
            "folders away (the log names them), and start again."
        )
