"""The relay with nodes in this process: where jobs go, and what becomes of them when nodes fail, hang, go and come."""

import asyncio
import logging
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from cloning.cluster import messages
from cloning.cluster.messages import Arrangement
from cloning.cluster.relay import NO_NODE
from cloning.worker.protocol import (
    SPEECH_FILE,
    Checked,
    CheckRequest,
    Failed,
    Lost,
    Ready,
    SpeakRequest,
    Spoken,
)
from tests.cloning.cluster.conftest import HOW, Bench, Near


async def test_without_a_node_the_bot_is_told_what_to_do(bench: Bench) -> None:
    assert bench.events[-1] == Failed("", "Unavailable", NO_NODE)
    await bench.say("early")
    bench.add("a")
    await bench.until(lambda: bench.of(Spoken) == ["early"])
    assert any(isinstance(event, Ready) for event in bench.events)
    assert bench.capacity == HOW.capacity


async def test_jobs_are_spread(bench: Bench) -> None:
    nodes = [bench.add("a"), bench.add("b")]
    await bench.until(lambda: bench.capacity == 2 * HOW.capacity)
    releases = [node.worker.hold() for node in nodes]
    for number in range(6):
        await bench.say(f"{number}")
    await bench.until(lambda: [len(node.worker.requests) for node in nodes] == [3, 3])
    for release in releases:
        release()
    await bench.until(lambda: len(bench.of(Spoken)) == 6)
    folders = [folder for folder in bench.folder.iterdir() if (folder / SPEECH_FILE).exists()]
    assert len(folders) == 6


async def test_equally_busy_nodes_get_the_voices_that_they_have(bench: Bench) -> None:
    nodes = [bench.add("a"), bench.add("b")]
    await bench.until(lambda: bench.capacity == 2 * HOW.capacity)
    releases = [node.worker.hold() for node in nodes]
    await bench.say("one", seed=1)
    await bench.say("two", seed=2)
    await bench.until(lambda: [len(node.worker.requests) for node in nodes] == [1, 1])
    for release in releases:
        release()
    await bench.until(lambda: len(bench.of(Spoken)) == 2)
    for number in range(4):
        await bench.say(f"again {number}", seed=2)
        await bench.until(partial(bench.spoke, 3 + number))
    has = next(node for node in nodes if any(parcel.job_id == "two" for parcel in node.parcels))
    assert [parcel.job_id for parcel in has.parcels] == ["two", *(f"again {number}" for number in range(4))]
    assert [bool(parcel.files) for parcel in has.parcels] == [True, False, False, False, False]


async def test_a_node_that_forgot_a_prompt_gets_it_again(bench: Bench) -> None:
    node = bench.add("a")
    await bench.say("one", seed=1)
    await bench.until(lambda: len(bench.of(Spoken)) == 1)
    node.node._prompts.clear()
    await bench.say("two", seed=1)
    await bench.until(lambda: len(bench.of(Spoken)) == 2)
    assert [bool(parcel.files) for parcel in node.parcels] == [True, False, True]


async def test_a_node_that_hangs_loses_its_jobs_and_the_other_goes_on(bench: Bench) -> None:
    first, second = bench.add("a"), bench.add("b")
    await bench.until(lambda: bench.capacity == 2 * HOW.capacity)
    first.worker.hold()
    second.worker.hold()
    await bench.say("one")
    await bench.say("two")
    await bench.until(lambda: len(first.worker.requests) == len(second.worker.requests) == 1)
    first.hangs = True
    await bench.until(lambda: len(bench.of(Lost)) == 1)
    (lost,) = [event for event in bench.events if isinstance(event, Lost)]
    assert lost.reason == "The speech node a does not answer."
    assert bench.states() == {"a": "does not answer", "b": "ready"}
    assert bench.capacity == HOW.capacity
    assert not bench.of(Spoken)


async def test_a_node_that_hangs_keeps_no_other_request_waiting_when_its_job_is_cancelled(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "SILENT_SECONDS", 60.0)  # so that only a cancel that waits for the node takes long
    first, second = bench.add("a"), bench.add("b")
    await bench.until(lambda: bench.capacity == 2 * HOW.capacity)
    first.worker.hold()
    second.worker.hold()
    await bench.say("one")
    await bench.say("two")
    await bench.until(lambda: len(first.worker.requests) == len(second.worker.requests) == 1)
    first.hangs = True
    async with asyncio.timeout(30):
        await bench.relay.cancel("one")
        await bench.relay.cancel("two")
        await bench.until(lambda: bool({"one", "two"} & set(bench.of(Failed))))
    assert not bench.of(Lost)


