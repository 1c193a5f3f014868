"""What a job's order holds in storage."""

import json
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import InvalidInput
from studio.queue.job_payload import SpeechPayload, clone_of, clone_to_json
from studio.values import CloneOrder
from tests.studio.queue.test_fair_order import job

_IDS = st.integers(1, 2**63 - 1)


@given(
    st.builds(
        SpeechPayload,
        text=st.text(),
        voice=st.text(),
        language=st.sampled_from(["en", "de"]),
        temperature=st.none() | st.floats(0, 1.5),
        seed=st.none() | st.integers(0, 2**31 - 1),
        max_bytes=st.integers(0, 2**30),
        roles=st.lists(_IDS).map(tuple),
    )
)
def test_a_line_of_speech_survives_json(order: SpeechPayload) -> None:
    kept = {**order.to_json(), "voice_name": "from an earlier version", "moderator": True}
    record = replace(job(1, 900, 7), order=json.loads(json.dumps(kept)))
    assert SpeechPayload.of(record) == order
    actor = order.actor(record)
    assert (actor.guild_id, actor.member_id, actor.is_moderator) == (900, 7, False)
    assert actor.role_ids == frozenset(order.roles)


@given(st.builds(CloneOrder, name=st.text(), language=st.text(), description=st.text(), speaker_id=st.none() | _IDS))
def test_a_clone_survives_json(order: CloneOrder) -> None:
    kept = {**clone_to_json(order), "method": "from a later version"}
    assert clone_of(json.loads(json.dumps(kept))) == order


def test_what_a_version_without_a_field_kept_is_read_with_its_default() -> None:
    record = replace(job(1, 900, 7), order={"text": "hello", "voice": "v:1"})
    order = SpeechPayload.of(record)
    assert order == SpeechPayload("hello", "v:1")
    assert not order.actor(record).is_moderator
    assert order.actor(record).role_ids == frozenset()
    assert clone_of({"name": "Ada"}) == CloneOrder("Ada")


@pytest.mark.parametrize("field", [field.name for field in fields(SpeechPayload)])
def test_no_field_of_a_line_of_speech_but_text_and_voice_must_be_there(field: str) -> None:
    kept = SpeechPayload("hello", "v:1", "de", 0.5, 7, 100, (1,)).to_json()
    del kept[field]
    record = replace(job(1, 900, 7), order=kept)
    if field in ("text", "voice"):
        with pytest.raises(InvalidInput, match="try again"):
            SpeechPayload.of(record)
    else:
        assert SpeechPayload.of(record).text == "hello"


def test_a_clone_without_a_name_is_said() -> None:
    with pytest.raises(InvalidInput, match="try again"):
        clone_of({})
