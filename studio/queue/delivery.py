"""Delivers each finished job's answer to its member, once, and retries when the platform fails.

Answers that cannot be delivered stay for the member to fetch. A Courier does the sending.
"""

import asyncio
from datetime import datetime, timedelta

import structlog

from errors import Conflict, NotFound, Unavailable
from storage.records import JobKind, JobRecord, JobState
from studio import metrics
from studio.channel.lines import Fate
from studio.queue.context import QueueContext
from studio.queue.job_payload import Reply, SpeechPayload, reply_of
from studio.queue.lease import LEASE, is_abandoned
from studio.speakers import PREFIX, speaker_voice, voice_of
from studio.values import Delivery, Outcome, Update, Voice

PAUSES = (5.0, 20.0, 60.0, 180.0)
"""Seconds between the attempts of one round."""
FIRST_ROUND, LONGEST_ROUND = timedelta(minutes=5), timedelta(hours=2)
"""Time between two rounds of attempts; it doubles each time."""
FETCHING = timedelta(minutes=2)
"""How long an answer that a member fetches is not delivered in another way."""
FRESH = timedelta(seconds=1)
"""Within this time after its end, a job is delivered without being read again."""
AT_ONCE = 16
"""How many answers are sent at the same time."""
GRACE = 1.0
"""Seconds that answers under way have to arrive when the studio closes."""

_log = structlog.get_logger(__name__)


