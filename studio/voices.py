"""The library of a server: finding a voice by what was typed, and what owners and moderators do with voices.

Knows rights and names; does not know how voices are made (clones) or spoken with (speech).
"""

import asyncio
import re
from collections.abc import Iterable

from cloning.checkpoints.known_models import load_voice
from cloning.prompt import PromptSpec
from cloning.text.splitting import check_language
from cloning.worker.protocol import ANY_SPEAKER, CLIP_FILE, PROMPT_FILE, Executor
from errors import Conflict, InvalidInput, NotAllowed, NotFound, Unavailable
from storage.database import Storage
from storage.records import NewVoice, Viewer, Visibility, VoiceModels, VoiceRecord, VoiceState
from studio import name_search, policy
from studio.queue.dispatcher import Dispatcher
from studio.speakers import PREFIX, first_speaker, speaker_voice, speakers_of, voice_of
from studio.values import Actor, Page, Voice
from studio.voice_deletion import remove_voice

MAX_PROMPT_BYTES = 4 * 1024 * 1024
"""The largest voice file that is read. One of 15 s has about 100 kB."""

_EVERY_VOICE = 5000
_RECORD_KEY = re.compile(r"v:(\d{1,18})")
_SPEAKER_KEY = re.compile(r"s:[\w./-]{0,80}")


