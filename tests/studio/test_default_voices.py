"""The voice that speaks where none is named."""

from dataclasses import replace

import pytest

from errors import (
    BarkeepError,
    NotAllowed,
    NotFound,
    VoiceUnavailable,
)
from storage.records import Visibility
from studio.admin import NO_VOICE
from studio.values import Actor
from tests.fakes import SPEAKERS, FakeExecutor
from tests.studio.conftest import ANN, BOB, GUILD, MOD, StudioHarness


async def shared(harness: StudioHarness, name: str, actor: Actor = ANN) -> str:
    key = await harness.voice(actor, name)
    await harness.studio.library.share(actor, key, Visibility.EVERYONE, (), ())
    return key


async def test_the_default_voice_is_the_choice_then_the_only_one_then_a_speaker(harness: StudioHarness) -> None:
    library = harness.studio.library
    assert (await library.resolve(ANN, None)).speaker == SPEAKERS[0]
    first = await harness.voice(name="First")
    assert (await library.resolve(ANN, " ")).key == first
    second = await harness.voice(name="Second")
    assert (await library.resolve(ANN, None)).speaker == SPEAKERS[0]
    chosen = await library.default(ANN, "second")
    assert chosen is not None
    assert (chosen.key, (await library.resolve(ANN, None)).key) == (second, second)
    assert (await library.resolve(BOB, None)).speaker == SPEAKERS[0]
    await library.delete(ANN, second)
    assert (await library.resolve(ANN, None)).key == first


async def test_the_servers_voice_speaks_for_who_has_none(harness: StudioHarness) -> None:
    library, admin = harness.studio.library, harness.studio.admin
    shared_by_bob = await shared(harness, "Barker", BOB)
    await shared(harness, "Second", BOB)
    chosen = await admin.default_voice(MOD, "barker")
    assert chosen is not None
    assert chosen.key == (await library.resolve(ANN, None)).key == shared_by_bob
    own = await harness.voice(name="Ann")
    assert (await library.resolve(ANN, None)).key == own
    await library.default(ANN, "Second")
    assert (await library.resolve(ANN, None)).name == "Second"
    assert (await library.resolve(MOD, None)).key == shared_by_bob
    await library.share(BOB, shared_by_bob, Visibility.OWNER, (), ())
    assert await library.of_server(GUILD) is None
    for action in (library.resolve(MOD, None), harness.say(actor=MOD), admin.default_voice(MOD, None)):
        with pytest.raises(VoiceUnavailable, match=r"no longer shared with everyone.*/admin default"):
            await action
    assert (await library.resolve(ANN, None)).name == "Second"
    await library.share(BOB, shared_by_bob, Visibility.EVERYONE, (), ())
    assert (await library.resolve(MOD, None)).key == shared_by_bob
    await library.delete(BOB, shared_by_bob)
    assert (await harness.storage.guilds.get(GUILD)).default_voice is None


async def test_a_built_in_speaker_as_the_servers_voice(harness: StudioHarness) -> None:
    await harness.studio.admin.default_voice(MOD, "English speaker 6")
    assert (await harness.studio.library.resolve(ANN, None)).name == "English speaker 6"
    assert harness.executor.ready is not None
    harness.executor.ready = replace(harness.executor.ready, speakers=SPEAKERS[:1])
    assert await harness.studio.library.of_server(GUILD) is None
    with pytest.raises(VoiceUnavailable, match="the loaded model does not have it"):
        await harness.say()


async def test_the_servers_voice_is_chosen_by_moderators_among_those_for_everyone(harness: StudioHarness) -> None:
    private = await harness.voice(ANN, "Ann")
    for actor, typed, error in ((ANN, "Ann", "moderators"), (MOD, private, "share it"), (MOD, "Nobody", "no such")):
        with pytest.raises(BarkeepError, match=error):
            await harness.studio.admin.default_voice(actor, typed)
    assert await harness.studio.admin.default_voice(MOD, None) is None
    await shared(harness, "Barker", BOB)
    await harness.studio.admin.default_voice(MOD, "Barker")
    assert await harness.studio.admin.default_voice(MOD, NO_VOICE) is None
    assert await harness.studio.library.of_server(GUILD) is None
    lines = (await harness.studio.admin.audit(MOD, 1)).entries
    assert [line.target for line in lines if line.action == "settings.voice"] == ["", "Barker"]


async def test_a_members_only_voice_speaks_for_them_among_many(harness: StudioHarness) -> None:
    await shared(harness, "First", BOB)
    await shared(harness, "Second", BOB)
    own = await harness.voice(ANN, "Ann")
    assert (await harness.studio.library.resolve(ANN, None)).key == own
    assert (await harness.studio.library.resolve(BOB, None)).speaker == SPEAKERS[0]


async def test_a_default_voice_that_is_no_longer_shared_is_told_and_no_other_speaks(harness: StudioHarness) -> None:
    key = await shared(harness, "Ann")
    library = harness.studio.library
    await library.default(BOB, key)
    await library.share(ANN, key, Visibility.OWNER, (), ())
    for action in (library.resolve(BOB, None), library.default(BOB, None), harness.say(actor=BOB)):
        with pytest.raises(NotAllowed, match="default voice is no longer shared"):
            await action
    assert (await harness.studio.privacy.show(BOB)).default_voice is None
    await library.default(BOB, "English speaker 6")
    assert (await library.resolve(BOB, None)).name == "English speaker 6"


async def test_a_default_speaker_that_other_models_do_not_have_is_told(harness: StudioHarness) -> None:
    await harness.studio.library.default(ANN, "German speaker 1")
    assert harness.executor.ready is not None
    harness.executor.ready = replace(harness.executor.ready, speakers=SPEAKERS[:1])
    with pytest.raises(NotAllowed, match="loaded model"):
        await harness.say()


async def test_without_any_voice_the_way_to_one_is_told(harness: StudioHarness) -> None:
    await harness.studio.close()
    harness.executor = FakeExecutor(speakers=())
    await harness.open()
    with pytest.raises(NotFound, match="/clone"):
        await harness.studio.library.resolve(ANN, None)
    assert await harness.studio.library.default(ANN, None) is None
    for name in ("One", "Two"):
        await harness.voice(name=name)
    with pytest.raises(NotFound, match="/voices default"):
        await harness.studio.library.resolve(ANN, None)
