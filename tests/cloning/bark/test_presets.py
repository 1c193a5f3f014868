"""A voice as long as Suno's own, in windows and vocabularies as published: coarse and fine tokens are transformers'."""

from copy import deepcopy
from importlib import import_module
from typing import Any

import numpy as np
import pytest
import torch

from cloning.bark.bark import BarkEngine
from cloning.bark.engine import GenerationOptions
from cloning.progress import ProgressReporter
from cloning.prompt import VoicePrompt
from tests.cloning.tiny_engine import Letters, transformers

CONFIGS: Any = import_module("transformers.models.bark.generation_configuration_bark")
NO_CODES = 12_048
"""From here on there are no codes: padding, the mark of the beginning, and what nothing uses."""


def narrow_bark() -> Any:
    """Published in everything but the width and the number of layers, and so sharp that it knows what it says."""
    torch.manual_seed(0)
    size = {"hidden_size": 64, "num_layers": 3, "num_heads": 4, "block_size": 1024, "bias": False}
    vocabularies = {"semantic": (129_600, 10_048), "coarse_acoustics": (12_096, 12_096), "fine_acoustics": (1056, 1056)}
    stages = {
        f"{stage}_config": {**size, "input_vocab_size": given, "output_vocab_size": said}
        for stage, (given, said) in vocabularies.items()
    }
    codec = {"model_type": "encodec", "num_filters": 2, "hidden_size": 8, "codebook_dim": 8, "target_bandwidths": [6.0]}
    model = transformers.BarkModel(transformers.BarkConfig(**stages, codec_config=codec)).eval()
    for name, parameter in model.named_parameters():
        if not name.startswith("codec"):
            parameter.data.mul_(3.0)
    model.generation_config = transformers.GenerationConfig(**CONFIGS.BarkGenerationConfig().to_dict())
    return model


@pytest.mark.parametrize(("semantic", "frames"), [(346, 519), (731, 1098), (158, 237)])
def test_tokens_behind_a_preset_are_those_of_transformers(semantic: int, frames: int) -> None:
    model = narrow_bark()
    random = np.random.default_rng(semantic)
    fine = random.integers(0, 1024, (8, frames))
    voice = VoicePrompt(random.integers(0, 10_000, semantic), fine[:2], fine)
    history = {f"{part}_prompt": torch.from_numpy(getattr(voice, part)) for part in ("semantic", "coarse", "fine")}
    engine = BarkEngine(deepcopy(model), Letters(), lambda codes: np.zeros(320 * codes.shape[1], np.float32), batch=1)
    ours = engine.generate(
        "hello", voice, GenerationOptions(0.0, 0.0, max_semantic_tokens=44), ProgressReporter()
    ).prompt
    # In transformers only, the second codebook may say these: the engine keeps their weights, and takes no notice.
    model.coarse_acoustics.lm_head.weight.data[NO_CODES:] = 0.0
    configs = {
        "semantic_generation_config": CONFIGS.BarkSemanticGenerationConfig(),
        "coarse_generation_config": CONFIGS.BarkCoarseGenerationConfig(do_sample=False),
    }
    coarse = model.coarse_acoustics.generate(
        torch.from_numpy(ours.semantic)[None].clone(), history_prompt=history, **configs
    )
    theirs = model.fine_acoustics.generate(
        coarse, history_prompt=history, fine_generation_config=CONFIGS.BarkFineGenerationConfig(), **configs
    )
    assert ours.coarse.shape == (2, 66)  # three windows
    np.testing.assert_array_equal(ours.coarse, (coarse[0].numpy().reshape(-1, 2).T - 10_000) % 1024)
    np.testing.assert_array_equal(ours.fine, theirs[0].numpy())
