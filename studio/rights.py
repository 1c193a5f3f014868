"""Whether somebody may do something at this moment: the one place that every deed asks, at once or put off.

The rules are in `policy`; what the server decided and who is blocked is read here, each time.
"""

from collections.abc import Callable

from errors import NotAllowed
from storage.database import Storage
from storage.records import GuildSettings, MemberRecord, VoiceRecord
from studio.values import Actor, Courier

Rule = Callable[[Actor, GuildSettings, MemberRecord], None]
"""One of policy.may_act, may_clone and may_speak: raises NotAllowed."""


async def require(storage: Storage, actor: Actor, rule: Rule) -> GuildSettings:
    """The server's settings, if the rule lets the actor do it now. Raises NotAllowed."""
    settings = await storage.guilds.get(actor.guild_id)
    rule(actor, settings, await storage.members.get(actor.guild_id, actor.member_id))
    return settings


async def require_later(
    storage: Storage, courier: Courier, rule: Rule, *, guild_id: int, channel_id: int, member_id: int
) -> None:
    """The same for a deed that somebody asked for earlier, with the roles, rights and channel of this moment.

    Raises NotAllowed, also for somebody who has left the server, and Unavailable if the platform does not say.
    """
    actor = await courier.actor(guild_id, channel_id, member_id)
    if actor is None:
        raise NotAllowed("They have left the server.")
    await require(storage, actor, rule)


async def require_present(courier: Courier, actor: Actor, voice: VoiceRecord) -> None:
    """Raises NotAllowed while somebody else who owns the voice or is heard in it has left the server."""
    for member_id in (voice.owner_id, voice.speaker_id):
        if member_id in (None, actor.member_id):
            continue
        if await courier.has_left(actor.guild_id, member_id):
            raise NotAllowed(
                f"The voice {voice.name} rests: whose it is has left this server. It speaks again when they are back."
            )
