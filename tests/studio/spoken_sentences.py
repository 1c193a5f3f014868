"""A member who is asked for a sentence of spoken consent, and what the recogniser may hear instead of it."""

from cloning.consent.answer import SpokenAnswer
from storage.consent_records import SpokenConsent
from studio.values import CloneOrder
from tests.fakes import sound_bytes
from tests.studio.conftest import ANN, MOD, StudioHarness

SAID = sound_bytes("OGG")
NO_WORDS = SpokenAnswer("something else", 1, 5, 0.1, 0.2, 0.9, weakest=0.8, is_generated=False)
NO_VOICE = SpokenAnswer("the words", 5, 5, 1.0, 1.0, 0.5, weakest=0.8, is_generated=False)
GENERATED = SpokenAnswer("the words", 5, 5, 1.0, 1.0, 0.9, weakest=0.8, is_generated=True)


async def asked(harness: StudioHarness, name: str = "Ann") -> SpokenConsent:
    """The sentence that Ann is asked to say for a voice."""
    return await harness.studio.spoken.ask(ANN, CloneOrder(name), sound_bytes())


async def lines(harness: StudioHarness) -> list[tuple[str, str]]:
    """The actions and details of the audit log."""
    return [(entry.action, entry.detail) for entry in (await harness.studio.admin.audit(MOD, 1)).entries]