class VoiceLibrary:
    """The voices that members of a server can find, use and, if they are theirs, manage.

    `typed` is always a voice's key or its name as a person types it. What an actor may not use does not exist for them.
    """

    def __init__(self, storage: Storage, executor: Executor, dispatcher: Dispatcher) -> None:
        self._storage = storage
        self._executor = executor
        self._dispatcher = dispatcher

    async def search(self, actor: Actor, typed: str, limit: int = 25) -> list[Voice]:
        """At most `limit` voices that fit what was typed so far: the member's default first, then the best fit."""
        voices = await self._usable(actor)
        fitting = [voices[index] for index in name_search.rank(typed, [voice.name for voice in voices])]
        preferred = (await self._storage.members.get(actor.guild_id, actor.member_id)).default_voice
        fitting.sort(key=lambda voice: voice.key != preferred)
        return fitting[:limit]

    async def resolve(self, actor: Actor, typed: str | None) -> Voice:
        """The voice that is meant; without a name, the one that speaks for this member.

        Raises NotFound, naming what comes near; Conflict while the voice is still being made.
        """
        if typed is None or not typed.strip():
            return await self._unnamed(actor)
        typed = typed.strip()
        if (key := _RECORD_KEY.fullmatch(typed)) is not None:
            return _usable_now(await self._record(actor, int(key[1])))
        if _SPEAKER_KEY.fullmatch(typed):
            return self._speaker(typed)
        return await self._named(actor, typed)

    async def page(self, actor: Actor, query: str, number: int, size: int = 10) -> Page:
        """A page of the voices whose names contain `query`: the server's, then the built-in speakers.

        A number outside the list gives the nearest page.
        """
        return await self.page_for(actor.guild_id, policy.viewer_of(actor), query, number, size)

    async def page_for(self, guild_id: int, viewer: Viewer | None, query: str, number: int, size: int) -> Page:
        """The same for any eyes; without a viewer every voice of the server and no speakers."""
        speakers = self._speakers_named(query) if viewer is not None else []
        _, own = await self._storage.voices.list(guild_id, viewer, query=query, limit=1)
        total = own + len(speakers)
        pages = max(1, -(-total // size))
        number = min(max(1, number), pages)
        start = (number - 1) * size
        records: list[VoiceRecord] = []
        if start < own:
            records, _ = await self._storage.voices.list(guild_id, viewer, query=query, limit=size, offset=start)
        rest = speakers[max(0, start - own) :][: size - len(records)]
        return Page((*map(voice_of, records), *rest), number, pages, total)

    async def info(self, actor: Actor, typed: str) -> Voice:
        """The voice that is meant, with its record. Raises as `resolve`."""
        return await self.resolve(actor, typed)

    async def default(self, actor: Actor, typed: str | None) -> Voice | None:
        """Make a voice the member's default. Without a name nothing changes: what would speak now, None if nothing."""
        if typed is None or not typed.strip():
            try:
                return await self._unnamed(actor)
            except NotFound:
                return None
        voice = await self.resolve(actor, typed)
        await self._storage.members.set_default_voice(actor.guild_id, actor.member_id, voice.key)
        return voice

    async def rename(self, actor: Actor, typed: str, new: str) -> VoiceRecord:
        """Give a voice another name. Raises InvalidInput for the name, Conflict if it is taken."""
        record = await self._managed(actor, typed)
        renamed = await self._storage.voices.rename(record.guild_id, record.id, policy.clean_name(new))
        await self._audit(actor, "voice.rename", record, f"now {renamed.name}")
        return renamed

    async def describe(self, actor: Actor, typed: str, description: str) -> VoiceRecord:
        """Describe a voice anew; an empty description removes it."""
        record = await self._managed(actor, typed)
        described = await self._storage.voices.describe(
            record.guild_id, record.id, policy.clean_description(description)
        )
        await self._audit(actor, "voice.describe", record)
        return described

    async def delete(self, actor: Actor, typed: str) -> VoiceRecord:
        """Delete a voice with its files: its owner, who is heard in it, or a moderator. Stops a clone under way."""
        record = await self.deletable(actor, typed)
        await remove_voice(self._storage, self._dispatcher, record)
        await self._audit(actor, "voice.delete", record)
        return record

    async def deletable(self, actor: Actor, typed: str) -> VoiceRecord:
        """The voice that the actor means and may delete.

        As `resolve`, but a voice counts too that is still being made, or in which the actor is heard.
        Raises NotAllowed for a voice that others must delete.
        """
        if (key := _RECORD_KEY.fullmatch(typed.strip())) is not None:
            record: VoiceRecord | None = await self._storage.voices.get(actor.guild_id, int(key[1]))
        else:
            record = await self._storage.voices.find(actor.guild_id, typed.strip())
        if record is None or not policy.may_know(actor, record):
            record = _of_library(await self.resolve(actor, typed))
        policy.may_delete(actor, record)
        return record

    async def of_actor(self, actor: Actor) -> list[VoiceRecord]:
        """The voices that the actor owns or in which they are heard, those that are still being made too."""
        return await self._storage.voices.of_person(actor.guild_id, actor.member_id)

    async def share(
        self,
        actor: Actor,
        typed: str,
        visibility: Visibility,
        member_ids: Iterable[int] | None,
        role_ids: Iterable[int] | None,
    ) -> VoiceRecord:
        """Decide who may use a voice. CHOSEN needs at least one member or role; otherwise these are forgotten.

        None: those who are chosen now, also if another menu chooses others at this very moment.
        """
        record = await self._managed(actor, typed)
        members = None if member_ids is None else frozenset(member_ids)
        roles = None if role_ids is None else frozenset(role_ids)
        if visibility is not Visibility.CHOSEN:
            members = roles = frozenset()
        shared = await self._storage.voices.share(record.guild_id, record.id, visibility, members, roles)
        await self._audit(actor, "voice.share", record, visibility.value)
        return shared

    async def export(self, actor: Actor, typed: str) -> tuple[str, bytes]:
        """A voice's prompt as (file name, .npz), for its owner and moderators unless somebody else is heard in it."""
        record = await self._managed(actor, typed)
        policy.may_take_away(actor, record)
        data = await self._storage.files.read_voice_file(record.guild_id, record.id, PROMPT_FILE)
        await self._audit(actor, "voice.export", record)
        return f"{file_name(record.name)}.npz", data

    async def import_(
        self, actor: Actor, name: str, data: bytes, *, language: str = "en", description: str = ""
    ) -> VoiceRecord:
        """Make a voice from a prompt file. Needs the same rights and consent as a clone.

        Raises InvalidInput saying what is wrong with the file, Conflict for the name, LimitReached, NotAllowed, and
        Unavailable while the models are not loaded: they decide what a voice's tokens have to be.
        """
        settings = await self._storage.guilds.get(actor.guild_id)
        policy.may_clone(actor, settings, await self._storage.members.get(actor.guild_id, actor.member_id))
        consent = await self._storage.consents.get(actor.guild_id, actor.member_id)
        if not policy.has_consented(consent):
            raise NotAllowed("First confirm that the voices you bring here are your own: use /clone once.")
        new = NewVoice(
            actor.guild_id,
            actor.member_id,
            actor.member_id,
            policy.clean_name(name),
            check_language(language),
            policy.clean_description(description),
        )
        prompt = await asyncio.to_thread(_read_prompt, data, self._prompt_spec())
        record = await self._storage.voices.add(
            new,
            VoiceModels(self._dispatcher.current_model(), "", "imported"),
            has_clip=False,
            member_limit=settings.voices_per_member,
            guild_limit=settings.voices_per_guild,
            place=lambda placed: self._storage.files.put_voice_file(placed.guild_id, placed.id, PROMPT_FILE, prompt),
        )
        await self._audit(actor, "voice.import", record)
        return record

    async def clip(self, actor: Actor, typed: str) -> tuple[VoiceRecord, bytes]:
        """A voice and the recording behind it as FLAC, for those who may use the voice.

        Raises NotFound for speakers and imported voices, and where the voice is deleted in this very moment.
        """
        record = (await self.resolve(actor, typed)).record
        if record is None or not record.has_clip:
            raise NotFound("There is no recording behind this voice.")
        return record, await self._storage.files.read_voice_file(record.guild_id, record.id, CLIP_FILE)

    async def _unnamed(self, actor: Actor) -> Voice:
        """The member's choice; else the only voice of their own, or the only one there is; else a built-in speaker."""
        chosen = (await self._storage.members.get(actor.guild_id, actor.member_id)).default_voice
        if chosen is not None:
            try:
                return await self.resolve(actor, chosen)
            except (NotFound, Conflict):
                pass  # The voice went, or is kept from this member now: go on as if none were chosen.
        viewer, total = policy.viewer_of(actor), 0
        for owner_id in (actor.member_id, None):
            records, total = await self._storage.voices.list(actor.guild_id, viewer, owner_id=owner_id, limit=1)
            if total == 1:
                return voice_of(records[0])
        speaker = first_speaker(self._executor)
        if speaker is not None:
            return speaker
        if total:
            raise NotFound("Say which voice should speak, or choose your own with /voices default.")
        raise NotFound("There is no voice here yet. Make one with /clone.")

    async def _named(self, actor: Actor, typed: str) -> Voice:
        exact = await self._storage.voices.find(actor.guild_id, typed)
        if exact is not None and policy.may_use(actor, exact):
            return _usable_now(exact)
        voices = await self._usable(actor)
        names = [voice.name for voice in voices]
        index = name_search.choose(typed, names)
        if index is not None:
            return voices[index]
        raise NotFound(_no_such_voice(name_search.near(typed, names)))

    async def _usable(self, actor: Actor) -> list[Voice]:
        """Every voice that the actor may speak with: the server's by name, then the built-in speakers."""
        records, _ = await self._storage.voices.list(actor.guild_id, policy.viewer_of(actor), limit=_EVERY_VOICE)
        return [*map(voice_of, records), *(speakers_of(self._executor) or ())]

    async def _record(self, actor: Actor, voice_id: int) -> VoiceRecord:
        record = await self._storage.voices.get(actor.guild_id, voice_id)
        if not policy.may_use(actor, record):
            raise NotFound(_no_such_voice([]))
        return record

    def _speaker(self, key: str) -> Voice:
        """A built-in speaker. Before the models are loaded nobody knows which there are: then the worker will say."""
        name, known = key.removeprefix(PREFIX), speakers_of(self._executor)
        voice = first_speaker(self._executor) if name == ANY_SPEAKER else speaker_voice(name)
        if voice is None or (known is not None and voice not in known):
            raise NotFound("The model in use has no such built-in speaker. Pick a voice from the list.")
        return voice

    def _speakers_named(self, query: str) -> list[Voice]:
        wanted = name_search.fold(query)
        return [voice for voice in speakers_of(self._executor) or () if wanted in name_search.fold(voice.name)]

    def _prompt_spec(self) -> PromptSpec:
        ready = self._executor.health().ready
        if ready is None:
            raise Unavailable("The speech models are still being loaded. Bring the voice again in a minute.")
        return ready.prompt_spec

    async def _managed(self, actor: Actor, typed: str) -> VoiceRecord:
        record = _of_library(await self.resolve(actor, typed))
        policy.may_manage(actor, record)
        return record

    async def _audit(self, actor: Actor, action: str, record: VoiceRecord, detail: str = "") -> None:
        await self._storage.audit.write(actor.guild_id, actor.member_id, action, record.name, detail)


def file_name(name: str) -> str:
    """A voice's name as the name of a file, without anything that a file system minds."""
    return re.sub(r"[^\w-]+", "-", name).strip("-") or "voice"


def _usable_now(record: VoiceRecord) -> Voice:
    if record.state is VoiceState.CLONING:
        raise Conflict(f"The voice {record.name} is still being made. Try again when its card appears.")
    return voice_of(record)


def _of_library(voice: Voice) -> VoiceRecord:
    if voice.record is None:
        raise InvalidInput("Built-in speakers belong to the model and can't be changed.")
    return voice.record


def _no_such_voice(near: list[str]) -> str:
    if near:
        return f"There is no voice of that name here. Did you mean {' or '.join(near)}?"
    return "There is no such voice here. See what there is with /voices list."


def _read_prompt(data: bytes, spec: PromptSpec) -> bytes:
    if len(data) > MAX_PROMPT_BYTES:
        raise InvalidInput("That file is too large for a voice. A voice file (.npz) has well under a megabyte.")
    return load_voice(data, spec).to_bytes()
