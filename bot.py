"""Starts and stops Barkeep: reads the settings, connects to Discord or opens the simulator, and closes.

    python bot.py             Discord if DISCORD_TOKEN is set, else the simulator
    python bot.py --simulate  the simulator, even with a token
    python bot.py --check     checks settings, database and models; with READ_MESSAGES=true it also
                              asks Discord whether the bot may read messages

Exit codes: 0 stopped on request, 1 unexpected error (see the log), 2 invalid settings or arguments, 3 database or disk
error, 4 models unavailable, 5 invalid token, 6 Discord cannot be reached, 7 a port is taken.
"""

import signal

if __name__ == "__main__":  # The imports below take a moment; Ctrl-C ends them without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import argparse
import asyncio
import sys
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress

import aiohttp
import discord
import structlog

import logs
import systems  # noqa: F401 (an unsupported system is reported before anything else fails)
from assembly import create_bot
from checkup import NO_INTENT, WRONG_SHAPE, Exit, StartError, check, looks_like_token
from cogs.client import Barkeep
from errors import BarkeepError, InvalidInput, Unavailable
from health import HealthServer
from logs import print_line
from settings import Settings, read_settings
from storage.modes import private_folder

CLOSE_SECONDS = 4.5
"""The time limit for closing, in seconds, even in the middle of a job."""

log = structlog.get_logger(__name__)


async def run(settings: Settings, *, simulate: bool) -> None:
    """Run until SIGINT or SIGTERM, then close within CLOSE_SECONDS. Raises StartError."""
    stop = asyncio.Event()
    _stop_on_signals(stop)
    work = asyncio.create_task(_simulate(settings, stop) if simulate else _connect(settings, stop))
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    done, _ = await asyncio.wait({work}, timeout=CLOSE_SECONDS)
    if not done:
        log.error("close_took_too_long", seconds=CLOSE_SECONDS)
        work.cancel()
        return
    await work


async def _connect(settings: Settings, stop: asyncio.Event) -> None:
    """Stay connected to Discord until `stop` is set."""
    if settings.discord_token is None:
        raise StartError(Exit.TOKEN, "DISCORD_TOKEN is not set.")
    if not looks_like_token(settings.discord_token.get_secret_value()):
        raise StartError(Exit.TOKEN, WRONG_SHAPE)
    bot = create_bot(settings)
    async with AsyncExitStack() as stack:
        await _serve_health(settings, bot, stack)
        stack.push_async_callback(bot.close)
        connection = asyncio.create_task(bot.start(settings.discord_token.get_secret_value()))
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({connection, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not connection.done():
            log.info("stopping")
            # This also cancels a login or the opening of the studio, which would otherwise continue during the close.
            connection.cancel()
            await asyncio.wait({connection})
            await bot.close()
        if not connection.cancelled():
            with _as_start_error():
                await connection
                if bot.ended_by is not None:
                    raise bot.ended_by


@contextmanager
def _as_start_error() -> Iterator[None]:
    """Turn errors of Discord and storage into StartError."""
    try:
        yield
    except StartError:
        raise
    except BarkeepError as error:
        raise StartError(Exit.STORAGE, error.message) from error
    except discord.PrivilegedIntentsRequired as error:
        raise StartError(Exit.SETTINGS, NO_INTENT) from error
    except discord.LoginFailure as error:
        raise StartError(
            Exit.TOKEN,
            "Discord does not accept the token. Copy a new one from the Developer Portal (your application, Bot, "
            "Reset Token) and set it as DISCORD_TOKEN.",
        ) from error
    except (discord.DiscordServerError, discord.GatewayNotFound, aiohttp.ClientError) as error:
        raise StartError(
            Exit.NETWORK, "Discord cannot be reached. Check this machine's network, and https://discordstatus.com."
        ) from error


async def _may_read(token: str) -> bool:
    """Ask Discord whether the application has the Message Content Intent. Raises StartError."""
    with _as_start_error():
        async with discord.Client(intents=discord.Intents.none()) as client:
            await client.login(token)
            flags = (await client.application_info()).flags
    return flags.gateway_message_content or flags.gateway_message_content_limited


async def _simulate(settings: Settings, stop: asyncio.Event) -> None:
    """Run in the simulated server until `stop` is set. Its data are kept apart from those of real servers."""
    from simulator.serve import serve  # a bot on Discord does not need simcord

    with suppress(OSError):  # storage is opened below and reports the error
        await asyncio.to_thread(private_folder, settings.data_dir)
    changes = {"discord_token": None, "database_url": None, "files": None, "data_dir": settings.data_dir / "simulator"}
    changes |= {"shard_count": None, "shard_ids": None}
    bot = create_bot(settings.model_copy(update=changes))
    async with AsyncExitStack() as stack:
        await _serve_health(settings, bot, stack)
        try:
            await serve(bot, stop, port=settings.simulator_port, model=settings.model, say=print_line)
        except Unavailable as error:
            raise error if isinstance(error, StartError) else StartError(Exit.PORT, error.message) from error


async def _serve_health(settings: Settings, bot: Barkeep, stack: AsyncExitStack) -> None:
    """Serve health on the configured port, if any, until `stack` closes."""
    if settings.health_port is None:
        return
    server = HealthServer(bot, lambda: getattr(bot, "studio", None))
    stack.push_async_callback(server.close)
    try:
        port = await server.start(settings.health_host, settings.health_port)
    except Unavailable as error:
        raise StartError(Exit.PORT, error.message) from error
    log.info("health_port_open", host=settings.health_host, port=port)


def _stop_on_signals(stop: asyncio.Event) -> None:
    """Set `stop` on the first SIGINT or SIGTERM; the next one ends the process immediately."""
    loop = asyncio.get_running_loop()

    def request_stop() -> None:
        stop.set()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, request_stop)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as the arguments say. Returns the exit code."""
    parser = argparse.ArgumentParser(
        "bot.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--simulate", action="store_true", help="open the offline simulator, even with a token")
    parser.add_argument("--check", action="store_true", help="check settings, database and models, then exit")
    options = parser.parse_args(arguments)
    try:
        settings = read_settings()
    except InvalidInput as error:
        print_line(error.message)
        return Exit.SETTINGS
    logs.configure(settings.log_level, settings.log_format, secrets=settings.secrets)
    try:
        if options.check:
            return asyncio.run(check(settings, print_line, _may_read))
        asyncio.run(run(settings, simulate=options.simulate or settings.discord_token is None))
    except StartError as error:
        log.debug("start_failed", exc_info=True)
        print_line(error.message)
        return error.code
    except KeyboardInterrupt:
        return Exit.UNEXPECTED
    except Exception:
        log.exception("unexpected")
        print_line("Barkeep stopped because of an unexpected error. See the log above.")
        return Exit.UNEXPECTED
    return Exit.FINE


if __name__ == "__main__":
    sys.exit(main())
