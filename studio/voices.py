"""A server's voice library: finds voices by key or name, and lets owners and moderators manage them."""

import asyncio
import re
from collections.abc import Callable, Iterable

from cloning.checkpoints.speakers import ANY_SPEAKER
from cloning.worker.protocol import Executor
from errors import Conflict, InvalidInput, NotAllowed, NotFound, VoiceUnavailable
from storage.database import Storage
from storage.names import fold, name_key
from storage.records import Viewer, Visibility, VoiceRecord, VoiceState
from studio import rights
from studio.names import clean_description, clean_name, near, rank
from studio.queue.dispatcher import Dispatcher
from studio.speakers import PREFIX, first_speaker, language_of, languages_read, speaker_voice, speakers_of, voice_of
from studio.values import Actor, Page, Voice, nearest_page
from studio.voice_deletion import remove_voice

_EVERY_VOICE = 5000
_RECORD_KEY = re.compile(r"v:(\d{1,18})")
_SPEAKER_KEY = re.compile(r"s:[\w./-]{0,80}")


class VoiceLibrary:
    """The voices that members of a server can find, use and, if they own them, manage.

    `typed` is a voice's key or its exact name, ignoring case; similar names are only suggested. Voices that are
    hidden from an actor are treated as missing.
    """

    def __init__(self, storage: Storage, executor: Executor, dispatcher: Dispatcher) -> None:
        self._storage = storage
        self._executor = executor
        self._dispatcher = dispatcher

    async def search(self, actor: Actor, typed: str, limit: int = 25) -> list[Voice]:
        """Return up to `limit` usable voices that match a typed text: the member's default, then the best matches."""
        viewer, wanted = rights.viewer_of(actor), fold(typed)
        records = await self._storage.voices.suggest(actor.guild_id, viewer, wanted, limit)
        if not records and wanted:
            records = await self._similar(actor.guild_id, viewer, typed, limit)
        preferred = (await self._storage.members.get(actor.guild_id, actor.member_id)).default_voice
        if preferred is not None and len(records) == limit:  # the default may be beyond the limit
            records += await self._storage.voices.several(actor.guild_id, viewer, _record_ids(preferred))
        voices = [*map(voice_of, records), *(speakers_of(self._executor) or ())]
        fitting = [voices[index] for index in rank(typed, [voice.name for voice in voices])]
        fitting.sort(key=lambda voice: voice.key != preferred)
        return list({voice.key: voice for voice in fitting}.values())[:limit]

    async def resolve(self, actor: Actor, typed: str | None) -> Voice:
        """Return the named voice or, without a name, the one that speaks for this member.

        Raises NotFound, with similar names; NotAllowed for a voice that the actor may only see; VoiceUnavailable for a
        default, the member's or the server's, that can no longer speak; Conflict while the voice is still being made.
        """
        if typed is None or not typed.strip():
            return await self._choose_for(actor)
        voice = await self.info(actor, typed)
        if voice.record is not None and not rights.may_use(actor, voice.record):
            raise NotAllowed("This voice is private. Only its owner and the members it is shared with can use it.")
        return voice

    async def page(self, actor: Actor, query: str, number: int, size: int = 10) -> Page[Voice]:
        """Return a page of the voices whose names contain `query`: the server's, then the built-in speakers.

        A number outside the list gives the nearest page.
        """
        return await self.page_for(actor.guild_id, rights.viewer_of(actor), query, number, size)

    async def page_for(self, guild_id: int, viewer: Viewer | None, query: str, number: int, size: int) -> Page[Voice]:
        """Return a page for any viewer; with None, of every voice of the server, without speakers."""
        speakers = self._speakers_named(query) if viewer is not None else []
        _, own = await self._storage.voices.list(guild_id, viewer, query=query, limit=1)
        total = own + len(speakers)
        number, pages = nearest_page(number, total, size)
        start = (number - 1) * size
        records: list[VoiceRecord] = []
        if start < own:
            records, _ = await self._storage.voices.list(guild_id, viewer, query=query, limit=size, offset=start)
        rest = speakers[max(0, start - own) :][: size - len(records)]
        return Page((*map(voice_of, records), *rest), number, pages, total)

    async def info(self, actor: Actor, typed: str) -> Voice:
        """Return the named voice, with its record, if the actor may see it.

        Raises NotFound, with similar names, and Conflict while the voice is still being made.
        """
        typed = typed.strip()
        if _SPEAKER_KEY.fullmatch(typed):
            return self._speaker(typed)
        record = await self._known(actor, typed)
        if record is not None:
            return _require_ready(record)
        for speaker in speakers_of(self._executor) or ():
            if name_key(speaker.name) == name_key(typed):
                return speaker
        names = [] if _RECORD_KEY.fullmatch(typed) else await self._names(actor)
        raise NotFound(_no_such_voice(await asyncio.to_thread(near, typed, names)))

    async def record(self, actor: Actor, typed: str) -> VoiceRecord:
        """Return the record of the named voice. Raises as `info` does, and InvalidInput for a built-in speaker."""
        voice = await self.info(actor, typed)
        if voice.record is None:
            raise InvalidInput(
                "Built-in speakers belong to the model. Everyone can use them, and no one can change them."
            )
        return voice.record

    async def default(self, actor: Actor, typed: str | None) -> Voice | None:
        """Make a voice the member's default. Without a name, return the voice that would speak now, or None.

        Raises as `resolve` does, and NotAllowed for a blocked member who wants to change it.
        """
        if typed is None or not typed.strip():
            try:
                return await self._choose_for(actor)
            except NotFound:
                return None
        await rights.require(self._storage, actor, rights.may_act)
        voice = await self.resolve(actor, typed)
        await self._storage.members.set_default_voice(actor.guild_id, actor.member_id, voice.key)
        return voice

    async def chosen(self, actor: Actor) -> Voice | None:
        """Return the voice that the member chose as their default; None if they chose none or cannot use it."""
        key = (await self._storage.members.get(actor.guild_id, actor.member_id)).default_voice
        try:
            return None if key is None else await self._default(actor, key)
        except NotAllowed:
            return None

    def hello_language(self, voice: Voice) -> str:
        """Return the language in which a voice introduces itself: its own, or one that the loaded model reads."""
        read = languages_read(self._executor)
        own = language_of(voice)
        return own if own in read or not read else read[0]

    async def of_server(self, guild_id: int) -> Voice | None:
        """Return the voice that moderators chose for members without one; None unless everyone can use it now."""
        key = (await self._storage.guilds.get(guild_id)).default_voice
        if key is None:
            return None
        if not (ids := _record_ids(key)):
            try:
                return self._speaker(key)
            except NotFound:
                return None
        record = await self._storage.voices.by_id(guild_id, ids[0])
        return voice_of(record) if record is not None and rights.is_for_everyone(record) else None

    async def required_of_server(self, guild_id: int) -> Voice | None:
        """Return the voice that moderators chose for members without one; None if they chose none.

        Raises VoiceUnavailable if it can no longer speak.
        """
        voice = await self.of_server(guild_id)
        if voice is None and (await self._storage.guilds.get(guild_id)).default_voice is not None:
            raise VoiceUnavailable(_SERVER_DEFAULT_LOST)
        return voice

    async def rename(self, actor: Actor, typed: str, new: str) -> VoiceRecord:
        """Rename a voice. Raises InvalidInput for the name, Conflict if it is taken."""
        record = await self._managed(actor, typed)
        renamed = await self._storage.voices.rename(record.guild_id, record.id, clean_name(new))
        await self._audit(actor, "voice.rename", record, f"now {renamed.name}")
        return renamed

    async def describe(self, actor: Actor, typed: str, description: str) -> VoiceRecord:
        """Change a voice's description; an empty one removes it."""
        record = await self._managed(actor, typed)
        described = await self._storage.voices.describe(record.guild_id, record.id, clean_description(description))
        await self._audit(actor, "voice.describe", record)
        return described

    async def delete(self, actor: Actor, typed: str) -> VoiceRecord:
        """Delete a voice with its files, for its owner, its speaker or a moderator. Cancels a running clone."""
        record = await self.deletable(actor, typed)
        await remove_voice(self._storage, self._dispatcher, record)
        await self._audit(actor, "voice.delete", record)
        return record

    async def deletable(self, actor: Actor, typed: str) -> VoiceRecord:
        """Return the named voice, even if it is still being cloned, if the actor may delete it.

        Blocked members may delete their own voices. Raises as `record` does, and NotAllowed for a voice that the actor
        may not delete.
        """
        record = await self._known(actor, typed) or await self.record(actor, typed)
        rights.may_delete(actor, record)
        return record

    async def changeable(
        self, actor: Actor, typed: str, rule: Callable[[Actor, VoiceRecord], None]
    ) -> list[VoiceRecord]:
        """Return the voices that match a typed text and that `rule` allows the actor to change, best match first.

        rule: rights.may_manage, may_delete, may_take_away, ...: raises NotAllowed.
        """
        if actor.is_moderator:
            found, _ = await self._storage.voices.list(actor.guild_id, None, ready_only=False, limit=_EVERY_VOICE)
        else:
            found = await self._storage.voices.of_person(actor.guild_id, actor.member_id)
        fitting = [found[index] for index in rank(typed, [record.name for record in found])]
        return [record for record in fitting if _is_allowed(rule, actor, record)]

    async def share(
        self,
        actor: Actor,
        typed: str,
        visibility: Visibility,
        member_ids: Iterable[int] | None,
        role_ids: Iterable[int] | None,
    ) -> VoiceRecord:
        """Set who may use a voice. CHOSEN needs at least one member or role; other values clear the choice.

        Only the owner may; a moderator may only make the voice private again. None keeps the current members or roles,
        even if another menu changes them concurrently.
        """
        await rights.require(self._storage, actor, rights.may_act)
        record = await self.record(actor, typed)
        rights.may_share(actor, record, visibility)
        members = None if member_ids is None else frozenset(member_ids)
        roles = None if role_ids is None else frozenset(role_ids)
        if visibility is not Visibility.CHOSEN:
            members = roles = frozenset()
        shared = await self._storage.voices.share(record.guild_id, record.id, visibility, members, roles)
        await self._audit(actor, "voice.share", record, visibility.value)
        return shared

    async def _choose_for(self, actor: Actor) -> Voice:
        """Return the voice that speaks for a member who names none.

        This is the first that exists of: the member's default, their only voice, the server's default, the only voice
        that they may use, a built-in speaker. Raises VoiceUnavailable for a default that can no longer speak, because
        another voice in its place would be a surprise; NotFound if there is no voice, or none can be preferred.
        """
        member = await self._storage.members.get(actor.guild_id, actor.member_id)
        if member.default_voice is not None:
            return await self._default(actor, member.default_voice)
        own, _ = await self._only_voice(actor, actor.member_id)
        voice = own or await self.required_of_server(actor.guild_id)
        if voice is not None:
            return voice
        shared, total = await self._only_voice(actor, None)
        voice = shared or first_speaker(self._executor)
        if voice is not None:
            return voice
        if total:
            raise NotFound("Please choose a voice, or set your default with /voices default.")
        raise NotFound("There is no voice here yet. Make one with /clone.")

    async def _only_voice(self, actor: Actor, owner_id: int | None) -> tuple[Voice | None, int]:
        """Return the only voice that the actor may use (of that owner), or None, and the number of such voices."""
        viewer = rights.viewer_of(actor)
        records, total = await self._storage.voices.list(actor.guild_id, viewer, owner_id=owner_id, limit=1)
        return (voice_of(records[0]) if total == 1 else None), total

    async def _default(self, actor: Actor, key: str) -> Voice:
        try:
            return await self.resolve(actor, key)
        except (NotFound, NotAllowed):
            raise VoiceUnavailable(_DEFAULT_LOST) from None

    async def _similar(self, guild_id: int, viewer: Viewer, typed: str, limit: int) -> list[VoiceRecord]:
        """Return voices with similar names. Runs in a thread, since every name is compared."""
        names = await self._storage.voices.names(guild_id, viewer)
        near = await asyncio.to_thread(rank, typed, [name for _, name in names])
        return await self._storage.voices.several(guild_id, viewer, [names[index][0] for index in near[:limit]])

    async def _names(self, actor: Actor) -> list[str]:
        """Return the names of all voices that the actor may use: the server's by name, then the built-in speakers."""
        named = await self._storage.voices.names(actor.guild_id, rights.viewer_of(actor))
        return [name for _, name in named] + [speaker.name for speaker in speakers_of(self._executor) or ()]

    async def _known(self, actor: Actor, typed: str) -> VoiceRecord | None:
        """Return the library's voice with this key or exact name, in any state; None if the actor may not see it."""
        typed = typed.strip()
        if (key := _RECORD_KEY.fullmatch(typed)) is not None:
            record = await self._storage.voices.by_id(actor.guild_id, int(key[1]))
        else:
            record = await self._storage.voices.find(actor.guild_id, typed)
        return record if record is not None and rights.may_know(actor, record) else None

    def _speaker(self, key: str) -> Voice:
        """Return a built-in speaker. Before the models are loaded any name is accepted, and the worker checks it."""
        name, known = key.removeprefix(PREFIX), speakers_of(self._executor)
        voice = first_speaker(self._executor) if name == ANY_SPEAKER else speaker_voice(name)
        if voice is None or (known is not None and voice not in known):
            raise NotFound("The model in use has no such built-in speaker. Pick a voice from the list.")
        return voice

    def _speakers_named(self, query: str) -> list[Voice]:
        wanted = fold(query)
        return [voice for voice in speakers_of(self._executor) or () if wanted in fold(voice.name)]

    async def _managed(self, actor: Actor, typed: str) -> VoiceRecord:
        await rights.require(self._storage, actor, rights.may_act)
        record = await self.record(actor, typed)
        rights.may_manage(actor, record)
        return record

    async def _audit(self, actor: Actor, action: str, record: VoiceRecord, detail: str = "") -> None:
        await self._storage.audit.write(actor.guild_id, actor.member_id, action, record.name, detail)


def _record_ids(key: str) -> list[int]:
    match = _RECORD_KEY.fullmatch(key)
    return [int(match[1])] if match else []


def _require_ready(record: VoiceRecord) -> Voice:
    if record.state is VoiceState.CLONING:
        raise Conflict(f"The voice {record.name} is still being made. Please try again when its card appears.")
    return voice_of(record)


_DEFAULT_LOST = (
    "Your default voice is no longer shared with you, or the loaded model does not have it. "
    "Choose another one with /voices default, or name a voice."
)


_SERVER_DEFAULT_LOST = (
    "The default voice of this server is no longer shared with everyone, or the loaded model does not have it. "
    "Name a voice, or choose your own default with /voices default. Moderators choose another one with /admin default."
)


def _is_allowed(rule: Callable[[Actor, VoiceRecord], None], actor: Actor, record: VoiceRecord) -> bool:
    try:
        rule(actor, record)
    except NotAllowed:
        return False
    return True


def _no_such_voice(near: list[str]) -> str:
    if near:
        return f"There is no voice of that name here. Did you mean {' or '.join(near)}?"
    return "There is no such voice here. See all voices with /voices list."
