"""The question to a message's author whether their voice may be cloned, and its Allow and Deny buttons."""

import contextlib
import re
from typing import Any, Self

import discord
import structlog

from cogs.ui.base import guarded, persistent_view
from cogs.ui.render import render_question, render_refusal, render_verdict
from errors import Unavailable
from storage.records import ConsentRequest, ConsentState

log = structlog.get_logger(__name__)

Interaction = discord.Interaction[Any]
_NOBODY = discord.AllowedMentions.none()
_LOOKS = {"allow": ("Allow", discord.ButtonStyle.success), "deny": ("Deny", discord.ButtonStyle.danger)}


class ConsentButton(
    discord.ui.DynamicItem[discord.ui.Button[discord.ui.View]],
    template=r"consent:(?P<verdict>allow|deny):(?P<request>[\w-]{1,64})",
):
    """Allow or Deny. Only the author's press counts; the studio checks that."""

    def __init__(self, verdict: str, request_id: str) -> None:
        label, style = _LOOKS[verdict]
        super().__init__(discord.ui.Button(label=label, style=style, custom_id=f"consent:{verdict}:{request_id}"))
        self.allow = verdict == "allow"
        self.request_id = request_id

    @classmethod
    async def from_custom_id(cls, _: Interaction, _item: discord.ui.Item[Any], match: re.Match[str], /) -> Self:
        """The button of a message that may be older than this process."""
        return cls(match["verdict"], match["request"])

    @guarded
    async def callback(self, interaction: Interaction) -> None:
        """Decide, take the buttons away, and tell the requester about a no (a yes shows itself as a voice)."""
        await interaction.response.defer()
        clones = interaction.client.studio.clones
        request, _ = await clones.answer(self.request_id, interaction.user.id, self.allow)
        await interaction.edit_original_response(
            content=render_verdict(request), embed=None, view=None, allowed_mentions=_NOBODY
        )
        if request.state is ConsentState.DENIED:
            with contextlib.suppress(discord.HTTPException):
                requester = await _user(interaction.client, request.requester_id)
                await requester.send(render_refusal(request), allowed_mentions=_NOBODY)


def question_view(request: ConsentRequest) -> discord.ui.View:
    """The buttons under a question."""
    return persistent_view(ConsentButton("allow", request.id), ConsentButton("deny", request.id))


async def ask_by_message(request: ConsentRequest, message: discord.Message, requester: discord.abc.User) -> None:
    """Ask the author directly, else by a reply to their message that does not ping.

    Raises Unavailable if neither is possible.
    """
    embed = render_question(request, message.jump_url, requester.display_name, _server_of(message))
    view = question_view(request)
    try:
        await message.author.send(embed=embed, view=view, allowed_mentions=_NOBODY)
    except discord.HTTPException as fault:
        log.info("author_not_reached_directly", request_id=request.id, status=fault.status, code=fault.code)
    else:
        return
    try:
        await message.reply(embed=embed, view=view, mention_author=False, allowed_mentions=_NOBODY)
    except discord.HTTPException as fault:
        log.info("author_not_reached", request_id=request.id, status=fault.status, code=fault.code)
        raise Unavailable(
            "I could not reach the author: their direct messages are closed, and I may not write here. "
            "Ask them to run /clone themselves."
        ) from fault


async def _user(client: discord.Client, user_id: int) -> discord.User:
    return client.get_user(user_id) or await client.fetch_user(user_id)


def _server_of(message: discord.Message) -> str:
    return message.guild.name if message.guild is not None else "this server"
