"""Builds, starts and closes the services, the library and the dispatcher, and handles notices of other processes."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any

from cloning.worker.protocol import Executor
from storage.columns import utc_now
from storage.consent_records import ConsentKind
from storage.database import Storage
from storage.shards import Notice, NoticeKind
from studio.admin import AdminService
from studio.channel.rooms import Rooms
from studio.channel.service import ChannelService
from studio.checks import CheckService
from studio.clone_requests import CloneRequestService
from studio.clones import CloneService
from studio.housekeeping import Housekeeping, run_step
from studio.jobs import JobService
from studio.privacy import PrivacyService
from studio.pronunciations import PronunciationService
from studio.queue.context import QueueContext
from studio.queue.delivery import AnswerDelivery
from studio.queue.dispatcher import PATIENCE, Dispatcher
from studio.queue.lease import new_owner
from studio.reading import ReadingService
from studio.speech import SpeechService
from studio.spoken_consent import SpokenConsentService
from studio.values import Courier
from studio.voice_files import VoiceFileService
from studio.voices import VoiceLibrary


class Studio:
    """All services for members and moderators, independent of Discord.

    patience: how long a job waits for a worker that cannot load its models. consent: how members agree to a clone
    where moderators did not choose. clock: returns the time, in UTC. sleep: waits for some seconds between attempts to
    store or to deliver. Owns `storage` and `executor`: `close` closes them.
    """

    def __init__(
        self,
        storage: Storage,
        executor: Executor,
        courier: Courier,
        *,
        patience: timedelta = PATIENCE,
        consent: ConsentKind = ConsentKind.CHECKBOX,
        clock: Callable[[], datetime] = utc_now,
        sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep,
    ) -> None:
        self.storage = storage
        self.executor = executor
        self.courier = courier
        rooms = Rooms(storage.files, clock)
        context = QueueContext(storage, executor, courier, rooms, sleep, new_owner(), clock)
        self._answers = AnswerDelivery(context)
        self.dispatcher = Dispatcher(context, self._answers, patience=patience)
        self.consent = consent
        self.library = VoiceLibrary(storage, executor, self.dispatcher)
        self.voice_files = VoiceFileService(storage, executor, self.library, courier, consent=consent)
        self.clones = CloneService(storage, executor, self.dispatcher, consent=consent)
        self.clone_requests = CloneRequestService(storage, self.clones, self.dispatcher, courier, clock=clock)
        self.spoken = SpokenConsentService(storage, executor, self.clones, self.clone_requests, courier, clock=clock)
        self.pronunciations = PronunciationService(storage)
        self.speech = SpeechService(storage, executor, self.library, self.pronunciations, self.dispatcher, courier)
        self.channels = ChannelService(storage, self.dispatcher, clock=clock)
        self.jobs = JobService(storage, self.dispatcher, self._answers, courier)
        self.privacy = PrivacyService(storage, self.library, self.dispatcher)
        self.admin = AdminService(storage, executor, self.library, self.privacy, self.dispatcher, clock=clock)
        self.checks = CheckService(storage, executor)
        self.reading = ReadingService(storage, self.channels, self.speech, self.admin, self.dispatcher, clock=clock)
        self._housekeeping = Housekeeping(storage, clock=clock)
        self._following: set[asyncio.Task[None]] = set()
        self._closed = False

    async def start(self) -> None:
        """Load the speech models and continue where an earlier process stopped."""
        await self.executor.start()
        await self.dispatcher.start()
        await self.storage.listen(self._hear)

    async def upkeep(self) -> None:
        """Run periodic work: leases, expired requests, retention. Call it every half minute.

        An error of one step is logged, and the others run.
        """
        await self.dispatcher.upkeep()
        await run_step("channels", self.channels.upkeep())
        await self._housekeeping.run()

    async def close(self) -> None:
        """Stop taking work, put running jobs back into the queue, stop the worker and close storage.

        Calling it twice is safe.
        """
        if self._closed:
            return
        self._closed = True
        try:
            await self.channels.close()
            # An interrupted transaction can leave the database locked.
            await asyncio.gather(*self._following, return_exceptions=True)
            await self.dispatcher.close()
        finally:
            await self.executor.close()
            await self.storage.close()

    def _hear(self, notice: Notice | None) -> None:
        """Handle a change by another process. None: notices may have been missed, so everything is read again."""
        if notice is None:
            self._follow(self.dispatcher.upkeep())
        elif notice.kind is NoticeKind.JOB:
            self._follow(self.dispatcher.look(notice.id))
        elif notice.kind is NoticeKind.MEMBER:
            self.dispatcher.rooms.drop_member(notice.guild_id, int(notice.id))
        else:
            self.dispatcher.rooms.drop_voice(notice.guild_id, int(notice.id))

    def _follow(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(run_step("notice", work, event="notice_not_followed"))
        self._following.add(task)
        task.add_done_callback(self._following.discard)