class AnswerDelivery:
    """Delivers answers in tasks of their own.

    Before every attempt the job is read again and its answer leased, so that nothing is sent that was deleted, fetched
    or taken over by another process. After a crash between sending and recording, an answer is sent twice: an edit of
    the waiting message then changes nothing, and Discord drops a message with the same nonce for some minutes.
    """

    def __init__(self, context: QueueContext) -> None:
        self._context = context
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._busy: set[str] = set()
        """Jobs with an attempt under way, which must not be interrupted."""
        self._sent: dict[str, Delivery] = {}
        """Delivered answers that storage could not record yet."""
        self._leased: dict[str, JobRecord] = {}
        """Jobs that were just done and whose answer is leased: the first attempt need not read them again."""
        self._next_round_at: dict[str, datetime] = {}
        self._waits: dict[str, timedelta] = {}
        """The time to wait after a job's next failed round."""
        self._unreachable: set[str] = set()

    def begin_leased(self, job: JobRecord) -> None:
        """Start delivering the answer of a job that was just done; this process has already leased the answer."""
        self._leased[job.id] = job
        self.begin(job.id)

    def begin(self, job_id: str) -> None:
        """Start delivering the answer of a finished job, unless a delivery is under way."""
        if job_id not in self._tasks:
            self._tasks[job_id] = asyncio.create_task(self._answer(job_id))
            self._tasks[job_id].add_done_callback(lambda _: self._tasks.pop(job_id, None))

    async def resume(self) -> None:
        """Deliver answers that an earlier process or an outage left. Call it at the start and every half minute.

        If a member could not be reached in any way, only the next process tries again.
        """
        waiting = await self._context.storage.jobs.unanswered()
        for memory in (self._next_round_at, self._waits):
            for job_id in memory.keys() - set(waiting):
                del memory[job_id]
        self._unreachable.intersection_update(waiting)
        now = self._context.clock()
        for job_id in waiting:
            if job_id not in self._unreachable and self._next_round_at.get(job_id, now) <= now:
                self.begin(job_id)

    async def close(self) -> None:
        """Stop. Undelivered answers are delivered after the next start.

        Answers under way get GRACE seconds to arrive and to be recorded, so that they are not sent again.
        """
        for job_id, task in self._tasks.items():
            if job_id not in self._busy:
                task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=GRACE)
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def fetch(self, job: JobRecord) -> Outcome:
        """Return the answer of a finished job for a member who fetches it. Raises Conflict while it is being sent."""
        if job.id in self._busy:
            raise Conflict("This answer is on its way to you. If it does not arrive, fetch it again.")
        self._next_round_at[job.id] = self._context.clock() + FETCHING
        if (task := self._tasks.get(job.id)) is not None:
            task.cancel()
        return await self._outcome(job)

    async def _answer(self, job_id: str) -> None:
        """Run one round of attempts. An answer without a file first waits until its line has ended."""
        with structlog.contextvars.bound_contextvars(job_id=job_id):
            await self._wait_until_heard(job_id)
            for pause in (*PAUSES, None):
                try:
                    await self._attempt(job_id, last=pause is None)
                except Unavailable as error:
                    _log.warning("answer_delayed", reason=error.message, pause=pause)
                except Exception:
                    _log.exception("answer_failed", pause=pause)
                else:
                    return
                if pause is not None:
                    await self._context.sleep(pause)
            wait = self._waits.get(job_id, FIRST_ROUND)
            self._waits[job_id] = min(2 * wait, LONGEST_ROUND)
            self._next_round_at[job_id] = self._context.clock() + wait

    async def _wait_until_heard(self, job_id: str) -> None:
        """Wait for the end of a line that is played in a voice channel and answered with text only."""
        awaited = self._context.rooms.awaited(job_id)
        if awaited is None:
            return
        channel_id, line = awaited
        if line.job is not None:
            self._context.courier.update(line.job, Update(channel_id=channel_id))
        await line.over()

    async def _attempt(self, job_id: str, *, last: bool) -> None:
        """Deliver and record the answer, if it is still wanted. Raises Unavailable for temporary failures."""
        async with self._slots:
            self._busy.add(job_id)
            try:
                if job_id in self._sent or await self._send(job_id, last=last):
                    await self._record_delivery(job_id)
            finally:
                self._busy.discard(job_id)

    async def _send(self, job_id: str, *, last: bool) -> bool:
        """Return whether the answer arrived. False: it is deleted or answered, or the member cannot be reached."""
        job = await self._claim(job_id)
        if job is None:
            return False
        delivery = await self._deliver(job, last=last)
        if delivery is None:
            self._unreachable.add(job_id)
            metrics.ANSWERED.labels("none").inc()
            _log.warning("answer_left_to_fetch", guild_id=job.guild_id)
            return False
        self._sent[job_id] = delivery
        _log.info("answered", guild_id=job.guild_id, way=delivery.way, state=job.state.value)
        return True

    async def _deliver(self, job: JobRecord, *, last: bool) -> Delivery | None:
        if reply_of(job) is Reply.NOTHING:
            return Delivery("voice", None)
        return await self._context.courier.deliver(await self._outcome(job), last=last)

    async def _claim(self, job_id: str) -> JobRecord | None:
        """Lease the answer and return the job.

        None if it was deleted or answered, or if another process sends the answer.
        """
        done = self._leased.pop(job_id, None)
        if done is not None and done.finished_at is not None and abs(self._context.clock() - done.finished_at) < FRESH:
            return done
        job = await self._context.storage.jobs.find(job_id)
        if job is None:
            return None
        if job.lease_owner not in (None, self._context.owner) and not is_abandoned(job, self._context.clock()):
            return None
        return await self._context.storage.jobs.claim_answer(
            job_id, self._context.owner, LEASE, held_by=job.lease_owner
        )

    async def _record_delivery(self, job_id: str) -> None:
        delivery = self._sent[job_id]
        if (
            delivery.way == "voice"
        ):  # The text is not kept. Delete it first: nothing retries after the answer is recorded.
            await self._context.storage.jobs.forget_text(job_id)
        await self._context.storage.jobs.answered(job_id, delivery.message_id)
        await self._context.storage.files.drop_result(job_id)
        del self._sent[job_id]
        metrics.ANSWERED.labels(delivery.way).inc()

    async def _outcome(self, job: JobRecord) -> Outcome:
        audio = None
        if job.kind is JobKind.SPEECH and job.state in (JobState.READY, JobState.DELIVERED):
            audio = await self._context.storage.files.result(job.id)
        heard = reply_of(job) is Reply.WORDS and self._context.rooms.fate(job.id) in (Fate.HEARD, Fate.SKIPPED)
        return Outcome(job, await self._voice(job), None if heard else audio, heard)

    async def _voice(self, job: JobRecord) -> Voice | None:
        if job.voice_id is None:
            key = SpeechPayload.of(job).voice if job.kind is JobKind.SPEECH else ""
            if not key.startswith(PREFIX):
                return None
            # An order from before the models were loaded does not name the speaker; the worker does.
            return speaker_voice((job.result or {}).get("speaker", key.removeprefix(PREFIX)))
        try:
            return voice_of(await self._context.storage.voices.get(job.guild_id, job.voice_id))
        except NotFound:
            return None
