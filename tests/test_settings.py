"""The settings, and that .env.example tells the truth about them."""

from pathlib import Path

import pytest
from dotenv import dotenv_values
from pydantic import ValidationError

from settings import Settings

EXAMPLE = Path(__file__).parent.parent / ".env.example"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.delenv(name, raising=False)


def test_example_names_every_setting_and_no_other() -> None:
    assert {name.lower() for name in dotenv_values(EXAMPLE)} == set(Settings.model_fields)


def test_example_shows_the_defaults() -> None:
    assert Settings(_env_file=EXAMPLE) == Settings(_env_file=None)


def test_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("MODEL=suno/bark\nDEVICE=cpu\n", encoding="utf-8")
    monkeypatch.setenv("MODEL", "suno/bark-small")
    settings = Settings()
    assert (settings.model, settings.device) == ("suno/bark-small", "cpu")


@pytest.mark.parametrize("blank", ["", " "])
def test_blank_means_the_default(monkeypatch: pytest.MonkeyPatch, blank: str) -> None:
    for name in Settings.model_fields:
        monkeypatch.setenv(name.upper(), blank)
    assert Settings() == Settings.model_construct()


def test_blank_in_the_environment_hides_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DISCORD_TOKEN=from-the-file\n", encoding="utf-8")
    monkeypatch.setenv("DISCORD_TOKEN", "")
    assert Settings().discord_token is None


def test_the_token_is_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", "very-secret")
    assert "very-secret" not in repr(Settings())


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        Settings().model = "suno/bark"  # type: ignore[misc]  # that is the test


@pytest.mark.parametrize(
    ("name", "value"),
    [("DTYPE", "int3"), ("DEVICE", "potato"), ("DEVICE", "cuda:x"), ("JOB_TIMEOUT", "-1"), ("HEALTH_PORT", "70000")],
)
def test_nonsense_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=name.lower()):
        Settings()


def test_database_defaults_to_sqlite_in_the_data_folder() -> None:
    assert Settings(data_dir=Path("somewhere")).database == "sqlite+aiosqlite:///somewhere/barkeep.sqlite3"


@pytest.mark.parametrize("device", ["auto", "cpu", "mps", "cuda", "cuda:1"])
def test_devices(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    monkeypatch.setenv("DEVICE", device)
    assert Settings().device == device


@pytest.mark.parametrize("address", ["10.0.0.1:6379", "head:6379", "[fd00::1]:6379", "a-b.example.org:1"])
def test_addresses_of_a_head(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("RAY_ADDRESS", address)
    assert Settings().ray_address == address


@pytest.mark.parametrize("address", ["10.0.0.1", "ray://head:10001", ":6379", "head:port", "auto"])
def test_wrong_addresses_of_a_head(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(ValidationError, match="ray_address"):
        Settings()
