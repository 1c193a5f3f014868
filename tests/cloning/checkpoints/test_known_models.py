"""A voice tells whose it is."""

import numpy as np
import pytest

from cloning.bark.config import BarkSpec
from cloning.checkpoints import known_models, published
from cloning.checkpoints.known_models import load_voice, models_of, prompt_specs
from cloning.prompt import BARK, PromptSpec, VoicePrompt
from errors import InvalidInput

FINE = np.full((8, 150), 1023)
SUNOS = VoicePrompt(np.full(100, 9999), FINE[:2], FINE)
NEITHER = PromptSpec(semantic_vocab=3, coarse_books=1, fine_books=3, codebook_size=16)


def test_every_model_with_a_name_is_known_by_its_configuration() -> None:
    specs = prompt_specs()
    assert specs.keys() == {published.BUNDLED, *published.BARK}
    assert specs["bundled"] == BarkSpec.from_directory(published.BUNDLED_DIRECTORY / "bark").prompt
    assert specs["suno/bark"] == specs["suno/bark-small"] == BARK


def test_a_voice_of_suno_fits_both_of_sunos_models() -> None:
    assert models_of(SUNOS) == ["suno/bark-small", "suno/bark"]
    assert load_voice(SUNOS.to_bytes(), BARK) == SUNOS


def test_a_refusal_names_the_models_that_a_voice_is_for() -> None:
    with pytest.raises(InvalidInput, match=r"these models need \(1, frames\)\. It is a voice for the model suno/bark"):
        load_voice(SUNOS.to_bytes(), NEITHER)


def test_a_refusal_of_an_unknown_models_voice_names_none() -> None:
    odd = VoicePrompt(np.arange(100), FINE[:2, :90], FINE[:, :90])
    assert known_models.models_of(odd) == []
    with pytest.raises(InvalidInput, match=r"0\.9 frames") as refused:
        load_voice(odd.to_bytes(), BARK)
    assert "It is a voice" not in refused.value.message
