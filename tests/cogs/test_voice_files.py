"""/voices export and import: voices as files, and files that are no voices."""

import io

import numpy as np
from simcord.actors import MemberActor
from simcord.builders import ChannelHandle, GuildHandle

from studio.studio import Studio
from studio.voice_files import MAX_PROMPT_BYTES
from tests.cogs.conftest import Clone
from tests.cogs.library import add_voice, names, shown
from tests.fakes import prompt_bytes


async def test_a_voice_travels_out_and_in_again(
    studio: Studio, channel: ChannelHandle, member: MemberActor, clone: Clone, guild: GuildHandle
) -> None:
    await clone("Ada Lovelace")
    out = shown(await member.slash(channel, "voices export", voice="Ada Lovelace"))
    assert out.ephemeral
    (file,) = out.attachments
    assert file.filename == "Ada-Lovelace.npz"
    data = await file.read()
    assert set(np.load(io.BytesIO(data), allow_pickle=False)) == {"semantic_prompt", "coarse_prompt", "fine_prompt"}
    form = await member.slash(channel, "voices import", file=("a.npz", data), name="Ada Two", language="de")
    back = shown(await member.submit_modal(form, {"consent": True}))
    assert back.ephemeral
    assert back.content.startswith("**Ada Two** was imported.")
    assert await names(studio, guild) == ["Ada Lovelace", "Ada Two"]
    spoken = await member.slash(channel, "say", text="Hallo.", voice="Ada Two")
    assert shown(spoken).attachments[0].filename == "ada-two.ogg"


async def test_each_import_asks_for_the_members_word(
    studio: Studio, channel: ChannelHandle, member: MemberActor, guild: GuildHandle
) -> None:
    file = ("a.npz", prompt_bytes())
    form = await member.slash(channel, "voices import", file=file, name="Ada")
    assert form.modal is not None
    refused = await member.submit_modal(form, {"consent": False})
    assert "Please confirm" in shown(refused).content
    assert await names(studio, guild) == []
    form = await member.slash(channel, "voices import", file=file, name="Ada")
    done = await member.submit_modal(form, {"consent": True})
    assert shown(done).content.startswith("**Ada** was imported.")
    assert (await member.slash(channel, "voices import", file=file, name="Bea")).modal is not None


def with_arrays(**changes: object) -> bytes:
    """A voice file with some arrays replaced; None leaves one out."""
    arrays = dict(np.load(io.BytesIO(prompt_bytes()), allow_pickle=False)) | changes
    buffer = io.BytesIO()
    np.savez(buffer, **{name: array for name, array in arrays.items() if array is not None})
    return buffer.getvalue()


async def test_files_that_are_no_voices_leave_nothing_behind(
    studio: Studio, channel: ChannelHandle, member: MemberActor, guild: GuildHandle
) -> None:
    await add_voice(studio, channel, member, "Ada")
    server = studio.storage.files.voice_dir(guild.id, 1).parent
    before = sorted(server.rglob("*"))
    for data in (
        b"not a voice at all",
        b"",
        prompt_bytes()[:200],
        with_arrays(fine_prompt=None),
        with_arrays(semantic_prompt=np.full(100, 10_000)),
        with_arrays(semantic_prompt=np.array([{"a": 1}], dtype=object)),
        with_arrays(coarse_prompt=np.zeros((2, 40), dtype=np.int64)),
    ):
        asked = await member.slash(channel, "voices import", file=("x.npz", data), name="Bad")
        if asked.modal is not None:
            asked = await member.submit_modal(asked, {"consent": True})
        refused = shown(asked)
        assert refused.ephemeral
        assert refused.content.endswith(".")
        assert "something went wrong" not in refused.content
    assert await names(studio, guild) == ["Ada"]
    assert sorted(server.rglob("*")) == before


async def test_a_huge_file_is_refused_before_it_is_read(
    studio: Studio, channel: ChannelHandle, member: MemberActor, guild: GuildHandle
) -> None:
    refused = await member.slash(channel, "voices import", file=("x.npz", b"\0" * (MAX_PROMPT_BYTES + 1)), name="Big")
    assert refused.modal is None
    assert "too large" in shown(refused).content
    assert await names(studio, guild) == []


async def test_importing_under_a_taken_name_or_beyond_the_limit(
    studio: Studio, channel: ChannelHandle, member: MemberActor, guild: GuildHandle
) -> None:
    await add_voice(studio, channel, member, "Ada")
    file = ("a.npz", prompt_bytes())
    form = await member.slash(channel, "voices import", file=file, name="ADA")
    taken = shown(await member.submit_modal(form, {"consent": True}))
    assert "ADA" in taken.content or "Ada" in taken.content
    await studio.storage.guilds.change(guild.id, voices_per_member=1)
    form = await member.slash(channel, "voices import", file=file, name="Bea")
    full = shown(await member.submit_modal(form, {"consent": True}))
    assert full.ephemeral
    assert "1" in full.content
    assert await names(studio, guild) == ["Ada"]


async def test_export_says_so_where_files_are_forbidden(
    studio: Studio, channel: ChannelHandle, quiet_channel: ChannelHandle, member: MemberActor
) -> None:
    await add_voice(studio, channel, member, "Ada")
    refused = shown(await member.slash(quiet_channel, "voices export", voice="Ada"))
    assert "can't attach files" in refused.content
