"""The faults Barkeep expects. The message of each is a sentence that a member of a server may read.

Anything that is not a BarkeepError is unknown: it is logged with a traceback, and the member gets an apology
with a reference id instead of the text.
"""


class BarkeepError(Exception):
    """An expected fault. `message` says what is wrong and what to do next, without markup or secrets."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidInput(BarkeepError):
    """What was given cannot be used: not audio, an empty text, a bad name, a broken voice file."""


class NotAllowed(BarkeepError):
    """The member lacks a right, a role, a channel or a consent."""


class NotFound(BarkeepError):
    """The thing named does not exist here, or its existence is none of the member's business."""


class Conflict(BarkeepError):
    """It exists already, or changed in between."""


class LimitReached(BarkeepError):
    """A limit of the server or of the machine is used up."""


class Unavailable(BarkeepError):
    """It cannot be done at present: a missing model, a full disk, a locked database, a worker that keeps failing."""


class Cancelled(BarkeepError):
    """Somebody cancelled the work."""


KINDS: dict[str, type[BarkeepError]] = {
    kind.__name__: kind
    for kind in (BarkeepError, InvalidInput, NotAllowed, NotFound, Conflict, LimitReached, Unavailable, Cancelled)
}
"""Name -> class, so that a fault can cross a process or be stored with a job."""
