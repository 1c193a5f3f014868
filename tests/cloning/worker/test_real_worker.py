"""The real worker process with a small model: it clones, speaks, dies and comes back."""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assembly import worker_configuration
from cloning.checkpoints.identity import digest_of
from cloning.media import audio, recordings
from cloning.prompt import VoicePrompt
from cloning.worker import protocol
from cloning.worker.executor import SubprocessExecutor, worker_command
from cloning.worker.protocol import (
    Cloned,
    CloneRequest,
    Event,
    Heartbeat,
    Lost,
    Nodes,
    PartSpoken,
    Progress,
    Ready,
    SpeakRequest,
    Spoken,
)
from errors import InvalidInput
from settings import Settings
from tests.cloning.consent.test_listening import CLIP, PASSWORD
from tests.cloning.consent.test_listening import SENTENCE as PASSWORD_SENTENCE
from tests.cloning.worker.conftest import next_end
from tests.cloning.worker.test_jobs import REFERENCE, TWO


async def until_spoken(executor: SubprocessExecutor) -> AsyncIterator[Event]:
    async for event in executor.events():
        yield event
        if isinstance(event, Spoken):
            return


async def until(executor: SubprocessExecutor, wanted: Callable[[Event], Any]) -> None:
    async for event in executor.events():
        if wanted(event):
            return


async def test_a_real_worker_clones_speaks_dies_and_comes_back(stand_in: Path, tmp_path: Path) -> None:
    settings = Settings(_env_file=None, model=str(stand_in), device="cpu")
    executor = SubprocessExecutor(worker_command(worker_configuration(settings)), job_timeout=100)
    folders = {name: tmp_path / name for name in ("clone", "said", "again", "parts")}
    for folder in folders.values():
        folder.mkdir()
    said = tmp_path / "said.ogg"  # temporary files go beside it
    shutil.copy(PASSWORD, said)
    try:
        assert (await executor.check(REFERENCE)).verdict == "unmarked"
        assert (await executor.listen(CLIP, said, PASSWORD_SENTENCE)).counts
        said.write_text("I agree.")
        with pytest.raises(InvalidInput):
            await executor.listen(CLIP, said, PASSWORD_SENTENCE)
        await executor.submit(CloneRequest("clone", REFERENCE, folders["clone"]))
        cloned = await next_end(executor)
        assert isinstance(cloned, Cloned)
        digest = digest_of(stand_in / "bark", settings.model_cache)
        assert cloned.models == protocol.PromptModels(str(stand_in), f"{stand_in}/hubert", "quantizer.pth", digest)
        ready = executor.health().ready
        assert ready is not None
        assert ready.digest == digest
        assert ready.device == "cpu"
        assert "v2/en_speaker_0" in ready.speakers
        prompt = folders["clone"] / protocol.PROMPT_FILE
        assert VoicePrompt.load(prompt, ready.prompt_spec).seconds(ready.prompt_spec) == pytest.approx(
            audio.read_clip(folders["clone"] / protocol.CLIP_FILE).seconds, abs=0.05
        )

        await executor.submit(SpeakRequest("said", "This is going to be interrupted.", folders["said"], prompt=prompt))
        await until(executor, lambda event: isinstance(event, Progress) and event.job_id == "said")
        worker = executor._worker
        assert worker is not None
        os.kill(worker.pid, signal.SIGKILL)
        assert isinstance(await next_end(executor), Lost)
        assert not list(folders["said"].iterdir())

        clip = folders["clone"] / protocol.CLIP_FILE
        await executor.submit(SpeakRequest("again", "Hi.", folders["again"], clip=clip, seed=1))
        spoken = await next_end(executor)
        assert isinstance(spoken, Spoken)
        assert spoken.refreshed == cloned.models
        anew, before = VoicePrompt.load(folders["again"] / protocol.PROMPT_FILE), VoicePrompt.load(prompt)
        assert anew.fine.shape == before.fine.shape
        assert (anew.fine[0] == before.fine[0]).mean() > 0.9  # the clip was rounded to 16 bits in between
        assert recordings.read(folders["again"] / protocol.SPEECH_FILE).seconds > 0.1

        await executor.submit(SpeakRequest("parts", TWO, folders["parts"], speaker="v2/en_speaker_1", seed=1))
        told = [event async for event in until_spoken(executor) if isinstance(event, PartSpoken | Spoken)]
        assert [(type(event), event.job_id) for event in told] == [(PartSpoken, "parts")] * 2 + [(Spoken, "parts")]
        assert (folders["parts"] / protocol.part_file(1)).is_file()

        await executor.submit(SpeakRequest("last", "A long text. " * 9, folders["said"], speaker="v2/en_speaker_1"))
        await until(executor, lambda event: isinstance(event, Progress))
    finally:
        await executor.close()
    ends = [event async for event in executor.events() if not isinstance(event, Ready | Heartbeat | Progress | Nodes)]
    assert [(type(event), event.job_id) for event in ends] == [(Lost, "last")]
    assert len(asyncio.all_tasks()) == 1


async def test_eight_at_once_end_together_and_sound_as_one_by_one(stand_in: Path, tmp_path: Path) -> None:
    settings = Settings(_env_file=None, model=str(stand_in), device="cpu")
    executor = SubprocessExecutor(
        worker_command(worker_configuration(settings)), job_timeout=100, capacity=settings.batch
    )

    def request(name: str, seed: int) -> SpeakRequest:
        folder = tmp_path / name
        folder.mkdir()
        return SpeakRequest(
            name, "Hi." if seed % 2 else "Hello, you.", folder, speaker=f"v2/en_speaker_{seed % 2}", seed=seed
        )

    try:
        for seed in range(8):
            await executor.submit(request(f"together{seed}", seed))
        ends = [await next_end(executor) for _ in range(8)]
        assert {type(event) for event in ends} == {Spoken}
        for seed in (0, 3):
            await executor.submit(request(f"alone{seed}", seed))
            assert isinstance(await next_end(executor), Spoken)
            alone = recordings.read(tmp_path / f"alone{seed}" / protocol.SPEECH_FILE)
            together = recordings.read(tmp_path / f"together{seed}" / protocol.SPEECH_FILE)
            assert np.array_equal(alone.samples, together.samples)
    finally:
        await executor.close()
