"""The model of the repository is whole, small enough for it, and its parts belong together, whatever it has learned."""

import hashlib
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from cloning.checkpoints.model_choice import ModelChoice
from cloning.checkpoints.published import BUNDLED_DIRECTORY
from cloning.model_set import LoadedModels
from cloning.pipeline import SpeechPipeline
from cloning.progress import ProgressReporter
from cloning.sentences import SayOptions
from research.bundled.package import CHECKSUMS, LARGEST
from simulator.demo_cog import SAMPLE


@pytest.fixture(scope="module")
def pipeline() -> Iterator[SpeechPipeline]:
    threads = torch.get_num_threads()
    yield SpeechPipeline(LoadedModels(ModelChoice(device="cpu")))
    torch.set_num_threads(threads)


def test_the_files_are_those_of_the_checksums() -> None:
    lines = (BUNDLED_DIRECTORY / CHECKSUMS).read_text(encoding="utf-8").splitlines()
    listed = {name: digest for digest, name in (line.split("  ") for line in lines)}
    files = [path for path in BUNDLED_DIRECTORY.rglob("*") if path.is_file() and path.name != CHECKSUMS]

    assert listed == {
        path.relative_to(BUNDLED_DIRECTORY).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }
    assert sum(path.stat().st_size for path in files) <= LARGEST


def test_every_speaker_of_its_own_is_a_prompt_for_it(pipeline: SpeechPipeline) -> None:
    names = pipeline.models.speakers.names

    assert names
    for name in names:
        pipeline.models.speakers.load(name).validate(pipeline.models.engine.spec.prompt)


def test_it_clones_and_speaks(pipeline: SpeechPipeline) -> None:
    clone = pipeline.clone(SAMPLE, "en", ProgressReporter())
    clone.prompt.validate(pipeline.models.engine.spec.prompt)
    seconds = clone.prompt.seconds(pipeline.models.engine.spec.prompt)
    assert seconds == pytest.approx(clone.clip.seconds, abs=0.05)

    speech = pipeline.say("Hello there.", clone.prompt, SayOptions(seed=1), ProgressReporter())
    assert np.isfinite(speech.samples).all()
    assert 0.2 < speech.seconds < 5
    assert 0.01 < np.abs(speech.samples).max() <= 1
