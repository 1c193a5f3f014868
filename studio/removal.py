"""How a voice goes: its clone is stopped, its row disappears, its files follow. Asked for by several desks."""

import contextlib

from errors import NotFound
from storage.database import Storage
from storage.records import JobKind, JobState, VoiceRecord
from studio.dispatcher import Dispatcher

ACTIVE = (JobState.QUEUED, JobState.RUNNING)


async def remove_voice(storage: Storage, dispatcher: Dispatcher, voice: VoiceRecord) -> None:
    """Delete a voice at once. A voice that is gone already is no fault.

    Lines of speech that still wait for it fail with a sentence when their turn comes.
    """
    for job in await storage.jobs.of_voice(voice.guild_id, voice.id, ACTIVE):
        if job.kind is JobKind.CLONE:
            await dispatcher.cancel(job.id)
    with contextlib.suppress(NotFound):
        await storage.voices.delete(voice.guild_id, voice.id)
    await storage.files.drop_voice(voice.guild_id, voice.id)
