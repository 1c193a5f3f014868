"""Voice files: taking them away, bringing them, and the recording behind a voice."""

import asyncio
import io
import threading
import time
import zipfile
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cloning.checkpoints.voice_reading import read_voice
from cloning.prompt import PromptSpec, VoicePrompt
from errors import (
    Conflict,
    InvalidInput,
    LimitReached,
    NotAllowed,
    NotFound,
    Unavailable,
    VoiceUnavailable,
)
from storage.records import JobState, Visibility
from studio import voice_files
from studio.voice_files import MAX_PROMPT_BYTES, file_name
from tests.fakes import prompt_bytes
from tests.studio.conftest import ANN, BOB, GUILD, MOD, StudioHarness


async def test_export_and_import_go_round(harness: StudioHarness) -> None:
    files = harness.studio.voice_files
    key = await harness.voice(name="Ann & Lee")
    name, data = await files.export(ANN, key)
    assert name == "Ann-Lee.npz"
    assert VoicePrompt.load(data).fine.shape[0] == 8
    record = await files.import_(ANN, "Again", data, language="de", description="a copy", attested=True)
    assert (record.model, record.has_clip, record.language, record.speaker_id) == ("tiny", False, "de", ANN.member_id)
    assert VoicePrompt.load((await files.export(ANN, "Again"))[1]) == VoicePrompt.load(data)
    with pytest.raises(NotFound, match="no recording"):
        await files.clip(ANN, "Again")
    assert (await harness.ended((await harness.say(voice="Again")).id)).state is JobState.DELIVERED


async def test_an_import_has_to_fit_the_models_that_run(harness: StudioHarness) -> None:
    small = PromptSpec(semantic_vocab=10, codebook_size=64, semantic_rate=50.0, frame_rate=50.0)
    fine = np.ones((8, 50), dtype=np.int64)
    data = VoicePrompt(np.ones(50, dtype=np.int64), fine[:2], fine).to_bytes()
    assert harness.executor.ready is not None
    with pytest.raises(InvalidInput, match="other models"):
        await harness.studio.voice_files.import_(ANN, "Small", data, attested=True)
    harness.executor.ready = replace(harness.executor.ready, prompt_spec=small)
    await harness.studio.voice_files.import_(ANN, "Small", data, attested=True)
    with pytest.raises(InvalidInput, match="these models use 0 to 9"):
        await harness.studio.voice_files.import_(ANN, "Large", prompt_bytes(), attested=True)


