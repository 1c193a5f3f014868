"""The front door: what is made, what it says when it cannot start, and how it stops."""

import asyncio
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import AsyncMock

import aiohttp
import discord
import pytest
from discord.http import HTTPClient

import bot
from assembly import create_bot
from checkup import Exit
from cogs.client import Barkeep
from errors import Conflict, Unavailable
from settings import Settings
from storage.database import Storage

SECRET = "MTIz.not-a-real.token"  # noqa: S105 (it is none)


pytestmark = pytest.mark.usefixtures("own_process")


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port on 127.0.0.1 that somebody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def with_token(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """A bot with a token, which Discord answers with `error`."""
    monkeypatch.setenv("DISCORD_TOKEN", SECRET)
    monkeypatch.setattr(HTTPClient, "static_login", AsyncMock(spec=HTTPClient.static_login, side_effect=error))


def test_create_bot_opens_nothing(tmp_path: Path) -> None:
    made = create_bot(Settings(data_dir=tmp_path / "data"))
    assert isinstance(made, Barkeep)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("read", [True, False])
def test_messages_are_asked_for_only_if_they_are_to_be_read(tmp_path: Path, read: bool) -> None:
    made = create_bot(Settings(data_dir=tmp_path / "data", read_messages=read))
    assert (made.intents.message_content, made.intents.guild_messages) == (read, read)


def test_windows_is_told_in_a_sentence() -> None:
    program = (
        "import sys, asyncio, aiohttp, discord, pydantic, pydantic_settings, structlog;"
        "sys.platform = 'win32'; sys.modules['fcntl'] = None; import bot"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=Path(bot.__file__).parent, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Barkeep runs on Linux and macOS")
    assert "Traceback" not in done.stderr


def test_settings_that_cannot_be_used_are_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HEALTH_PORT", "a lot")
    monkeypatch.setenv("LOG_LEVEL", "LOUD")
    assert bot.main([]) == Exit.SETTINGS
    said = capsys.readouterr().out
    assert "HEALTH_PORT, LOG_LEVEL" in said
    assert "a lot" not in said


def test_a_settings_file_that_is_no_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".env").write_bytes(b"\x80\x81=\xff")
    monkeypatch.setitem(Settings.model_config, "env_file", tmp_path / ".env")
    assert bot.main([]) == Exit.SETTINGS
    assert capsys.readouterr().out.startswith("The file .env cannot be read.")


def test_a_refused_token(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with_token(monkeypatch, discord.LoginFailure("Improper token has been passed."))
    assert bot.main([]) == Exit.TOKEN
    output = capsys.readouterr()
    assert "DISCORD_TOKEN" in output.out
    assert "Improper" not in output.out
    assert SECRET not in output.out + output.err


@pytest.mark.parametrize(
    "token", ["0123456789abcdef0123456789abcdef", f"Bot {SECRET}", f"{SECRET}.more", "x.y.z", "é.b.c"]
)
def test_what_is_no_token_is_noticed_before_discord_is_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], token: str
) -> None:
    login = AsyncMock(spec=HTTPClient.static_login)
    monkeypatch.setattr(HTTPClient, "static_login", login)
    monkeypatch.setenv("DISCORD_TOKEN", token)
    for arguments in ([], ["--check"]):
        assert bot.main(arguments) == Exit.TOKEN
        output = capsys.readouterr()
        assert "three parts" in output.out
        assert token not in output.out + output.err
    login.assert_not_called()


def test_messages_that_discord_does_not_let_the_bot_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_token(monkeypatch, discord.PrivilegedIntentsRequired(None))
    monkeypatch.setenv("READ_MESSAGES", "true")
    assert bot.main([]) == Exit.SETTINGS
    assert "Message Content Intent" in capsys.readouterr().out


