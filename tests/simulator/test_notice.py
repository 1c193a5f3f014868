"""The word about the small model: for the bundled one, and for no other."""

from simulator.notice import NOTICE, model_notice


def test_only_the_bundled_model_needs_a_word() -> None:
    assert model_notice("bundled") == NOTICE
    assert model_notice("suno/bark-small") is None
    assert model_notice("models/bundled") is None
