"""Access rules, and `require`, which checks one of them. Every action calls it at the moment it is carried out.

Rules use the actor's current roles; Discord's own permissions are not trusted. The server's settings and blocks are
read at each check. `storage.limits` checks limits of use.
"""

from collections.abc import Callable
from datetime import timedelta

from errors import NotAllowed, VoiceUnavailable
from storage.consent_records import ConsentKind
from storage.database import Storage
from storage.records import GuildSettings, MemberRecord, Viewer, Visibility, VoiceRecord, VoiceState
from studio.values import Actor, Courier

Rule = Callable[[Actor, GuildSettings, MemberRecord], None]
"""One of may_act, may_clone and may_speak: raises NotAllowed."""


async def require(storage: Storage, actor: Actor, rule: Rule) -> GuildSettings:
    """Return the server's settings if the rule allows the actor. Raises NotAllowed."""
    settings = await storage.guilds.get(actor.guild_id)
    rule(actor, settings, await storage.members.get(actor.guild_id, actor.member_id))
    return settings


async def require_later(
    storage: Storage, courier: Courier, rule: Rule, *, guild_id: int, channel_id: int, member_id: int
) -> None:
    """Check a rule for an action that was requested earlier, with the member's current roles, rights and channel.

    Raises NotAllowed, also for a member who has left the server, and Unavailable if the platform does not answer.
    """
    actor = await courier.actor(guild_id, channel_id, member_id)
    if actor is None:
        raise NotAllowed("They have left the server.")
    await require(storage, actor, rule)


async def require_present(
    storage: Storage, courier: Courier, actor: Actor, voice: VoiceRecord, settings: GuildSettings
) -> None:
    """Raise VoiceUnavailable if the voice's owner or speaker has been away from the server for its `away_days`.

    The actor counts as present, and so does anyone about whom the platform does not answer. The days count from the
    first check that found the person gone. Raises NotFound if the voice was deleted meanwhile.
    """
    people = {person for person in (voice.owner_id, voice.speaker_id) if person is not None}
    for member_id in people - {actor.member_id}:
        left = await courier.has_left(actor.guild_id, member_id)
        if left is None:
            continue
        away = await storage.members.note_presence(actor.guild_id, member_id, left=left)
        if away is not None and away >= timedelta(days=settings.away_days):
            raise VoiceUnavailable(
                f"The voice {voice.name} cannot be used while the person it belongs to is not on this server. "
                "Name another voice, or choose another default with /voices default."
            )


def may_act(_actor: Actor, _settings: GuildSettings, member: MemberRecord) -> None:
    """Raise NotAllowed for a blocked member, who can only see, export and delete their data."""
    must_not_be_blocked(member)


def may_clone(actor: Actor, settings: GuildSettings, member: MemberRecord) -> None:
    """Raise NotAllowed unless the actor may clone voices here."""
    must_not_be_blocked(member)
    _in_channel(actor, settings)
    _has_role(actor, settings.clone_role_ids, "Cloning voices")


def may_speak(actor: Actor, settings: GuildSettings, member: MemberRecord) -> None:
    """Raise NotAllowed unless the actor may generate speech here."""
    must_not_be_blocked(member)
    _in_channel(actor, settings)
    _has_role(actor, settings.speak_role_ids, "Speaking")


def may_use(actor: Actor, voice: VoiceRecord) -> bool:
    """Return whether the actor may speak with the voice, hear its recording, and find it in lists.

    Moderators have no special right here: only the owner speaks with a private voice.
    """
    if voice.guild_id != actor.guild_id:
        return False
    if actor.member_id == voice.owner_id:
        return True
    if voice.visibility is Visibility.CHOSEN:
        return actor.member_id in voice.member_ids or not actor.role_ids.isdisjoint(voice.role_ids)
    return voice.visibility is Visibility.EVERYONE


def is_for_everyone(voice: VoiceRecord) -> bool:
    """Return whether every member may speak with the voice now."""
    return voice.visibility is Visibility.EVERYONE and voice.state is VoiceState.READY


