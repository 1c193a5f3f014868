"""The engine against transformers, stage by stage: the published numbers of layers and heads, and where speech ends."""

import copy
from functools import cache
from typing import Any

import numpy as np
import pytest

from cloning.bark.bark import BarkEngine
from cloning.bark.engine import GenerationOptions
from cloning.progress import ProgressReporter
from tests.cloning.tiny_engine import (
    LARGE,
    OTHER,
    PUBLISHED,
    SMALL,
    a_voice,
    stages_by_transformers,
    tiny_bark,
    tiny_engine,
)

KINDS = {"published": PUBLISHED, "small": SMALL, "large": LARGE, "other": OTHER}


@cache
def made(kind: str) -> tuple[Any, BarkEngine]:
    """A model and an engine. `mixed`: the large text model before the small others."""
    if kind != "mixed":
        model = tiny_bark(**KINDS[kind])
        return model, tiny_engine(model)
    model, large = copy.deepcopy(made("small")[0]), made("large")[0]
    model.semantic = large.semantic
    model.config.semantic_config = large.config.semantic_config
    return model, tiny_engine(model)


@pytest.mark.parametrize(
    ("kind", "voice_tokens"),
    [("small", 0), ("small", 100), ("large", 100), ("mixed", 0), ("other", 100)],
)
def test_every_stage_says_what_transformers_says(kind: str, voice_tokens: int) -> None:
    """Over at least five coarse windows. Several fine ones are the matter of the tests of the engine."""
    model, engine = made(kind)
    voice = a_voice(engine, voice_tokens) if voice_tokens else None
    prompt = engine.generate(
        "hello", voice, GenerationOptions(0.0, 0.0, max_semantic_tokens=28), ProgressReporter()
    ).prompt
    semantic, coarse, fine = stages_by_transformers(
        model, "hello", voice, do_sample=False, temperature=1.0, semantic_max_new_tokens=28
    )
    np.testing.assert_array_equal(prompt.semantic, semantic)
    np.testing.assert_array_equal(prompt.coarse, coarse)
    np.testing.assert_array_equal(prompt.fine, fine)
    assert semantic.size == 28


@pytest.mark.parametrize("voice_tokens", [0, 60])
@pytest.mark.parametrize("min_eos_p", [1e-2, 1e-3, 1e-4])
def test_greedy_speech_ends_where_that_of_transformers_ends(min_eos_p: float, voice_tokens: int) -> None:
    model, engine = made("published")
    voice = a_voice(engine, voice_tokens) if voice_tokens else None
    options = GenerationOptions(0.0, min_eos_p, max_semantic_tokens=150)
    ours = engine.semantic("other", voice, options, ProgressReporter())
    theirs, _, _ = stages_by_transformers(
        model, "other", voice, do_sample=False, temperature=1.0, semantic_max_new_tokens=150,
        semantic_min_eos_p=min_eos_p,
    )  # fmt: skip
    np.testing.assert_array_equal(ours, theirs)
    assert ours.size == 150 or min_eos_p < 1e-2
