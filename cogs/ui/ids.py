"""What persistent buttons and menus write into their ids, and how it is read: the one place that parses them.

An id comes back from Discord, and anybody can send another one. What does not fit its template is not read at all, and
a number is always one that the database can hold.
"""

import re
from typing import Any, Self

import discord

from errors import InvalidInput

_SNOWFLAKE = r"[0-9]{1,18}|[1-8][0-9]{18}"
"""At most 8,999,999,999,999,999,999, which is less than 2**63. Discord's ids stay below it until the year 2083."""
_NUMBERS = frozenset({"voice", "member", "number", "page"})
"""The parts of ids that are numbers."""


def snowflake(name: str) -> str:
    """The template of a number of Discord's or of the database's, as the part `name` of an id."""
    return f"(?P<{name}>{_SNOWFLAKE})"


def count(name: str) -> str:
    """The template of a small number, such as that of a page."""
    return f"(?P<{name}>[0-9]{{1,9}})"


def text(name: str) -> str:
    """The template of a job's or a question's id, which are made of letters, digits and dashes."""
    return f"(?P<{name}>[A-Za-z0-9_-]{{1,64}})"


def whole(written: str) -> int:
    """A number that travelled as a part of another text. Raises InvalidInput for what no id of ours says."""
    if re.fullmatch(_SNOWFLAKE, written) is None:
        raise InvalidInput("I cannot read that button. Please use the command again.")
    return int(written)


class FromId:
    """For dynamic items: made from their ids. Other arguments of the constructor have defaults."""

    @classmethod
    async def from_custom_id(
        cls, _interaction: discord.Interaction[Any], _item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """The item of a message that was sent in this run or an earlier one."""
        parts = {name: int(part) if name in _NUMBERS else part for name, part in match.groupdict().items()}
        return cls(**parts)
