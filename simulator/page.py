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
from simcord.preview import Preview
from simcord.preview._markdown import _FIELD_POLICIES

from simulator.live import LiveEnv

NAMING = ("embed_description", "embed_field_value")
"""Where Discord shows the name of somebody mentioned and simcord would show their number."""
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
        _FIELD_POLICIES[place]["mentions"] = True
    async with env.preview(channel, viewers=viewers, layout="channel", port=port or None) as page:
        following = asyncio.create_task(_follow(env, page))
        try:
            yield page
        finally:
            following.cancel()


async def _follow(env: LiveEnv, preview: Preview) -> None:
    while True:
        await env.changed.wait()
        await asyncio.sleep(REPUBLISH)
        env.changed.clear()
        try:
            publish(preview)
        except Exception:
            logger.exception("A page could not be brought up to date")


def publish(preview: Preview) -> None:
    """Show the present state on all open pages. Their revision stays: an action in preparation remains valid."""
    preview._advance_presentation_time()
    for page in tuple(preview._pages.values()):
        page.revision -= 1
        preview._publish(page, reason="refresh")


def show_modal(env: LiveEnv, result: simcord.InteractionResult) -> None:
    """Open the modal that answered an action which was not made on the page, on the pages of whoever acted."""
    preview = env._preview
    if preview is None or result.modal is None:
        return
    for page in tuple(preview._pages.values()):
        if page.viewer.id == result._interaction.user_id:
            page.modal = result
            page.modal_handle = f"m_live_{result._interaction.id}"
    publish(preview)
