"""The page on which people use a live environment: it shows by itself what the bot does in its own time.

simcord's preview publishes after an action that was made on it. Here every change is published, and a form may open
that answers an action made elsewhere. Names with a leading underscore are simcord's private ones, as in live.py.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import simcord
from simcord import ChannelHandle, MemberActor
from simcord.backend.models import Message
from simcord.preview import Preview
from simcord.preview._markdown import _FIELD_POLICIES
from simcord.preview._pages import _Page

from simulator.live import LiveEnv
from simulator.page_server import PageServer

NAMING = ("embed_description", "embed_field_value")
"""Where Discord shows the name of a member or command that is mentioned and simcord would show its number."""
REPUBLISH = 0.2
"""Seconds between two publications at most; an open page asks twice a second."""

logger = logging.getLogger(__name__)


@asynccontextmanager
async def live_page(
    env: LiveEnv, channel: ChannelHandle, viewers: Sequence[MemberActor], *, port: int = 0
) -> AsyncIterator[Preview]:
    """Serve `channel` on 127.0.0.1 and keep its pages up to date. `port` 0 takes a free one.

    Raises simcord.SetupError if the port is taken.
    """
    for place in NAMING:
        _FIELD_POLICIES[place]["mentions"] = _FIELD_POLICIES[place]["commands"] = True
    page = env.preview(channel, viewers=viewers, layout="channel", port=port or None)
    page._server = PageServer(page, port)
    async with page as preview:
        publishing = asyncio.create_task(_Publisher(env, preview).run())
        try:
            yield preview
        finally:
            publishing.cancel()


def show_modal(env: LiveEnv, result: simcord.InteractionResult) -> None:
    """Open the modal that answered an action which was not made on the page, on the pages of whoever acted."""
    if env._preview is None or result.modal is None:
        return
    for page in env._preview._pages.values():
        if page.viewer.id == result._interaction.user_id:
            page.modal = result
            page.modal_handle = f"m_live_{result._interaction.id}"
    env.changed.set()


class _Publisher:
    """Shows what changed on all open pages, and turns each to what its viewer's own commands brought."""

    def __init__(self, env: LiveEnv, preview: Preview) -> None:
        self._env = env
        self._preview = preview
        self._newest: dict[str, int] = {}

    async def run(self) -> None:
        """Publish after every change, for ever."""
        while True:
            await self._env.changed.wait()
            await asyncio.sleep(REPUBLISH)
            self._env.changed.clear()
            try:
                self._publish()
            except Exception:
                logger.exception("A page could not be brought up to date")

    def _publish(self) -> None:
        """The revision of a page stays: an action that its viewer prepares remains valid."""
        self._preview._advance_presentation_time()
        for page in tuple(self._preview._pages.values()):
            self._turn(page)
            page.revision -= 1
            self._preview._publish(page, reason="refresh")

    def _turn(self, page: _Page) -> None:
        """Scroll to the newest message if the viewer caused it, as Discord does. New pages open at the newest."""
        messages = self._env.backend.messages.get(page.channel_id, {}).values()
        newest = max((each for each in messages if each.visible_to(page.viewer.id)), key=_id_of, default=None)
        if newest is None or newest.id == self._newest.get(page.id):
            return
        self._newest[page.id] = newest.id
        if page is self._preview._python or page.viewer.id in (newest.author_id, _asked_by(newest)):
            page.target_id = newest.id
            page.window_end_id = None


def _id_of(message: Message) -> int:
    return message.id


def _asked_by(message: Message) -> int | None:
    """Whose interaction a message answers."""
    user = (message.interaction_metadata or {}).get("user") or {}
    return int(user["id"]) if "id" in user else None
