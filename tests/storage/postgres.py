"""A PostgreSQL server of the tests' own: in a temporary folder, reached by a socket in it, thrown away afterwards."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_DEBIAN = Path("/usr/lib/postgresql")
"""Where Debian keeps the programs of each version; they are not on the path."""


def find_programs() -> Path:
    """The folder of `initdb` and `pg_ctl`, of the newest version. Skips the test where there is no server to start."""
    if on_path := shutil.which("initdb"):
        return Path(on_path).parent
    versions = [found.parent for found in _DEBIAN.glob("*/bin/initdb")]
    if not versions:
        pytest.skip("There is no PostgreSQL server here to start (on Debian: apt-get install postgresql).")
    return max(versions, key=lambda folder: float(folder.parent.name))


@contextmanager
def running_server(programs: Path) -> Iterator[str]:
    """The URL of an empty database, while the server runs. What is written is lost with it, so nothing is synced."""
    with tempfile.TemporaryDirectory(prefix="barkeep-postgres-") as name:
        folder = Path(name)
        data, log = folder / "data", folder / "log"
        identity = _identity(folder)
        make = (programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync")
        _run(*make, "-E", "UTF8", "--locale=C", **identity)
        control = programs / "pg_ctl", "-D", data, "-w"
        _run(*control, "-l", log, "-o", f"-k {folder} -c listen_addresses='' -c fsync=off", "start", **identity)
        try:
            yield f"postgresql+asyncpg://postgres@/postgres?host={folder}"
        finally:
            _run(*control, "-m", "immediate", "stop", **identity)


def restart(programs: Path, folder: Path) -> None:
    """Restart a server that runs in `folder`: every connection ends."""
    identity = _identity(folder)
    _run(programs / "pg_ctl", "-D", folder / "data", "-w", "-l", folder / "log", "-m", "fast", "restart", **identity)


def _identity(folder: Path) -> dict[str, Any]:
    """As whom the programs run, for they refuse root: nobody, who then owns `folder`."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _run(*command: str | Path, **identity: Any) -> None:
    """Raises RuntimeError with what the program said, if it fails. No pipe: the server would keep it open."""
    with tempfile.TemporaryFile() as said:
        done = subprocess.run(
            command, check=False, stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd="/", **identity
        )
        if done.returncode:
            said.seek(0)
            raise RuntimeError(f"{command[0]} failed: {said.read().decode(errors='replace')}")
