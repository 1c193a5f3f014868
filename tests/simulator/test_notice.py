"""The word about the small model: for the bundled one, and for no other; and what the log leaves out."""

import logging

import pytest

from simulator.notice import NOTICE, model_notice


def test_only_the_bundled_model_needs_a_word() -> None:
    assert model_notice("bundled") == NOTICE
    assert model_notice("suno/bark-small") is None
    assert model_notice("models/bundled") is None


def test_the_log_does_not_tell_of_a_login_that_there_is_none(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("discord.client")
    with caplog.at_level(logging.INFO, "discord.client"):
        log.info("logging in using static token")
        log.info("something else")
    assert [record.getMessage() for record in caplog.records] == ["something else"]
