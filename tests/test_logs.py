"""Log lines: one shape for structlog and the standard library, context in them, and no secrets in any."""

import io
import json
import logging
from collections.abc import Callable

import pytest
import structlog

import logs

HIDDEN = "MTA5.secret-token.value"
Lines = Callable[[], list[str]]


@pytest.fixture
def stream(own_process: None) -> io.StringIO:
    """Where the log goes."""
    return io.StringIO()


def test_both_kinds_of_logger_write_json_with_context(stream: io.StringIO) -> None:
    logs.configure("INFO", "json", stream=stream)
    with structlog.contextvars.bound_contextvars(job_id="j1", guild_id=7):
        structlog.get_logger("studio").info("job_ready", seconds=1.5)
        logging.getLogger("cloning.worker").warning("took %s tries", 2, extra={"attempt": 2})
    ours, theirs = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert (ours["event"], ours["job_id"], ours["seconds"], ours["level"]) == ("job_ready", "j1", 1.5, "info")
    assert (theirs["event"], theirs["job_id"], theirs["attempt"]) == ("took 2 tries", "j1", 2)
    assert theirs["logger"] == "cloning.worker"


def test_text_is_one_readable_line(stream: io.StringIO) -> None:
    logs.configure("INFO", "text", stream=stream)
    structlog.get_logger("studio").info("job_ready", job_id="j1")
    (line,) = stream.getvalue().splitlines()
    assert "job_ready" in line
    assert "job_id" in line
    assert "\x1b" not in line


def test_lines_below_the_level_are_left_out(stream: io.StringIO) -> None:
    logs.configure("WARNING", "text", stream=stream)
    structlog.get_logger("studio").info("quiet")
    logging.getLogger("studio").info("quiet")
    assert stream.getvalue() == ""


def test_libraries_do_not_show_payloads_at_debug(stream: io.StringIO) -> None:
    logs.configure("DEBUG", "text", stream=stream)
    logging.getLogger("discord.http").debug("payload")
    logging.getLogger("studio").debug("ours")
    assert "payload" not in stream.getvalue()
    assert "ours" in stream.getvalue()


@pytest.mark.parametrize("style", ["text", "json"])
def test_secrets_are_blotted_out_wherever_they_stand(stream: io.StringIO, style: str) -> None:
    logs.configure("INFO", "json" if style == "json" else "text", secrets=[HIDDEN], stream=stream)
    structlog.get_logger("x").info("login", token=HIDDEN)
    logging.getLogger("discord").warning("POST https://discord.com/api/v10/webhooks/123/aW50ZXJhY3Rpb24_x-Y failed")
    logging.getLogger("discord").warning("/interactions/99/abcDEF/callback and /webhooks/5/other?wait=1")
    try:
        raise ValueError(f"bad {HIDDEN}")
    except ValueError:
        structlog.get_logger("x").exception("error")
    text = stream.getvalue()
    for secret in (HIDDEN, "aW50ZXJhY3Rpb24_x-Y", "abcDEF", "other"):
        assert secret not in text
    assert "webhooks/123/" in text
    assert "ValueError" in text


def test_configuring_again_replaces_the_output(stream: io.StringIO) -> None:
    logs.configure("INFO", "text", stream=stream)
    second = io.StringIO()
    logs.configure("INFO", "text", stream=second)
    logging.getLogger("x").info("once")
    assert stream.getvalue() == ""
    assert second.getvalue().count("once") == 1
