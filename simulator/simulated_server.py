"""The simulated server: The Snug, its channels, and three people whose view the page can show.

Everything is created before the bot starts, with the clock at a fixed instant, so that ids are the same in every run
and stored voices stay valid.
"""

import io
from dataclasses import dataclass

import discord
from PIL import Image, ImageDraw, ImageFont
from simcord import ChannelHandle, GuildHandle, MemberActor, RoleHandle
from simcord.backend.cdn import CDN_BASE

from simulator.live import LiveEnv

BOT_NAME = "Barkeep"
PORTRAIT = 128
"""Pixels along the edge of an avatar."""


@dataclass(frozen=True, slots=True)
class SimulatedServer:
    """The server and its people. `channel` is the one that the page shows."""

    env: LiveEnv
    guild: GuildHandle
    channel: ChannelHandle
    member: MemberActor
    other: MemberActor
    moderator: MemberActor
    lounge: ChannelHandle

    @property
    def people(self) -> tuple[MemberActor, MemberActor, MemberActor]:
        """The members as whom the page's user can act."""
        return self.member, self.other, self.moderator

    def actor(self, member_id: int) -> MemberActor:
        """Return the person with this id. Raises KeyError for the bot and the server's owner."""
        return {person.id: person for person in self.people}[member_id]


def build(env: LiveEnv) -> SimulatedServer:
    """Create the server in an environment that has not started yet."""
    env.backend.bot_user.name = BOT_NAME
    _portray(env, env.backend.bot_user.id, "B", "#5865f2")
    guild = env.create_guild("The Snug", description="A small server with a bot that clones voices.")
    moderators = guild.create_role(
        "Moderators", permissions=discord.Permissions(manage_guild=True, manage_messages=True, manage_roles=True)
    )
    regulars = guild.create_role("Regulars")
    channel = guild.create_text_channel("the-bar", topic="Voices on tap")
    guild.create_text_channel("quiet-corner")
    hidden = discord.PermissionOverwrite(view_channel=False)
    shown = discord.PermissionOverwrite(view_channel=True)
    guild.create_text_channel("back-room", overwrites={guild.default_role: hidden, moderators: shown})
    return SimulatedServer(
        env=env,
        guild=guild,
        channel=channel,
        member=_join(env, guild, "Ada", "#eb459e", [regulars]),
        other=_join(env, guild, "Ben", "#23a55a", []),
        moderator=_join(env, guild, "Mira (moderator)", "#f0b232", [moderators]),
        lounge=guild.create_voice_channel("Lounge"),  # Last: an id depends on how much was made before.
    )


def _join(env: LiveEnv, guild: GuildHandle, name: str, colour: str, roles: list[RoleHandle]) -> MemberActor:
    user = env.create_user(name.split()[0].lower(), global_name=name)
    _portray(env, user.id, name[0], colour)
    # The page shows one channel and no direct messages, so every member refuses them and Barkeep uses the channel.
    env.inject_error(
        "POST",
        f"/channels/{user.dm_channel.id}/messages",
        status=403,
        code=50007,
        message="Cannot send messages to this user",
        times=None,
    )
    return guild.add_member(user, roles=roles)


def _portray(env: LiveEnv, user_id: int, initial: str, colour: str) -> None:
    """Give a user an avatar: an initial on a colour."""
    picture = Image.new("RGB", (PORTRAIT, PORTRAIT), colour)
    centre = (PORTRAIT / 2, PORTRAIT / 2)
    ImageDraw.Draw(picture).text(centre, initial, "white", ImageFont.load_default(PORTRAIT * 0.6), anchor="mm")
    file = io.BytesIO()
    picture.save(file, "PNG")
    env.backend.get_user(user_id).avatar = "portrait"
    env.backend.cdn._blobs[f"{CDN_BASE}/avatars/{user_id}/portrait.png"] = file.getvalue()
