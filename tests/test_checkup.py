"""What `bot.py --check` reports."""

import errno
import importlib.util
import socket
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from unittest.mock import AsyncMock

import aiohttp
import pytest
from discord.http import HTTPClient

import bot
from checkup import Exit
from cloning.checkpoints.published import BUNDLED_DIRECTORY
from tests.test_bot import SECRET, with_token

pytestmark = pytest.mark.usefixtures("own_process")


@pytest.mark.parametrize(
    ("flags", "code", "words"),
    [(1 << 18, Exit.FINE, "fine"), (1 << 19, Exit.FINE, "fine"), (0, Exit.SETTINGS, "Message Content Intent")],
)
def test_check_asks_discord_whether_messages_may_be_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], flags: int, code: Exit, words: str
) -> None:
    user = {"id": "123", "username": "barkeep", "discriminator": "0", "avatar": None}
    texts = dict.fromkeys(("name", "description", "verify_key"), "")
    rights = {"bot_public": True, "bot_require_code_grant": False}
    application = {"id": "123", "icon": None, "owner": user, "flags": flags, **texts, **rights}
    monkeypatch.setattr(HTTPClient, "static_login", AsyncMock(spec=HTTPClient.static_login, return_value=user))
    monkeypatch.setattr(
        HTTPClient, "application_info", AsyncMock(spec=HTTPClient.application_info, return_value=application)
    )
    monkeypatch.setenv("DISCORD_TOKEN", SECRET)
    monkeypatch.setenv("READ_MESSAGES", "true")
    assert bot.main(["--check"]) == code
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Messages: ")]
    assert words in line


def test_check_without_a_way_to_discord(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with_token(monkeypatch, aiohttp.ClientConnectionError("Cannot connect to host discord.com:443"))
    monkeypatch.setenv("READ_MESSAGES", "true")
    assert bot.main(["--check"]) == Exit.NETWORK
    assert "Messages: Discord cannot be reached" in capsys.readouterr().out


def test_check_asks_nothing_of_discord_where_messages_are_not_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_token(monkeypatch, RuntimeError("never reached"))
    assert bot.main(["--check"]) == Exit.FINE
    assert "Messages" not in capsys.readouterr().out


def test_check_says_what_it_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bot.main(["--check"]) == Exit.FINE
    settings, token, channels, consent, database, models = capsys.readouterr().out.splitlines()
    assert str(tmp_path / "data") in settings
    assert "simulator" in token
    assert channels == "Voice channels: fine, the libraries are installed."
    assert consent == "Spoken consent: fine, the recogniser is installed."
    assert database == "Database (sqlite): fine, 0 servers known."
    assert "bundled" in models


@pytest.mark.parametrize(
    ("missing", "named"), [(["davey"], "davey"), (["nacl"], "PyNaCl"), (["davey", "nacl"], "davey and PyNaCl")]
)
def test_check_names_the_libraries_that_voice_channels_lack(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], missing: list[str], named: str
) -> None:
    for module in [name for name in sys.modules if name.partition(".")[0] in missing]:
        monkeypatch.delitem(sys.modules, module)
    for module in missing:
        monkeypatch.setitem(sys.modules, module, None)
    assert bot.main(["--check"]) == Exit.FINE, "the rest of the bot works"
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Voice channels: ")]
    assert f"without {named};" in line
    assert 'pip install "discord.py[voice]"' in line


@pytest.mark.parametrize(("chosen", "code"), [("checkbox", Exit.FINE), ("spoken", Exit.SETTINGS)])
def test_spoken_consent_needs_its_recogniser(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], chosen: str, code: Exit
) -> None:
    monkeypatch.setattr("cloning.consent.packages.languages", lambda: ())
    monkeypatch.setenv("CONSENT", chosen)
    assert bot.main(["--check"]) == code
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Spoken consent: ")]
    assert "make consent" in line


def test_check_with_a_token_does_not_tell_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", SECRET)
    assert bot.main(["--check"]) == Exit.FINE
    output = capsys.readouterr()
    assert "Token: set." in output.out
    assert SECRET not in output.out + output.err


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("DATABASE_URL", "carrier-pigeon://coop", Exit.STORAGE),
        ("MODEL", "/no/such/model", Exit.MODELS),
        ("QUANTIZER", "/no/such/quantizer.pth", Exit.MODELS),
    ],
)
def test_check_names_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str, code: Exit
) -> None:
    monkeypatch.setenv(name, value)
    assert bot.main(["--check"]) == code
    assert "fine" in capsys.readouterr().out


