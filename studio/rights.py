"""Whether somebody may do something at this moment: the one place that every deed asks, at once or put off.

The rules are in `policy`; what the server decided and who is blocked is read here, each time.
"""

from collections.abc import Callable

from storage.database import Storage
from storage.records import GuildSettings, MemberRecord
from studio.values import Actor

Rule = Callable[[Actor, GuildSettings, MemberRecord], None]
"""One of policy.may_act, may_clone and may_speak: raises NotAllowed."""


async def require(storage: Storage, actor: Actor, rule: Rule) -> GuildSettings:
    """The server's settings, if the rule lets the actor do it now. Raises NotAllowed."""
    settings = await storage.guilds.get(actor.guild_id)
    rule(actor, settings, await storage.members.get(actor.guild_id, actor.member_id))
    return settings
