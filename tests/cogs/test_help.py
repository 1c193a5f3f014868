"""/help shows each reader what they may use."""

from discord import app_commands
from simcord.actors import MemberActor
from simcord.builders import ChannelHandle

from cogs.client import Barkeep
from tests.cogs.replies import answer


async def test_help_lists_every_command_to_moderators(
    bot: Barkeep, channel: ChannelHandle, moderator: MemberActor
) -> None:
    shown = await moderator.slash(channel, "help")
    text = answer(shown).embeds[0].description or ""
    assert shown.ephemeral
    for command in bot.tree.walk_commands():
        if not isinstance(command, app_commands.Group):
            assert f"**/{command.qualified_name}**" in text
    assert "**Clone this voice**" in text
    assert "**Say this**" in text


async def test_help_tells_options_and_fits_an_embed(channel: ChannelHandle, member: MemberActor) -> None:
    text = answer(await member.slash(channel, "help")).embeds[0].description or ""
    assert "**/clone** name audio [language] [description]: " in text
    assert len(text) < 4096


async def test_help_hides_moderators_commands_from_members(channel: ChannelHandle, member: MemberActor) -> None:
    text = answer(await member.slash(channel, "help")).embeds[0].description or ""
    assert "/admin" not in text
