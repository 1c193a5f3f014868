"""The health port: `/livez`, `/readyz` and `/metrics`, for monitoring.

`/livez` answers as long as the event loop runs. `/readyz` answers 200 when members can be served, else 503, and names
the missing part: the connection to Discord, the database, or the speech worker. `/metrics` has the Prometheus format.
"""

import asyncio
from collections.abc import Callable

import discord
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from errors import BarkeepError, Unavailable
from studio.studio import Studio

DATABASE_SECONDS = 3.0
"""A database that needs more seconds for a minimal query counts as unreachable."""
FINE = "ok"


class HealthServer:
    """Serves a bot's health. `studio` returns None until the bot has opened one."""

    def __init__(self, bot: discord.Client, studio: Callable[[], Studio | None]) -> None:
        self._bot = bot
        self._studio = studio
        self._runner = web.AppRunner(self._application(), access_log=None)

    async def start(self, host: str, port: int) -> int:
        """Listen, and return the port in use (`port` 0 takes a free one). Raises Unavailable if it cannot."""
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host, port).start()
        except (OSError, UnicodeError) as error:  # UnicodeError: not a valid host name
            raise Unavailable(
                f"The health port {port} on {host} cannot be used. Set HEALTH_PORT to a free port, or leave it out; "
                "HEALTH_HOST must be an address of this machine."
            ) from error
        return int(self._runner.addresses[0][1])

    async def close(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()

    def _application(self) -> web.Application:
        application = web.Application()
        application.router.add_get("/livez", self._live)
        application.router.add_get("/readyz", self._ready)
        application.router.add_get("/metrics", self._metrics)
        return application

    async def _live(self, _: web.Request) -> web.Response:
        return web.Response(text=f"{FINE}\n")

    async def _ready(self, _: web.Request) -> web.Response:
        parts = {"discord": self._discord(), "database": await self._database(), "worker": self._worker()}
        ready = all(state == FINE for state in parts.values())
        return web.json_response(parts, status=200 if ready else 503)

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    def _discord(self) -> str:
        return FINE if self._bot.is_ready() else "not connected"

    async def _database(self) -> str:
        studio = self._studio()
        if studio is None:
            return "not open"
        try:
            async with asyncio.timeout(DATABASE_SECONDS):
                await studio.storage.guilds.all_ids()
        except TimeoutError:
            return "does not answer"
        except BarkeepError as error:
            return error.message
        return FINE

    def _worker(self) -> str:
        studio = self._studio()
        if studio is None:
            return "not started"
        health = studio.executor.health()
        if health.error is not None:
            return "cannot start; the log says why"  # the error itself names folders, and this port has no password
        return FINE if health.ready is not None else "loading its models"
