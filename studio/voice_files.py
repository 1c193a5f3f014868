"""Files of voices: exports and imports prompts, and returns reference recordings."""

import asyncio
import re

from cloning.checkpoints.voice_reading import read_voice
from cloning.prompt import PromptSpec
from cloning.text.readable import check_model_reads
from cloning.text.splitting import check_language
from cloning.worker.protocol import CLIP_FILE, PROMPT_FILE, Executor, Ready
from errors import InvalidInput, NotAllowed, NotFound, Unavailable
from storage.consent_records import ConsentKind
from storage.database import Storage
from storage.records import GuildSettings, NewVoice, VoiceModels, VoiceRecord
from studio import rights
from studio.names import clean_description, clean_name
from studio.values import POLICY_VERSION, Actor, Courier
from studio.voices import VoiceLibrary

MAX_PROMPT_BYTES = 4 * 1024 * 1024
"""The largest voice file that is read, in bytes. One of 15 s has about 100 kB."""


class VoiceFileService:
    """Gives members the files of their voices, and makes voices from files.

    `typed` is a voice's key or its exact name, as in VoiceLibrary. consent: how members agree to a clone where
    moderators did not choose.
    """

    def __init__(
        self,
        storage: Storage,
        executor: Executor,
        library: VoiceLibrary,
        courier: Courier,
        *,
        consent: ConsentKind,
    ) -> None:
        self._storage = storage
        self._courier = courier
        self._executor = executor
        self._library = library
        self._consent = consent
        self._reading = asyncio.Lock()

    async def export(self, actor: Actor, typed: str) -> tuple[str, bytes]:
        """Return a voice's prompt as (file name, .npz), for its owner unless another person is the speaker."""
        await rights.require(self._storage, actor, rights.may_act)
        record = await self._library.record(actor, typed)
        rights.may_take_away(actor, record)
        data = await self._storage.files.read_voice_file(record.guild_id, record.id, PROMPT_FILE)
        await self._storage.audit.write(actor.guild_id, actor.member_id, "voice.export", record.name)
        return f"{file_name(record.name)}.npz", data

    async def import_(
        self,
        actor: Actor,
        name: str,
        data: bytes,
        *,
        attested: bool,
        language: str = "en",
        description: str = "",
        since: int | None = None,
    ) -> VoiceRecord:
        """Make a voice from a prompt file.

        Needs the same rights as a clone, and the actor's confirmation (`attested`) that the voice is theirs. since: as
        CloneService.check returned it before the file was downloaded. Files are read one at a time, and each counts as
        a request against the hourly limit, even if it is refused.

        Raises InvalidInput that names the fault of the file, Conflict for a taken name and if the actor's data were
        deleted since, LimitReached, NotAllowed (also where the server asks for spoken consent, since a file has no
        speech to compare with), and Unavailable while the models are not loaded, since they determine which tokens are
        valid.
        """
        if since is None:
            since = await self._storage.erasures.latest(actor.guild_id)
        settings = await self._check_importer(actor)
        if not attested:
            raise NotAllowed(
                "Please confirm first that the voice is your own: use /voices import and fill in its form."
            )
        new = NewVoice(
            actor.guild_id,
            actor.member_id,
            actor.member_id,
            clean_name(name),
            check_language(language),
            clean_description(description),
        )
        ready = self._ready()
        check_model_reads(language, ready.languages)
        await self._storage.acceptance.count_request(actor.member_id, settings)
        async with self._reading:
            prompt = await asyncio.to_thread(_read_prompt, data, ready.prompt_spec)
        await self._check_importer(actor)  # again: other files may have been read first, which takes time
        record = await self._storage.voices.add(
            new,
            VoiceModels(ready.model, "", "imported", ready.digest),
            has_clip=False,
            member_limit=settings.voices_per_member,
            guild_limit=settings.voices_per_guild,
            since=since,
            policy_version=POLICY_VERSION,
            place=lambda placed: self._storage.files.put_voice_file(placed.guild_id, placed.id, PROMPT_FILE, prompt),
        )
        await self._storage.audit.write(actor.guild_id, actor.member_id, "voice.import", record.name)
        return record

    async def clip(self, actor: Actor, typed: str) -> tuple[VoiceRecord, bytes]:
        """Return a voice and its reference recording as FLAC, if the actor may use the voice.

        Raises NotFound for speakers, imported voices, and a voice that is being deleted, and, as for speech,
        VoiceUnavailable if the person it belongs to has left.
        """
        settings = await rights.require(self._storage, actor, rights.may_act)
        record = (await self._library.resolve(actor, typed)).record
        if record is None or not record.has_clip:
            raise NotFound("There is no recording to hear, because this voice was not made from one here.")
        await rights.require_present(self._storage, self._courier, actor, record, settings)
        return record, await self._storage.files.read_voice_file(record.guild_id, record.id, CLIP_FILE)

    async def _check_importer(self, actor: Actor) -> GuildSettings:
        """Return the server's settings. Raises NotAllowed unless the actor may add a voice from a file now."""
        settings = await rights.require(self._storage, actor, rights.may_clone)
        if rights.consent_of(settings, self._consent) is ConsentKind.SPOKEN:
            raise NotAllowed(
                "This server asks for spoken consent, and a file does not tell whose voice it holds. Use /clone with a "
                "recording."
            )
        return settings

    def _ready(self) -> Ready:
        ready = self._executor.health().ready
        if ready is None:
            raise Unavailable("The speech models are still loading. Please import the voice again in a minute.")
        return ready


def file_name(name: str) -> str:
    """Return a voice's name in a form that is safe as a file name."""
    return re.sub(r"[^\w-]+", "-", name).strip("-") or "voice"


def _read_prompt(data: bytes, spec: PromptSpec) -> bytes:
    if len(data) > MAX_PROMPT_BYTES:
        raise InvalidInput("That file is too large. A voice file (.npz) has well under a megabyte.")
    return read_voice(data, spec)
