"""Start Ray on this machine, for a head or a speech node, and start it again when it ends. Does not import Ray.

Ray ends on a node that it had declared dead when the node comes back, and on every node after the head was started
again.
"""

import asyncio
import json
import signal
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from cloning.cluster.refusals import why_ended
from cloning.worker.executor import ROOT

SPEECH = "barkeep-speech"
"""The resource of speech nodes: the number of workers that a node runs."""
REACH_SECONDS = 5.0
_PAUSE_SECONDS = 5.0
_STOP_SECONDS = 10.0
_KEPT_LINES = 60
SYSTEM = {
    "health_check_initial_delay_ms": 5000,
    "health_check_period_ms": 2000,
    "health_check_timeout_ms": 5000,
    "health_check_failure_threshold": 4,
    "gcs_rpc_server_reconnect_timeout_s": 20,
    "enable_metrics_collection": False,
    "event_stats": False,
    "task_events_report_interval_ms": 0,
    "enable_timeline": False,
    "raylet_report_resources_period_milliseconds": 1000,
    "raylet_check_gc_period_milliseconds": 1000,
    "memory_monitor_refresh_ms": 1000,
    "local_fs_monitor_interval_ms": 1000,
    "kill_idle_workers_interval_ms": 5000,
    "object_manager_timer_freq_ms": 500,
    "io_context_monitor_probe_interval_ms": 10000,
    "gcs_pull_resource_loads_period_milliseconds": 10000,
}
"""Ray's system configuration, which the head passes on to every node.

With the first five settings, Ray notices within half a minute that a node is gone, not after 65 s, and a node notices
after 20 s, not 60, that the head is gone. The others reduce Ray's own work: it records nothing that is not used here,
and checks once a second instead of ten times. They halve the processor time that it takes at rest.
"""
PLAIN = {"num_cpus": 0, "include_log_monitor": False}
"""What each Ray is started without: processes that wait for tasks, and one that sends logs, which are not asked for."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Machine:
    """The part of a machine in the cluster. `host`: its address for the others; None: Ray finds it. `store`: the size
    of its object store in MB."""

    name: str
    host: str | None
    workers: int
    gpus: int
    store: int


def gpus_for_each(workers: int, gpus: int) -> float | None:
    """Return each worker's share of the GPUs; None if it is neither a whole number nor a fraction that Ray can give."""
    if not workers or not gpus:
        return 0.0
    share = gpus / workers
    return share if share == int(share) or workers % gpus == 0 else None


def head_command(machine: Machine, port: int) -> list[str]:
    """Return the command that starts the head of a cluster."""
    system = json.dumps(SYSTEM, separators=(",", ":"))
    return [
        *_start(machine),
        *("--head", f"--port={port}", "--include-dashboard=false", "--no-monitor", f"--system-config={system}"),
    ]


def node_command(machine: Machine, head: str) -> list[str]:
    """Return the command by which this machine joins the cluster of `head` (host:port)."""
    return [*_start(machine), f"--address={head}"]


def _start(machine: Machine) -> list[str]:
    resources = {SPEECH: machine.workers} if machine.workers else {}
    return [
        *(sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--disable-usage-stats"),
        f"--node-name={machine.name}",
        *([f"--node-ip-address={machine.host}"] if machine.host else []),
        "--num-cpus=0",
        "--include-log-monitor=false",
        f"--num-gpus={machine.gpus}",
        f"--resources={json.dumps(resources)}",
        f"--object-store-memory={machine.store * 1_000_000}",
    ]


async def is_reachable(address: str) -> bool:
    """Return whether something listens at host:port; False for an invalid address."""
    host, _, port = address.rpartition(":")
    with suppress(OSError, TimeoutError, ValueError, OverflowError):  # the last two: not a host name, not a port
        async with asyncio.timeout(REACH_SECONDS):
            _, stream = await asyncio.open_connection(host.strip("[]"), int(port))
            stream.close()
            return True
    return False


async def keep_running(
    command: Sequence[str], variables: Mapping[str, str], address: str, say: Say, *, joins: bool
) -> None:
    """Run Ray until SIGINT or SIGTERM, and start it again when it ends.

    address: that of the head. joins: whether this machine is a node, which waits for the head.
    """
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    waited = False
    while not stop.is_set():
        if joins and not await is_reachable(address):
            if not waited:
                say(f"Nothing answers at {address}. This machine joins as soon as `python cluster.py head` runs there.")
            waited = True
            await _pause(stop, _PAUSE_SECONDS)
            continue
        waited = False
        say(f"Ray starts, for the cluster at {address}.")
        output = await _run(command, variables, stop)
        if not stop.is_set():
            say(f"Ray ended and is started again in {_PAUSE_SECONDS:g} s. {why_ended(address, output)}")
            await _pause(stop, _PAUSE_SECONDS)
    say("Ray has stopped.")


async def _run(command: Sequence[str], variables: Mapping[str, str], stop: asyncio.Event) -> str:
    """Run Ray once, until it ends or `stop` is set. Return the end of its output."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**variables, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
        cwd=ROOT,
        start_new_session=True,  # Ctrl-C reaches it through `stop`, once
    )
    lines: deque[str] = deque(maxlen=_KEPT_LINES)
    reading = asyncio.create_task(_keep(process.stdout, lines))
    stopping = asyncio.create_task(stop.wait())
    ended = asyncio.create_task(process.wait())
    await asyncio.wait({stopping, ended}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not ended.done():
        process.terminate()
        done, _ = await asyncio.wait({ended}, timeout=_STOP_SECONDS)
        if not done:
            process.kill()
            await ended
    await asyncio.wait({reading}, timeout=1.0)  # one of Ray's processes may hold the pipe open
    reading.cancel()
    return "".join(lines)


async def _keep(output: asyncio.StreamReader | None, lines: deque[str]) -> None:
    while output is not None and (line := await output.readline()):
        lines.append(line.decode(errors="replace"))


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
