"""Barkeep's settings: one frozen object, and the only place that reads the environment and `.env`."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What an owner can set. Each field is an environment variable of the same name in capitals."""

    model_config = SettingsConfigDict(env_file=".env", env_file_encoding="utf-8", extra="ignore", frozen=True)

    discord_token: SecretStr | None = None
    """The bot's token. Without it the simulator starts."""

    data_dir: Path = Path("data")
    """Where voices, jobs and the SQLite file live."""
    database_url: str | None = None
    """An SQLAlchemy URL; default: SQLite in data_dir. `postgresql+asyncpg://...` works with the same models."""

    model: str = "bundled"
    """bundled, suno/bark-small, suno/bark, or a directory in the same format."""
    hubert: str | None = None
    """A hub id or directory; default: the one that belongs to the model."""
    quantizer: str | None = None
    """A file or a published quantizer's name; default: chosen by the voice's language."""
    device: str = Field(default="auto", pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")
    """auto, cpu, cuda, cuda:N or mps."""
    dtype: Literal["float32", "bfloat16", "float16", "int8"] = "float32"
    """The precision of the Bark model; lower ones change the tokens."""
    batch: int = Field(default=8, ge=1, le=64)
    """How many windows of speech are generated at once, and how many jobs are worked on."""
    preset: Literal["exact", "fast"] = "exact"
    """exact: as Suno's code generates. fast: in larger windows, which changes the speech."""
    takes: int = Field(default=1, ge=1, le=4)
    """How often each sentence is generated; the best is kept."""
    normalise: bool = True
    """Numbers, money, dates, units and abbreviations are put into words before they are spoken."""
    model_cache: Path = Path(".cache/models")
    """Where downloaded models are kept, shared by all processes."""
    offline: bool = False
    """Never download; use what the cache holds."""

    job_timeout: float = Field(default=900.0, gt=0)
    """Seconds without progress after which a job counts as hung and its worker is replaced."""
    worker_patience: float = Field(default=600.0, gt=0)
    """Seconds that a job waits for a worker that cannot load its models; then it fails with a sentence."""
    worker_memory_mb: int | None = Field(default=None, gt=0)
    """An upper bound for the worker's address space while it decodes media, in MiB."""
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
        """`NAME=` in the environment or in .env means the default; in the environment it hides what .env says."""
        return {name: value for name, value in values.items() if not (isinstance(value, str) and not value.strip())}

    @property
    def database(self) -> str:
        """The SQLAlchemy URL in use."""
        return self.database_url or f"sqlite+aiosqlite:///{self.data_dir / 'barkeep.sqlite3'}"
