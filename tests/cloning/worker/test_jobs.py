"""Jobs against an engine of tones, and a real worker process with the stand-in under its supervisor."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

import av
import numpy as np
import pytest
import torch

from cloning import memory
from cloning.bark.engine import Generated
from cloning.checkpoints.speakers import ANY_SPEAKER
from cloning.media import audio, recordings
from cloning.media.audio import Recording
from cloning.model_set import LoadedModels
from cloning.pipeline import SpeechPipeline
from cloning.progress import ProgressReporter
from cloning.prompt import VoicePrompt
from cloning.watermark.finding import Finding
from cloning.watermark.marking import mark
from cloning.worker import jobs, protocol
from cloning.worker.protocol import (
    Checked,
    CheckRequest,
    DeviceFailed,
    PartSpoken,
    SpeakRequest,
    Spoken,
)
from errors import Cancelled, InvalidInput, LimitReached, NotFound
from tests.cloning.tones import ToneEngine, a_voice, pipeline

REFERENCE = Path(__file__).resolve().parents[3] / "simulator" / "media" / "reference.flac"
TEXT = "Hello there, my friend."
TWO = "Here is the first sentence of two. And this is the other one of them."
LONG = "Here is the first sentence of three. Here is one that follows it closely. And this is the last of them all."


def run(
    request: SpeakRequest,
    engine: ToneEngine | None = None,
    parts: list[PartSpoken] | None = None,
    model: Path | None = None,
) -> Spoken:
    box = pipeline(engine or ToneEngine(), model)
    event = jobs.run(box, request, ProgressReporter(), ([] if parts is None else parts).append)
    assert isinstance(event, Spoken)
    return event


def test_speech_is_written_with_its_tags(tmp_path: Path) -> None:
    prompt = tmp_path / "p.npz"
    a_voice().save(prompt)
    engine = ToneEngine()
    request = SpeakRequest("j", TEXT, tmp_path, prompt=prompt, temperature=0.5, seed=9, tags={"title": "Hello"})
    spoken = run(request, engine)
    assert spoken == Spoken("j", spoken.seconds, 9, 1, None)
    assert engine.asked[0][1] == a_voice()
    assert engine.asked[0][2].temperature == 0.5
    assert recordings.read(tmp_path / protocol.SPEECH_FILE).seconds == pytest.approx(spoken.seconds, abs=0.05)
    assert not (tmp_path / protocol.PROMPT_FILE).exists()
    with av.open(tmp_path / protocol.SPEECH_FILE) as container:
        tags = {name.lower(): text for name, text in container.streams.audio[0].metadata.items()}
    assert (tags["title"], tags["seed"]) == ("Hello", "9")


def test_the_speaker_that_spoke_is_named(tmp_path: Path, stand_in: Path) -> None:
    for asked, spoke in ((ANY_SPEAKER, "v2/en_speaker_0"), ("v2/en_speaker_1", "v2/en_speaker_1"), (None, None)):
        assert run(SpeakRequest("j", TEXT, tmp_path, speaker=asked), model=stand_in).speaker == spoke


def test_every_part_is_told_as_soon_as_it_is_there(tmp_path: Path) -> None:
    parts: list[PartSpoken] = []

    class Noting(ToneEngine):
        """Notes how many parts were told when each sentence begins."""

        told: ClassVar[list[int]] = []

        def generate(self, *arguments: Any) -> Generated:
            self.told.append(len(parts))
            return super().generate(*arguments)

    engine = Noting()
    spoken = run(SpeakRequest("j", LONG, tmp_path, seed=1, tags={"comment": "No person said this."}), engine, parts)
    assert engine.told == [0, 1, 2]
    assert [(part.job_id, part.number, part.of) for part in parts] == [("j", number, 3) for number in range(3)]
    files = [tmp_path / protocol.part_file(number) for number in range(3)]
    assert [recordings.read(file).seconds for file in files] == pytest.approx(
        [part.seconds for part in parts], abs=0.05
    )
    assert sum(part.seconds for part in parts) < spoken.seconds < sum(part.seconds for part in parts) + 1
    assert all(b"No person said this." in file.read_bytes() for file in files)


def test_one_sentence_has_no_parts(tmp_path: Path) -> None:
    parts: list[PartSpoken] = []
    run(SpeakRequest("j", TEXT, tmp_path), parts=parts)
    assert parts == []
    assert [file.name for file in tmp_path.iterdir()] == [protocol.SPEECH_FILE]


def test_what_a_line_has_freed_goes_back_to_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release = mock.create_autospec(memory.release_freed)
    monkeypatch.setattr(memory, "release_freed", release)
    run(SpeakRequest("j", TEXT, tmp_path))
    assert release.call_count == 1
    with pytest.raises(LimitReached):
        run(SpeakRequest("j", TEXT, tmp_path, max_bytes=100))
    assert release.call_count == 2


def test_speech_that_does_not_fit_is_told(tmp_path: Path) -> None:
    with pytest.raises(LimitReached):
        run(SpeakRequest("j", TEXT, tmp_path, max_bytes=100))
    assert not list(tmp_path.iterdir())


def test_a_recording_is_checked_without_leaving_anything(tmp_path: Path) -> None:
    source = tmp_path / "a.wav"
    audio.write(source, mark(audio.read_clip(REFERENCE).samples, 24_000), 24_000, tags={})
    checked = jobs.run(pipeline(ToneEngine()), CheckRequest("c", source), ProgressReporter(), lambda _: None)
    assert isinstance(checked, Checked)
    assert (checked.job_id, checked.finding.verdict) == ("c", "marked")
    assert list(tmp_path.iterdir()) == [source]
    assert protocol.decode(protocol.encode(checked)) == checked
    with pytest.raises(InvalidInput):
        jobs.run(pipeline(ToneEngine()), CheckRequest("c", tmp_path / "gone.wav"), ProgressReporter(), lambda _: None)


def test_recordings_are_read_one_at_a_time_and_a_job_that_waits_can_be_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each may take hundreds of megabytes."""
    begun, go_on, waits = threading.Event(), threading.Event(), threading.Event()
    at_once: list[int] = []
    reading: list[Path] = []

    def check(source: Path, *, memory_mb: int, scratch: Path) -> Finding:
        reading.append(source)
        at_once.append(len(reading))
        begun.set()
        go_on.wait(60)
        reading.remove(source)
        return Finding("unmarked", 0.0, (), 1.0, 1.0)

    box, cancelled = pipeline(ToneEngine()), threading.Event()
    monkeypatch.setattr(jobs, "check_file", check)

    def run_check(name: str, reporter: ProgressReporter) -> Any:
        return jobs.run(box, CheckRequest(name, tmp_path / name), reporter, lambda _: None)

    with ThreadPoolExecutor(3) as threads:
        first = threads.submit(run_check, "a", ProgressReporter())
        assert begun.wait(60)
        given_up = threads.submit(run_check, "b", ProgressReporter(lambda *_: waits.set(), cancelled))
        second = threads.submit(run_check, "c", ProgressReporter())
        assert waits.wait(60)
        cancelled.set()
        with pytest.raises(Cancelled):
            given_up.result(60)
        go_on.set()
        assert [done.result(60).job_id for done in (first, second)] == ["a", "c"]
    assert at_once == [1, 1]


