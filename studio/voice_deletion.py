"""Deletes a voice: stops its clone and the speech that uses it, and removes its row and files.

Shared by several services.
"""

import contextlib

from errors import NotFound
from storage.database import Storage
from storage.jobs import UNFINISHED
from storage.records import JobKind, JobState, VoiceRecord
from studio.queue.dispatcher import Dispatcher


async def remove_voice(storage: Storage, dispatcher: Dispatcher, voice: VoiceRecord) -> None:
    """Delete a voice. A voice that is already deleted is not an error.

    Running and playing speech with it is stopped, undelivered speech is deleted, and queued speech fails with a
    sentence when it starts.
    """
    for job in await storage.jobs.of_voice(voice.guild_id, voice.id, UNFINISHED):
        if job.kind is JobKind.CLONE:
            await dispatcher.cancel(job.id)
    with contextlib.suppress(NotFound):
        await storage.voices.delete(voice.guild_id, voice.id)
    # After the row is deleted: speech that starts later is refused, so that none is missed.
    for job in await storage.jobs.of_voice(voice.guild_id, voice.id, (JobState.RUNNING, JobState.READY)):
        if job.state is JobState.RUNNING:
            await dispatcher.cancel(job.id)
        await storage.files.drop_result(job.id)
    dispatcher.rooms.drop_voice(voice.guild_id, voice.id)
    await storage.jobs.forget_voice(voice.guild_id, voice.id)
    await storage.files.drop_voice(voice.guild_id, voice.id)
