"""What the tests of the library's commands share: voices without a worker, and reading what was answered."""

import discord
import simcord
from simcord.actors import MemberActor
from simcord.builders import ChannelHandle, GuildHandle
from simcord.components import walk_components

from cogs.options import MAX_CHOICES
from storage.records import JobRecord, Visibility, VoiceRecord
from studio.studio import Studio
from studio.values import Actor
from tests.fakes import prompt_bytes

ROOMY = 100
"""Voices per member in the servers of these tests."""


def actor_in(channel: ChannelHandle, member: MemberActor, *, is_moderator: bool = False) -> Actor:
    """A member as the studio knows them."""
    return Actor(member.guild.id, member.id, channel.id, frozenset(), is_moderator)


async def add_voice(
    studio: Studio,
    channel: ChannelHandle,
    owner: MemberActor,
    name: str,
    *,
    visibility: Visibility = Visibility.OWNER,
    language: str = "en",
) -> VoiceRecord:
    """An imported voice of `owner`, shared with nobody or everybody."""
    await studio.storage.guilds.change(owner.guild.id, voices_per_member=ROOMY)
    actor = actor_in(channel, owner)
    record = await studio.voice_files.import_(actor, name, prompt_bytes(), language=language, attested=True)
    if visibility is Visibility.EVERYONE:
        record = await studio.library.share(actor, f"v:{record.id}", visibility, (), ())
    return record


def shown(result: simcord.InteractionResult) -> simcord.ResponseMessage:
    """The message that answers an interaction; fails if there is none."""
    if result.response is None:
        raise AssertionError(f"nothing was answered: {result!r}")
    return result.response


def followed(result: simcord.InteractionResult) -> simcord.ResponseMessage:
    """The one message that followed an interaction with a button or menu of another message."""
    (message,) = result.followups
    return message


def text_of(message: simcord.ResponseMessage) -> str:
    """Everything that can be read in a message: text, embeds."""
    parts = [message.content]
    for embed in message.embeds:
        parts += [embed.title or "", embed.description or "", embed.footer.text or ""]
        parts += [f"{field.name}: {field.value}" for field in embed.fields]
    return "\n".join(parts)


def labels_of(message: simcord.ResponseMessage) -> list[str]:
    """The labels of the buttons that can be pressed."""
    return [
        str(component["label"])
        for component in walk_components(message.components)
        if component.get("type") == 2 and not component.get("disabled")
    ]


def second_server(env: simcord.Env) -> tuple[GuildHandle, ChannelHandle, MemberActor]:
    """Another server with a channel and a moderator of its own."""
    guild = env.create_guild("The Attic")
    role = guild.create_role("Keepers", permissions=discord.Permissions(manage_guild=True))
    return guild, guild.create_text_channel("attic"), guild.add_member(env.create_user("ana"), roles=[role])


async def names(studio: Studio, guild: GuildHandle) -> list[str]:
    """The names of all voices of a server, those being made too."""
    voices, _ = await studio.storage.voices.list(guild.id, None, ready_only=False)
    return [voice.name for voice in voices]


async def offered(channel: ChannelHandle, actor: MemberActor, command: str, typed: str = "") -> list[str]:
    """The names that a command of /voices offers while its option `voice` is typed."""
    choices = await actor.autocomplete(channel, f"voices {command}", "voice", typed)
    assert len(choices) <= MAX_CHOICES
    return [choice["name"] for choice in choices]


async def say(
    studio: Studio, channel: ChannelHandle, member: MemberActor, text: str, *, private: bool = False
) -> JobRecord:
    """Ask for a line of speech; the job."""
    await member.slash(channel, "say", text=text, voice="s:v2/en_speaker_0", private=private)
    jobs = await studio.storage.jobs.of_member(member.guild.id, member.id)
    return next(job for job in jobs if job.order["text"] == text)
