"""Built-in speakers as voices."""

import pytest

from studio.speakers import speaker_language, speaker_voice, speakers_of
from tests.fakes import SPEAKERS, FakeExecutor


@pytest.mark.parametrize(
    ("speaker", "name", "language"),
    [
        ("v2/en_speaker_6", "English speaker 6", "en"),
        ("v2/zh_speaker_0", "Chinese speaker 0", "zh"),
        ("de_speaker_3", "German speaker 3 (first edition)", "de"),
        ("announcer", "announcer", "en"),
        ("v2/xx_speaker_1", "v2/xx_speaker_1", "en"),
    ],
)
def test_names_and_languages(speaker: str, name: str, language: str) -> None:
    voice = speaker_voice(speaker)
    assert (voice.key, voice.name, voice.speaker, voice.record) == (f"s:{speaker}", name, speaker, None)
    assert speaker_language(speaker) == language


def test_speakers_are_unknown_until_the_models_are_loaded() -> None:
    executor = FakeExecutor()
    assert [voice.speaker for voice in speakers_of(executor) or ()] == list(SPEAKERS)
    executor.ready = None
    assert speakers_of(executor) is None
