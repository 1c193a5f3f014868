"""The lines between the bot and its speech worker."""

import dataclasses
import typing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloning.worker import protocol
from cloning.worker.protocol import Cloned, Message, Spoken
from errors import InvalidInput

st.register_type_strategy(Path, st.text().map(Path))
KINDS = typing.get_args(Message)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_every_message_comes_back(kind: type[Message], data: st.DataObject) -> None:
    message = data.draw(st.from_type(kind))
    assert repr(protocol.decode(protocol.encode(message))) == repr(message)  # nan does not equal itself


@given(st.text() | st.sampled_from([kind.__name__ for kind in KINDS]).map('{{"type": "{}"}}'.format))
def test_other_lines_are_refused(line: str) -> None:
    try:
        message = protocol.decode(line)
    except InvalidInput:
        return
    assert not dataclasses.fields(message)  # a heartbeat says nothing but its type


@pytest.mark.parametrize("opening", ["[", '{"type":'])
def test_a_line_that_is_nested_too_deeply_is_refused(opening: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be read"):
        protocol.decode(opening * 200_000)


@pytest.mark.parametrize("kind", [Cloned, Spoken])
def test_what_is_missing_is_not_made_up(kind: type[Message]) -> None:
    with pytest.raises(InvalidInput, match="cannot be read"):
        protocol.decode(f'{{"type": "{kind.__name__}", "job_id": "a", "model": "bundled"}}')
