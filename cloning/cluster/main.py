"""The relay process: `python -m cloning.cluster.main CONFIGURATION`, a child process of the bot.

To the bot it is a speech worker (`cloning.worker.server`): requests come as lines on stdin, events go to stdout, and it
ends when stdin ends. It joins the Ray cluster, and ends when the cluster's head is lost; the bot starts it again.

Exit status: 1 if the head was lost or for an error of the program, 3 if the cluster cannot be joined (an event says
why).
"""

import asyncio
import json
import logging
import os
import signal
import sys
from typing import Any, NoReturn

from cloning.cluster.messages import Arrangement
from cloning.cluster.relay import Relay
from cloning.cluster.start import is_reachable
from cloning.worker import protocol, server
from cloning.worker.protocol import Cancel, Failed, Heartbeat, Query, Request
from errors import InvalidInput, Unavailable

HEAD_SECONDS = 10.0
"""The seconds within which the head of the cluster must answer."""
_LOOK_SECONDS = 2.0
_RETRY_SECONDS = 2.0
_LINE_LIMIT = 1 << 20

_log = logging.getLogger("cloning.cluster")


def main(arguments: list[str]) -> NoReturn:
    """Serve until stdin ends or the cluster is lost."""
    server.log_to_stderr()
    server.die_with_parent()
    writer = server.EventWriter(server.private_stdout())
    try:
        status = asyncio.run(_serve(json.loads(arguments[0]), writer))
    except Exception:
        _log.exception("the relay process failed")
        status = 1
    logging.shutdown()
    os._exit(status)  # Ray's threads would keep the process alive


async def _serve(configuration: dict[str, Any], writer: server.EventWriter) -> int:
    arrangement = Arrangement(**configuration["arrangement"])
    relay = Relay(arrangement, writer.emit)
    beating = asyncio.create_task(_beat(writer))
    reading = asyncio.create_task(_read(relay))
    reading.add_done_callback(_end_unless_read)
    try:
        await _reach(configuration["address"], writer)
        return await _follow(configuration["address"], str(configuration["device"]), relay)
    except Unavailable as error:
        _log.error("%s", error.message)
        writer.emit(Failed("", Unavailable.__name__, error.message))
        return server.LOAD_FAILED
    finally:
        beating.cancel()
        reading.cancel()


async def _beat(writer: server.EventWriter) -> None:
    """Send heartbeats, which show that the event loop is running."""
    while True:
        writer.emit(Heartbeat())
        await asyncio.sleep(server.BEAT_SECONDS)


async def _read(relay: Relay) -> None:
    """Read requests until stdin ends, which ends this process."""
    reader = asyncio.StreamReader(limit=_LINE_LIMIT)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        try:
            message = protocol.decode(line.decode())
        except (InvalidInput, UnicodeDecodeError):
            _log.warning("a line of the bot could not be read: %.100r", line)
            continue
        if isinstance(message, Request | Query):
            await relay.submit(message)
        elif isinstance(message, Cancel):
            await relay.cancel(message.job_id)
    server.end_process_group()


def _end_unless_read(reading: "asyncio.Task[None]") -> None:
    """End this process if reading requests has failed. The bot starts another one; the jobs are lost."""
    if not reading.cancelled() and (error := reading.exception()) is not None:
        _log.error("requests can no longer be read", exc_info=error)
        server.end_process_group()


async def _reach(address: str, writer: server.EventWriter) -> None:
    """Wait until something listens at the head's address. Ray itself would try for long without reporting anything."""
    reported = False
    while not await is_reachable(address):
        if not reported:
            sentence = (
                f"Nothing answers at RAY_ADDRESS={address}. Check the address, and that `python cluster.py head` runs "
                "on that machine."
            )
            writer.emit(Failed("", Unavailable.__name__, sentence))
            reported = True
        await asyncio.sleep(_RETRY_SECONDS)


async def _follow(address: str, device: str, relay: Relay) -> int:
    """Join the cluster and keep the relay's nodes up to date. Returns when the head is lost. Raises Unavailable."""
    from cloning.cluster import connection  # Ray takes a second to import; heartbeats have begun by now

    await asyncio.to_thread(connection.join, address)
    # Ray's own handler prints a trace of every thread. Detached actors do not need an orderly disconnection.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.end_process_group)
    while True:
        try:
            async with asyncio.timeout(HEAD_SECONDS):
                relay.update(await asyncio.to_thread(connection.speech_nodes, device))
        except (Unavailable, TimeoutError):
            _log.error("the head of the cluster at %s no longer answers", address)
            return 1
        await asyncio.sleep(_LOOK_SECONDS)


if __name__ == "__main__":
    main(sys.argv[1:])
