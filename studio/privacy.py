"""Shows, exports and deletes the data of one member on a server.

All three cover every kind of record that names a person; a new kind has to be added to each.
"""

import asyncio
import io
import json
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import structlog

from cloning.worker.protocol import CLIP_FILE, PROMPT_FILE
from errors import NotFound
from storage.consent_records import ConsentState
from storage.consents import REFUSED
from storage.database import Storage
from storage.jobs import UNFINISHED
from storage.records import VoiceRecord
from studio.queue.dispatcher import Dispatcher
from studio.values import Actor, Erased, PrivacySummary
from studio.voice_deletion import remove_voice
from studio.voice_files import file_name
from studio.voices import VoiceLibrary

_log = structlog.get_logger(__name__)


class PrivacyService:
    """Acts for the actor on the actor's own data, in the actor's server. It needs no roles and no membership."""

    def __init__(self, storage: Storage, library: VoiceLibrary, dispatcher: Dispatcher) -> None:
        self._storage = storage
        self._library = library
        self._dispatcher = dispatcher

    async def servers(self, member_id: int) -> list[int]:
        """Return the servers that store anything about the member, also those they have left."""
        return await self._storage.members.servers_of(member_id)

    async def show(self, actor: Actor) -> PrivacySummary:
        """Return counts of the actor's records."""
        guild_id, member_id = actor.guild_id, actor.member_id
        voices = await self._storage.voices.of_person(guild_id, member_id)
        member = await self._storage.members.get(guild_id, member_id)
        requests = await self._storage.consents.requests_of(guild_id, member_id)
        spoken = await self._storage.spoken_consents.of_member(guild_id, member_id)
        refused = [each for each in requests if each.requester_id == member_id and each.state in REFUSED]
        _, audit_lines = await self._storage.audit.read(guild_id, limit=1, offset=0, actor_id=member_id)
        return PrivacySummary(
            consent=await self._storage.consents.get(guild_id, member_id),
            default_voice=await self._library.chosen(actor),
            owned=tuple(voice for voice in voices if voice.owner_id == member_id),
            heard_in=tuple(voice for voice in voices if voice.owner_id != member_id),
            jobs=await self._storage.jobs.count_of_member(guild_id, member_id),
            requests=len(requests),
            spoken=len(spoken),
            refusals=len(refused),
            allowed=sum(each.author_id == member_id and each.state is ConsentState.ALLOWED for each in requests),
            audit_lines=audit_lines,
            blocked=member.blocked_at is not None,
            unread=member.unread,
            ignored=member.ignored,
            has_default=member.default_voice is not None,
            retention_days=(await self._storage.guilds.get(guild_id)).retention_days,
        )

    async def export(self, actors: Sequence[Actor]) -> bytes:
        """Return all data of a member as a .zip: data.json, and the recording and prompt of each of their voices.

        actors: the member on one or more servers; with several servers, each has a folder, named by its id. Recordings
        of other people are not included.
        """
        files: dict[str, bytes] = {}
        for actor in actors:
            folder = "" if len(actors) == 1 else f"{actor.guild_id}/"
            files.update({folder + name: data for name, data in (await self._files(actor)).items()})
            await self._storage.audit.write(actor.guild_id, actor.member_id, "privacy.export")
        return await asyncio.to_thread(_zip, files)

    async def _files(self, actor: Actor) -> dict[str, bytes]:
        """Return the files of one server, by their names."""
        voices = await self._storage.voices.of_person(actor.guild_id, actor.member_id)
        records = await self._records(actor, voices)
        files = {"data.json": await asyncio.to_thread(_to_json, records)}
        for voice in voices:
            if voice.speaker_id not in (None, actor.member_id):
                continue
            for name in (PROMPT_FILE, CLIP_FILE):
                try:
                    data = await self._storage.files.read_voice_file(voice.guild_id, voice.id, name)
                except NotFound:
                    continue  # imported voices have no clip, and unfinished voices have no files
                files[f"voices/{voice.id}-{file_name(voice.name)}/{name}"] = data
        return files

    async def revoke(self, actor: Actor) -> Erased:
        """Withdraw consent: delete every voice of the member and cancel their clones."""
        # First: a clone that is not yet accepted is refused from now on, and an accepted one is in the list below.
        await self._storage.erasures.note(actor.guild_id, actor.member_id)
        revoked = await self._storage.consents.revoke(actor.guild_id, actor.member_id)
        await self._erase_sentences(actor.guild_id, actor.member_id)
        voices = await self._storage.voices.of_person(actor.guild_id, actor.member_id)
        heard = [voice for voice in voices if voice.speaker_id == actor.member_id]
        for voice in heard:
            await remove_voice(self._storage, self._dispatcher, voice)
        await self._storage.audit.write(actor.guild_id, actor.member_id, "consent.revoke")
        return Erased(voices=len(heard), jobs=0, consents=revoked)

    async def forget(self, actor: Actor) -> Erased:
        """Delete everything: voices they own or speak in, jobs and texts, consents, choices.

        A block stays, and so do refusals by members whom they asked for a voice: deleting data must not lift either.
        Audit lines stay until they expire; they name voices but hold no texts. Usage still counts for a day.
        """
        return await self.forget_member(actor.guild_id, actor.member_id, by=actor.member_id)

    async def forget_member(self, guild_id: int, member_id: int, *, by: int) -> Erased:
        """Delete everything of any member; the audit log names `by`."""
        blocked = (await self._storage.members.get(guild_id, member_id)).blocked_at is not None
        await self._storage.erasures.note(guild_id, member_id)
        revoked = await self._storage.consents.revoke(guild_id, member_id)
        voices = jobs = 0
        while (gone := await self._erase_work(guild_id, member_id)) != (0, 0):  # a command can come in between
            voices, jobs = voices + gone[0], jobs + gone[1]
        await self._storage.members.forget(guild_id, member_id)
        await self._storage.finish_deleting()
        await self._storage.audit.write(guild_id, by, "privacy.forget", "" if by == member_id else str(member_id))
        _log.info("member_forgotten", guild_id=guild_id, voices=voices, jobs=jobs)
        return Erased(voices, jobs, revoked, blocked)

    async def _erase_sentences(self, guild_id: int, member_id: int) -> None:
        """Delete a member's sentences of consent, with the recordings stored for them."""
        for spoken_id in await self._storage.spoken_consents.delete_of_member(guild_id, member_id):
            await self._storage.files.drop_upload(spoken_id)

    async def _erase_work(self, guild_id: int, member_id: int) -> tuple[int, int]:
        """Delete the current voices and jobs, and the requests and sentences that could become one.

        Return the numbers of voices and jobs.
        """
        for job in await self._storage.jobs.of_member(guild_id, member_id, states=UNFINISHED, limit=None):
            await self._dispatcher.cancel(job.id)
        self._dispatcher.rooms.drop_member(guild_id, member_id)
        # Before the voices: a yes that comes now is refused, or its voice is in the list below.
        for request_id in await self._storage.consents.delete_requests_of(guild_id, member_id):
            await self._storage.files.drop_upload(request_id)
        await self._erase_sentences(guild_id, member_id)
        voices = await self._storage.voices.of_person(guild_id, member_id)
        for voice in voices:
            await remove_voice(self._storage, self._dispatcher, voice)
        jobs = await self._storage.jobs.delete_of_member(guild_id, member_id)
        await self._storage.files.drop_many(jobs)
        return len(voices), len(jobs)

    async def _records(self, actor: Actor, voices: list[VoiceRecord]) -> dict[str, Any]:
        guild_id, member_id = actor.guild_id, actor.member_id
        consent = await self._storage.consents.get(guild_id, member_id)
        jobs = await self._storage.jobs.of_member(guild_id, member_id, limit=None)
        return {
            "guild_id": guild_id,
            "member_id": member_id,
            "consent": consent and asdict(consent),
            "member": asdict(await self._storage.members.get(guild_id, member_id)),
            "voices": [asdict(voice) for voice in voices],
            "jobs": [{**asdict(job), "interaction_token": None, "lease_owner": None} for job in jobs],
            "consent_requests": [
                asdict(request) for request in await self._storage.consents.requests_of(guild_id, member_id)
            ],
            "spoken_consents": [
                asdict(each) for each in await self._storage.spoken_consents.of_member(guild_id, member_id)
            ],
            "audit": [asdict(line) for line in await self._storage.audit.of_member(guild_id, member_id)],
        }


