"""A member's own jobs: queued, running, and finished without a delivered answer."""

from errors import Conflict, NotAllowed, NotFound
from storage.database import Storage
from storage.job_statements import UNANSWERED
from storage.jobs import UNFINISHED
from storage.records import JobKind, JobRecord, JobState
from studio import rights
from studio.queue.delivery import AnswerDelivery
from studio.queue.dispatcher import Dispatcher
from studio.values import Actor, Courier, Outcome

_NOT_HERE = "There is no such job here. See your jobs with /jobs."


class JobService:
    """Lists, cancels and fetches jobs."""

    def __init__(self, storage: Storage, dispatcher: Dispatcher, answers: AnswerDelivery, courier: Courier) -> None:
        self._storage = storage
        self._dispatcher = dispatcher
        self._answers = answers
        self._courier = courier

    async def mine(self, actor: Actor) -> list[tuple[JobRecord, int | None]]:
        """Return the actor's queued, running and undelivered jobs, newest first, each with its place in the queue.

        The place: 0 if the job runs or starts now, 1 if it is next, None if it has ended.
        """
        jobs = await self._storage.jobs.of_member(
            actor.guild_id, actor.member_id, states=(*UNFINISHED, *UNANSWERED), unanswered=True
        )
        return [(job, self._dispatcher.position(job.id) if job.state in UNFINISHED else None) for job in jobs]

    async def cancel(self, actor: Actor, job_id: str) -> JobRecord:
        """Cancel a job, or end its line in a voice channel: the actor's own or, for moderators, anybody's.

        Raises Conflict if both have ended.
        """
        job = await self._visible(actor, job_id)
        cancelled = await self._dispatcher.cancel(job.id)
        if cancelled is None:
            if not self._dispatcher.rooms.waits(job.id):
                raise Conflict("That job has ended already.")
            self._dispatcher.rooms.drop(job.id)
            cancelled = job
        await self._storage.audit.write(actor.guild_id, actor.member_id, "job.cancel", job.id, f"of {job.member_id}")
        return cancelled

    async def fetch(self, actor: Actor, job_id: str) -> Outcome:
        """Return the answer of the actor's own job. It can be fetched again until `fetched` is called.

        Raises Conflict while the job is not done or its answer is being sent, NotFound for anybody else's job,
        NotAllowed if the actor may no longer use voices or this voice, and VoiceUnavailable if the person it belongs
        to has left the server.
        """
        job = await self._visible(actor, job_id)
        if job.member_id != actor.member_id:
            raise NotFound(_NOT_HERE)
        if job.state in UNFINISHED:
            raise Conflict("That job is not done yet.")
        if job.state is JobState.READY:
            await self._check_use(actor, job)
        return await self._answers.fetch(job)

    async def fetched(self, outcome: Outcome) -> None:
        """Record that a fetched answer arrived, and delete its audio."""
        await self._storage.jobs.answered(outcome.job.id, None)
        await self._storage.files.drop_result(outcome.job.id)

    async def _check_use(self, actor: Actor, job: JobRecord) -> None:
        """Check the actor's current rights, not those at acceptance."""
        if job.kind is JobKind.CLONE:
            await rights.require(self._storage, actor, rights.may_act)
            return
        settings = await rights.require(self._storage, actor, rights.may_speak)
        voice = None if job.voice_id is None else await self._storage.voices.by_id(job.guild_id, job.voice_id)
        if voice is None:
            return
        if not rights.may_use(actor, voice):
            raise NotAllowed("This voice is no longer shared with you, so you cannot fetch speech in it.")
        await rights.require_present(self._storage, self._courier, actor, voice, settings)

    async def _visible(self, actor: Actor, job_id: str) -> JobRecord:
        job = await self._storage.jobs.find(job_id)
        if job is None or job.guild_id != actor.guild_id:
            raise NotFound(_NOT_HERE)
        if not actor.is_moderator and job.member_id != actor.member_id:
            raise NotFound(_NOT_HERE)
        return job
