"""Rows are what is said; what the semantic model is trained on is what the engine feeds it."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cloning.bark.config import BarkSpec, InputLayout
from cloning.bark.semantic import SemanticModel
from errors import InvalidInput
from research.bundled import gpt, semantic
from research.bundled.layout import (
    SEMANTIC_END,
    SEMANTIC_INFER,
    SEMANTIC_INPUTS,
    TEXT_OFFSET,
    TEXT_ROOM,
    Size,
    generation_config,
)
from research.bundled.phones import END, START, phones
from research.bundled.sentences import AlignedSentence, Sentences
from research.bundled.spelling import PIECES, make
from training.loop import NotLearning

SMALL = Size(layers=4, heads=2, width=16)
CPU = torch.device("cpu")
CODEC = {"codec_config": {"sampling_rate": 16_000, "upsampling_ratios": [8, 5, 4, 2]}}


def sentence(text: str, phonemes: str) -> AlignedSentence:
    """With durations of 3/40 s for each symbol."""
    made = AlignedSentence.of(make().encode(text).ids, phonemes, np.full(len(phonemes) + 2, 3))
    assert made is not None
    return made


HELLO = sentence("hello there, you.", "həlˈO ðˈɛɹ, jˈu.")
GOOD = sentence("good day!", "ɡˈʊd dˈA!")


def text_of(row: AlignedSentence) -> str:
    return "".join(PIECES[character] for character in row.characters)


def test_words_are_found_in_both() -> None:
    assert [text_of(HELLO)[place] for place in HELLO.character_of_word] == ["h", "t", "y"]
    assert HELLO.token_of_word[0] == 0
    assert all(HELLO.tokens[place] != HELLO.tokens[place - 1] for place in HELLO.token_of_word[1:])
    spans = HELLO.spans()
    assert len(spans) == len(HELLO.tokens) + 1
    assert text_of(HELLO)[slice(*spans[0])] == "hello "
    assert text_of(HELLO)[slice(*spans[-1])] == "you."
    assert (HELLO.tokens[0], HELLO.tokens[-1]) == (START, END)


def test_characters_and_phonemes_of_other_words_are_refused() -> None:
    assert AlignedSentence.of(make().encode("well known.").ids, "wˈɛl", np.full(6, 3)) is None


def test_the_end_of_a_sentence_begins_with_its_silence() -> None:
    rest = HELLO.since(1)
    silence = int((HELLO.tokens != START).argmax())

    assert text_of(rest) == "there, you."
    assert (rest.tokens[:silence] == START).all()
    assert phones(HELLO.tokens)[-len(phones(rest.tokens)) :] == phones(rest.tokens)
    assert rest.tokens[silence:].tolist() == HELLO.tokens[HELLO.token_of_word[1] :].tolist()
    assert text_of(rest)[slice(*rest.spans()[silence])] == "there, "
    assert text_of(rest)[slice(*rest.spans()[rest.token_of_word[1]])] == "you."
    assert HELLO.since(0) is HELLO


def test_two_sentences_are_said_one_after_the_other() -> None:
    both = HELLO.then(GOOD)

    assert text_of(both) == "hello there, you. good day!"
    assert phones(both.tokens) == phones(HELLO.tokens) + phones(GOOD.tokens)
    assert text_of(both)[slice(*both.spans()[len(HELLO.tokens)])] == "good "


def some(count: int) -> Sentences:
    return Sentences([HELLO.since(number % 3).then(GOOD.since(number % 2)) for number in range(count)])


@given(st.integers(0, 2**32 - 1), st.floats(0, 1), st.floats(0, 1))
def test_rows_are_drawn_that_fit(seed: int, ends: float, pairs: float) -> None:
    rows = some(40).draw(np.random.default_rng(seed), 7, ends=ends, pairs=pairs)
    assert len(rows) == 7
    assert all(row.fits and row.words >= 1 and row.tokens[0] == START for row in rows)


def test_without_sentences_there_is_nothing_to_learn() -> None:
    with pytest.raises(InvalidInput, match="text corpus"):
        Sentences([])


@pytest.mark.parametrize("history", [0, 30, 400])
def test_the_context_is_that_of_the_engine(history: int) -> None:
    generation = generation_config()
    module = gpt.new_semantic(SMALL)
    engine = SemanticModel(module, BarkSpec.from_configs(CODEC, generation), InputLayout.from_config(generation))
    engine.embeddings = torch.eye(SEMANTIC_INPUTS)
    voice = np.random.default_rng(0).integers(0, SEMANTIC_END, history)
    batch = semantic.batch_of([HELLO], [voice.astype(np.int16)], 32)

    context = engine.context((HELLO.characters).tolist(), voice.astype(np.int64) if history else None)

    ours = torch.eye(SEMANTIC_INPUTS)[batch.text[0]] + torch.eye(SEMANTIC_INPUTS)[batch.history[0]]
    assert torch.equal(context[:TEXT_ROOM], ours)
    assert context[TEXT_ROOM].argmax() == SEMANTIC_INFER


def test_targets_are_the_tokens_and_then_the_end() -> None:
    batch = semantic.batch_of([HELLO, GOOD], [HELLO.tokens[:0]] * 2, 32)
    length = len(GOOD.tokens)

    assert batch.targets.shape[1] % 32 == 0
    assert batch.targets[1, :length].tolist() == GOOD.tokens.tolist()
    assert batch.targets[1, length] == SEMANTIC_END
    assert (batch.targets[1, length + 1 :] == -100).all()
    assert batch.spoken[1, :length].tolist() == GOOD.tokens.tolist()
    assert batch.spoken.shape[1] == batch.targets.shape[1] - 1
    assert batch.text[1, 0] == TEXT_OFFSET + PIECES.index("g")


def small_job() -> semantic.SemanticJob:
    torch.manual_seed(0)
    return semantic.SemanticJob(SMALL, some(40), some(10), batch=4, device=CPU)


def test_it_learns_what_is_said_and_where_to_look() -> None:
    job = small_job()
    optimizer = torch.optim.AdamW(job.module.parameters(), lr=1e-2)
    with torch.no_grad():
        before = job.validate()
    for step in range(30):
        loss, figures = job.loss(np.random.default_rng(step))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch has no annotation there
        optimizer.step()
    with torch.no_grad():
        after = job.validate()

    assert before.keys() == {"loss", "gap", "phones", "astray"}
    assert before["loss"] == pytest.approx(np.log(175), abs=0.3)
    assert after["loss"] < 0.8 * before["loss"]
    assert after["astray"] < 0.8 * before["astray"]
    assert after["phones"] < before["phones"]
    assert figures["tokens"] > 0


def test_wrong_phones_are_counted_where_a_new_one_begins() -> None:
    batch = semantic.batch_of([HELLO], [HELLO.tokens[:0]], 32)
    right: Any = np.full((1, batch.targets.shape[1], SEMANTIC_END + 1), -5.0, np.float32)
    for place, target in enumerate(batch.targets[0]):
        if target >= 0:
            right[0, place, target] = 5.0

    assert semantic._wrong_phones(right, batch) == 0.0
    assert semantic._wrong_phones(np.roll(right, 3, axis=2), batch) > 0.3


def test_the_gate_closes_from_step_1000_on() -> None:
    job = small_job()
    job.check(999, {"gap": 0.0})
    job.check(1000, {"gap": 0.3})
    with pytest.raises(NotLearning, match="does not read"):
        job.check(1000, {"gap": 0.1})