def _to_json(records: dict[str, Any]) -> bytes:
    return json.dumps(records, default=_plain, ensure_ascii=False, indent=2).encode()


def _plain(value: object) -> object:
    """Convert values that json does not support: times to ISO 8601, sets to lists."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, frozenset):
        return sorted(value)
    raise TypeError(type(value).__name__)


def _zip(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def combined(summaries: Sequence[PrivacySummary]) -> PrivacySummary:
    """Return the summaries of one member on several servers as one, without a default voice."""
    return PrivacySummary(
        consent=next((each.consent for each in summaries if each.consent is not None), None),
        default_voice=None,
        owned=tuple(voice for each in summaries for voice in each.owned),
        heard_in=tuple(voice for each in summaries for voice in each.heard_in),
        jobs=sum(each.jobs for each in summaries),
        requests=sum(each.requests for each in summaries),
        refusals=sum(each.refusals for each in summaries),
        audit_lines=sum(each.audit_lines for each in summaries),
        blocked=any(each.blocked for each in summaries),
        retention_days=max((each.retention_days for each in summaries), default=0),
        unread=any(each.unread for each in summaries),
        ignored=any(each.ignored for each in summaries),
        spoken=sum(each.spoken for each in summaries),
        allowed=sum(each.allowed for each in summaries),
    )


def added(erased: Iterable[Erased]) -> Erased:
    """Return the sums of what was deleted on several servers."""
    each = tuple(erased)
    return Erased(
        sum(one.voices for one in each),
        sum(one.jobs for one in each),
        sum(one.consents for one in each),
        any(one.block_kept for one in each),
    )
