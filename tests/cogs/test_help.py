"""/help shows each reader what they may use, by what they want to do."""

import discord
import simcord
from discord import app_commands
from simcord.actors import MemberActor
from simcord.builders import ChannelHandle

from cogs.client import Barkeep
from cogs.help import render_help
from tests.cogs.library import text_of
from tests.cogs.replies import answer


async def test_help_links_every_command_for_moderators(
    bot: Barkeep, channel: ChannelHandle, moderator: MemberActor
) -> None:
    shown = await moderator.slash(channel, "help")
    text = text_of(answer(shown))
    assert shown.ephemeral
    ids = {command.name: command.id for command in await bot.tree.fetch_commands()}
    for command in bot.tree.walk_commands():
        if not isinstance(command, app_commands.Group) and command.name != "help":
            name = command.qualified_name
            assert f"</{name}:{ids[name.split()[0]]}>" in text
    for menu in bot.tree.get_commands(type=discord.AppCommandType.message):
        assert f"Apps → {menu.name}" in text


async def test_help_hides_moderators_commands_from_members(channel: ChannelHandle, member: MemberActor) -> None:
    text = text_of(answer(await member.slash(channel, "help")))
    assert "</say:" in text
    assert "/admin" not in text


async def test_help_answers_while_discord_does_not_tell_the_commands(
    env: simcord.Env, channel: ChannelHandle, member: MemberActor
) -> None:
    env.inject_error("GET", "/applications/*/commands", status=503)
    text = text_of(answer(await member.slash(channel, "help")))
    assert "**/say** in any voice" in text
    assert "</" not in text


def test_help_is_short() -> None:
    embed = render_help({"say": 2**63}, is_moderator=True)
    lines = [line for field in embed.fields for line in (field.name, *(field.value or "").split("\n"))]
    assert len(lines) <= 20
    assert all(len(field.value or "") <= 1024 for field in embed.fields)
