"""The filter of /admin audit, written into buttons and read back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogs.admin import audit_filter
from cogs.admin.audit_filter import KINDS
from cogs.admin.render_audit import SENTENCES
from cogs.ui.pages import QUERY_LENGTH
from errors import InvalidInput
from storage.records import AuditQuery


@given(
    st.sampled_from([None, *KINDS]),
    st.one_of(
        st.tuples(st.integers(1, 8_999_999_999_999_999_999), st.none()),
        st.tuples(st.none(), st.one_of(st.none(), st.text(min_size=1, max_size=32))),
    ),
)
def test_a_filter_travels_in_a_button(kind: str | None, about: tuple[int | None, str | None]) -> None:
    member_id, voice = about
    text = audit_filter.written(kind, member_id, voice)
    assert len(text) <= QUERY_LENGTH
    assert audit_filter.read(text) == AuditQuery(member_id, KINDS[kind][1] if kind else (), voice)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        audit_filter.read(text)
    except InvalidInput as error:
        assert "again" in error.message


def test_a_member_and_a_voice_do_not_fit_together() -> None:
    with pytest.raises(InvalidInput, match="not both"):
        audit_filter.written(None, 1, "Ada")


def test_every_action_belongs_to_one_kind() -> None:
    for action in SENTENCES:
        assert sum(action.startswith(beginnings) for _, beginnings in KINDS.values()) == 1, action