def may_know(actor: Actor, voice: VoiceRecord) -> bool:
    """Return whether the actor may see the voice's card: anyone who may use it, its speaker, and moderators."""
    if voice.guild_id != actor.guild_id:
        return False
    return actor.is_moderator or actor.member_id == voice.speaker_id or may_use(actor, voice)


def may_manage(actor: Actor, voice: VoiceRecord) -> None:
    """Raise NotAllowed unless the actor may rename and describe the voice."""
    if not actor.is_moderator and actor.member_id != voice.owner_id:
        raise NotAllowed("Only the voice's owner or a moderator can do that.")


def may_share(actor: Actor, voice: VoiceRecord, visibility: Visibility) -> None:
    """Raise NotAllowed unless the actor may set who uses the voice. Moderators may only make it private again."""
    if actor.member_id == voice.owner_id:
        return
    if not actor.is_moderator:
        raise NotAllowed("Only the voice's owner can share it.")
    if visibility is not Visibility.OWNER:
        raise NotAllowed("Only the voice's owner can let others use it. As a moderator you can make it private again.")


def may_take_away(actor: Actor, voice: VoiceRecord) -> None:
    """Raise NotAllowed unless the actor may export the voice as a file.

    Only the owner may, and only if the speaker is not known to be someone else: that person agreed to a voice on this
    server, where they can delete it.
    """
    if actor.member_id != voice.owner_id:
        raise NotAllowed("Only the voice's owner can export it as a file.")
    if voice.speaker_id not in (None, actor.member_id):
        raise NotAllowed("This is someone else's voice. They agreed to a voice on this server, not to a file.")


def may_delete(actor: Actor, voice: VoiceRecord) -> None:
    """Raise NotAllowed unless the actor may delete the voice. Its speaker may, even if another member owns it."""
    if not actor.is_moderator and actor.member_id not in (voice.owner_id, voice.speaker_id):
        raise NotAllowed("Only the voice's owner, the person whose voice it is, or a moderator can delete it.")


def must_moderate(actor: Actor) -> None:
    """Raise NotAllowed unless the actor is a moderator."""
    if not actor.is_moderator:
        raise NotAllowed("Only moderators of this server can do that.")


def must_not_be_blocked(member: MemberRecord) -> None:
    """Raise NotAllowed for a blocked member."""
    if member.blocked_at is not None:
        raise NotAllowed("A moderator has blocked you from using voices on this server.")


def consent_of(settings: GuildSettings, default: ConsentKind) -> ConsentKind:
    """Return how members of a server agree to a clone; `default`: the owner's choice, where moderators made none."""
    return default if settings.consent is None else settings.consent


def are_gone(chosen_ids: frozenset[int], existing_ids: frozenset[int] | None) -> bool:
    """Return whether roles or channels were chosen and none of them exists. False if it is unknown which exist."""
    return bool(chosen_ids) and existing_ids is not None and chosen_ids.isdisjoint(existing_ids)


def viewer_of(actor: Actor) -> Viewer:
    """Return the actor as the viewer of a list of voices."""
    return Viewer(actor.member_id, actor.role_ids)


def _in_channel(actor: Actor, settings: GuildSettings) -> None:
    here = {actor.channel_id, actor.parent_id}
    if actor.is_moderator or not settings.channel_ids or not settings.channel_ids.isdisjoint(here):
        return
    if are_gone(settings.channel_ids, actor.existing_ids):
        raise NotAllowed(
            "Voices can't be used in any channel right now, because the chosen channels were deleted. "
            "Ask a moderator to choose again with /admin settings."
        )
    raise NotAllowed("Voices can't be used in this channel. Try one of the channels the moderators chose for them.")


def _has_role(actor: Actor, role_ids: frozenset[int], what: str) -> None:
    if actor.is_moderator or not role_ids or not actor.role_ids.isdisjoint(role_ids):
        return
    if are_gone(role_ids, actor.existing_ids):
        raise NotAllowed(
            f"{what} is limited to roles that were deleted, so only moderators can do it right now. "
            "Ask a moderator to choose again with /admin settings."
        )
    raise NotAllowed(f"{what} is limited to certain roles on this server. Ask a moderator for one of them.")
