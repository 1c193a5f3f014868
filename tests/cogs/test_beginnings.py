"""The first sentence of a long text is heard while the rest is made: labelled, and gone with the waiting message."""

from collections.abc import Awaitable, Callable

import pytest
import simcord
from simcord.actors import MemberActor
from simcord.builders import ChannelHandle

from cloning.worker.protocol import Progress
from cogs.client import Barkeep
from cogs.courier import BEGINNING
from cogs.ui.render import LABEL
from studio.queue.worker_events import LONG_TEXT
from studio.studio import Studio
from tests.cogs.conftest import World
from tests.cogs.library import actor_in, add_voice
from tests.cogs.replies import answer
from tests.fakes import FakeExecutor

ORIGINAL = "/webhooks/*/messages/@original"
TOKEN_LIFE = 15 * 60.0
BACK_OFF = 90.0


class WaitingMember:
    """A long text at work: what its member sees, and the function that lets it finish."""

    def __init__(self, world: World, channel: ChannelHandle, member: MemberActor) -> None:
        self._world = world
        self._channel = channel
        self._member = member

    async def begin(self, *, sentences: int = LONG_TEXT, private: bool = False, voice: str | None = None) -> None:
        self._world.bot.courier._progress._every = 0.0
        self._world.executor.sentences = sentences
        self.release = self._world.executor.hold()
        options = {} if voice is None else {"voice": voice}
        self._shown = await self._member.slash(self._channel, "say", text="A long text.", private=private, **options)
        await self._world.env.settle()

    async def end(self) -> None:
        self.release()
        await self._world.env.settle()

    @property
    def message(self) -> simcord.ResponseMessage:
        return answer(self._shown)

    @property
    def files(self) -> list[str]:
        return [file.filename for file in self.message.attachments]

    def uploads(self) -> int:
        """How often the beginning was sent."""
        edits = [entry for entry in self._world.env.http_requests if entry.method == "PATCH"]
        return sum(BEGINNING in str(entry) for entry in edits)


@pytest.fixture
async def waiting(world: World, channel: ChannelHandle, member: MemberActor) -> WaitingMember:
    return WaitingMember(world, channel, member)


async def test_the_beginning_is_heard_and_then_the_whole(waiting: WaitingMember) -> None:
    await waiting.begin()
    assert waiting.files == [BEGINNING]
    assert LABEL in waiting.message.content
    assert "the rest is on its way" in waiting.message.content
    await waiting.end()
    assert len(waiting.files) == 1
    assert waiting.files != [BEGINNING]
    assert "on its way" not in waiting.message.content


@pytest.mark.parametrize("sentences", [1, LONG_TEXT - 1])
async def test_of_a_short_text_only_the_whole_is_heard(waiting: WaitingMember, sentences: int) -> None:
    await waiting.begin(sentences=sentences)
    assert waiting.files == []
    await waiting.end()
    assert len(waiting.files) == 1


async def test_later_news_keeps_the_beginning_without_sending_it_again(waiting: WaitingMember, world: World) -> None:
    await waiting.begin()
    (request,) = world.executor.requests
    world.executor.tell(Progress(request.job_id, "later", 0.7))
    await world.env.settle()
    assert "Later" in waiting.message.content
    assert LABEL in waiting.message.content
    assert waiting.files == [BEGINNING]
    assert waiting.uploads() == 1
    await waiting.end()


async def test_cancelling_takes_the_beginning_away(waiting: WaitingMember, member: MemberActor, world: World) -> None:
    await waiting.begin()
    await member.click(waiting.message, label="Cancel")
    await world.env.settle()
    assert waiting.files == []
    assert "cancelled" in waiting.message.content
    assert not list(world.data_dir.rglob("part-*"))


async def test_forgetting_takes_the_beginning_away(
    waiting: WaitingMember, studio: Studio, channel: ChannelHandle, member: MemberActor, world: World
) -> None:
    voice = await add_voice(studio, channel, member, "Ada")
    await waiting.begin(voice=f"v:{voice.id}")
    assert waiting.files == [BEGINNING]
    await studio.privacy.forget(actor_in(channel, member))
    await world.env.settle()
    assert waiting.files == []


async def test_a_error_takes_the_beginning_away(waiting: WaitingMember, executor: FakeExecutor) -> None:
    executor.fail_next("Unavailable", "The disk is full.")
    await waiting.begin()
    assert waiting.files == [BEGINNING]
    await waiting.end()
    assert waiting.files == []


async def test_a_second_attempt_begins_anew(waiting: WaitingMember, executor: FakeExecutor) -> None:
    executor.lose_next()
    await waiting.begin()
    await waiting.end()
    assert waiting.files != [BEGINNING]
    assert len(waiting.files) == 1


async def test_another_process_takes_away_what_it_does_not_know(
    waiting: WaitingMember, world: World, restart: Callable[[], Awaitable[Barkeep]]
) -> None:
    await waiting.begin()
    await restart()
    await world.env.settle()
    assert BEGINNING not in waiting.files
    assert len(waiting.files) == 1


async def test_an_answer_in_the_channel_takes_the_waiting_message_along(
    waiting: WaitingMember, world: World, channel: ChannelHandle
) -> None:
    await waiting.begin()
    world.later(TOKEN_LIFE)
    await waiting.end()
    (message,) = [message for message in channel.history() if message.attachments]
    assert message.content.startswith("🔊")
    assert message.attachments[0].filename != BEGINNING
    assert world.bot.courier._begun == set()


async def test_a_private_beginning_is_left_to_its_member(
    waiting: WaitingMember, world: World, channel: ChannelHandle, member: MemberActor
) -> None:
    await waiting.begin(private=True)
    assert waiting.files == [BEGINNING]
    assert waiting.message.ephemeral
    world.later(TOKEN_LIFE)
    await waiting.end()
    assert [message for message in channel.history() if message.attachments] == []
    assert member.user.dm_channel.last_message is not None


async def test_a_beginning_that_discord_does_not_take_does_no_harm(waiting: WaitingMember, env: simcord.Env) -> None:
    env.inject_error("PATCH", ORIGINAL, status=500, times=4)
    await waiting.begin()
    assert waiting.files == []
    await env.advance_time(BACK_OFF)
    await waiting.end()
    await env.advance_time(BACK_OFF)
    assert len(waiting.files) == 1
