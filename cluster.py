"""Manages the Ray cluster that generates speech for Barkeep (docs/cluster.md): `python cluster.py head | node | ...`.

    head     starts the cluster on this machine; the other machines join it here
    node     joins the cluster; with --workers 0 it generates no speech, as on the machine of a bot
    nodes    lists the speech nodes
    drain    lets a node finish its jobs and take no new ones; resume undoes this

Exit codes: 0 done, 2 invalid settings or arguments, 7 the cluster or a node cannot be reached.
"""

import asyncio
import socket
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any

import typer

import environment
from checkup import UNGUARDED
from cloning.cluster import start
from cloning.cluster.relay import NO_NODE, Found
from cloning.cluster.start import Machine
from errors import BarkeepError, InvalidInput, NotFound, Unavailable
from logs import print_line
from settings import Settings, read_settings

if TYPE_CHECKING:
    from cloning.cluster.connection import RayNode

WRONG, UNREACHABLE = 2, 7
WAIT_SECONDS = 15.0
"""How long a node may take to answer."""
app = typer.Typer(
    help="Manage the Ray cluster that generates speech for Barkeep (docs/cluster.md).",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

Workers = Annotated[int | None, typer.Option(help="Number of speech workers; default: one per GPU, else one.", min=0)]
Name = Annotated[str | None, typer.Option(help="This machine's name in lists; default: its host name.")]
Store = Annotated[int, typer.Option(help="Memory for files in transit, in MB.", min=80)]


@contextmanager
def _errors_printed() -> Iterator[None]:
    """Turn errors into a sentence and an exit code."""
    try:
        yield
        return
    except ImportError as error:
        message, code = f"Ray is not installed ({error.name}). Install it with `make setup EXTRAS=ray`.", WRONG
    except (InvalidInput, NotFound) as error:
        message, code = error.message, WRONG
    except TimeoutError:
        message, code = "The node does not answer. Does `python cluster.py node` still run there?", UNREACHABLE
    except BarkeepError as error:
        message, code = error.message, UNREACHABLE
    print_line(message)
    raise typer.Exit(code)


def _token(settings: Settings) -> str | None:
    return None if settings.ray_auth_token is None else settings.ray_auth_token.get_secret_value()


def _guarded(settings: Settings) -> str:
    """Return the cluster's token. Raises InvalidInput without one."""
    if (token := _token(settings)) is None:
        raise InvalidInput(UNGUARDED)
    return token


def _machine(name: str | None, host: str | None, workers: int | None, store: int) -> Machine:
    """Print this machine's GPUs, and return what it contributes to the cluster.

    Raises InvalidInput if the workers cannot share the GPUs.
    """
    gpus: list[str] = []
    if workers != 0:
        from cloning.cluster import gpus as devices  # torch takes seconds to import

        gpus = devices.found()
        print_line("GPUs: " + "; ".join(gpus) + "." if gpus else "torch found no GPU: speech is generated on the CPU.")
    count = (len(gpus) or 1) if workers is None else workers
    if start.gpus_for_each(count, len(gpus)) is None:
        raise InvalidInput(
            f"{len(gpus)} GPUs cannot be shared by {count} workers: choose a multiple or a divisor of {len(gpus)}."
        )
    return Machine(name or socket.gethostname(), host, count, len(gpus), store)


@app.command()
@_errors_printed()
def head(
    host: Annotated[str, typer.Option(help="The address at which the others reach this machine.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 6379,
    workers: Annotated[int, typer.Option(help="Number of speech workers on this machine.", min=0)] = 0,
    name: Name = None,
    store: Store = 200,
) -> None:
    """Start a cluster, and restart it whenever it ends. Ctrl-C stops it."""
    token = _guarded(read_settings())
    command = start.head_command(_machine(name, host, workers, store), port)
    variables = environment.to_join_a_cluster(token)
    asyncio.run(start.keep_running(command, variables, f"{host}:{port}", print_line, joins=False))


@app.command()
@_errors_printed()
def node(
    head: Annotated[str | None, typer.Option(help="host:port of the head; default: RAY_ADDRESS.")] = None,
    host: Annotated[str | None, typer.Option(help="The address at which the others reach this machine.")] = None,
    workers: Workers = None,
    name: Name = None,
    store: Store = 200,
) -> None:
    """Join the cluster, and rejoin it whenever Ray ends on this machine. Ctrl-C leaves it."""
    settings = read_settings()
    address, token = head or settings.ray_address, _guarded(settings)
    where, _, port = address.rpartition(":")
    if not where or not port.isdigit():
        raise InvalidInput(f"{address} is not an address. Give the head as host:port, such as 10.0.0.1:6379.")
    command = start.node_command(_machine(name, host, workers, store), address)
    variables = environment.to_join_a_cluster(token)
    asyncio.run(start.keep_running(command, variables, address, print_line, joins=True))


@app.command()
@_errors_printed()
def nodes() -> None:
    """List the speech nodes: state, model, jobs."""
    _with_cluster(_list())


@app.command()
@_errors_printed()
def drain(node: Annotated[str, typer.Argument(help="A name or an address, as `nodes` lists it.")]) -> None:
    """Stop giving jobs to a node, and wait until it has none. Then it can be stopped."""
    _with_cluster(_drain(node))


@app.command()
@_errors_printed()
def resume(node: Annotated[str, typer.Argument(help="A name or an address, as `nodes` lists it.")]) -> None:
    """Let a drained node take jobs again."""
    _with_cluster(_resume(node))


def _with_cluster(work: Coroutine[Any, Any, None]) -> None:
    """Join the cluster that the settings name, and run `work`."""
    environment.join_a_cluster(_token(read_settings()))
    asyncio.run(_joined(work))


async def _joined(work: Coroutine[Any, Any, None]) -> None:
    """Join the cluster and await `work`. Raises Unavailable if the head cannot be reached."""
    address = read_settings().ray_address
    try:
        if not await start.is_reachable(address):
            raise Unavailable(f"Nothing answers at RAY_ADDRESS={address}. Does `python cluster.py head` run there?")
        await asyncio.to_thread(_connection().join, address)
        await work
    finally:
        work.close()


def _connection() -> ModuleType:
    from cloning.cluster import connection  # needs Ray

    return connection


async def _found() -> "list[Found[RayNode]]":
    found = await asyncio.to_thread(_connection().speech_nodes, read_settings().device)
    return sorted(found.values(), key=lambda each: each.name)


async def _list() -> None:
    found = await _found()
    for each in found:
        print_line(f"{each.name} ({each.address}): {await _state(each)}")
    if not found:
        print_line(NO_NODE)


async def _state(each: "Found[RayNode]") -> str:
    """Return a node's state, in words."""
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            health, jobs, is_drained = await each.remote.state()
    except TimeoutError:
        return "does not answer"
    except Unavailable as error:
        return error.message
    if health is None or (health.ready is None and health.error is None):
        return "loading its models"
    if health.ready is None:
        return str(health.error)
    drained = ", drained" if is_drained else ""
    return f"{health.ready.model} on {health.ready.device}, {jobs} {'job' if jobs == 1 else 'jobs'}{drained}"


async def _named(name: str) -> "Found[RayNode]":
    """Return the node with this name or address. Raises NotFound if there is none, or more than one."""
    found = await _found()
    matches = [each for each in found if name in (each.name, each.address)]
    if len(matches) != 1:
        names = ", ".join(f"{each.name} ({each.address})" for each in found) or "none"
        problem = "Several nodes are called" if matches else "There is no node"
        raise NotFound(f"{problem} {name}. The speech nodes are: {names}.")
    return matches[0]


async def _drain(name: str) -> None:
    each = await _named(name)
    async with asyncio.timeout(WAIT_SECONDS):
        await each.remote.drain(True)
    printed: int | None = None
    while True:
        async with asyncio.timeout(WAIT_SECONDS):
            _, jobs, _ = await each.remote.state()
        if not jobs:
            break
        if jobs != printed:
            printed = jobs
            print_line(f"{each.name} takes no new jobs. Still running: {jobs}.")
        await asyncio.sleep(1)
    print_line(
        f"{each.name} has no jobs. You can stop it, or let it take jobs again with `python cluster.py resume {name}`."
    )


async def _resume(name: str) -> None:
    each = await _named(name)
    async with asyncio.timeout(WAIT_SECONDS):
        await each.remote.drain(False)
    print_line(f"{each.name} takes jobs again.")


if __name__ == "__main__":
    app()
