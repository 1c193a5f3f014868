"""What tests of several rooms share."""

import logging
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import structlog

from settings import Settings
from tests.stand_in.once import made_once

# A busy machine is no fault of the code: no test is timed.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


def reset_logs() -> None:
    """Restore structlog's defaults, but for its tracebacks with all variables, which take seconds each."""
    structlog.reset_defaults()
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*structlog.get_config()["processors"][:-1], plain])


reset_logs()


@pytest.fixture(scope="session")
def stand_in(request: pytest.FixtureRequest) -> Path:
    """The directory of a model that makes noise quickly, laid out like models/bundled: what MODEL may name."""
    cache = request.config.cache
    assert cache is not None
    return made_once(cache.mkdir("stand-in"))


@pytest.fixture
def own_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A fresh process in an empty folder: no .env, none of the machine's variables. Logging is restored afterwards."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    logging.captureWarnings(False)
    reset_logs()
    structlog.contextvars.clear_contextvars()
