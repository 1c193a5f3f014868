"""What is kept about one member of one server: shown, handed over, deleted.

Knows every kind of record that names a person; a new kind has to be added to all three.
"""

import asyncio
import io
import json
import zipfile
from dataclasses import asdict
from datetime import datetime
from typing import Any

import structlog

from cloning.worker.protocol import CLIP_FILE, PROMPT_FILE
from errors import NotFound
from storage.consents import REFUSED
from storage.database import Storage
from storage.jobs import UNFINISHED
from storage.records import VoiceRecord
from studio.queue.dispatcher import Dispatcher
from studio.values import Actor, Erased, PrivacySummary
from studio.voice_deletion import remove_voice
from studio.voices import VoiceLibrary, file_name

_log = structlog.get_logger(__name__)


class PrivacyService:
    """Acts for the actor about the actor, in the actor's server."""

    def __init__(self, storage: Storage, library: VoiceLibrary, dispatcher: Dispatcher) -> None:
        self._storage = storage
        self._library = library
        self._dispatcher = dispatcher

    async def show(self, actor: Actor) -> PrivacySummary:
        """What is kept, counted."""
        guild_id, member_id = actor.guild_id, actor.member_id
        voices = await self._storage.voices.of_person(guild_id, member_id)
        member = await self._storage.members.get(guild_id, member_id)
        requests = await self._storage.consents.requests_of(guild_id, member_id)
        refused = [each for each in requests if each.requester_id == member_id and each.state in REFUSED]
        _, audit_lines = await self._storage.audit.read(guild_id, limit=1, offset=0, actor_id=member_id)
        return PrivacySummary(
            consent=await self._storage.consents.get(guild_id, member_id),
            default_voice=await self._library.chosen(actor),
            owned=tuple(voice for voice in voices if voice.owner_id == member_id),
            heard_in=tuple(voice for voice in voices if voice.owner_id != member_id),
            jobs=await self._storage.jobs.count_of_member(guild_id, member_id),
            requests=len(requests),
            refusals=len(refused),
            audit_lines=audit_lines,
            blocked=member.blocked_at is not None,
            retention_days=(await self._storage.guilds.get(guild_id)).retention_days,
        )

    async def export(self, actor: Actor) -> bytes:
        """All of it as a .zip: data.json, and the recording and prompt of each voice in which they are heard.

        Not in it: recordings of other people.
        """
        voices = await self._storage.voices.of_person(actor.guild_id, actor.member_id)
        records = await self._records(actor, voices)
        files: dict[str, bytes] = {}
        for voice in voices:
            if voice.speaker_id not in (None, actor.member_id):
                continue
            for name in (PROMPT_FILE, CLIP_FILE):
                try:
                    data = await self._storage.files.read_voice_file(voice.guild_id, voice.id, name)
                except NotFound:
                    continue  # Imported voices have no clip, and voices that are being made have nothing yet.
                files[f"voices/{voice.id}-{file_name(voice.name)}/{name}"] = data
        await self._storage.audit.write(actor.guild_id, actor.member_id, "privacy.export")
        return await asyncio.to_thread(_zip, records, files)

    async def revoke(self, actor: Actor) -> Erased:
        """Withdraw consent: every voice in which the member is heard goes at once, and so do the clones under way."""
        # First: a clone that begins from now on is refused, and one that began before has its voice in the list.
        revoked = await self._storage.consents.revoke(actor.guild_id, actor.member_id)
        voices = await self._storage.voices.of_person(actor.guild_id, actor.member_id)
        heard = [voice for voice in voices if voice.speaker_id == actor.member_id]
        for voice in heard:
            await remove_voice(self._storage, self._dispatcher, voice)
        await self._storage.audit.write(actor.guild_id, actor.member_id, "consent.revoke")
        return Erased(voices=len(heard), jobs=0, consents=revoked)

    async def forget(self, actor: Actor) -> Erased:
        """Delete everything: voices owned and voices in which they are heard, jobs and texts, consents, choices.

        A block stays, and so does the no of somebody whom they asked for a voice: forgetting would lift either. The
        lines of the audit log stay for their time; they name voices, but hold no texts. What was used counts for a day.
        """
        return await self.forget_member(actor.guild_id, actor.member_id, by=actor.member_id)

    async def forget_member(self, guild_id: int, member_id: int, *, by: int) -> Erased:
        """The same for any member; `by` stands in the audit log."""
        blocked = (await self._storage.members.get(guild_id, member_id)).blocked_at is not None
        revoked = await self._storage.consents.revoke(guild_id, member_id)
        voices = jobs = 0
        while (gone := await self._erase_work(guild_id, member_id)) != (0, 0):  # A command may come in between.
            voices, jobs = voices + gone[0], jobs + gone[1]
        for request_id in await self._storage.consents.delete_requests_of(guild_id, member_id):
            await self._storage.files.drop_upload(request_id)
        await self._storage.members.forget(guild_id, member_id)
        await self._storage.finish_deleting()
        await self._storage.audit.write(guild_id, by, "privacy.forget", "" if by == member_id else str(member_id))
        _log.info("member_forgotten", guild_id=guild_id, voices=voices, jobs=jobs)
        return Erased(voices, jobs, revoked, blocked)

    async def _erase_work(self, guild_id: int, member_id: int) -> tuple[int, int]:
        """Delete the voices and jobs that are there now. How many of each there were."""
        for job in await self._storage.jobs.of_member(guild_id, member_id, states=UNFINISHED, limit=None):
            await self._dispatcher.cancel(job.id)
        self._dispatcher.rooms.drop_member(guild_id, member_id)
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
            "jobs": [{**asdict(job), "interaction_token": None} for job in jobs],
            "consent_requests": [
                asdict(request) for request in await self._storage.consents.requests_of(guild_id, member_id)
            ],
            "audit": [asdict(line) for line in await self._storage.audit.of_member(guild_id, member_id)],
        }


def _to_json(records: dict[str, Any]) -> bytes:
    return json.dumps(records, default=_plain, ensure_ascii=False, indent=2).encode()


def _plain(value: object) -> object:
    """JSON for what json does not know: times in ISO 8601, sets as lists."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, frozenset):
        return sorted(value)
    raise TypeError(type(value).__name__)


def _zip(records: dict[str, Any], files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.json", _to_json(records))
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()
