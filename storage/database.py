"""The way into storage: opens the database and the file store, brings both up to date, and tidies up after a crash."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Self

import structlog
from sqlalchemy import delete, exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from errors import NotFound, Unavailable
from storage import installation
from storage.audit import AuditRepository
from storage.columns import Clock, utc_now
from storage.consents import ConsentRepository
from storage.files import GONE, REFUSED, FileStore
from storage.guilds import GuildRepository
from storage.in_use import InUse
from storage.jobs import UNFINISHED, JobRepository
from storage.members import MemberRepository
from storage.migrations.upgrade import upgrade
from storage.models import ConsentRequestRow, GuildRow, JobRow, VoiceRow
from storage.records import ConsentState, JobKind, JobState, VoiceState
from storage.sessions import AWAY, Sessions
from storage.voices import VoiceRepository

TRASH_KEPT = timedelta(days=7)
"""How long swept files can still be taken back."""
FEW_VOICES = 3
"""A crash leaves the folder of one voice without a row, or of a few that were deleted at once."""
SWEPT_SHARE = 0.1
"""The share of a database's voice folders that may lack a row, if they are not few."""

_log = structlog.get_logger(__name__)


class Storage:
    """Everything Barkeep keeps. Make one with `open`."""

    def __init__(self, sessions: Sessions, files: FileStore, clock: Clock, in_use: InUse) -> None:
        self.voices = VoiceRepository(sessions, clock)
        self.jobs = JobRepository(sessions, clock)
        self.guilds = GuildRepository(sessions)
        self.members = MemberRepository(sessions, clock)
        self.consents = ConsentRepository(sessions, clock)
        self.audit = AuditRepository(sessions, clock)
        self.files = files
        self._clock = clock
        self._sessions = sessions
        self._in_use = in_use

    @classmethod
    async def open(cls, url: str, data_dir: Path, *, clock: Clock = utc_now, busy_timeout: float = 10.0) -> Self:
        """Open the database at an SQLAlchemy URL (SQLite or PostgreSQL) and the files in `data_dir`.

        Makes what is missing, brings an older database up to date, and, unless another process uses the same folder,
        removes what a crash left behind: files without a row, which rest in the trash for TRASH_KEPT, and reserved
        names whose job is over. `busy_timeout`: seconds to wait for a lock. Raises Unavailable with a sentence for the
        owner, also if the database and the folder do not belong together, or too many voices are without a row.
        """
        with _told_to_the_owner(data_dir):
            files = FileStore(data_dir)
            await files.prepare()
            sessions = Sessions(url, busy_timeout=busy_timeout)
            in_use = InUse(data_dir)
            try:
                await upgrade(sessions)
                if in_use.alone():
                    await installation.introduce(sessions, files)
                    await _tidy(sessions, files, clock)
                    await in_use.share()
                else:
                    await in_use.share()
                    await installation.introduce(sessions, files)
            except BaseException:
                in_use.close()
                await sessions.close()
                raise
        return cls(sessions, files, clock, in_use)

    async def claim(self, application_id: int) -> bool:
        """Whether the data belong to this Discord application since an earlier start; the first start notes it.

        Raises Conflict, with a sentence for the owner, if they belong to another application.
        """
        return await installation.claim(self._sessions, application_id)

    async def empty_trash(self) -> None:
        """Delete swept files that have rested long enough."""
        await self.files.empty_trash(self._clock() - TRASH_KEPT)

    async def finish_deleting(self) -> None:
        """Take what was deleted off the disk, too, where the database keeps it for a while.

        Where that cannot be done now (a full disk, somebody reads), the deletion stands, and the next call does it.
        """
        try:
            await self._sessions.empty_log()
        except Unavailable as fault:
            _log.warning("log_not_emptied", reason=fault.message)

    async def close(self) -> None:
        """Close the connections. Nothing may be asked afterwards."""
        await self._sessions.close()
        self._in_use.close()


@contextmanager
def _told_to_the_owner(data_dir: Path) -> Iterator[None]:
    """What storage says to members when something is out of order, said to the one who can put it in order."""
    folder = (
        f"The data folder {data_dir.absolute()} cannot be used. Let the user who runs Barkeep write there, or set "
        "DATA_DIR to another folder."
    )
    database = (
        "The database cannot be opened; the log says why. PostgreSQL must be running and know the user, password and "
        "database of DATABASE_URL; an SQLite file must be whole, and writable for the user who runs Barkeep."
    )
    try:
        yield
    except (NotFound, Unavailable) as fault:
        sentence = {GONE: folder, REFUSED: folder, AWAY: database}.get(fault.message)
        if sentence is None:
            raise
        raise Unavailable(sentence) from fault


async def _tidy(sessions: Sessions, files: FileStore, clock: Clock) -> None:
    """Remove what a crash left between two steps of the studio. Raises Unavailable if that are too many voices."""
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
        uploads = set(at_work) | set(asked)
    removed = await files.sweep(voices, jobs, uploads, now=clock())
    if removed:
        _log.info("swept_files", removed=removed)
    await files.empty_trash(clock() - TRASH_KEPT)


async def _check_sweep(session: AsyncSession, files: FileStore, voices: set[tuple[int, int]]) -> None:
    """Raise Unavailable if more voices lack a row than a crash explains: the database may be an older copy.

    Of a server without a row all may: it was removed, and a crash came before its files were.
    """
    guilds = set(await session.scalars(select(GuildRow.guild_id)))
    folders = {folder for folder in await files.voice_folders() if folder[0] in guilds}
    lost = sorted(folders - voices)
    if len(lost) > max(FEW_VOICES, SWEPT_SHARE * len(folders)):
        _log.error("voices_without_a_row", folders=[files.voice_dir(*folder).name for folder in lost])
        raise Unavailable(
            f"Of {len(folders)} voices in {files.data_dir.absolute() / 'voices'}, {len(lost)} are not in the database, "
            "which may be an older copy. Nothing was removed. Restore the newest database; or, if those voices are not "
            "wanted, move their folders away (the log names them), and start again."
        )
