"""The custom ids of persistent buttons and menus: their templates and parsing.

Discord sends ids back, and any client can send a forged one. An id that does not fit its template is ignored, and a
parsed number always fits the database.
"""

import re
from typing import Any, Self

import discord

from errors import InvalidInput

SNOWFLAKE = r"[0-9]{1,18}|[1-8][0-9]{18}"
"""Matches up to 8,999,999,999,999,999,999, which is below 2**63. Discord's ids stay below it until the year 2083."""
_NUMBERS = frozenset({"voice", "member", "number", "page"})
"""The parts of ids that are numbers."""


def snowflake(name: str) -> str:
    """Return the template of a 64-bit id of Discord or the database, as the part `name` of a custom id."""
    return f"(?P<{name}>{SNOWFLAKE})"


def count(name: str) -> str:
    """Return the template of a small number, such as a page number."""
    return f"(?P<{name}>[0-9]{{1,9}})"


def text(name: str) -> str:
    """Return the template of a job or request id: letters, digits and dashes."""
    return f"(?P<{name}>[A-Za-z0-9_-]{{1,64}})"


def whole(written: str) -> int:
    """Parse a number that is part of another text. Raises InvalidInput if it is not valid."""
    if re.fullmatch(SNOWFLAKE, written) is None:
        raise InvalidInput("That button is not valid. Please use the command again.")
    return int(written)


class FromId:
    """Creates dynamic items from their custom ids. Other constructor arguments need defaults."""

    @classmethod
    async def from_custom_id(
        cls, _interaction: discord.Interaction[Any], _item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Return the item of a message that was sent in this run or an earlier one."""
        parts = {name: int(part) if name in _NUMBERS else part for name, part in match.groupdict().items()}
        return cls(**parts)