@pytest.mark.parametrize("error", [RuntimeError("a bug"), ValueError("a bug")])
async def test_a_node_whose_call_fails_in_an_unknown_way_loses_its_jobs_and_is_asked_again(
    bench: Bench, error: Exception
) -> None:
    node = bench.add("a")
    await bench.until(lambda: bench.capacity == HOW.capacity)
    release = node.worker.hold()
    await bench.say("one")
    await bench.until(lambda: len(node.worker.requests) == 1)
    node.breaks = error
    await bench.until(lambda: bench.of(Lost) == ["one"])
    node.breaks = None
    release()
    await bench.say("one")
    await bench.until(lambda: bench.of(Spoken) == ["one"])


async def test_a_job_that_cannot_be_sent_for_an_unknown_reason_is_lost(bench: Bench) -> None:
    node = bench.add("a")
    await bench.until(lambda: bench.capacity == HOW.capacity)
    node.refuses = RuntimeError("a bug")
    await bench.say("one")
    await bench.until(lambda: bench.of(Lost) == ["one"])


async def test_a_node_that_answers_again_is_used_again_and_its_old_jobs_end(bench: Bench) -> None:
    node = bench.add("a")
    await bench.until(lambda: bench.capacity == HOW.capacity)
    release = node.worker.hold()
    await bench.say("one")
    await bench.until(lambda: len(node.worker.requests) == 1)
    node.hangs = True
    await bench.until(lambda: bench.of(Lost) == ["one"])
    node.hangs = False
    await bench.until(lambda: len(node.worker.cancelled) == 1)
    await bench.until(lambda: bench.capacity == HOW.capacity)
    release()
    await bench.say("one")
    await bench.until(lambda: bench.of(Spoken) == ["one"])
    assert Counter(bench.of(Lost)) == {"one": 1}


async def test_a_node_that_leaves_loses_its_jobs(bench: Bench) -> None:
    node = bench.add("a")
    await bench.until(lambda: bench.capacity == HOW.capacity)
    node.worker.hold()
    await bench.say("one")
    await bench.until(lambda: len(node.worker.requests) == 1)
    await bench.remove("a").node.close()
    assert bench.of(Lost) == ["one"]
    assert bench.events[-1] == Failed("", "Unavailable", NO_NODE)
    bench.add("b")
    await bench.say("one")
    await bench.until(lambda: bench.of(Spoken) == ["one"])


async def test_a_node_whose_session_is_gone_loses_its_jobs(bench: Bench) -> None:
    node = bench.add("a")
    await bench.until(lambda: bench.capacity == HOW.capacity)
    node.worker.hold()
    await bench.say("one")
    await bench.until(lambda: len(node.worker.requests) == 1)
    node.node._sessions.clear()
    await bench.until(lambda: bench.of(Lost) == ["one"])
    await bench.until(lambda: bench.capacity == HOW.capacity)


async def test_a_node_that_cannot_be_called_says_why(bench: Bench) -> None:
    node = bench.add("a")
    node.error = "has no GPU, and DEVICE asks for one"
    await bench.until(lambda: bench.states().get("a") == node.error)
    await bench.until(lambda: isinstance(bench.events[-1], Failed))
    assert bench.events[-1] == Failed("", "Unavailable", f"a: {node.error}")


async def test_a_node_without_models_says_why(bench: Bench) -> None:
    node = bench.add("a")
    node.worker.ready, node.worker.error = None, "There is no model x."
    await bench.until(lambda: bench.states().get("a") == "There is no model x.")
    assert bench.capacity == 0


async def test_a_new_node_takes_what_waits_at_once(bench: Bench) -> None:
    first = bench.add("a")
    await bench.until(lambda: bench.capacity == HOW.capacity)
    first.worker.hold()
    for number in range(HOW.capacity + 2):
        await bench.say(f"{number}")
    second = bench.add("b")
    await bench.until(lambda: len(second.worker.requests) == 2)
    await bench.until(lambda: len(bench.of(Spoken)) == 2)


