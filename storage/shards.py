"""Which servers a bot process serves, where several processes share one database."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Integer, literal, true

_GUILD_BITS = 22
"""Discord takes the shard of a server from its id without these lowest bits."""


@dataclass(frozen=True, slots=True)
class Shards:
    """Some of Discord's shards: `ids`, of `count` in all. Direct messages belong to shard 0."""

    ids: tuple[int, ...]
    count: int

    def own(self, guild_id: int) -> bool:
        """Return whether the server belongs to one of these shards."""
        return self._all or (guild_id >> _GUILD_BITS) % self.count in self.ids

    def matching(self, guild_id: ColumnElement[Any]) -> ColumnElement[bool]:
        """Return the same as a condition on a column with server ids."""
        if self._all:
            return true()
        return (guild_id.bitwise_rshift(literal(_GUILD_BITS, Integer)) % self.count).in_(self.ids)

    @property
    def _all(self) -> bool:
        return len(self.ids) == self.count


ALL = Shards((0,), 1)
"""Every server."""
