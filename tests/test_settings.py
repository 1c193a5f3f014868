"""The settings, and that .env.example tells the truth about them."""

from pathlib import Path

import pytest
from dotenv import dotenv_values
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from settings import Settings, parse_shard_ids
from storage.bucket import Bucket

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


def test_every_secret_is_kept_out_of_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = [name for name, field in Settings.model_fields.items() if field.annotation == SecretStr | None]
    assert len(hidden) == 3
    for name in hidden:
        monkeypatch.setenv(name.upper(), f"the {name}")
    assert sorted(Settings().secrets) == sorted(f"the {name}" for name in hidden)


@pytest.mark.parametrize("url", ["s3://bucket", "s3://bucket/", "s3://a.b-c/one/two_2/v1.0", "s3://bucket/one/"])
def test_buckets(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("FILES", url)
    Bucket(url, {"access_key_id": "a", "secret_access_key": "b"})
    assert Settings().files == url


@pytest.mark.parametrize(
    "url", ["bucket", "s3://", "s3://B/x", "s3://bucket/../x", "s3://bucket/./x", "s3://bucket/a//b", "s3://bucket/ü"]
)
def test_what_is_no_bucket(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("FILES", url)
    with pytest.raises(ValidationError, match="files"):
        Settings()


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        Settings().model = "suno/bark"  # type: ignore[misc]  # that is the test


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DTYPE", "int3"),
        ("DEVICE", "potato"),
        ("DEVICE", "cuda:x"),
        ("JOB_TIMEOUT", "-1"),
        ("HEALTH_PORT", "70000"),
        ("WORKER_PATIENCE", "inf"),
        ("WORKER_PATIENCE", "1e15"),
        ("WORKER_MEMORY_MB", "9" * 20),
    ],
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


def on_postgres(**settings: object) -> Settings:
    return Settings(_env_file=None, database_url="postgresql+asyncpg://b@127.0.0.1/b", **settings)  # type: ignore[arg-type]


def test_without_shards_a_process_serves_all_servers() -> None:
    assert Settings(_env_file=None).shards is None
    assert on_postgres(shard_count=3).shards == (0, 1, 2)
    assert on_postgres(shard_count=4, shard_ids="3, 0-1").shards == (0, 1, 3)
    assert Settings(_env_file=None, shard_count=1).shards == (0,)


@pytest.mark.parametrize(
    ("ids", "count", "sentence"),
    [
        ("0", None, "SHARD_IDS needs SHARD_COUNT"),
        ("2", 2, "names shard 2, but SHARD_COUNT is 2, so the shards are 0 to 1"),
        ("0-999999", 2, "names shard 999999"),
        ("0,1,0-2", 3, "names shard 0 twice"),
        ("2-1", 3, "range 2-1 in SHARD_IDS is empty"),
        ("zero", 3, "list of numbers and ranges"),
        ("0,", 3, "list of numbers and ranges"),
        ("-1", 3, "list of numbers and ranges"),
        ("1.0", 3, "list of numbers and ranges"),
        ("٣", 5, "list of numbers and ranges"),
    ],
)
def test_bad_shards_are_refused_with_a_sentence(ids: str, count: int | None, sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        on_postgres(shard_ids=ids, shard_count=count)


def test_several_shards_are_refused_on_sqlite() -> None:
    with pytest.raises(ValidationError, match="share a PostgreSQL database"):
        Settings(_env_file=None, shard_count=2)


@given(
    st.integers(1, 40).flatmap(lambda count: st.tuples(st.just(count), st.sets(st.integers(0, count - 1), min_size=1)))
)
def test_shards_are_read_as_they_are_written(case: tuple[int, set[int]]) -> None:
    count, ids = case
    assert parse_shard_ids(",".join(map(str, ids)), count) == tuple(sorted(ids))
    first, last = min(ids), max(ids)
    assert parse_shard_ids(f" {first} , {first + 1}-{last}" if last > first else str(first), count) == tuple(
        range(first, last + 1)
    )


@given(st.text(alphabet="0123456789,- x٣", max_size=20), st.integers(1, 50))
def test_any_other_text_is_refused_or_names_existing_shards(text: str, count: int) -> None:
    try:
        ids = parse_shard_ids(text, count)
    except ValueError as error:
        assert "SHARD_IDS" in str(error)
    else:
        assert ids is not None
        assert set(ids) <= set(range(count))
        assert list(ids) == sorted(set(ids))
