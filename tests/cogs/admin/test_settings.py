"""/admin settings: menus and forms, kept at once."""

from collections.abc import Awaitable, Callable

import discord
import pytest
import simcord
from hypothesis import given
from hypothesis import strategies as st
from simcord.actors import MemberActor
from simcord.builders import ChannelHandle, GuildHandle

from cogs.admin.settings import ChannelsMenu, minutes_of, seconds_in
from cogs.client import Barkeep
from errors import InvalidInput
from storage.records import ChannelOutput, GuildSettings
from studio.studio import Studio
from tests.cogs.library import followed, second_server, shown, text_of

Restart = Callable[[], Awaitable[Barkeep]]


async def test_roles_and_channels_are_chosen_in_menus(
    env: simcord.Env,
    studio: Studio,
    channel: ChannelHandle,
    member: MemberActor,
    moderator: MemberActor,
    guild: GuildHandle,
    restart: Restart,
) -> None:
    bards = guild.create_role("Bards")
    stage = guild.create_text_channel("stage")
    panel = shown(await moderator.slash(channel, "admin settings"))
    assert panel.ephemeral
    assert "Who may clone: everyone" in text_of(panel)
    panel = shown(await moderator.select(panel, [bards], custom_id="settings:clone_role_ids"))
    assert f"Who may clone: <@&{bards.id}>" in text_of(panel)
    bot = await restart()
    panel = shown(await moderator.select(panel, [bards], custom_id="settings:speak_role_ids"))
    panel = shown(await moderator.select(panel, [stage], custom_id="settings:channel_ids"))
    assert f"Where: <#{stage.id}>" in text_of(panel)
    settings = await bot.studio.storage.guilds.get(guild.id)
    assert settings.clone_role_ids == settings.speak_role_ids == frozenset({bards.id})
    assert settings.channel_ids == frozenset({stage.id})
    refused = followed(await member.slash(stage, "say", text="Hello."))
    assert "limited to certain roles" in refused.content
    panel = shown(await moderator.select(panel, [], custom_id="settings:speak_role_ids"))
    assert "Who may speak: everyone" in text_of(panel)
    assert "AI-generated" in shown(await member.slash(stage, "say", text="Hello.")).content


def test_forums_can_be_chosen_whose_posts_are_threads() -> None:
    assert {discord.ChannelType.forum, discord.ChannelType.media} <= set(ChannelsMenu().item.channel_types)


async def test_numbers_are_typed_in_forms(
    studio: Studio, channel: ChannelHandle, moderator: MemberActor, guild: GuildHandle
) -> None:
    panel = shown(await moderator.slash(channel, "admin settings"))
    form = await moderator.click(panel, label="Limits per member…")
    assert form.modal is not None
    assert form.modal["title"] == "Limits per member"
    values = {"voices_per_member": "2", "jobs_per_hour_per_member": " 7 ", "seconds_per_day_per_member": "1.5"}
    values["away_days"] = "3"
    panel = shown(await moderator.submit_modal(form, values))
    assert "Voices: 2 per member" in text_of(panel)
    assert "Voices whose owner left: stay usable for 3 more days" in text_of(panel)
    form = await moderator.click(panel, label="Limits of the server…")
    values = {"voices_per_guild": "20", "jobs_per_hour_per_guild": "70", "seconds_per_day_per_guild": "15"}
    panel = shown(await moderator.submit_modal(form, values))
    form = await moderator.click(panel, label="Texts…")
    panel = shown(await moderator.submit_modal(form, {"text_length": "80", "retention_days": "3"}))
    assert "Longest text: 80 characters" in text_of(panel)
    settings = await studio.storage.guilds.get(guild.id)
    assert (settings.voices_per_member, settings.jobs_per_hour_per_member, settings.away_days) == (2, 7, 3)
    assert (settings.seconds_per_day_per_member, settings.seconds_per_day_per_guild) == (90, 900)
    assert (settings.voices_per_guild, settings.jobs_per_hour_per_guild) == (20, 70)
    assert (settings.text_length, settings.retention_days) == (80, 3)