def test_no_way_to_discord(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with_token(monkeypatch, aiohttp.ClientConnectionError("Cannot connect to host discord.com:443"))
    assert bot.main([]) == Exit.NETWORK
    assert "cannot be reached" in capsys.readouterr().out


def test_data_of_another_application(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with_token(monkeypatch, Conflict("The database belongs to another Discord application."))
    assert bot.main([]) == Exit.STORAGE
    assert capsys.readouterr().out == "The database belongs to another Discord application.\n"


def test_a_error_nobody_expected_keeps_its_text_for_the_log(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_token(monkeypatch, RuntimeError(f"odd, with {SECRET}"))
    assert bot.main([]) == Exit.UNEXPECTED
    output = capsys.readouterr()
    assert "odd" not in output.out
    assert "RuntimeError: odd" in output.err
    assert SECRET not in output.err


def test_a_health_port_that_is_taken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], taken_port: int
) -> None:
    with_token(monkeypatch, RuntimeError("never reached"))
    monkeypatch.setenv("HEALTH_PORT", str(taken_port))
    assert bot.main([]) == Exit.PORT
    assert "HEALTH_PORT" in capsys.readouterr().out


def test_a_simulator_port_that_is_taken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], taken_port: int
) -> None:
    monkeypatch.setenv("SIMULATOR_PORT", str(taken_port))
    assert bot.main([]) == Exit.PORT
    assert "SIMULATOR_PORT" in capsys.readouterr().out


def test_a_database_that_cannot_be_opened(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(Storage, "open", AsyncMock(spec=Storage.open, side_effect=Unavailable("The disk is gone.")))
    assert bot.main(["--simulate"]) == Exit.STORAGE
    assert "The disk is gone." in capsys.readouterr().out


def test_the_simulator_closes_the_data_folder_that_it_has_a_part_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir(0o755)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(Storage, "open", AsyncMock(spec=Storage.open, side_effect=Unavailable("The disk is gone.")))
    assert bot.main(["--simulate"]) == Exit.STORAGE
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_connection_and_closes_the_bot(
    monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    closed: list[Barkeep] = []
    ended = asyncio.Event()

    async def start(self: Barkeep, token: str) -> None:
        assert token == SECRET
        os.kill(os.getpid(), number)
        await ended.wait()

    async def close(self: Barkeep) -> None:
        closed.append(self)
        ended.set()

    monkeypatch.setenv("DISCORD_TOKEN", SECRET)
    monkeypatch.setattr(Barkeep, "start", start)
    monkeypatch.setattr(Barkeep, "close", close)
    assert bot.main([]) == Exit.FINE
    assert closed


def test_a_signal_ends_a_login_that_hangs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    async def hang(self: HTTPClient, token: str) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.Event().wait()

    monkeypatch.setenv("DISCORD_TOKEN", SECRET)
    monkeypatch.setattr(HTTPClient, "static_login", hang)
    assert bot.main([]) == Exit.FINE
    assert "close_took_too_long" not in capsys.readouterr().err


def test_a_bot_that_does_not_close_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def start(self: Barkeep, token: str) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.Event().wait()

    async def close(self: Barkeep) -> None:
        await asyncio.Event().wait()

    monkeypatch.setenv("DISCORD_TOKEN", SECRET)
    monkeypatch.setattr(bot, "CLOSE_SECONDS", 0.1)
    monkeypatch.setattr(Barkeep, "start", start)
    monkeypatch.setattr(Barkeep, "close", close)
    assert bot.main([]) == Exit.FINE
    assert "close_took_too_long" in capsys.readouterr().err


def test_the_bot_does_not_start_where_spoken_consent_is_not_recognised(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("cloning.consent.packages.languages", lambda: ())
    monkeypatch.setenv("CONSENT", "spoken")
    assert bot.main(["--simulate"]) == Exit.SETTINGS
    assert capsys.readouterr().out.endswith("Install it with `make consent`, or set CONSENT=checkbox.\n")


_INTERRUPTED = """
import importlib.abc, os, runpy, signal, sys

class Interrupt(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == sys.argv[2]:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
runpy.run_path(sys.argv[1], run_name="__main__")
"""


@pytest.mark.parametrize(
    ("program", "module"),
    [
        ("bot.py", "structlog"),
        ("simulator/demo.py", "structlog"),
        ("cloning/__main__.py", "typer"),
        ("training/__main__.py", "numpy"),
    ],
)
def test_ctrl_c_while_modules_are_imported_prints_nothing(program: str, module: str) -> None:
    root = Path(bot.__file__).parent
    ended = subprocess.run(
        [sys.executable, "-c", _INTERRUPTED, program, module], cwd=root, env={"PYTHONPATH": str(root)},
        capture_output=True, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout, ended.stderr) == (-signal.SIGINT, b"", b"")
