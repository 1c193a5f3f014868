"""Delivers answers to members: by the interaction, else in the channel, else by direct message.

Until then, shows the progress of jobs in a few edits; the newest update is always shown. Implements
`studio.values.Courier` and stores nothing.
"""

import asyncio
import hashlib
import io
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic
from typing import Any

import discord
import structlog

from cogs.answers import Answer, CancelWaiting, answer_to
from cogs.membership import actor_there, has_left
from cogs.studio_bot import StudioBot
from cogs.ui.base import persistent_view
from cogs.ui.errors import NETWORK_ERRORS, token_is_gone
from cogs.ui.render import CONTENT_LIMIT, render_update
from cogs.ui.replies import NOBODY, UNKNOWN_MESSAGE
from errors import Unavailable
from storage.records import JobRecord
from studio.values import Actor, Delivery, Outcome, Update

log = structlog.get_logger(__name__)

BEGINNING = "beginning.ogg"
"""The file name of the first sentence."""
_REMEMBERED = 1000

Show = Callable[[JobRecord, Update], Awaitable[bool]]
"""Shows an update of a job; returns False if further updates are useless."""


class _Original(int):
    """Stands for a message id and is formatted as "@original", Discord's name for an interaction's first answer.

    An int, because discord.py percent-encodes strings in a URL.
    """

    def __format__(self, _: str) -> str:
        return "@original"


_ORIGINAL = _Original()


@dataclass(slots=True)
class _Message:
    """The progress message of one job, and its next update."""

    job: JobRecord
    waiting: Update | None = None
    shown_at: float = float("-inf")
    showing: asyncio.Lock = field(default_factory=asyncio.Lock)
    task: asyncio.Task[None] | None = None


class ProgressMessages:
    """Coalesces updates by job. `every`: the minimum time between two edits, in seconds."""

    def __init__(self, show: Show, *, every: float) -> None:
        self._show = show
        self._every = every
        self._messages: dict[str, _Message] = {}
        self._finished: OrderedDict[str, None] = OrderedDict()

    def put(self, job: JobRecord, update: Update) -> None:
        """Show this update soon, unless a newer one replaces it or the job is answered."""
        if job.id in self._finished:
            return
        message = self._messages.setdefault(job.id, _Message(job))
        message.waiting = update
        if message.task is None:
            message.task = asyncio.create_task(self._run(message), name=f"progress-{job.id}")

    async def finish(self, job_id: str) -> None:
        """Stop the updates of this job. No edit of its message is running when this returns."""
        message = self._retire(job_id)
        if message is None:
            return
        message.waiting = None
        async with message.showing:
            if message.task is not None:
                message.task.cancel()

    async def close(self) -> None:
        """Stop all updates."""
        for job_id in list(self._messages):
            await self.finish(job_id)

    async def _run(self, message: _Message) -> None:
        """Show waiting updates, one edit per interval, until none is left."""
        try:
            while message.waiting is not None:
                pause = message.shown_at + self._every - monotonic()
                if pause > 0:
                    await asyncio.sleep(pause)
                async with message.showing:
                    await self._show_next(message)
        finally:
            message.task = None

    async def _show_next(self, message: _Message) -> None:
        update, message.waiting = message.waiting, None
        if update is None:
            return
        message.shown_at = monotonic()
        if not await self._show(message.job, update):
            self._retire(message.job.id)

    def _retire(self, job_id: str) -> _Message | None:
        """Drop later updates of this job. The last _REMEMBERED jobs are remembered."""
        self._finished[job_id] = None
        if len(self._finished) > _REMEMBERED:
            self._finished.popitem(last=False)
        return self._messages.pop(job_id, None)