async def test_voice_channels_have_a_form_of_their_own(
    studio: Studio, channel: ChannelHandle, moderator: MemberActor, guild: GuildHandle
) -> None:
    panel = shown(await moderator.slash(channel, "admin settings"))
    form = await moderator.click(panel, label="Voice channels…")
    values = {"channel_output": ["channel"], "channel_idle_minutes": "0", "channel_notice": True}
    result = await moderator.submit_modal(form, values)
    refused = result.followups[0] if result.followups else shown(result)
    assert "from 1 to 1,440" in refused.content
    assert await studio.storage.guilds.get(guild.id) == GuildSettings(guild.id)
    form = await moderator.click(panel, label="Voice channels…")
    panel = shown(await moderator.submit_modal(form, {**values, "channel_idle_minutes": "3"}))
    assert "Lines asked for in my voice channel: are only heard there" in text_of(panel)
    settings = await studio.storage.guilds.get(guild.id)
    assert (settings.channel_output, settings.channel_idle_minutes) == (ChannelOutput.CHANNEL, 3)
    assert settings.channel_notice


async def test_a_bad_number_changes_nothing(
    studio: Studio, channel: ChannelHandle, moderator: MemberActor, guild: GuildHandle
) -> None:
    before = await studio.storage.guilds.get(guild.id)
    panel = shown(await moderator.slash(channel, "admin settings"))
    for text_length, words in {
        "many": "whole number",
        "-3": "whole number",
        "0": "from 1 to",
        "99999": "from 1 to",
    }.items():
        form = await moderator.click(panel, label="Texts…")
        result = await moderator.submit_modal(form, {"text_length": text_length, "retention_days": "3"})
        refused = result.followups[0] if result.followups else shown(result)
        assert refused.ephemeral
        assert words in refused.content
    assert await studio.storage.guilds.get(guild.id) == before


@given(st.integers(0, 86_400))
def test_minutes_are_read_back_as_they_are_shown(seconds: int) -> None:
    assert seconds_in(minutes_of(seconds), "Minutes") == seconds


@pytest.mark.parametrize("typed", ["", "many", "-1", "1.234", "1e3", "nan", "٣", "1:30"])
def test_what_is_no_number_of_minutes(typed: str) -> None:
    with pytest.raises(InvalidInput, match="Minutes: please type minutes"):
        seconds_in(typed, "Minutes")


def test_minutes_with_a_comma() -> None:
    assert seconds_in(" 1,5 ", "Minutes") == 90


async def test_back_to_defaults_asks_first(
    studio: Studio, channel: ChannelHandle, moderator: MemberActor, guild: GuildHandle
) -> None:
    await studio.storage.guilds.change(
        guild.id, voices_per_member=1, channel_ids=frozenset({channel.id}), retention_days=2
    )
    panel = shown(await moderator.slash(channel, "admin settings"))
    question = shown(await moderator.click(panel, label="Back to defaults…"))
    assert question.ephemeral
    assert "5 per member" in text_of(question)
    done = shown(await moderator.click(question, label="Back to defaults"))
    assert "back to their defaults" in done.content
    assert await studio.storage.guilds.get(guild.id) == GuildSettings(guild.id)


async def test_the_settings_of_one_server_do_not_bind_another(
    env: simcord.Env, channel: ChannelHandle, moderator: MemberActor, guild: GuildHandle
) -> None:
    _, attic_channel, ana = second_server(env)
    panel = shown(await moderator.slash(channel, "admin settings"))
    form = await moderator.click(panel, label="Texts…")
    await moderator.submit_modal(form, {"text_length": "7", "retention_days": "1"})
    assert "Longest text: 1000 characters" in text_of(shown(await ana.slash(attic_channel, "admin settings")))
