"""Rules for reading aloud: which messages are read, and in which words. Pure functions, without Discord."""

from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from storage.records import GuildSettings, MemberRecord
from studio import speech_text
from studio.values import Actor

MINUTE = timedelta(minutes=1)
_AND_SO_ON = " and so on"
_NAME_LENGTH = 32


@dataclass(frozen=True, slots=True)
class Written:
    """A message. `author`: the display name; `attachments`, `stickers`: their numbers."""

    message_id: int
    author: str
    text: str
    attachments: int = 0
    stickers: int = 0


def is_read(actor: Actor, settings: GuildSettings, member: MemberRecord) -> bool:
    """Return whether the actor's messages are read: not if they are blocked or ignored, or have opted out."""
    if member.blocked_at is not None or member.unread or member.ignored:
        return False
    return actor.role_ids.isdisjoint(settings.read_ignored_role_ids)


def words_for(written: Written, names: Mapping[str, str], settings: GuildSettings, *, named: bool) -> str:
    """Return the words that are read for a message, before the server's dictionary is applied; "" if there are none.

    A text of more than `settings.read_length` characters is cut and ends with "and so on". `named`: begin with the
    author's name.
    """
    text = speech_text.in_words(written.text, names, code=False).strip()
    before = f"{_name_of(written)} said: " if named else ""
    after = "".join(f". {thing}" for thing in _things(written))
    room = min(settings.read_length, settings.text_length - len(before) - len(after) - len(_AND_SO_ON))
    if len(text) > room:
        text = _cut(text, room)
    words = text + after if text else after.removeprefix(". ")
    return before + words if words else ""


def shortened(text: str, limit: int) -> str:
    """Return a spoken text in at most `limit` characters: a longer one is cut and ends with "and so on"."""
    return text if len(text) <= limit else _cut(text, limit - len(_AND_SO_ON))


def _cut(text: str, room: int) -> str:
    """Return the whole words of a text within its first `room` characters, followed by "and so on"."""
    kept = text[: max(0, room)]
    return (kept.rsplit(maxsplit=1)[0] if " " in kept else kept) + _AND_SO_ON


def _name_of(written: Written) -> str:
    return speech_text.plain_name(written.author)[:_NAME_LENGTH].strip() or "Someone"


def _things(written: Written) -> list[str]:
    counted = ((written.attachments, "attachment"), (written.stickers, "sticker"))
    return [thing if number == 1 else f"{number} {thing}s" for number, thing in counted if number]


class Pace:
    """A rate limiter that counts each member's messages in the last minute."""

    def __init__(self) -> None:
        self._read: defaultdict[tuple[int, int], deque[datetime]] = defaultdict(deque)

    def allows(self, guild_id: int, member_id: int, now: datetime, limit: int) -> bool:
        """Return whether one more message is within `limit`; if so, count it."""
        for key in [key for key, moments in self._read.items() if not moments or moments[-1] <= now - MINUTE]:
            del self._read[key]
        moments = self._read[guild_id, member_id]
        while moments and moments[0] <= now - MINUTE:
            moments.popleft()
        if len(moments) >= limit:
            return False
        moments.append(now)
        return True
