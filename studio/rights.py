"""Checks whether an actor may do something now. Every action calls it, immediate or delayed.

The rules are in `policy`; the server's settings and blocks are read here each time.
"""

from collections.abc import Callable
from datetime import timedelta

from errors import NotAllowed, VoiceUnavailable
from storage.database import Storage
from storage.records import GuildSettings, MemberRecord, VoiceRecord
from studio.values import Actor, Courier

Rule = Callable[[Actor, GuildSettings, MemberRecord], None]
"""One of policy.may_act, may_clone and may_speak: raises NotAllowed."""


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
    """Raise VoiceUnavailable once another person who owns or speaks in the voice was away for the server's `away_days`.

    The days count from the first time that it is noticed here. Without an answer, all count as present.
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
