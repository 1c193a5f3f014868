"""Steps of periodic work, each of which may fail without the others."""

from collections.abc import Awaitable

import structlog

from errors import BarkeepError

_log = structlog.get_logger(__name__)


async def alone(step: str, work: Awaitable[object]) -> None:
    """Await one step. An error is logged, so that the next steps run; the next round tries this one again."""
    try:
        await work
    except BarkeepError as error:
        _log.warning("upkeep_failed", step=step, reason=error.message)
    except Exception:
        _log.exception("upkeep_failed", step=step)