async def test_rights_count_once_the_file_was_read(harness: StudioHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are read one at a time, so a member may be blocked meanwhile."""
    begun, go_on = threading.Event(), threading.Event()

    def slow(data: bytes, spec: PromptSpec) -> bytes:
        begun.set()
        go_on.wait(60)
        return read_voice(data, spec)

    monkeypatch.setattr(voice_files, "read_voice", slow)
    importing = asyncio.create_task(harness.studio.voice_files.import_(ANN, "Late", prompt_bytes(), attested=True))
    await asyncio.to_thread(begun.wait, 60)
    await harness.studio.admin.block(MOD, ANN.member_id, "")
    go_on.set()
    with pytest.raises(NotAllowed, match="blocked you"):
        await importing
    assert harness.files() == []
    assert await harness.storage.voices.find(GUILD, "Late") is None


async def test_nothing_is_imported_before_the_models_are_known(harness: StudioHarness) -> None:
    harness.executor.ready = None
    with pytest.raises(Unavailable, match="in a minute"):
        await harness.studio.voice_files.import_(ANN, "Early", prompt_bytes(), attested=True)
    assert harness.files() == []


def _npz(semantic_prompt: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, semantic_prompt=semantic_prompt)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a zip",
        prompt_bytes()[:-40],
        _npz(semantic_prompt=np.arange(5)),
        _npz(semantic_prompt=np.array([object()])),
        b"x" * (MAX_PROMPT_BYTES + 1),
    ],
    ids=["empty", "text", "cut", "one-array", "pickle", "large"],
)
async def test_a_bad_voice_file_is_refused_and_leaves_nothing(harness: StudioHarness, data: bytes) -> None:
    with pytest.raises(InvalidInput):
        await harness.studio.voice_files.import_(ANN, "Bad", data, attested=True)
    assert await harness.storage.voices.find(GUILD, "Bad") is None
    assert harness.files() == []


async def test_refused_imports_count_against_the_hour(harness: StudioHarness) -> None:
    await harness.studio.admin.change(MOD, jobs_per_hour_per_member=2)
    for _ in range(2):
        with pytest.raises(InvalidInput):
            await harness.studio.voice_files.import_(ANN, "Bad", b"not a voice", attested=True)
    with pytest.raises(LimitReached, match="2 of your requests for this hour"):
        await harness.studio.voice_files.import_(ANN, "Good", prompt_bytes(), attested=True)
    await harness.studio.voice_files.import_(BOB, "Good", prompt_bytes(), attested=True)


async def test_files_of_several_members_are_read_one_at_a_time(
    harness: StudioHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = []

    def read(data: bytes, spec: PromptSpec) -> bytes:
        reading.append(data)
        time.sleep(0.05)  # so long that another would come in between
        assert reading.pop() is data
        assert not reading
        return data

    monkeypatch.setattr("studio.voice_files.read_voice", read)
    files = harness.studio.voice_files
    await asyncio.gather(
        files.import_(ANN, "One", prompt_bytes(), attested=True),
        files.import_(BOB, "Two", prompt_bytes(1), attested=True),
    )


async def test_an_import_needs_consent_rights_room_and_a_free_name(
    harness: StudioHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = harness.studio.voice_files
    with pytest.raises(NotAllowed, match="confirm"):
        await files.import_(ANN, "New", prompt_bytes(), attested=False)
    await harness.voice(name="Ann")
    with pytest.raises(Conflict):
        await files.import_(ANN, "ann", prompt_bytes(), attested=True)
    with pytest.raises(InvalidInput):
        await files.import_(ANN, "New", prompt_bytes(), language="xx", attested=True)
    await harness.studio.admin.change(MOD, clone_role_ids=[4])
    with pytest.raises(NotAllowed, match="roles"):
        await files.import_(ANN, "New", prompt_bytes(), attested=True)
    await harness.studio.admin.change(MOD, clone_role_ids=[], voices_per_member=1)
    with pytest.raises(LimitReached):
        await files.import_(ANN, "New", prompt_bytes(), attested=True)
    await harness.studio.admin.change(MOD, voices_per_member=5)

    async def full(*_: object) -> None:
        raise Unavailable("The disk is full.")

    monkeypatch.setattr(harness.storage.files, "put_voice_file", full)
    with pytest.raises(Unavailable):
        await files.import_(ANN, "New", prompt_bytes(), attested=True)
    assert await harness.storage.voices.find(GUILD, "New") is None


async def test_the_clip_is_for_those_who_may_use_the_voice(harness: StudioHarness) -> None:
    key = await harness.voice()
    record, data = await harness.studio.voice_files.clip(ANN, key)
    assert record.name == "Ann"
    assert data.startswith(b"fLaC")
    with pytest.raises(NotFound):
        await harness.studio.voice_files.clip(BOB, key)
    await harness.storage.files.drop_voice(GUILD, int(key[2:]))
    with pytest.raises(NotFound, match="no longer exists"):
        await harness.studio.voice_files.clip(ANN, key)


async def test_the_recording_of_a_member_who_left_is_not_heard(harness: StudioHarness) -> None:
    key = await harness.voice()
    await harness.studio.library.share(ANN, key, Visibility.EVERYONE, (), ())
    await harness.studio.voice_files.clip(BOB, key)
    harness.courier.left.add(ANN.member_id)
    with pytest.raises(VoiceUnavailable, match="not on this server"):
        await harness.studio.voice_files.clip(BOB, key)
    await harness.studio.voice_files.clip(ANN, key)


@pytest.mark.parametrize(
    ("name", "file"), [("Ann", "Ann"), ("Ann Lee!", "Ann-Lee"), ("Zoë", "Zoë"), ("!!", "voice"), ("../x", "x")]
)
def test_file_names_are_plain(name: str, file: str) -> None:
    assert file_name(name) == file


async def test_an_archive_that_is_exported_has_the_three_arrays(harness: StudioHarness) -> None:
    key = await harness.voice()
    _, data = await harness.studio.voice_files.export(ANN, key)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert sorted(archive.namelist()) == ["coarse_prompt.npy", "fine_prompt.npy", "semantic_prompt.npy"]
