"""A speech node with a worker that is instant: sessions, orphans, prompts, drain."""

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from unittest.mock import AsyncMock, Mock

import pytest

from cloning.cluster import messages, node
from cloning.cluster.messages import Arrangement, News
from cloning.cluster.node import SpeechNode
from cloning.worker import protocol
from cloning.worker.protocol import (
    SPEECH_FILE,
    Checked,
    CheckRequest,
    Event,
    Executor,
    Failed,
    Listened,
    ListenRequest,
    Lost,
    Progress,
    SpeakRequest,
    Spoken,
)
from errors import Unavailable
from tests.fakes import FakeExecutor, prompt_bytes

HOW = Arrangement({}, 2, 60.0)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "POLL_SECONDS", 0.05)


@pytest.fixture
def workers() -> list[FakeExecutor]:
    return []


@pytest.fixture
async def speech(
    workers: list[FakeExecutor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[SpeechNode]:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def build(arrangement: Arrangement) -> Executor:
        workers.append(FakeExecutor(capacity=arrangement.capacity))
        return workers[-1]

    made = SpeechNode(build)
    await made.attach("one", HOW)
    yield made
    await made.close()
    assert not folders(tmp_path)


def folders(folder: Path) -> list[str]:
    return [inner.name for inner in folder.glob("barkeep-speech-*")]


def inner_folders(folder: Path) -> list[Path]:
    return list(folder.glob("barkeep-speech-*/*"))


def say(folder: Path, job_id: str = "job", text: str = "hello") -> messages.Parcel:
    prompt = folder / "prompt.npz"
    prompt.write_bytes(prompt_bytes())
    return messages.packed(SpeakRequest(job_id, text, folder, prompt=prompt, prompt_digest="weights of tiny"))


async def fetch(speech: SpeechNode, session: str = "one", received: int = 0) -> News:
    news = await speech.exchange(session, received)
    assert news is not None
    return news


async def until_ended(speech: SpeechNode, session: str = "one") -> list[tuple[Event, dict[str, bytes]]]:
    """The events of a session up to the first end of a job."""
    got: list[tuple[Event, dict[str, bytes]]] = []
    received = 0
    while True:
        for number, line, files in (await fetch(speech, session, received)).events:
            received = number
            event = protocol.decode(line)
            got.append((event, files))  # type: ignore[arg-type]  # a node sends events only
            if isinstance(event, Spoken | Failed | Lost | Checked | Listened):
                return got


async def test_a_job_runs_and_its_sound_comes_as_bytes(speech: SpeechNode, tmp_path: Path) -> None:
    assert await speech.submit("one", say(tmp_path))
    *before, (last, files) = await until_ended(speech)
    assert isinstance(last, Spoken)
    assert last.job_id == "job"
    assert files[SPEECH_FILE].startswith(b"OggS")
    assert before
    assert all(isinstance(event, Progress) and event.job_id == "job" for event, _ in before)
    assert (await speech.state())[1] == 0


async def test_a_job_that_is_not_taken_leaves_nothing(
    speech: SpeechNode, workers: list[FakeExecutor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing = AsyncMock(side_effect=Unavailable("The speech worker is shutting down."))
    monkeypatch.setattr(workers[0], "submit", refusing)
    with pytest.raises(Unavailable):
        await speech.submit("one", say(tmp_path))
    assert (await speech.state())[1] == 0
    monkeypatch.setattr(messages, "unpacked", Mock(side_effect=OSError("the disk is full")))
    with pytest.raises(OSError, match="full"):
        await speech.submit("one", say(tmp_path))
    assert not inner_folders(tmp_path)


async def test_of_progress_only_the_newest_is_kept(
    speech: SpeechNode, workers: list[FakeExecutor], tmp_path: Path
) -> None:
    async def until_told(fraction: float) -> None:
        wanted = [Progress(job_id, "speaking", fraction) for job_id in ("other", "job")]
        while [protocol.decode(line) for _, line, _ in (await fetch(speech)).events] != wanted:
            pass

    release = workers[0].hold()
    for job_id in ("other", "job"):
        await speech.submit("one", say(tmp_path, job_id))
    await until_told(0.5)
    for number in range(100):
        for request in workers[0].requests:
            workers[0].tell(Progress(request.job_id, "speaking", number / 100))
    await until_told(0.99)
    release()
    assert isinstance((await until_ended(speech))[-1][0], Spoken)


async def test_sessions_hear_only_of_their_own_jobs(speech: SpeechNode, tmp_path: Path) -> None:
    await speech.attach("two", HOW)
    await speech.submit("one", say(tmp_path, "same"))
    await speech.submit("two", say(tmp_path, "same"))
    assert [
        len([event for event, _ in await until_ended(speech, name) if isinstance(event, Spoken)])
        for name in ("one", "two")
    ] == [1, 1]
    assert not (await fetch(speech, "one", 99)).events


async def test_other_bots_jobs_are_counted(speech: SpeechNode, workers: list[FakeExecutor], tmp_path: Path) -> None:
    await speech.attach("two", HOW)
    workers[0].hold()
    await speech.submit("one", say(tmp_path))
    assert ((await fetch(speech, "one")).others, (await fetch(speech, "two")).others) == (0, 1)


async def test_a_job_is_cancelled(speech: SpeechNode, workers: list[FakeExecutor], tmp_path: Path) -> None:
    workers[0].hold()
    await speech.submit("one", say(tmp_path))
    await speech.cancel("two", "job")
    assert not workers[0].cancelled
    await speech.cancel("one", "job")
    (last, _) = (await until_ended(speech))[-1]
    assert isinstance(last, Failed)
    assert (last.job_id, last.kind) == ("job", "Cancelled")


async def test_the_jobs_of_a_bot_that_is_not_heard_are_cancelled(
    speech: SpeechNode, workers: list[FakeExecutor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await speech.attach("two", HOW)
    workers[0].hold()
    await speech.submit("one", say(tmp_path))
    monkeypatch.setattr(messages, "SILENT_SECONDS", 0.5)
    while not workers[0].cancelled:
        await fetch(speech, "two")
    assert await speech.exchange("one", 0) is None
    with pytest.raises(Unavailable, match="started again"):
        await speech.submit("one", say(tmp_path))


async def test_a_prompt_is_sent_once(speech: SpeechNode, workers: list[FakeExecutor], tmp_path: Path) -> None:
    workers[0].hold()
    parcel = say(tmp_path)
    light = messages.without_prompt(parcel)
    assert not await speech.submit("one", light)
    assert await speech.submit("one", parcel)
    assert await speech.submit("one", light)
    sent = [
        request.prompt.read_bytes()
        for request in workers[0].requests
        if isinstance(request, SpeakRequest) and request.prompt
    ]
    assert sent == [prompt_bytes()] * 2


async def test_a_prompt_is_forgotten(speech: SpeechNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parcel = say(tmp_path)
    await speech.submit("one", parcel)
    await until_ended(speech)
    monkeypatch.setattr(node, "PROMPT_SECONDS", 0.0)
    light = messages.without_prompt(parcel)
    while await speech.submit("one", light):
        await fetch(speech, received=99)


async def test_a_drained_node_finishes_and_takes_no_more(
    speech: SpeechNode, workers: list[FakeExecutor], tmp_path: Path
) -> None:
    release = workers[0].hold()
    await speech.submit("one", say(tmp_path))
    await speech.drain(True)
    assert (await fetch(speech)).draining
    with pytest.raises(Unavailable, match="drained"):
        await speech.submit("one", say(tmp_path, "other"))
    release()
    assert isinstance((await until_ended(speech))[-1][0], Spoken)
    assert (await speech.state())[1:] == (0, True)
    await speech.drain(False)
    assert await speech.submit("one", say(tmp_path, "other"))


async def test_recordings_are_looked_at(speech: SpeechNode, workers: list[FakeExecutor], tmp_path: Path) -> None:
    sound = tmp_path / "a.ogg"
    sound.write_bytes(b"sound")
    await speech.submit("one", messages.packed(CheckRequest("check", sound)))
    assert (await until_ended(speech))[-1][0] == Checked("check", workers[0].finding)
    await speech.attach("two", HOW)
    await speech.submit("two", messages.packed(ListenRequest("listen", sound, sound, "Yes.")))
    assert (await until_ended(speech, "two"))[-1][0] == Listened("listen", workers[0].heard)
    await speech.attach("three", HOW)
    workers[0].fail_next("InvalidInput", "No sound.")
    await speech.submit("three", messages.packed(CheckRequest("bad", sound)))
    assert (await until_ended(speech, "three"))[-1][0] == Failed("bad", "InvalidInput", "No sound.")


async def test_other_settings_are_taken_once_the_earlier_bot_is_gone(
    speech: SpeechNode, workers: list[FakeExecutor], monkeypatch: pytest.MonkeyPatch
) -> None:
    await speech.attach("two", HOW)
    assert len(workers) == 1
    other = Arrangement({"model": "other"}, 4, 60.0)
    with pytest.raises(Unavailable, match=r"other settings \(capacity, model\). Give all bot processes"):
        await speech.attach("three", other)
    assert not workers[0].closed
    monkeypatch.setattr(messages, "SILENT_SECONDS", 0.1)
    async with asyncio.timeout(30):
        while speech._sessions:  # noqa: ASYNC110  # they are forgotten in silence
            await asyncio.sleep(0.05)
    await speech.attach("three", other)
    assert [worker.closed for worker in workers] == [True, False]
    assert workers[1].capacity == 4


async def test_why_the_worker_cannot_start_is_told(speech: SpeechNode, workers: list[FakeExecutor]) -> None:
    workers[0].ready, workers[0].error = None, "There is no model x."
    news = await fetch(speech)
    assert (news.ready, news.error) == (None, "There is no model x.")


async def test_folders_of_killed_nodes_are_removed(
    workers: list[FakeExecutor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ended = await asyncio.create_subprocess_exec(sys.executable, "-c", "")
    await ended.wait()
    (tmp_path / f"barkeep-speech-{ended.pid}-x").mkdir()
    (tmp_path / f"barkeep-speech-{os.getpid()}-other").mkdir()
    made = SpeechNode(lambda _: FakeExecutor())
    await made.attach("one", HOW)
    await made.close()
    assert folders(tmp_path) == [f"barkeep-speech-{os.getpid()}-other"]


async def test_close_ends_a_job_in_hand(speech: SpeechNode, workers: list[FakeExecutor], tmp_path: Path) -> None:
    workers[0].hold()
    await speech.submit("one", say(tmp_path))
    await asyncio.wait_for(speech.close(), 10)
    assert workers[0].closed


async def test_an_unexpected_error_at_one_event_keeps_no_other_back(
    speech: SpeechNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_files, errors = messages.made_files, [RuntimeError("once")]

    def fails_once(event: Event, folder: Path) -> dict[str, bytes]:
        if errors:
            raise errors.pop()
        return made_files(event, folder)

    monkeypatch.setattr(messages, "made_files", fails_once)
    await speech.submit("one", say(tmp_path, "broken"))
    await speech.submit("one", say(tmp_path, "whole"))
    async with asyncio.timeout(60):
        (last, _) = (await until_ended(speech))[-1]
    assert isinstance(last, Spoken)
    assert last.job_id == "whole"
    assert errors == []


async def test_an_unexpected_error_ends_a_check(
    speech: SpeechNode, workers: list[FakeExecutor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = tmp_path / "a.ogg"
    sound.write_bytes(b"sound")
    monkeypatch.setattr(workers[0], "check", AsyncMock(side_effect=RuntimeError("unexpected")))
    await speech.submit("one", messages.packed(CheckRequest("check", sound)))
    async with asyncio.timeout(60):
        (last, _) = (await until_ended(speech))[-1]
    assert isinstance(last, Failed)
    assert (last.job_id, last.kind) == ("check", "Unavailable")


async def test_a_round_that_fails_is_followed_by_another(
    speech: SpeechNode, workers: list[FakeExecutor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await speech.attach("two", HOW)
    workers[0].hold()
    await speech.submit("one", say(tmp_path))
    cancel, errors = workers[0].cancel, [RuntimeError("once")]

    async def fails_once(job_id: str) -> None:
        if errors:
            raise errors.pop()
        await cancel(job_id)

    monkeypatch.setattr(workers[0], "cancel", fails_once)
    monkeypatch.setattr(messages, "SILENT_SECONDS", 0.5)
    async with asyncio.timeout(60):
        while not workers[0].cancelled:
            await fetch(speech, "two")
    assert errors == []
