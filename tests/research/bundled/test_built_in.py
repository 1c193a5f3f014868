"""The prompt that a built-in speaker gets is the one with which the fewest words are wrong."""

from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from cloning.media.audio import Samples
from cloning.pipeline import Speech, SpeechPipeline
from cloning.progress import ProgressReporter
from cloning.prompt import VoicePrompt
from cloning.sentences import SayOptions
from research.bundled import built_in
from research.bundled.export import prompts_of
from research.bundled.texts import sentences
from research.metrics.recogniser import recognise
from tests.research.bundled.tokens import drawn_speech
from training.shards import split_of

TEXTS = ("Hello there, everybody.", "What is good tonight?")
SPEECH = drawn_speech(clips=9)


@pytest.fixture(autouse=True)
def understood(monkeypatch: pytest.MonkeyPatch) -> set[tuple[int, str]]:
    """The texts that are recognised, each with the length of the prompt: at first all with a speaker's shortest."""
    shortest = {len(prompts_of(SPEECH, name, 9)[-1].semantic) for name in SPEECH.names}
    texts = {(length, text) for length in shortest for text in TEXTS}

    def say(text: str, prompt: VoicePrompt, _options: SayOptions, _reporter: ProgressReporter) -> Speech:
        heard = (len(prompt.semantic), text) in texts
        return Speech(np.full(16, TEXTS.index(text) + 1 if heard else 0, np.float32), 16_000, prompt, 0, 1)

    def hear(samples: Samples, _sample_rate: int) -> str:
        return ("", *TEXTS)[int(samples[0])]

    pipeline = mock.create_autospec(SpeechPipeline, instance=True)
    pipeline.say.side_effect = say
    monkeypatch.setattr(built_in, "SpeechPipeline", mock.create_autospec(SpeechPipeline, return_value=pipeline))
    monkeypatch.setattr(built_in, "recognise", mock.create_autospec(recognise, side_effect=hear))
    return texts


def test_the_best_prompt_of_each_speaker_is_chosen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = built_in.choose_prompts(SPEECH, {"Emma": "speaker-0", "Puck": "speaker-2"}, tmp_path, TEXTS)

    assert list(chosen) == ["Emma", "Puck"]
    for shown, name in (("Emma", "speaker-0"), ("Puck", "speaker-2")):
        np.testing.assert_array_equal(chosen[shown].fine, prompts_of(SPEECH, name, 9)[-1].fine)
    assert "Emma: 100.0%, 100.0%, 0.0% of the words wrong" in capsys.readouterr().out


def test_of_equal_prompts_the_longest_is_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(built_in, "CANDIDATES", 2)  # without the shortest

    chosen = built_in.choose_prompts(SPEECH, {"Emma": "speaker-0"}, tmp_path, TEXTS)

    np.testing.assert_array_equal(chosen["Emma"].fine, prompts_of(SPEECH, "speaker-0")[0].fine)


def test_the_best_of_a_few_sentences_are_compared_by_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, understood: set[tuple[int, str]]
) -> None:
    longest, middle, shortest = (len(prompt.semantic) for prompt in prompts_of(SPEECH, "speaker-0", 3))
    understood.clear()
    understood |= {(longest, TEXTS[0]), (middle, TEXTS[0]), (middle, TEXTS[1]), (shortest, TEXTS[1])}
    monkeypatch.setattr(built_in, "FIRST_SENTENCES", 1)
    monkeypatch.setattr(built_in, "FINALISTS", 2)

    chosen = built_in.choose_prompts(SPEECH, {"Emma": "speaker-0"}, tmp_path, TEXTS)
    assert len(chosen["Emma"].semantic) == middle

    understood.remove((middle, TEXTS[0]))
    understood.add((shortest, TEXTS[0]))  # understood in both, and the middle one is no finalist
    chosen = built_in.choose_prompts(SPEECH, {"Emma": "speaker-0"}, tmp_path, TEXTS)
    assert len(chosen["Emma"].semantic) == shortest


def test_the_sentences_are_neither_trained_on_nor_evaluated() -> None:
    compared = built_in.sentences_to_compare()

    assert len(set(compared)) == built_in.SENTENCES
    assert {split_of(text) for text in compared} == {"valid"}
    assert set(compared) <= set(sentences())
