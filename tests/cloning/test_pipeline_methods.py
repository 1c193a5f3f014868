"""Cloning with whole models, by each method; the length of a prompt's parts."""

import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch

from cloning.checkpoints.model_choice import ModelChoice
from cloning.media.audio import Recording
from cloning.methods import conversion, registry
from cloning.methods import subject as subjects
from cloning.methods.subject import Subject
from cloning.model_set import LoadedModels
from cloning.pipeline import SpeechPipeline
from cloning.progress import ProgressReporter
from cloning.sentences import SayOptions
from cloning.text.passages import PASSAGES
from errors import InvalidInput, Unavailable
from tests.cloning.test_pipeline import REFERENCE
from tests.cloning.tones import SPEC, ToneEngine, pipeline
from tests.stand_in.synthetic_voice import synthetic_voice


@pytest.mark.parametrize(("semantic", "frames"), [(469, 704), (100, 1000), (768, 90), (30, 700)])
def test_the_parts_of_a_prompt_are_made_equally_long(semantic: int, frames: int) -> None:
    codes = np.arange(8 * frames).reshape(8, frames) % 1024
    prompt = subjects.prompt_of(np.arange(semantic), codes, SPEC)
    prompt.validate(SPEC.prompt)
    assert prompt.coarse_matches_fine
    assert prompt.semantic.size <= semantic
    assert prompt.fine.shape[1] == SPEC.frames(prompt.semantic.size) <= frames
    assert prompt.semantic.size == semantic or SPEC.frames(prompt.semantic.size + 1) > frames
    assert np.array_equal(prompt.fine, codes[:, : prompt.fine.shape[1]])


@pytest.mark.parametrize(("semantic", "frames"), [(0, 10), (0, 0), (100, 0)])
def test_almost_nothing_makes_no_prompt(semantic: int, frames: int) -> None:
    with pytest.raises(InvalidInput, match="too short"):
        subjects.prompt_of(np.arange(semantic), np.zeros((8, frames), np.int64), SPEC)


@pytest.fixture(scope="module")
def noise(stand_in: Path) -> Iterator[SpeechPipeline]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield SpeechPipeline(LoadedModels(ModelChoice(model=str(stand_in), device="cpu")))
    torch.set_num_threads(threads)


def test_a_model_clones_and_speaks(noise: SpeechPipeline) -> None:
    seen: list[str] = []
    clone = noise.clone(REFERENCE, "en", ProgressReporter(lambda stage, _: seen.append(stage)))
    clone.prompt.validate(noise.models.engine.spec.prompt)
    assert clone.prompt.seconds() == pytest.approx(clone.clip.seconds, abs=0.05)
    assert clone.quantizer == "quantizer.pth"
    assert clone.report.verdict
    assert list(dict.fromkeys(seen)) == [
        "reading the recording",
        "choosing the best seconds",
        "semantic tokens",
        "codec tokens",
    ]
    assert noise.reclone(clone.clip, "en", ProgressReporter()) == clone.prompt
    speech = noise.say("Hi.", clone.prompt, SayOptions(seed=1), ProgressReporter())
    assert np.isfinite(speech.samples).all()
    assert 0.1 < speech.seconds < 4
    assert 0.01 < np.abs(speech.samples).max() <= 1


def test_the_transcript_method_takes_the_clip_and_its_words(noise: SpeechPipeline) -> None:
    clip = Recording(np.random.default_rng(0).normal(0, 0.1, 24_000).astype(np.float32), 24_000)
    made = registry.by_transcript(noise.models, Subject(clip, "en", "hello"), ProgressReporter())
    made.prompt.validate(noise.models.engine.spec.prompt)
    assert made.maker == "transcript"
    assert made.prompt.seconds() <= 1.0
    codes = noise.models.codec.encode(clip.samples)
    assert np.array_equal(made.prompt.fine, codes[:, : made.prompt.fine.shape[1]])
    with pytest.raises(InvalidInput, match="words"):
        registry.by_transcript(noise.models, Subject(clip, "en"), ProgressReporter())


def test_a_long_transcript_is_said_in_pieces_until_the_clip_is_full(noise: SpeechPipeline) -> None:
    clip = Recording(np.random.default_rng(0).normal(0, 0.1, 24_000 * 12).astype(np.float32), 24_000)
    engine = noise.models.engine
    words = "This is quite a long sentence about nothing. " * 12
    with mock.patch.object(engine, "semantic", wraps=engine.semantic) as semantic:
        made = registry.by_transcript(noise.models, Subject(clip, "en", words), ProgressReporter())
    assert semantic.call_count > 1
    limits = [call.args[2].max_semantic_tokens for call in semantic.call_args_list]
    assert limits[0] == engine.spec.semantic_tokens(12.0)
    assert limits == sorted(limits, reverse=True)
    assert made.prompt.semantic.size <= limits[0]
    assert " ".join(call.args[0] for call in semantic.call_args_list) in words


def test_the_conversion_method_speaks_and_converts(noise: SpeechPipeline) -> None:
    clip = Recording(synthetic_voice(3, 3.0, 110.0, 24_000), 24_000)
    subject = Subject(clip, "en", "Hello there.")
    made = conversion.by_conversion(noise.models, subject, ProgressReporter())
    made.prompt.validate(noise.models.engine.spec.prompt)
    assert made.maker == "world"
    assert conversion.by_conversion(noise.models, subject, ProgressReporter()).prompt == made.prompt
    other = conversion.by_conversion(noise.models, dataclasses.replace(subject, seed=1), ProgressReporter())
    assert other.prompt != made.prompt


def test_without_words_the_conversion_method_speaks_a_passage_in_one_voice(stand_in: Path) -> None:
    engine = ToneEngine()
    clip = Recording(synthetic_voice(3, 2.0, 110.0, 24_000), 24_000)
    made = conversion.by_conversion(pipeline(engine, stand_in).models, Subject(clip, "fr"), ProgressReporter())
    assert " ".join(text for text, _, _ in engine.asked) == PASSAGES["fr"]
    assert [history is None for _, history, _ in engine.asked] == [True, False]
    made.prompt.validate(SPEC.prompt)


def test_a_converter_that_is_missing_is_told_before_anything_is_spoken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "TTS", None)
    engine = ToneEngine()
    clip = Recording(synthetic_voice(3, 2.0, 110.0, 24_000), 24_000)
    with pytest.raises(Unavailable, match="coqui-tts"):
        conversion.by_conversion(pipeline(engine).models, Subject(clip, "en", converter="freevc"), ProgressReporter())
    assert not engine.asked


def test_a_model_without_sound_cannot_be_converted() -> None:
    clip = Recording(synthetic_voice(3, 2.0, 110.0, 24_000), 24_000)
    with pytest.raises(Unavailable, match="no sound"):
        conversion.by_conversion(pipeline(ToneEngine(silent_takes=9)).models, Subject(clip, "en"), ProgressReporter())