def test_check_of_a_file_store_that_is_away(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("FILES", "s3://barkeep/production")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    assert bot.main(["--check"]) == Exit.STORAGE
    output = capsys.readouterr()
    assert "Files: The file store s3://barkeep/production at http://127.0.0.1:9 cannot be used" in output.out
    assert SECRET not in output.out + output.err


def test_check_without_a_folder_for_temporary_files(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def nowhere() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr("cloning.atomic_files.tempfile.gettempdir", nowhere)
    assert bot.main(["--check"]) == Exit.MODELS
    assert "Models (bundled): There is no writable folder for temporary files" in capsys.readouterr().out


def test_check_of_a_quantizer_that_is_none(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    codebook = BUNDLED_DIRECTORY / "codebook.safetensors"
    monkeypatch.setenv("QUANTIZER", str(codebook))
    assert bot.main(["--check"]) == Exit.MODELS
    output = capsys.readouterr().out
    assert str(codebook) in output
    assert "Models (bundled): found" not in output


@pytest.mark.parametrize(("offline", "code"), [("false", Exit.FINE), ("true", Exit.MODELS)])
def test_check_of_a_model_that_is_not_there_yet(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], offline: str, code: Exit
) -> None:
    monkeypatch.setenv("MODEL", "suno/bark-small")
    monkeypatch.setenv("OFFLINE", offline)
    assert bot.main(["--check"]) == code
    assert "not complete" in capsys.readouterr().out


def test_check_of_a_directory_whose_hubert_is_not_there_yet(
    stand_in: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MODEL", str(stand_in / "bark"))
    assert bot.main(["--check"]) == Exit.FINE
    assert "the first start downloads the rest" in capsys.readouterr().out


@pytest.mark.parametrize(("name", "value"), [("DEVICE", "cuda:99"), ("QUANTIZER", "/no/such/quantizer.pth")])
def test_check_of_a_model_that_is_not_there_yet_still_names_other_errors(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    monkeypatch.setenv("MODEL", "suno/bark-small")
    monkeypatch.setenv(name, value)
    assert bot.main(["--check"]) == Exit.MODELS
    assert value in capsys.readouterr().out


@pytest.mark.parametrize(
    ("installed", "token", "listens", "code", "words"),
    [
        (False, "word", True, Exit.SETTINGS, "make setup EXTRAS=ray"),
        (True, "", True, Exit.SETTINGS, "RAY_AUTH_MODE=token"),
        (True, "word", False, Exit.NETWORK, "nothing answers at 127.0.0.1:"),
        (True, "word", True, Exit.FINE, "fine, something listens"),
    ],
)
def test_check_looks_at_the_cluster(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    installed: bool,
    token: str,
    listens: bool,
    code: Exit,
    words: str,
) -> None:
    find = importlib.util.find_spec

    def found(name: str, package: str | None = None) -> ModuleSpec | None:
        if name != "ray":
            return find(name, package)
        return ModuleSpec("ray", None) if installed else None

    monkeypatch.setattr("importlib.util.find_spec", found)
    monkeypatch.setenv("EXECUTOR", "ray")
    monkeypatch.setenv("RAY_AUTH_TOKEN", token)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1] if listens else 1
        monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{port}")
        assert bot.main(["--check"]) == code
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Cluster: ")]
    assert words in line


@pytest.mark.parametrize(("name", "value"), [("DEVICE", "cuda"), ("OFFLINE", "true")])
def test_with_a_cluster_this_machine_needs_no_models_and_no_gpu(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)  # first: it imports torch, which looks for packages
    monkeypatch.setattr("importlib.util.find_spec", lambda name, package=None: ModuleSpec(name, None))
    monkeypatch.setenv("EXECUTOR", "ray")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "word")
    monkeypatch.setenv("MODEL", "suno/bark-small")
    monkeypatch.setenv("MODEL_CACHE", str(tmp_path / "empty"))
    monkeypatch.setenv(name, value)
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{server.getsockname()[1]}")
        assert bot.main(["--check"]) == Exit.FINE
    said = capsys.readouterr().out
    assert "Models (suno/bark-small): each speech node has its own" in said


def test_a_bot_without_ray_does_not_start_with_ray(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name, package=None: None)
    monkeypatch.setenv("EXECUTOR", "ray")
    assert bot.main(["--simulate"]) == Exit.SETTINGS
    assert "EXECUTOR=ray needs Ray" in capsys.readouterr().out