async def test_a_drained_node_gets_nothing(bench: Bench) -> None:
    first, second = bench.add("a"), bench.add("b")
    await bench.until(lambda: bench.capacity == 2 * HOW.capacity)
    await first.node.drain(True)
    await bench.until(lambda: bench.capacity == HOW.capacity)
    assert bench.states() == {"a": "drained", "b": "ready"}
    for number in range(4):
        await bench.say(f"{number}")
    await bench.until(lambda: len(bench.of(Spoken)) == 4)
    assert (len(first.worker.requests), len(second.worker.requests)) == (0, 4)


async def test_other_weights_are_not_mixed_in(bench: Bench) -> None:
    bench.add("a")
    await bench.until(lambda: bench.capacity == HOW.capacity)
    bench.add("b", model="other")
    await bench.until(lambda: "other weights" in bench.states().get("b", ""))
    assert bench.capacity == HOW.capacity
    await bench.remove("a").node.close()
    await bench.until(lambda: bench.states() == {"b": "ready"})


async def test_a_waiting_and_a_running_job_are_cancelled(bench: Bench) -> None:
    await bench.say("waiting")
    await bench.relay.cancel("waiting")
    assert bench.of(Failed)[-1] == "waiting"
    node = bench.add("a")
    node.worker.hold()
    await bench.say("running")
    await bench.until(lambda: len(node.worker.requests) == 1)
    await bench.relay.cancel("running")
    await bench.until(lambda: bench.of(Failed)[-1] == "running")
    await bench.relay.cancel("unknown")


async def test_a_job_that_was_being_cancelled_is_cancelled_when_its_node_is_lost(bench: Bench) -> None:
    node = bench.add("a")
    node.worker.hold()
    await bench.say("one")
    await bench.until(lambda: len(node.worker.requests) == 1)
    node.error = "was interrupted"
    await bench.relay.cancel("one")
    await bench.until(lambda: Failed("one", "Cancelled", "The job was cancelled.") in bench.events)
    assert not bench.of(Lost)


async def test_a_recording_is_looked_at_although_no_place_is_free(bench: Bench) -> None:
    node = bench.add("a")
    node.worker.hold()
    for number in range(HOW.capacity):
        await bench.say(f"{number}")
    await bench.until(lambda: len(node.worker.requests) == HOW.capacity)
    node.worker._gate = None
    sound = bench.folder / "a.ogg"
    sound.write_bytes(b"sound")
    await bench.relay.submit(CheckRequest("check", sound))
    await bench.until(lambda: bench.of(Checked) == ["check"])


async def test_a_job_whose_files_are_gone_fails(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.add("a")
    await bench.relay.submit(CheckRequest("check", bench.folder / "nothing.ogg"))
    failed = [event for event in bench.events if isinstance(event, Failed) and event.job_id == "check"]
    assert [event.kind for event in failed] == ["Unavailable"]
    assert "could not be read. Please try again" in failed[0].message
    assert [record.levelno for record in caplog.records if record.name.endswith("relay")] == [logging.ERROR]


async def test_two_bots_share_a_node(bench: Bench, tmp_path: Path) -> None:
    node = bench.add("a")
    await bench.until(lambda: bench.capacity == HOW.capacity)
    node.worker.hold()
    await node.node.attach("another bot", HOW)
    (tmp_path / "other").mkdir()
    for number in range(3):
        request = SpeakRequest(f"theirs {number}", "hello", tmp_path / "other")
        await node.node.submit("another bot", messages.packed(request))
    await bench.until(lambda: bench.capacity == HOW.capacity - 3)


async def test_a_bot_with_other_settings_than_one_that_is_there_is_refused(bench: Bench) -> None:
    node = bench.nodes["a"] = Near()
    other = Arrangement({"model": "another"}, HOW.capacity + 1, HOW.job_timeout)
    await node.node.attach("another bot", other)
    bench.update()
    await bench.until(lambda: "other settings (capacity, model)" in bench.states()["a"])
    await bench.until(lambda: bench.capacity == HOW.capacity)  # the other one is not heard any more
    assert bench.states() == {"a": "ready"}
