"""The errors that Barkeep expects. Each message is a sentence that a member may read.

Any other exception is unexpected: it is logged with a traceback, and the member gets an apology with a reference id
instead of the text.
"""


class BarkeepError(Exception):
    """An expected error. `message` says what is wrong and what to do next, without markup or secrets."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidInput(BarkeepError):
    """The input cannot be used: not audio, an empty text, a bad name, a broken voice file."""


class NotAllowed(BarkeepError):
    """The member lacks a right, a role, a channel or a consent."""


class VoiceUnavailable(NotAllowed):
    """The chosen voice cannot be used now. No other voice speaks in its place."""


class NotFound(BarkeepError):
    """The thing named does not exist here, or the member must not learn that it does."""


class Conflict(BarkeepError):
    """The thing exists already, or was changed in the meantime."""


class NameTaken(Conflict):
    """Another voice of the server has this name."""


class LimitReached(BarkeepError):
    """A limit of the server or of the machine is used up."""


class Unavailable(BarkeepError):
    """Something needed is not available now: a missing model, a full disk, a locked database, a failing worker."""


class ModelUnavailable(Unavailable):
    """A model cannot be loaded. The message is for the bot's owner and may contain paths; members get another one."""


class Cancelled(BarkeepError):
    """The work was cancelled."""


KINDS: dict[str, type[BarkeepError]] = {
    kind.__name__: kind
    for kind in (
        BarkeepError,
        InvalidInput,
        NotAllowed,
        VoiceUnavailable,
        NotFound,
        Conflict,
        NameTaken,
        LimitReached,
        Unavailable,
        Cancelled,
    )
}
"""Name -> class, so that an error can cross a process boundary or be stored with a job."""
