"""Sentences are told in order, whatever the order they are done in, and takes are told apart."""

from collections.abc import Generator, Sequence

import pytest

from cloning.bark.engine import Generated, Utterance
from cloning.progress import ProgressReporter
from cloning.sentences import SayOptions, SentenceGenerator
from errors import Unavailable
from tests.cloning.tones import ToneEngine, a_voice

TEXTS = ("One sentence.", "Another sentence, longer.", "And a third one, which is the longest.")


class Backwards(ToneEngine):
    """Is done with the last utterance first; notes how far it has come."""

    def __init__(self, silent_takes: int = 0) -> None:
        super().__init__(silent_takes)
        self.done: list[str] = []

    def generate_each(self, utterances: Sequence[Utterance]) -> Generator[tuple[int, Generated], None, None]:
        for index in reversed(range(len(utterances))):
            wanted = utterances[index]
            one = self.generate(wanted.text, wanted.history, wanted.options, wanted.reporter)
            self.done.append(wanted.text)
            yield index, one


def generated(engine: ToneEngine, texts: Sequence[str] = TEXTS, *, takes: int = 1) -> Generator[Generated, None, None]:
    return SentenceGenerator(engine, texts, SayOptions(takes=takes), 5, None).generate(a_voice(), ProgressReporter())


def test_sentences_wait_for_those_before_them() -> None:
    engine = Backwards()
    told = generated(engine)
    first = next(told)
    assert engine.done == list(reversed(TEXTS))
    assert [2 * len(text) for text in TEXTS] == [one.prompt.semantic.size for one in (first, *told)]


def test_each_is_told_as_soon_as_it_is_there() -> None:
    engine = ToneEngine()
    told = generated(engine)
    for count, text in enumerate(TEXTS, 1):
        assert next(told).prompt.semantic.size == 2 * len(text)
        assert len(engine.asked) == count


def test_takes_of_one_sentence_are_neighbours_and_the_sound_one_is_kept() -> None:
    engine = Backwards(silent_takes=1)  # the second take of the last sentence
    told = list(generated(engine, takes=2))
    assert engine.done == [text for text in reversed(TEXTS) for _ in range(2)]
    assert [2 * len(text) for text in TEXTS] == [one.prompt.semantic.size for one in told]
    assert len({options.seed for _, _, options in engine.asked}) == 6


def test_only_a_sentence_without_any_sound_is_taken_again() -> None:
    engine = Backwards(silent_takes=2)
    assert len(list(generated(engine, takes=2))) == 3
    assert engine.done[6:] == [TEXTS[2]] * 2
    assert len({options.seed for _, _, options in engine.asked}) == 8


def test_a_model_without_a_sound_is_told_of_after_what_could_be_heard() -> None:
    told = generated(ToneEngine(silent_takes=9), TEXTS[:1])
    with pytest.raises(Unavailable, match="no sound"):
        next(told)


def test_the_seed_of_a_first_take_does_not_depend_on_how_many_there_are() -> None:
    one, four = ToneEngine(), ToneEngine()
    list(generated(one))
    list(generated(four, takes=4))
    assert [options.seed for _, _, options in one.asked] == [options.seed for _, _, options in four.asked[::4]]
