"""Turns errors into private answers for the member who used a command, button or form."""

import secrets

import aiohttp
import discord
import structlog
from discord import app_commands

from cogs.ui.replies import UNKNOWN_MESSAGE, say_privately
from errors import BarkeepError, Conflict, NotAllowed, Unavailable

log = structlog.get_logger(__name__)

NETWORK_ERRORS = (aiohttp.ClientError, TimeoutError, OSError)
"""The errors of a request that Discord did not answer. An error response raises discord.HTTPException instead."""

_TOKEN_GONE = frozenset({10015, 10062, 40060, 50027})
"""Unknown webhook, unknown interaction, already acknowledged, invalid webhook token: no answer is possible."""


def as_barkeep(error: BaseException) -> BarkeepError | None:
    """Return the BarkeepError for an exception that discord.py caught, or None if it is unexpected."""
    if isinstance(error, app_commands.CommandInvokeError):
        error = error.original
    if isinstance(error, BarkeepError):
        return error
    if isinstance(error, (app_commands.NoPrivateMessage, app_commands.CheckFailure)):
        return NotAllowed("You can't use this command here.")
    if isinstance(error, (app_commands.CommandNotFound, app_commands.CommandSignatureMismatch)):
        return Unavailable("My commands were just updated. Please try again in a minute.")
    if isinstance(error, app_commands.TransformerError):
        return BarkeepError("I could not read one of the options. Please check what you typed.")
    if isinstance(error, discord.HTTPException) and (error.status == 429 or error.status >= 500):
        return Unavailable("Discord is having problems right now. Please try again in a minute.")
    if isinstance(error, discord.NotFound) and error.code == UNKNOWN_MESSAGE:
        return Conflict("That message has been deleted. Please use the command again to see how things are now.")
    if isinstance(error, discord.HTTPException) and error.status == 403:
        return NotAllowed("Discord does not let me do that here. Please ask a moderator to check my permissions.")
    return None


async def answer_error(
    interaction: discord.Interaction, error: BaseException, view: discord.ui.View = discord.utils.MISSING
) -> None:
    """Tell the member privately what went wrong. Never raises. `view`: buttons with what they can do about it.

    An unexpected error is logged with its traceback under a reference id, and the member gets that id.
    """
    if token_is_gone(error):
        log.info("interaction_gone", interaction_id=interaction.id)
        return
    known = as_barkeep(error)
    if known is not None:
        sentence = known.message
        log.info("refused", kind=type(known).__name__, interaction_id=interaction.id)
    else:
        reference = secrets.token_hex(4)
        sentence = (
            f"Sorry, something went wrong. If it keeps happening, give the bot's owner this reference: {reference}."
        )
        log.error("unknown_error", reference=reference, interaction_id=interaction.id, exc_info=error)
    try:
        await say_privately(interaction, sentence, view)
    except discord.HTTPException as failure:
        log.info("error_not_told", interaction_id=interaction.id, status=failure.status, code=failure.code)
    except NETWORK_ERRORS as failure:
        log.info("error_not_told", interaction_id=interaction.id, reason=type(failure).__name__)


def token_is_gone(error: BaseException) -> bool:
    """Return whether Discord refused because the interaction is over, so that no answer can reach it."""
    if isinstance(error, app_commands.CommandInvokeError):
        error = error.original
    return isinstance(error, discord.HTTPException) and (error.code in _TOKEN_GONE or error.status == 401)
