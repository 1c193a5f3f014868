"""The codec's steps build on each other, from a corpus to a whole EnCodec."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from errors import InvalidInput, Unavailable
from research.bundled import codec_steps, codec_training
from research.bundled.clip_buffer import split_of_clip
from research.bundled.codec import load_codec, load_decoder, new_decoder
from research.bundled.codec_quality import Quality, held_out
from research.bundled.codec_steps import CODEC_PROFILES, CodecProfile, CodecStep, run_codec_step
from research.bundled.codec_training import DecoderJob, EncoderJob
from research.bundled.codes import Codes
from research.bundled.teacher import Teacher, TeacherJob
from tests.research.bundled import material
from training.loop import Schedule
from training.shards import Clip

CPU = torch.device("cpu")
SPEAKERS = [f"speaker-{number}" for number in range(60)]


@pytest.fixture
def profile(monkeypatch: pytest.MonkeyPatch) -> CodecProfile:
    """A step or two of everything, on short crops."""
    monkeypatch.setattr(codec_training, "_VALID_CROPS", 2)
    monkeypatch.setattr(TeacherJob, "_VALID_CROPS", 2)
    for job in (TeacherJob, DecoderJob, EncoderJob):
        monkeypatch.setattr(job, "_FRAMES", 10)
    schedule = Schedule(steps=2, warmup=1, learning_rate=1e-3)
    return CodecProfile(1.0, 8, replace(schedule, steps=4), 2, schedule, 2, schedule, 2, schedule, 2, schedule)


def test_the_steps_make_a_codec(profile: CodecProfile, tmp_path: Path) -> None:
    clips = material.write_corpus(tmp_path / "corpus", SPEAKERS)

    for step in (CodecStep.TEACHER, CodecStep.CODES, CodecStep.DECODER, CodecStep.ENCODER, CodecStep.PROMPTS):
        run_codec_step(step, tmp_path, profile, CPU)

    assert len(Codes(tmp_path / "codec")) == len(clips)
    codec: Any = load_codec(tmp_path / "codec")
    assert codec.config.num_quantizers == 8
    assert clips[0].audio is not None
    samples = torch.from_numpy(clips[0].audio / np.float32(32_768))[None, None]
    with torch.inference_mode():
        expected = codec.encode(samples, bandwidth=codec.config.target_bandwidths[-1]).audio_codes[0, 0]
    assert np.array_equal(Codes(tmp_path / "codec" / "prompts")[clips[0].key], expected.numpy())


def test_the_adversarial_phase_goes_on_from_the_decoder_and_takes_its_place(
    profile: CodecProfile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[int] = []

    def listened(clips: list[Clip], teacher: Teacher, decoder: nn.Module) -> Quality:
        heard.append(len(clips))
        return Quality("", 0.1, 0.9, 3.0)

    monkeypatch.setattr(codec_steps, "decoded", listened)
    material.write_corpus(tmp_path / "corpus", SPEAKERS)
    for step in (CodecStep.TEACHER, CodecStep.DECODER):
        run_codec_step(step, tmp_path, profile, CPU)
    before = new_decoder()
    load_decoder(before, tmp_path / "codec")

    run_codec_step(CodecStep.ADVERSARIAL, tmp_path, profile, CPU)

    after = new_decoder()
    load_decoder(after, tmp_path / "codec")
    pairs = zip(before.parameters(), after.parameters(), strict=True)
    moved = [float((one - other).detach().abs().max()) for one, other in pairs]
    assert 0 < max(moved) < 0.02
    assert len(heard) == 1


def test_a_finished_step_is_left_as_it_is(profile: CodecProfile, tmp_path: Path) -> None:
    material.write_corpus(tmp_path / "corpus", SPEAKERS)
    run_codec_step(CodecStep.TEACHER, tmp_path, profile, CPU)
    weights = tmp_path / "codec" / "teacher" / "best.safetensors"
    before = weights.stat().st_mtime_ns

    run_codec_step(CodecStep.TEACHER, tmp_path, profile, CPU)

    assert weights.stat().st_mtime_ns == before


def test_the_teacher_comes_first(profile: CodecProfile, tmp_path: Path) -> None:
    material.write_corpus(tmp_path / "corpus", SPEAKERS)

    with pytest.raises(Unavailable, match="teacher"):
        run_codec_step(CodecStep.DECODER, tmp_path, profile, CPU)


def test_there_are_profiles_for_both_kinds_of_machine() -> None:
    assert CODEC_PROFILES.keys() == {"cpu", "cuda"}
    assert CODEC_PROFILES["cuda"].decoder_batch > CODEC_PROFILES["cpu"].decoder_batch


def test_it_is_measured_on_clips_that_are_held_out(tmp_path: Path) -> None:
    material.write_corpus(tmp_path, SPEAKERS)

    clips = held_out(tmp_path, 3)

    assert len(clips) == 3
    assert all(split_of_clip(clip.speaker, clip.text) == "test" for clip in clips)
    with pytest.raises(InvalidInput, match="make the corpus"):
        held_out(tmp_path / "empty", 3)