def test_a_voice_that_is_gone_or_unknown_or_of_other_models(stand_in: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        run(SpeakRequest("j", TEXT, tmp_path, prompt=tmp_path / "gone.npz"))
    with pytest.raises(NotFound):
        run(SpeakRequest("j", TEXT, tmp_path, clip=tmp_path / "gone.flac"))
    with pytest.raises(NotFound, match="nobody"):
        run(SpeakRequest("j", TEXT, tmp_path, speaker="nobody"), model=stand_in)
    other = tmp_path / "other.npz"
    VoicePrompt(np.arange(100), np.zeros((2, 100), np.int64), np.zeros((8, 100), np.int64)).save(other)
    with pytest.raises(InvalidInput, match="other models"):
        run(SpeakRequest("j", TEXT, tmp_path, prompt=other))


class Recloning(SpeechPipeline):
    """Makes no voice from a clip, but notes that it was asked to."""

    recloned = 0

    def reclone(self, clip: Recording, language: str, reporter: ProgressReporter) -> VoicePrompt:
        self.recloned += 1
        return a_voice()


OURS, OTHERS = "0" * 64, "f" * 64


@pytest.mark.parametrize(
    ("model", "digest", "fits", "is_remade"),
    [
        ("tones", OURS, True, False),
        ("elsewhere", OURS, True, False),
        ("tones", OTHERS, True, True),
        ("elsewhere", OTHERS, True, True),
        ("tones", None, True, False),
        ("elsewhere", None, True, True),
        ("tones", None, False, True),
        ("tones", OURS, False, True),
    ],
)
def test_a_prompt_for_other_weights_is_made_again_from_its_clip(
    tmp_path: Path, model: str, digest: str | None, fits: bool, is_remade: bool
) -> None:
    """Old voices have no digest: their model's name counts, and whether the tokens are such as these models know."""
    prompt, clip, out = tmp_path / "p.npz", tmp_path / "c.wav", tmp_path / "out"
    voice = a_voice()
    (voice if fits else VoicePrompt(voice.semantic + 9_990, voice.coarse, voice.fine)).save(prompt)
    audio.write(clip, np.full(24_000, 0.1, np.float32), 24_000, tags={})
    out.mkdir()
    box = Recloning(pipeline(ToneEngine()).models)
    box.models.digest, box.models.hubert_name = OURS, "h"
    request = SpeakRequest("j", TEXT, out, prompt=prompt, prompt_model=model, prompt_digest=digest, clip=clip)
    with mock.patch.object(LoadedModels, "quantizer", autospec=True, return_value=(None, "q.pth")):
        spoken = jobs.run(box, request, ProgressReporter(), lambda _: None)
    assert isinstance(spoken, Spoken)
    assert box.recloned == is_remade
    assert (out / protocol.PROMPT_FILE).exists() is is_remade
    made_by = protocol.PromptModels("tones", "h", "q.pth", OURS)
    assert spoken.refreshed == (made_by if is_remade else None)


@pytest.mark.parametrize(
    ("model", "digest", "says"),
    [
        ("tones", OTHERS, None),
        ("elsewhere", OURS, None),
        ("elsewhere", OTHERS, "imported for other speech models"),
        ("elsewhere", None, "imported for other speech models"),
    ],
)
def test_a_prompt_without_a_clip_is_used_while_its_model_has_that_name_or_those_weights(
    tmp_path: Path, model: str, digest: str | None, says: str | None
) -> None:
    prompt = tmp_path / "p.npz"
    a_voice().save(prompt)
    box = pipeline(ToneEngine())
    box.models.digest = OURS
    request = SpeakRequest("j", TEXT, tmp_path, prompt=prompt, prompt_model=model, prompt_digest=digest)
    if says is None:
        assert isinstance(jobs.run(box, request, ProgressReporter(), lambda _: None), Spoken)
        return
    with pytest.raises(InvalidInput, match=says):
        jobs.run(box, request, ProgressReporter(), lambda _: None)


@pytest.mark.parametrize(
    ("error", "becomes"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), MemoryError),
        (torch.AcceleratorError("device-side assert"), DeviceFailed),
        (ZeroDivisionError(), ZeroDivisionError),
        (RuntimeError("shapes"), RuntimeError),
    ],
)
def test_torchs_errors_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, becomes: type[Exception]
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(SpeechPipeline, "say", fail)
    with pytest.raises(becomes) as caught:
        run(SpeakRequest("j", TEXT, tmp_path))
    assert caught.type is becomes


def test_the_cpu_without_memory_is_a_memory_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SpeechPipeline, "say", lambda *_: torch.empty(10**14))
    with pytest.raises(MemoryError):
        run(SpeakRequest("j", TEXT, tmp_path))