class DiscordCourier:
    """Implements `studio.values.Courier`. `edit_seconds`: the minimum time between two progress edits of a job."""

    def __init__(self, client: StudioBot, *, edit_seconds: float) -> None:
        self._client = client
        self._progress = ProgressMessages(self._show, every=edit_seconds)
        self._waiting: dict[str, int] = {}
        """Job id -> the message that shows its progress."""
        self._begun: set[str] = set()
        """Jobs whose waiting message has the beginning of their speech attached."""

    def update(self, job: JobRecord, update: Update) -> None:
        """Show progress in the answer to the member's command, at most once in `edit_seconds`."""
        if _answerable(job):
            self._progress.put(job, update)

    async def deliver(self, outcome: Outcome, *, last: bool = False) -> Delivery | None:
        """Send the answer by the first way that works; None if none does.

        Private answers never go to the channel. Raises Unavailable for temporary failures of Discord or the network:
        immediately, or with `last` only after the other ways were tried. Repeating the call is safe: the interaction's
        answer is edited in place, and other messages carry a nonce made from the job's id.
        """
        job = outcome.job
        await self._progress.finish(job.id)
        answer = await answer_to(outcome)
        delivery: Delivery | None = None
        temporary: Exception | None = None
        for way in (self._by_interaction, self._by_channel, self._direct):
            try:
                delivery = await way(job, answer)
            except (discord.HTTPException, *NETWORK_ERRORS) as error:
                log.info("way_closed", job_id=job.id, way=way.__name__, reason=_reason(error))
                if _is_temporary(error):
                    temporary = error
                    if not last:
                        break
            if delivery is not None:
                break
        if delivery is None and temporary is not None:
            raise Unavailable("Discord did not take the answer. It will be sent again.") from temporary
        await self._take_back(job, delivery)
        return delivery

    async def actor(self, guild_id: int, channel_id: int, member_id: int) -> Actor | None:
        """Return the member as an actor; None if they have left. Raises Unavailable if Discord does not answer."""
        return await actor_there(self._client, guild_id, channel_id, member_id)

    async def has_left(self, guild_id: int, member_id: int) -> bool | None:
        """Return whether the member has left the server; None if Discord does not answer."""
        return await has_left(self._client, guild_id, member_id)

    async def close(self) -> None:
        """Stop showing progress."""
        await self._progress.close()

    async def _by_interaction(self, job: JobRecord, answer: Answer) -> Delivery | None:
        if not _answerable(job):
            return None
        if answer.private and not job.private:
            return await self._by_private_follow_up(job, answer)
        message = await self._webhook(job).edit_message(
            _ORIGINAL,
            content=answer.content or None,
            embeds=answer.embeds(),
            attachments=answer.files(),
            view=persistent_view(*answer.buttons) if answer.buttons else None,
            allowed_mentions=NOBODY,
        )
        return Delivery("interaction", message.id)

    async def _by_private_follow_up(self, job: JobRecord, answer: Answer) -> Delivery:
        """Answer privately to a command whose waiting message is public, and delete that message.

        It is first edited to a bare sign, because the first follow-up to a public "thinking" message is public, too.
        """
        webhook = self._webhook(job)
        try:
            sign = await webhook.edit_message(
                _ORIGINAL, content="⚠️", embeds=[], attachments=[], view=None, allowed_mentions=NOBODY
            )
        except discord.NotFound as error:
            if error.code != UNKNOWN_MESSAGE:
                raise
        else:
            if sign.flags.ephemeral:
                await sign.edit(content=answer.content, allowed_mentions=NOBODY)
                return Delivery("interaction", sign.id)
        message = await webhook.send(answer.content, ephemeral=True, wait=True, allowed_mentions=NOBODY)
        try:
            await webhook.delete_message(_ORIGINAL)
        except (discord.HTTPException, *NETWORK_ERRORS) as error:
            log.info("waiting_message_left", job_id=job.id, reason=_reason(error))
        return Delivery("interaction", message.id)

    async def _by_channel(self, job: JobRecord, answer: Answer) -> Delivery | None:
        if job.private or answer.private:
            return None
        channel = self._client.get_partial_messageable(job.channel_id, guild_id=job.guild_id)
        message = await self._send(channel, job, answer, answer.buttons)
        return Delivery("channel", message.id)

    async def _direct(self, job: JobRecord, answer: Answer) -> Delivery | None:
        # No buttons: they act on a server's voices, and direct messages belong to no server.
        user = self._client.get_user(job.member_id) or await self._client.fetch_user(job.member_id)
        message = await self._send(user, job, answer, ())
        return Delivery("direct", message.id)

    async def _send(
        self,
        target: discord.abc.Messageable,
        job: JobRecord,
        answer: Answer,
        buttons: tuple[discord.ui.Item[Any], ...],
    ) -> discord.Message:
        options: dict[str, Any] = {"view": persistent_view(*buttons)} if buttons else {}
        member = f"<@{job.member_id}>"
        content = answer.content if member in answer.content else f"{member} {answer.content}"
        return await target.send(
            content[:CONTENT_LIMIT],
            embeds=answer.embeds(),
            files=answer.files(),
            nonce=_nonce(job),
            allowed_mentions=NOBODY,
            **options,
        )

    async def _show(self, job: JobRecord, update: Update) -> bool:
        """Edit the waiting message. Return False when its interaction is over."""
        if not _answerable(job):
            return False
        update, options = await self._with_beginning(job, update)
        try:
            message = await self._webhook(job).edit_message(
                _ORIGINAL,
                content=render_update(update),
                view=persistent_view(CancelWaiting(job.id)),
                allowed_mentions=NOBODY,
                **options,
            )
        except discord.HTTPException as error:
            log.info("news_not_shown", job_id=job.id, status=error.status, code=error.code)
            return not token_is_gone(error) and error.status != 404
        except NETWORK_ERRORS as error:
            log.info("news_not_shown", job_id=job.id, reason=type(error).__name__)
        else:
            self._waiting[job.id] = message.id
            if update.beginning is not None:
                self._begun.add(job.id)
        return True

    async def _with_beginning(self, job: JobRecord, update: Update) -> tuple[Update, dict[str, Any]]:
        """Return the update to show, and the message's attachments: the beginning is attached once.

        An update without a beginning removes what an earlier attempt or process attached.
        """
        if update.beginning is not None and job.id in self._begun:
            return update, {}
        self._begun.discard(job.id)
        sound = None if update.beginning is None else await asyncio.to_thread(_content_of, update.beginning)
        if sound is None:
            return replace(update, beginning=None), {"attachments": []}
        return update, {"attachments": [discord.File(io.BytesIO(sound), filename=BEGINNING)]}

    async def _take_back(self, job: JobRecord, delivery: Delivery | None) -> None:
        """Delete the waiting message if the answer was sent in another one.

        A private waiting message stays: only its interaction can reach it, and only the member sees it.
        """
        self._begun.discard(job.id)
        message_id = self._waiting.pop(job.id, None)
        if message_id is None or job.private or (delivery is not None and delivery.message_id == message_id):
            return
        channel = self._client.get_partial_messageable(job.channel_id, guild_id=job.guild_id)
        try:
            await channel.get_partial_message(message_id).delete()
        except (discord.HTTPException, *NETWORK_ERRORS) as error:
            log.info("waiting_message_left", job_id=job.id, reason=_reason(error))

    def _webhook(self, job: JobRecord) -> discord.Webhook:
        if self._client.application_id is None or job.interaction_token is None:
            raise RuntimeError("answers are sent after login, to jobs that an interaction started")
        webhook = discord.Webhook.partial(self._client.application_id, job.interaction_token, client=self._client)
        webhook.type = discord.WebhookType.application  # discord.py sends private messages only with this type
        return webhook


def _answerable(job: JobRecord) -> bool:
    """Return whether the token of the job's interaction is still valid."""
    return (
        job.interaction_token is not None
        and job.token_expires_at is not None
        and discord.utils.utcnow() < job.token_expires_at
    )


def _content_of(path: Path) -> bytes | None:
    """Return a file's bytes; None if it was deleted with its job."""
    try:
        return path.read_bytes()
    except OSError:
        return None


def _is_temporary(error: Exception) -> bool:
    """Return whether a retry can help."""
    return not isinstance(error, discord.HTTPException) or error.status == 429 or error.status >= 500


def _reason(error: Exception) -> str:
    """Return a reason for the log, without the text of the answer."""
    if isinstance(error, discord.HTTPException):
        return f"HTTP {error.status}, code {error.code}"
    return type(error).__name__


def _nonce(job: JobRecord) -> str:
    """Return the job's nonce, at most 25 characters: for a few minutes, Discord refuses a second message with it."""
    return hashlib.sha256(job.id.encode()).hexdigest()[:25]
