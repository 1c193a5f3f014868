"""Barkeep's settings: one frozen object, and the only place that reads the environment and `.env`."""

import re
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from errors import InvalidInput

_BUCKET = r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*/?$"
_YEAR = 366 * 86_400
"""Seconds."""
_TEBIBYTE = 2**20
"""MiB."""
_SHARDS = re.compile(r"(\d{1,6})(?:-(\d{1,6}))?", re.ASCII)


class Settings(BaseSettings):
    """The owner's settings. Each field is read from the environment variable of the same name in capitals."""

    model_config = SettingsConfigDict(env_file=".env", env_file_encoding="utf-8", extra="ignore", frozen=True)

    discord_token: SecretStr | None = None
    """The bot's token. Without it the simulator starts."""

    read_messages: bool = False
    """Let /read read channels aloud. Needs the Message Content Intent in Discord's developer portal."""

    consent: Literal["checkbox", "spoken"] = "checkbox"
    """How members agree to a clone, on servers whose moderators have not decided; spoken needs `make consent`."""

    data_dir: Path = Path("data")
    """The folder of voices, jobs and the SQLite file."""
    database_url: str | None = None
    """An SQLAlchemy URL; default: SQLite in data_dir. `postgresql+asyncpg://...` works with the same models."""

    shard_count: int | None = Field(default=None, ge=1, le=10_000)
    """The number of shards of all bot processes together; default: as Discord recommends, all in one process."""
    shard_ids: str | None = None
    """The shards of this process, such as 0,2-3; default: all. Needs shard_count."""

    files: str | None = Field(default=None, pattern=_BUCKET)
    """s3://bucket/prefix: where voices, uploads and results are kept, for bot processes on several machines; default:
    in data_dir."""
    aws_endpoint_url: str | None = Field(default=None, pattern=r"^https?://")
    """The address of an S3-compatible store; default: Amazon's."""
    aws_region: str = "us-east-1"
    """The region of the bucket."""
    aws_access_key_id: str | None = None
    """The id of the key, which must be allowed to read, write, list and delete in the bucket."""
    aws_secret_access_key: SecretStr | None = None
    """The secret of that key."""

    model: str = "bundled"
    """bundled, suno/bark-small, suno/bark, or a directory in the same format."""
    hubert: str | None = None
    """A hub id or directory; default: the one that belongs to the model."""
    quantizer: str | None = None
    """A file or a published quantizer's name; default: chosen by the voice's language."""
    device: str = Field(default="auto", pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")
    """auto, cpu, cuda, cuda:N or mps."""
    dtype: Literal["auto", "float32", "bfloat16", "float16", "int8"] = "auto"
    """The precision of the Bark model. auto: the fastest one that speaks as well as float32. float32: the same tokens
    as Suno's code; lower precisions change them."""
    batch: int = Field(default=8, ge=1, le=64)
    """How many windows of speech are generated together, and how many jobs run at once."""
    preset: Literal["auto", "exact", "fast"] = "auto"
    """The windows of tokens. exact: Suno's. auto: Suno's with DTYPE=float32 and on a GPU, else longer ones, which take
    less time and were measured to speak as well. fast: the least time, but it may get more words wrong."""
    takes: int = Field(default=1, ge=1, le=4)
    """How many times each sentence is generated; the best take is kept."""
    normalise: bool = True
    """Turns numbers, money, dates, units and abbreviations into words before they are spoken."""
    watermark: Literal["on", "off"] = "on"
    """Whether generated speech gets an inaudible mark, which /check finds."""
    model_cache: Path = Path(".cache/models")
    """The folder of downloaded models, shared by all processes."""
    offline: bool = False
    """Never download; use only the cache."""

    executor: Literal["subprocess", "ray"] = "subprocess"
    """Where speech is generated. subprocess: on this machine. ray: on the machines of a Ray cluster."""
    ray_address: str = Field(default="127.0.0.1:6379", pattern=r"^(\[[0-9A-Fa-f:.]+\]|[\w.-]+):\d{1,5}$")
    """The address of the cluster's head, host:port."""
    ray_auth_token: SecretStr | None = None
    """The secret with which the machines of the cluster admit each other; the same on all of them."""

    job_timeout: float = Field(default=900.0, gt=0)
    """Seconds without progress after which a job counts as hung and its worker is replaced."""
    worker_patience: float = Field(default=600.0, gt=0, le=_YEAR)
    """Seconds that a job waits for a worker that cannot load its models; then it fails."""
    worker_memory_mb: int | None = Field(default=None, gt=0, le=_TEBIBYTE)
    """Upper bound of the worker's address space while it decodes media, in MiB."""
    health_port: int | None = Field(default=None, ge=0, le=65535)
    """Serves /livez, /readyz and /metrics on this port; default: off."""
    health_host: str = "127.0.0.1"
    """The address that the health port binds."""
    simulator_port: int = Field(default=0, ge=0, le=65535)
    """The simulator's port on 127.0.0.1; 0 takes a free one."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["text", "json"] = "text"

    @model_validator(mode="before")
    @classmethod
    def _blank_is_unset(cls, values: dict[str, object]) -> dict[str, object]:
        """Treat an empty `NAME=` as unset. In the environment, it also overrides the value in .env."""
        return {name: value for name, value in values.items() if not (isinstance(value, str) and not value.strip())}

    @model_validator(mode="after")
    def _shards_are_consistent(self) -> Self:
        parse_shard_ids(self.shard_ids, self.shard_count)
        if (self.shard_count or 1) > 1 and self.database.startswith("sqlite"):
            raise ValueError(
                "SHARD_COUNT above 1 is for several bot processes, which share a PostgreSQL database. Set DATABASE_URL "
                "to one, or leave SHARD_COUNT and SHARD_IDS empty: one process with SQLite serves all servers."
            )
        return self

    @property
    def shards(self) -> tuple[int, ...] | None:
        """The ids of this process's shards, sorted; None: all, as many as Discord recommends."""
        return parse_shard_ids(self.shard_ids, self.shard_count)

    @property
    def secrets(self) -> list[str]:
        """The values that no log may contain."""
        secrets = (self.discord_token, self.ray_auth_token, self.aws_secret_access_key)
        return [secret.get_secret_value() for secret in secrets if secret is not None]

    @property
    def bucket_options(self) -> dict[str, str | None]:
        """The options of storage.bucket.Bucket for the bucket in `files`."""
        secret = self.aws_secret_access_key
        return {
            "endpoint": self.aws_endpoint_url,
            "region": self.aws_region,
            "access_key_id": self.aws_access_key_id,
            "secret_access_key": None if secret is None else secret.get_secret_value(),
        }

    @property
    def database(self) -> str:
        """The SQLAlchemy URL in use."""
        return self.database_url or f"sqlite+aiosqlite:///{self.data_dir / 'barkeep.sqlite3'}"


def read_settings() -> Settings:
    """Return the settings from the environment and `.env`. Raises InvalidInput with a sentence for the owner."""
    try:
        return Settings()
    except ValidationError as invalid:
        raise InvalidInput(_what_is_wrong(invalid)) from invalid
    except (UnicodeDecodeError, OSError) as error:
        raise InvalidInput(
            "The file .env cannot be read. It must be plain text in UTF-8, readable by the user who runs Barkeep."
        ) from error


def _what_is_wrong(invalid: ValidationError) -> str:
    """Return sentences that name the invalid settings, without their values, which may include a token."""
    errors = invalid.errors()
    names = ", ".join(sorted({str(error["loc"][0]).upper() for error in errors if error["loc"]}))
    sentences = [f"These settings are not valid: {names}. See .env.example for the allowed values."] if names else []
    return " ".join(sentences + [str(error["ctx"]["error"]) for error in errors if error["type"] == "value_error"])


def parse_shard_ids(text: str | None, count: int | None) -> tuple[int, ...] | None:
    """Return the shards that `text` lists, sorted. `text`: numbers and ranges, separated by commas, such as "0,2-3".

    Without `text`: all `count` shards, or None without a count. Raises ValueError with a sentence for the owner.
    """
    if text is None:
        return None if count is None else tuple(range(count))
    if count is None:
        raise ValueError("SHARD_IDS needs SHARD_COUNT: set it to the number of shards of all bot processes together.")
    shards: set[int] = set()
    for part in text.split(","):
        match = _SHARDS.fullmatch(part.strip())
        if match is None:
            raise ValueError("SHARD_IDS is a list of numbers and ranges, such as 0 or 0,2-3.")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise ValueError(f"The range {first}-{last} in SHARD_IDS is empty. Write the lower number first.")
        if last >= count:
            raise ValueError(
                f"SHARD_IDS names shard {last}, but SHARD_COUNT is {count}, so the shards are 0 to {count - 1}."
            )
        if repeated := shards.intersection(range(first, last + 1)):
            raise ValueError(f"SHARD_IDS names shard {min(repeated)} twice. Name each shard once.")
        shards.update(range(first, last + 1))
    return tuple(sorted(shards))
