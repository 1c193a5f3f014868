"""Errors become sentences: known ones as they are, others as an apology with a reference that the log has too."""

import re
from typing import Any
from unittest.mock import create_autospec

import aiohttp
import discord
import pytest
from discord import app_commands
from simcord.actors import MemberActor
from simcord.builders import ChannelHandle
from structlog.testing import capture_logs

from cogs.client import Barkeep
from cogs.ui.errors import as_barkeep, token_is_gone
from errors import KINDS, BarkeepError, NotAllowed, Unavailable
from studio.studio import Studio
from tests.cogs.replies import answer, refusal
from tests.cogs.test_interactions import interaction
from tests.conftest import reset_logs


def response(status: int) -> Any:
    """What discord.py reads of an HTTP response."""
    return create_autospec(aiohttp.ClientResponse, instance=True, status=status, reason="for a test")


def http_error(status: int, code: int = 0) -> discord.HTTPException:
    return discord.HTTPException(response(status), {"code": code, "message": "m"})


@app_commands.command(name="some")
async def some(_: discord.Interaction) -> None:
    """A command."""


@pytest.mark.parametrize("kind", KINDS.values())
def test_expected_errors_are_found_behind_discords(kind: type[BarkeepError]) -> None:
    error = kind("A sentence.")
    assert as_barkeep(error) is error
    assert as_barkeep(app_commands.CommandInvokeError(some, error)) is error


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_trouble_of_discord_is_unavailable(status: int) -> None:
    assert isinstance(as_barkeep(http_error(status)), Unavailable)


def test_missing_permissions_of_the_bot_are_named() -> None:
    assert "permissions" in as_barkeep(http_error(403, 50013)).message  # type: ignore[union-attr]  # None fails too


def test_checks_and_changed_commands_have_sentences() -> None:
    assert isinstance(as_barkeep(app_commands.NoPrivateMessage()), NotAllowed)
    assert isinstance(as_barkeep(app_commands.CheckFailure("no")), NotAllowed)
    assert isinstance(as_barkeep(app_commands.CommandNotFound("old", [])), Unavailable)
    assert isinstance(as_barkeep(app_commands.CommandSignatureMismatch(some)), Unavailable)


@pytest.mark.parametrize("error", [ValueError("x"), http_error(400), KeyError("y")])
def test_other_errors_are_unknown(error: Exception) -> None:
    assert as_barkeep(error) is None


@pytest.mark.parametrize(
    ("error", "gone"),
    [
        (http_error(401, 50027), True),
        (http_error(404, 10062), True),
        (http_error(404, 10015), True),
        (http_error(400, 40060), True),
        (http_error(404, 10008), False),
        (http_error(500), False),
        (ValueError(), False),
    ],
)
def test_a_gone_interaction_is_recognised(error: Exception, gone: bool) -> None:
    assert token_is_gone(error) is gone
    if isinstance(error, discord.HTTPException):
        assert token_is_gone(app_commands.CommandInvokeError(some, error)) is gone


async def test_an_unknown_error_is_an_apology_with_a_reference_in_the_log(
    bot: Barkeep,
    channel: ChannelHandle,
    member: MemberActor,
    studio: Studio,
    monkeypatch: pytest.MonkeyPatch,
    env: Any,
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("password=hunter2")

    monkeypatch.setattr(studio.speech, "submit", broken)
    reset_logs()
    with capture_logs() as lines:
        told = refusal(await member.slash(channel, "say", text="Hello."))
    assert "hunter2" not in told
    reference = re.search(r"[0-9a-f]{8}", told)
    assert reference is not None
    assert any(line.get("reference") == reference[0] and line.get("exc_info") for line in lines)
    assert len(env.errors) == 1


async def test_a_error_that_cannot_be_told_is_not_a_second_error(
    env: Any, channel: ChannelHandle, member: MemberActor
) -> None:
    env.inject_error("*", "/webhooks/*", status=500, times=None)
    shown = await member.slash(channel, "say", text="Hello.", voice="Nobody")
    assert shown.followups == []


async def test_a_refusal_is_told_if_the_waiting_message_was_deleted(
    env: Any, channel: ChannelHandle, member: MemberActor
) -> None:
    env.inject_error("PATCH", "/webhooks/*/messages/@original", status=404, code=10008, times=None)
    shown = await member.slash(channel, "say", text="Hello.", voice="Nobody")
    assert "such voice" in answer(shown).content


@pytest.mark.parametrize("failure", [aiohttp.ClientConnectionError(), TimeoutError(), OSError()])
async def test_a_network_that_fails_while_an_error_is_told_is_not_a_second_error(
    bot: Barkeep, failure: Exception
) -> None:
    asked = interaction()
    asked.response = create_autospec(discord.InteractionResponse, instance=True)
    asked.response.is_done.return_value = False
    asked.response.send_message.side_effect = failure
    await bot.tree.on_error(asked, app_commands.CommandInvokeError(some, NotAllowed("Not here.")))
    asked.response.send_message.assert_awaited_once()


async def test_the_sentence_of_a_error_mentions_nobody(bot: Barkeep) -> None:
    asked = interaction()
    asked.response = create_autospec(discord.InteractionResponse, instance=True)
    asked.response.is_done.return_value = False
    await bot.tree.on_error(asked, app_commands.CommandInvokeError(some, NotAllowed("Ask @everyone.")))
    text = asked.response.send_message.call_args.args[0]
    assert "@everyone" not in text
    assert asked.response.send_message.call_args.kwargs["ephemeral"]
