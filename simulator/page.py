"""The web page of a live environment, which updates by itself when the bot does something.

simcord's preview updates only after an action on the page. Here every change is published, and a form can open that
answers an action made elsewhere. Names with a leading underscore are private to simcord, as in live.py.
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
from simulator.page_server import PageServer, VoiceView

NAMING = ("embed_description", "embed_field_value")
"""Places where Discord shows the name of a mentioned member or command and simcord would show its id."""
REPUBLISH = 0.2
"""The minimum time between two publications, in seconds; an open page polls twice a second."""

logger = logging.getLogger(__name__)


@asynccontextmanager
async def live_page(
    env: LiveEnv,
    channel: ChannelHandle,
    viewers: Sequence[MemberActor],
    *,
    voice: VoiceView | None = None,
    port: int = 0,
) -> AsyncIterator[Preview]:
    """Serve `channel` on 127.0.0.1 and keep its pages up to date. `port` 0 takes a free one.

    `voice`: the voice channel that the page shows.
    Raises simcord.SetupError if the port is taken.
    """
    for place in NAMING:
        _FIELD_POLICIES[place]["mentions"] = _FIELD_POLICIES[place]["commands"] = True
    page = env.preview(channel, viewers=viewers, layout="channel", port=port or None)
    page._server = PageServer(page, port, voice)
    async with page as preview:
        publishing = asyncio.create_task(_Publisher(env, preview).run())
        try:
            yield preview
        finally:
            publishing.cancel()


def show_modal(env: LiveEnv, result: simcord.InteractionResult) -> None:
    """Open the modal that answers an action made outside the page, on the pages of the member who acted."""
    if env._preview is None or result.modal is None:
        return
    for page in env._preview._pages.values():
        if page.viewer.id == result._interaction.user_id:
            page.modal = result
            page.modal_handle = f"m_live_{result._interaction.id}"
    env.changed.set()


class _Publisher:
    """Publishes changes to all open pages and scrolls each page to the replies to its viewer's commands."""

    def __init__(self, env: LiveEnv, preview: Preview) -> None:
        self._env = env
        self._preview = preview
        self._newest: dict[str, int] = {}

    async def run(self) -> None:
        """Publish after every change, until cancelled."""
        while True:
            await self._env.changed.wait()
            await asyncio.sleep(REPUBLISH)
            self._env.changed.clear()
            try:
                self._publish()
            except Exception:
                logger.exception("A page could not be brought up to date")

    def _publish(self) -> None:
        """Publish without changing a page's revision, so that an action that its viewer prepares stays valid."""
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
    """Return the id of the member whose interaction a message answers, or None."""
    user = (message.interaction_metadata or {}).get("user") or {}
    return int(user["id"]) if "id" in user else None
