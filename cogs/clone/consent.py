"""Consent requests to a message's author: Allow and Deny.

The buttons work in direct messages, after a restart, and for an author who has left the server.
"""

import contextlib
from typing import Any

import discord
import structlog

from cogs.clone.spoken import SayIt, render_sentence
from cogs.clone.take_back import TakeBack
from cogs.ui import ids
from cogs.ui.base import guarded, persistent_view
from cogs.ui.errors import NETWORK_ERRORS
from cogs.ui.ids import FromId
from cogs.ui.render import render_plain_question, render_question, render_refusal, render_verdict
from cogs.ui.replies import NOBODY, replace_question
from errors import Conflict, Unavailable
from storage.consent_records import ConsentRequest, ConsentState
from storage.consents import REFUSED

log = structlog.get_logger(__name__)

Interaction = discord.Interaction[Any]
_ALLOW, _DENY, _RENEW = "allow", "deny", "renew"
_LABELS_AND_STYLES = {
    _ALLOW: ("Allow", discord.ButtonStyle.success),
    _DENY: ("Deny", discord.ButtonStyle.danger),
    _RENEW: ("New sentence", discord.ButtonStyle.secondary),
}


class ConsentButton(
    FromId,
    discord.ui.DynamicItem[discord.ui.Button[discord.ui.View]],
    template=f"consent:(?P<verdict>allow|deny|renew):{ids.text('request')}",
):
    """Allow, Deny, or another sentence. Only the author can use it; the studio checks that."""

    def __init__(self, verdict: str, request: str) -> None:
        label, style = _LABELS_AND_STYLES[verdict]
        super().__init__(discord.ui.Button(label=label, style=style, custom_id=f"consent:{verdict}:{request}"))
        self.verdict = verdict
        self.request_id = request

    @guarded
    async def callback(self, interaction: Interaction) -> None:
        """Store the answer, and show it in place of the buttons; also one that was given before or taken back since."""
        await interaction.response.defer()
        try:
            await self._answer(interaction)
        except Conflict:
            request = await interaction.client.studio.clone_requests.question(self.request_id, interaction.user.id)
            if request.state not in (ConsentState.ALLOWED, *REFUSED):
                raise
            await _show(interaction, request)

    async def _answer(self, interaction: Interaction) -> None:
        """Store the answer, and tell the requester about a no.

        A yes shows itself as a new voice. Where consent is spoken, the author gets a sentence to say instead. Raises
        what the studio raises.
        """
        studio = interaction.client.studio
        allow = self.verdict != _DENY
        asked = await studio.spoken.ask_author(self.request_id, interaction.user.id) if allow else None
        if asked is not None:
            sentence = render_sentence(asked, interaction.locale, studio.spoken.languages)
            view = persistent_view(SayIt(asked.id), ConsentButton(_RENEW, asked.id), ConsentButton(_DENY, asked.id))
            await interaction.edit_original_response(embed=sentence, view=view, allowed_mentions=NOBODY)
            return
        if self.verdict == _RENEW:  # which is no yes
            request = await studio.clone_requests.question(self.request_id, interaction.user.id)
            plain = render_plain_question(request)
            await interaction.edit_original_response(embed=plain, view=question_view(request), allowed_mentions=NOBODY)
            return
        request, _ = await studio.clone_requests.answer(self.request_id, interaction.user.id, allow)
        await _show(interaction, request)
        if request.state is not ConsentState.ALLOWED:
            with contextlib.suppress(discord.HTTPException, *NETWORK_ERRORS):
                requester = await _user(interaction.client, request.requester_id)
                await requester.send(render_refusal(request), allowed_mentions=NOBODY)


async def _show(interaction: Interaction, request: ConsentRequest) -> None:
    """Replace the question by its answer."""
    view = persistent_view(TakeBack(request.id)) if request.state is ConsentState.ALLOWED else None
    await replace_question(interaction, render_verdict(request), view)


def question_view(request: ConsentRequest) -> discord.ui.View:
    """Return the buttons of a consent request."""
    return persistent_view(ConsentButton(_ALLOW, request.id), ConsentButton(_DENY, request.id))


async def ask_by_message(request: ConsentRequest, message: discord.Message, requester: discord.abc.User) -> None:
    """Ask the author by direct message, else by a reply to their message that does not ping.

    Raises Unavailable if neither is possible.
    """
    embed = render_question(request, message.jump_url, requester.display_name, _server_of(message))
    view = question_view(request)
    try:
        await message.author.send(embed=embed, view=view, allowed_mentions=NOBODY)
    except NETWORK_ERRORS as error:
        raise Unavailable(_NOT_REACHED) from error
    except discord.HTTPException as error:
        log.info("author_not_reached_directly", request_id=request.id, status=error.status, code=error.code)
    else:
        return
    try:
        await message.reply(embed=embed, view=view, mention_author=False, allowed_mentions=NOBODY)
    except NETWORK_ERRORS as error:
        raise Unavailable(_NOT_REACHED) from error
    except discord.HTTPException as error:
        log.info("author_not_reached", request_id=request.id, status=error.status, code=error.code)
        raise Unavailable(
            "I could not reach the author: their direct messages are closed, and I can't write here. "
            "Ask them to run /clone themselves."
        ) from error


_NOT_REACHED = (
    "Discord cannot be reached right now, so nobody was asked and nothing was stored. Please try again in a minute."
)


async def _user(client: discord.Client, user_id: int) -> discord.User:
    return client.get_user(user_id) or await client.fetch_user(user_id)


def _server_of(message: discord.Message) -> str:
    return message.guild.name if message.guild is not None else "this server"
