"""What is offered while the name of a voice is typed."""

import pytest
import simcord
from simcord.actors import MemberActor
from simcord.builders import ChannelHandle

from cogs.options import MAX_CHOICES
from storage.records import NewVoice, VoiceModels
from storage.records import Visibility as Sharing
from studio.studio import Studio
from tests.cogs.library import ROOMY, add_voice, offered, second_server


async def test_each_command_offers_what_it_can_do_something_with(
    studio: Studio, channel: ChannelHandle, member: MemberActor, other: MemberActor, moderator: MemberActor
) -> None:
    await add_voice(studio, channel, member, "Ada")
    await add_voice(studio, channel, other, "Otto", visibility=Sharing.EVERYONE)
    assert {"Ada", "Otto", "English speaker 6"} <= set(await offered(channel, member, "info"))
    for command in ("rename", "describe", "share", "export", "delete"):
        assert await offered(channel, member, command) == ["Ada"]
        assert await offered(channel, other, command, "ott") == ["Otto"]
        expected = set() if command == "export" else {"Ada", "Otto"}
        assert set(await offered(channel, moderator, command)) == expected
    assert "Ada" not in await offered(channel, moderator, "default")


async def test_nothing_of_another_server_is_offered(
    env: simcord.Env, studio: Studio, channel: ChannelHandle, member: MemberActor
) -> None:
    await add_voice(studio, channel, member, "Ada", visibility=Sharing.EVERYONE)
    _, attic, ana = second_server(env)
    for command in ("info", "default", "rename", "delete", "export", "share", "describe"):
        assert "Ada" not in await offered(attic, ana, command, "Ada")


async def test_offering_never_fails(
    studio: Studio, channel: ChannelHandle, member: MemberActor, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(studio.library, "changeable", broken)
    assert await offered(channel, member, "rename") == []
    assert await offered(channel, member, "delete") == []


async def test_at_most_25_are_offered(studio: Studio, channel: ChannelHandle, member: MemberActor) -> None:
    models = VoiceModels("tiny", "tiny", "tiny")
    for number in range(30):
        new = NewVoice(member.guild.id, member.id, member.id, f"Voice {number}", "en")
        await studio.storage.voices.add(new, models, has_clip=False, member_limit=ROOMY, guild_limit=ROOMY)
    assert len(await offered(channel, member, "rename")) == MAX_CHOICES
