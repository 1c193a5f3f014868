"""Processes of a Ray node on this machine: found by their parents, since nothing tells their ids."""

import os
import signal
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

from ray._private.node import Node


def _parents() -> dict[int, int]:
    """Process id -> that of its parent."""
    found: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            found[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    return found


def family(process: int) -> list[int]:
    """A process and everything below it."""
    children: dict[int, list[int]] = defaultdict(list)
    for child, parent in _parents().items():
        children[parent].append(child)
    found = [process]
    for each in found:
        found += children[each]
    return found


def raylet(node: Node) -> int:
    """The process of a node that starts all its others."""
    (information,) = node.all_processes["raylet"]
    return int(information.process.pid)


def workers(node: Node) -> list[int]:
    """The speech workers of a node."""
    return [process for process in family(raylet(node)) if "cloning.worker.server" in command(process)]


def send(number: signal.Signals, processes: list[int]) -> None:
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, number)


def command(process: int) -> str:
    """The command line of a process; "" if it has ended."""
    try:
        return Path(f"/proc/{process}/cmdline").read_text()
    except OSError:
        return ""
