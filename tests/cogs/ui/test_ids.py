"""Ids of buttons and menus: anything may come back, and only what fits is read."""

import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cogs.client import ITEMS
from cogs.ui import ids
from errors import InvalidInput

SAMPLES = (
    "queue-cancel:ab12:3",
    "unblock:123:1",
    "settings:clone_role_ids",
    "settings-form:texts",
    "do:forget:",
    "do:forget:123",
    "revoke-consent:",
    "revoke-consent:123",
    "do:purge:member=12",
    "turn:voices:2:ann",
    "all:voices",
    "search:voices:ann",
    "share-members:7",
    "share-roles:7",
    "consent:allow:ab12",
    "consent-back:ab12",
    "say-consent:ab12",
    "cancel:ab12",
    "fetch:ab12",
    "discard:ab12",
    "hear:7",
    "speak:7",
    "figures:7",
    "stop:ab12",
    "repeat:ab12",
)


async def read(custom_id: str) -> list[Any]:
    """What the items of the bot make of an id."""
    items: tuple[Any, ...] = ITEMS  # the arguments that discord.py passes are not used
    matches = [(item, item.__discord_ui_compiled_template__.fullmatch(custom_id)) for item in items]
    return [await item.from_custom_id(None, None, match) for item, match in matches if match is not None]


@pytest.mark.parametrize("custom_id", SAMPLES)
async def test_an_id_of_ours_is_read_by_one_item_and_comes_out_the_same(custom_id: str) -> None:
    [item] = await read(custom_id)
    assert item.item.custom_id == custom_id


@given(st.sampled_from(SAMPLES), st.text("0123456789٣", min_size=1, max_size=25))
@example("unblock:123:1", "99999999999999999999")
@example("hear:7", "9223372036854775808")
async def test_a_forged_number_is_not_read_or_fits_the_database(custom_id: str, number: str) -> None:
    for item in await read(re.sub("(?<=[:=])[0-9]+", number, custom_id)):
        for value in vars(item).values():
            assert not isinstance(value, int) or -(2**63) <= value < 2**63


@given(st.text(max_size=100))
async def test_any_id_is_safe(custom_id: str) -> None:
    await read(custom_id)


@pytest.mark.parametrize("written", ["", "-1", "x", "99999999999999999999", "٣", "1.5"])
def test_a_number_within_a_text_is_bounded_too(written: str) -> None:
    with pytest.raises(InvalidInput, match="use the command again"):
        ids.whole(written)
    assert ids.whole("8999999999999999999") < 2**63
