"""Encodes the filter of /admin audit in the few characters that fit the ids of its buttons, and decodes it."""

import re

from cogs.ui import ids
from errors import InvalidInput
from storage.records import AuditQuery

KINDS = {
    "s": ("Speech", ("speech.", "channel.", "reading.")),
    "v": ("Voices", ("voice.",)),
    "c": ("Consent to cloning", ("consent.",)),
    "t": ("Settings and pronunciation", ("settings.", "pronunciation.")),
    "m": ("Members: blocks, deletions, cancelled jobs", ("member.", "privacy.", "purge", "job.")),
}
"""Letter of a kind of event -> its name for moderators, and the prefixes of its actions."""

_WRITTEN = re.compile(r"(?P<kind>[a-z])?(?:@(?P<member>[0-9]{1,19})|=(?P<voice>.{1,32}))?", re.DOTALL)


def written(kind: str | None, member_id: int | None, voice: str | None) -> str:
    """Return the filter as text: "s@123", "v=Ada". Raises InvalidInput for a member and a voice together."""
    if member_id is not None and voice:
        raise InvalidInput("Choose a member or a voice, not both.")
    rest = f"@{member_id}" if member_id is not None else f"={voice}" if voice else ""
    return (kind or "") + rest


def read(text: str) -> AuditQuery:
    """Return the query for a text from `written`. Raises InvalidInput for any other text."""
    found = _WRITTEN.fullmatch(text)
    if found is None or (found["kind"] or "s") not in KINDS:
        raise InvalidInput("That button is not valid. Please use the command again.")
    member_id = None if found["member"] is None else ids.whole(found["member"])
    return AuditQuery(member_id, KINDS[found["kind"]][1] if found["kind"] else (), found["voice"])
