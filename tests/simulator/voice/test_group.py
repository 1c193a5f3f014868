import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.voice.group import Group, vector


@given(st.integers(0, 70_000))
def test_a_vector_says_how_long_it_is(length: int) -> None:
    written = vector(bytes(length))
    size = 1 << (written[0] >> 6)  # RFC 9000, section 16: two bits for the length of the length
    assert int.from_bytes(written[:size], "big") & ~(3 << (8 * size - 2)) == length
    assert len(written) == size + length


def test_what_holds_no_welcome_lets_nobody_in() -> None:
    with pytest.raises(ValueError, match="no welcome"):
        Group(123456789012345678).accept(b"\0\2" * 40)
