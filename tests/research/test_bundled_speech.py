"""The model of the repository is understood: in its own voice, and in the voice of the clip that ships.

A few sentences, so that it is quick; `python -m research evaluate` measures thoroughly.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from cloning.checkpoints.model_choice import ModelChoice
from cloning.checkpoints.speakers import ANY_SPEAKER
from cloning.media.audio import read_clip
from cloning.model_set import LoadedModels
from cloning.pipeline import Speech, SpeechPipeline
from cloning.progress import ProgressReporter
from cloning.sentences import SayOptions
from research.metrics.pitch import log_f0
from research.metrics.recogniser import recognise, word_errors
from research.metrics.speakers import embed, similarity
from simulator.demo_cog import SAMPLE
from training.shards import split_of

BUILT_IN = (
    "He rides his bicycle to work every day.",
    "Good morning everyone, and thank you for coming on Friday.",
    "A heavy curtain hung across a doorway.",
    "I waited for several hours at the hospital.",
    "The pyramids were built with large stone blocks.",
)
CLONED = ("It takes about six days to get to town.", "If you choose it badly, nothing will happen.")
"""Sentences of the recipe's test split: no part of the model has learned from them."""

MOST_WRONG_BUILT_IN = 0.25
"""The share of the words; 0 was measured, and 0.02 to 0.22 with other speakers, seeds and earlier weights."""
MOST_WRONG_CLONED = 0.35
"""The same; 0 was measured."""

PEOPLE = [Path(__file__).parents[1] / "media" / "people" / f"{name}-clip.ogg" for name in ("allison", "june")]

OPTIONS = SayOptions(seed=1)


@pytest.fixture(scope="module")
def pipeline() -> Iterator[SpeechPipeline]:
    threads = torch.get_num_threads()
    yield SpeechPipeline(LoadedModels(ModelChoice(device="cpu")))
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def built_in(pipeline: SpeechPipeline) -> Speech:
    return pipeline.say(" ".join(BUILT_IN), pipeline.models.speakers.load(ANY_SPEAKER), OPTIONS, ProgressReporter())


@pytest.fixture(scope="module")
def cloned(pipeline: SpeechPipeline) -> Speech:
    clone = pipeline.clone(SAMPLE, "en", ProgressReporter())
    return pipeline.say(" ".join(CLONED), clone.prompt, OPTIONS, ProgressReporter())


def wrong(speech: Speech, sentences: tuple[str, ...]) -> float:
    """The share of wrong words."""
    heard = recognise(speech.samples, speech.sample_rate)
    errors = word_errors(" ".join(sentences), heard)
    print(f"{errors.rate:.0%} of {errors.words} words wrong: {heard}")  # noqa: T201  # shown when it fails
    return errors.rate


def test_the_sentences_are_held_out() -> None:
    assert {split_of(sentence) for sentence in (*BUILT_IN, *CLONED)} == {"test"}


def test_the_built_in_voice_is_understood(built_in: Speech) -> None:
    assert wrong(built_in, BUILT_IN) <= MOST_WRONG_BUILT_IN


def test_a_cloned_voice_is_understood(cloned: Speech) -> None:
    assert wrong(cloned, CLONED) <= MOST_WRONG_CLONED


def test_a_clone_follows_its_clip_rather_than_the_built_in_voice(cloned: Speech, built_in: Speech) -> None:
    clip = read_clip(SAMPLE)
    pitch, own, other = (log_f0(one.samples, one.sample_rate) for one in (cloned, clip, built_in))
    assert pitch is not None
    assert own is not None
    assert other is not None
    assert abs(pitch - own) < 0.5 * abs(pitch - other)

    voice, whose, no_ones = (embed(one.samples, one.sample_rate) for one in (cloned, clip, built_in))
    assert similarity(voice, whose) > similarity(voice, no_ones)


def test_clones_of_two_people_are_told_apart(pipeline: SpeechPipeline) -> None:
    clones = [pipeline.clone(clip, "en", ProgressReporter()) for clip in PEOPLE]
    first, second = (pipeline.say(" ".join(CLONED), one.prompt, OPTIONS, ProgressReporter()) for one in clones)
    people = [embed(one.clip.samples, one.clip.sample_rate) for one in clones]

    for speech, (own, other) in ((first, people), (second, people[::-1])):
        voice = embed(speech.samples, speech.sample_rate)
        assert similarity(voice, own) > similarity(voice, other)  # by 0.03 to 0.07, with three seeds
