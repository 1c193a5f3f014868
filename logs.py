"""Logging for the whole process: structlog and the standard library write the same lines, as text or as JSON.

Secrets are removed from every line: the ones passed to `configure`, and the tokens in Discord's webhook and interaction
URLs.
"""

import logging
import re
import sys
from collections.abc import Iterable
from typing import IO, Any, Literal

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

BLOT = "[hidden]"
TOKENS_IN_PATHS = r"(?<=/webhooks/)(\d+)/[\w-]+|(?<=/interactions/)(\d+)/[\w-]+"
"""Matches an interaction or webhook token, which follows an id in the URLs that discord.py logs."""
LEAST = {"discord": logging.INFO, "asyncio": logging.INFO, "aiosqlite": logging.INFO, "alembic": logging.WARNING}
"""Libraries whose lines below this level contain payloads or are noise."""


def configure(
    level: str = "INFO",
    style: Literal["text", "json"] = "text",
    *,
    secrets: Iterable[str] = (),
    stream: IO[str] | None = None,
) -> None:
    """Write lines of `level` and above to `stream` (default: stderr). Calling it again replaces the configuration."""
    stream = stream or sys.stderr
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_renderer(style, colours=stream.isatty()),
                _Blotter(secrets),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name, least in LEAST.items():
        logging.getLogger(name).setLevel(max(least, logging.getLevelNamesMapping()[level]))
    logging.captureWarnings(True)


def print_line(line: str) -> None:
    """Print a line to stdout and flush it, for the person at the terminal."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _renderer(style: Literal["text", "json"], *, colours: bool) -> list[Processor]:
    if style == "json":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
    # Plain tracebacks: structlog's pretty ones print local variables, which contain what members wrote.
    return [structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=structlog.dev.plain_traceback)]


class _Blotter:
    """The last processor: replaces secrets in the finished line."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._named = re.compile("|".join(re.escape(secret) for secret in secrets if secret) or r"(?!)")
        self._paths = re.compile(TOKENS_IN_PATHS)

    def __call__(self, _logger: WrappedLogger, _method: str, line: str | EventDict) -> Any:
        """Return the line without secrets."""
        line = self._named.sub(BLOT, str(line))
        return self._paths.sub(lambda match: f"{match[1] or match[2]}/{BLOT}", line)
