"""/voices list, info, default, rename, describe, delete: through a simulated Discord on the real studio."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
import simcord
from simcord.actors import MemberActor
from simcord.builders import ChannelHandle, GuildHandle

from cogs.client import Barkeep
from storage.records import NewVoice, VoiceModels
from storage.records import Visibility as Sharing
from studio.studio import Studio
from tests.cogs.conftest import Clone, World
from tests.cogs.library import (
    ROOMY,
    actor_in,
    add_voice,
    followed,
    labels_of,
    names,
    offered,
    second_server,
    shown,
    text_of,
)

Restart = Callable[[], Awaitable[Barkeep]]


# list


async def test_a_new_server_has_only_the_speakers(channel: ChannelHandle, member: MemberActor) -> None:
    listed = shown(await member.slash(channel, "voices list"))
    assert listed.ephemeral
    assert "English speaker 6** · built into the model" in text_of(listed)
    assert "3 voices" in text_of(listed)
    assert "⭐ **English speaker 0**" in text_of(listed)


async def test_a_voice_of_the_list_introduces_itself(
    studio: Studio, channel: ChannelHandle, member: MemberActor, other: MemberActor, clone: Clone
) -> None:
    await clone("Ada", language="de")
    listed = shown(await member.slash(channel, "voices list"))
    record = await studio.storage.voices.find(member.guild.id, "Ada")
    assert record is not None
    heard = await member.select(listed, [f"v:{record.id}"], custom_id="listen")
    assert ">>> Hallo! So klinge ich." in shown(heard).content
    assert followed(heard).attachments[0].filename == "ada-clip.flac"
    heard = await member.select(listed, ["s:v2/en_speaker_6"], custom_id="listen")
    assert "English speaker 6" in shown(heard).content
    assert heard.followups == []


async def test_private_voices_are_listed_for_their_owner_and_in_the_moderators_list(
    studio: Studio, channel: ChannelHandle, member: MemberActor, other: MemberActor, moderator: MemberActor
) -> None:
    await add_voice(studio, channel, member, "Mira at night")
    await add_voice(studio, channel, member, "Mira at noon", visibility=Sharing.EVERYONE)
    mine = text_of(shown(await member.slash(channel, "voices list", search="mira")))
    assert "Mira at night** · English · " in mine
    assert "only the owner" in mine
    theirs = text_of(shown(await other.slash(channel, "voices list", search="mira")))
    assert "Mira at night" not in theirs
    assert "Mira at noon" in theirs
    assert "Mira at night" in text_of(shown(await moderator.slash(channel, "admin voices", search="mira")))
    assert "Mira at night" not in text_of(shown(await moderator.slash(channel, "voices list", search="mira")))


# info


async def test_the_card_of_a_clone_has_report_picture_and_recording(
    channel: ChannelHandle, member: MemberActor, clone: Clone
) -> None:
    await clone("Ada", description="calm")
    card = shown(await member.slash(channel, "voices info", voice="ada"))
    assert card.ephemeral
    text = text_of(card)
    for words in ("🎤 Ada", "calm", "**Good**", "Only the owner", "tiny, tiny-quantizer"):
        assert words in text
    assert [file.filename for file in card.attachments] == ["waveform.png"]
    heard = await member.click(card, label="Hear it")
    assert followed(heard).attachments[0].filename == "ada-clip.flac"


async def test_the_card_of_an_import_has_neither(studio: Studio, channel: ChannelHandle, member: MemberActor) -> None:
    await add_voice(studio, channel, member, "Ada")
    card = shown(await member.slash(channel, "voices info", voice="Ada"))
    assert card.attachments == []
    assert labels_of(card) == ["Say something with it", "Hear it"]
    heard = await member.click(card, label="Hear it")
    assert shown(heard).attachments
    assert heard.followups == []


async def test_the_card_comes_without_a_picture_where_files_are_forbidden(
    quiet_channel: ChannelHandle, member: MemberActor, clone: Clone
) -> None:
    await clone("Ada")
    card = shown(await member.slash(quiet_channel, "voices info", voice="Ada"))
    assert "🎤 Ada" in text_of(card)
    assert card.attachments == []


async def test_a_voice_that_is_not_there_is_named_with_what_comes_near(
    studio: Studio, channel: ChannelHandle, member: MemberActor, other: MemberActor
) -> None:
    record = await add_voice(studio, channel, member, "Margarethe")
    near = shown(await member.slash(channel, "voices info", voice="Margot"))
    assert near.ephemeral
    assert near.content == "There is no voice of that name here. Did you mean Margarethe?"
    for typed in ("Margarethe", f"v:{record.id}"):
        hidden = shown(await other.slash(channel, "voices info", voice=typed))
        assert "such voice here" in hidden.content
        assert "Margarethe" not in hidden.content


async def test_speakers_have_cards(channel: ChannelHandle, member: MemberActor) -> None:
    card = shown(await member.slash(channel, "voices info", voice="s:v2/en_speaker_6"))
    assert "built into the model" in text_of(card)


# default


async def test_the_default_voice_is_chosen_shown_and_used(
    studio: Studio, channel: ChannelHandle, member: MemberActor, clone: Clone
) -> None:
    await clone("Ada")
    await add_voice(studio, channel, member, "Bea")
    before = shown(await member.slash(channel, "voices default"))
    assert before.content == "**English speaker 0** speaks when you name no voice."
    chosen = shown(await member.slash(channel, "voices default", voice="Ada"))
    assert chosen.ephemeral
    assert chosen.content == "**Ada** is now your default voice."
    assert shown(await member.slash(channel, "voices default")).content == "**Ada** speaks when you name no voice."
    spoken = await member.slash(channel, "say", text="Hello.")
    assert "**Ada**" in shown(spoken).content


async def test_the_list_is_shown_to_who_lost_their_default(
    studio: Studio, channel: ChannelHandle, member: MemberActor, other: MemberActor
) -> None:
    record = await add_voice(studio, channel, other, "Otto", visibility=Sharing.EVERYONE)
    await member.slash(channel, "voices default", voice="Otto")
    await studio.library.share(actor_in(channel, other), f"v:{record.id}", Sharing.OWNER, (), ())
    assert "English speaker 0" in text_of(shown(await member.slash(channel, "voices list")))


async def test_without_any_voice_there_is_no_default(world: World, channel: ChannelHandle, member: MemberActor) -> None:
    assert world.executor.ready is not None
    world.executor.ready = replace(world.executor.ready, speakers=())
    assert "You have no voice yet" in shown(await member.slash(channel, "voices default")).content


# rename and describe


async def test_renaming(studio: Studio, channel: ChannelHandle, member: MemberActor, guild: GuildHandle) -> None:
    await add_voice(studio, channel, member, "Ada")
    renamed = shown(await member.slash(channel, "voices rename", voice="Ada", name="Ada Lovelace"))
    assert renamed.ephemeral
    assert renamed.content == "The voice is now called **Ada Lovelace**."
    assert await names(studio, guild) == ["Ada Lovelace"]


async def test_names_that_do_not_do(
    studio: Studio, channel: ChannelHandle, member: MemberActor, guild: GuildHandle
) -> None:
    await add_voice(studio, channel, member, "Ada")
    await add_voice(studio, channel, member, "Bea")
    for name, words in {
        "*Ada*": "can't contain *",
        "<@123456789012345678>": "can't mention",
        "@everyone": "can't mention",
        "   ": "1 to 32",
        "🎉🎉": "emoji",
        "Bea": "Bea",
    }.items():
        refused = shown(await member.slash(channel, "voices rename", voice="Ada", name=name))
        assert refused.ephemeral
        assert words in refused.content.replace("\u200b", "")
    assert await names(studio, guild) == ["Ada", "Bea"]


async def test_names_of_no_or_too_many_letters_are_not_sent_at_all(
    studio: Studio, channel: ChannelHandle, member: MemberActor
) -> None:
    await add_voice(studio, channel, member, "Ada")
    for name in ("", "x" * 33):
        with pytest.raises(simcord.OptionError):
            await member.slash(channel, "voices rename", voice="Ada", name=name)


async def test_describing_and_clearing(studio: Studio, channel: ChannelHandle, member: MemberActor) -> None:
    await add_voice(studio, channel, member, "Ada")
    described = shown(await member.slash(channel, "voices describe", voice="Ada", description="calm *and* low"))
    assert described.content == "**Ada** is now described as: calm \\*and\\* low"
    cleared = shown(await member.slash(channel, "voices describe", voice="Ada"))
    assert cleared.content == "**Ada** now has no description."


CHANGES: list[tuple[str, dict[str, str]]] = [
    ("rename", {"name": "Mine"}),
    ("describe", {"description": "mine"}),
    ("share", {"audience": "everyone"}),
    ("share", {"audience": "chosen"}),
    ("export", {}),
    ("delete", {}),
]


async def test_another_members_voice_cannot_be_changed(
    studio: Studio, channel: ChannelHandle, member: MemberActor, other: MemberActor
) -> None:
    before = await add_voice(studio, channel, member, "Ada", visibility=Sharing.EVERYONE)
    for command, options in CHANGES:
        refused = shown(await other.slash(channel, f"voices {command}", voice="Ada", **options))
        assert refused.ephemeral
        assert refused.content.startswith("Only the voice's owner"), command
        assert refused.attachments == []
    assert await studio.storage.voices.get(before.guild_id, before.id) == before


async def test_built_in_speakers_cannot_be_changed(channel: ChannelHandle, moderator: MemberActor) -> None:
    for command, options in CHANGES:
        refused = shown(await moderator.slash(channel, f"voices {command}", voice="English speaker 6", **options))
        assert refused.ephemeral
        assert "Built-in speakers belong to the model" in refused.content, command


async def test_voices_of_another_server_do_not_exist_here(
    env: simcord.Env, studio: Studio, channel: ChannelHandle, member: MemberActor
) -> None:
    record = await add_voice(studio, channel, member, "Secret voice", visibility=Sharing.EVERYONE)
    _, attic, ana = second_server(env)
    for command, options in [*CHANGES, ("info", {}), ("default", {})]:
        for typed in ("Secret voice", f"v:{record.id}"):
            refused = shown(await ana.slash(attic, f"voices {command}", voice=typed, **options))
            assert refused.ephemeral
            assert "here" in refused.content, command
            assert "Secret" not in text_of(refused)
    assert await studio.storage.voices.get(record.guild_id, record.id) == record


# delete


async def test_deleting_asks_first(
    studio: Studio, channel: ChannelHandle, member: MemberActor, guild: GuildHandle, clone: Clone
) -> None:
    await clone("Ada")
    question = shown(await member.slash(channel, "voices delete", voice="Ada"))
    assert question.ephemeral
    assert "Delete “Ada”?" in text_of(question)
    assert await names(studio, guild) == ["Ada"]
    left = shown(await member.click(question, label="Cancel"))
    assert left.content == "Nothing was changed."
    assert left.embeds == []
    assert await names(studio, guild) == ["Ada"]
    question = shown(await member.slash(channel, "voices delete", voice="Ada"))
    done = shown(await member.click(question, label="Delete it"))
    assert done.content == "**Ada** was deleted."
    assert labels_of(done) == []
    assert await names(studio, guild) == []


async def test_the_person_heard_may_delete_a_voice_of_somebody_elses(
    studio: Studio, channel: ChannelHandle, member: MemberActor, other: MemberActor, guild: GuildHandle
) -> None:
    new = NewVoice(guild.id, member.id, other.id, "Otto", "en")
    models = VoiceModels("tiny", "tiny", "tiny")
    await studio.storage.voices.add(new, models, has_clip=False, member_limit=ROOMY, guild_limit=ROOMY)
    assert await offered(channel, other, "delete", "ot") == ["Otto"]
    assert "Otto" in text_of(shown(await other.slash(channel, "voices info", voice="Otto")))
    assert "private" in shown(await other.slash(channel, "voices default", voice="Otto")).content
    question = shown(await other.slash(channel, "voices delete", voice="Otto"))
    await other.click(question, label="Delete it")
    assert await names(studio, guild) == []


async def test_the_question_is_answered_after_a_restart(
    channel: ChannelHandle, member: MemberActor, clone: Clone, restart: Restart, guild: GuildHandle
) -> None:
    await clone("Ada")
    question = shown(await member.slash(channel, "voices delete", voice="Ada"))
    bot = await restart()
    assert shown(await member.click(question, label="Delete it")).content == "**Ada** was deleted."
    assert await names(bot.studio, guild) == []


async def test_an_old_question_is_not_answered(
    world: World, studio: Studio, channel: ChannelHandle, member: MemberActor, guild: GuildHandle
) -> None:
    await add_voice(studio, channel, member, "Ada")
    question = shown(await member.slash(channel, "voices delete", voice="Ada"))
    world.later(16 * 60)
    refused = shown(await member.click(question, label="Delete it"))
    assert "too old" in refused.content
    assert await names(studio, guild) == ["Ada"]


async def test_a_voice_that_went_in_between_is_not_deleted_twice(
    studio: Studio, channel: ChannelHandle, member: MemberActor
) -> None:
    record = await add_voice(studio, channel, member, "Ada")
    question = shown(await member.slash(channel, "voices delete", voice="Ada"))
    await studio.storage.voices.delete(record.guild_id, record.id)
    refused = followed(await member.click(question, label="Delete it"))
    assert refused.ephemeral
    assert "voice" in refused.content


async def test_what_was_deleted_is_told_if_its_question_was_dismissed_meanwhile(
    env: simcord.Env, studio: Studio, channel: ChannelHandle, member: MemberActor, guild: GuildHandle
) -> None:
    await add_voice(studio, channel, member, "Ada")
    question = shown(await member.slash(channel, "voices delete", voice="Ada"))
    env.inject_error("PATCH", "/webhooks/*/messages/@original", status=404, code=10008)
    told = followed(await member.click(question, label="Delete it"))
    assert told.ephemeral
    assert told.content == "**Ada** was deleted."
    assert await names(studio, guild) == []


async def test_a_voice_that_changed_hands_in_between_stays(
    studio: Studio, channel: ChannelHandle, member: MemberActor, other: MemberActor, guild: GuildHandle
) -> None:
    await add_voice(studio, channel, other, "Otto")
    record = await add_voice(studio, channel, member, "Ada")
    question = shown(await member.slash(channel, "voices delete", voice="Ada"))
    await studio.storage.voices.delete(record.guild_id, record.id)
    await add_voice(studio, channel, other, "Ada", visibility=Sharing.EVERYONE)
    await member.click(question, label="Delete it")
    assert await names(studio, guild) == ["Ada", "Otto"]
