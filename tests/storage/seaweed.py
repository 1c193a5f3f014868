"""An S3-compatible store of the tests' own: SeaweedFS on loopback, in a temporary folder, thrown away afterwards."""

import asyncio
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from storage.bucket import Bucket

BUCKET = "barkeep"
OWNER, GUEST, READER = "owner", "guest", "reader"
"""Keys. The store creates a bucket that is missing for the owner only."""
_IDENTITIES = {
    OWNER: ["Admin", "Read", "Write", "List"],
    GUEST: ["Read", "Write", "List"],
    READER: ["Read", "List"],
}
_SECONDS = 60.0


def secret_of(key: str) -> str:
    return f"the secret of {key}"


@dataclass(frozen=True)
class ObjectStore:
    endpoint: str
    process: subprocess.Popen[bytes]

    def options(self, key: str = OWNER, **other: str) -> dict[str, str | None]:
        """How Bucket reaches the store."""
        own = {"access_key_id": key, "secret_access_key": secret_of(key)}
        return {"endpoint": self.endpoint, "region": "us-east-1", **own, **other}


def find_program() -> Path | None:
    beside = Path(sys.executable).with_name("weed")
    on_path = shutil.which("weed")
    return beside if beside.exists() else Path(on_path) if on_path else None


@contextmanager
def running_store(program: Path) -> Iterator[ObjectStore]:
    with tempfile.TemporaryDirectory(prefix="barkeep-seaweed-") as name:
        folder = Path(name)
        who = [
            {"name": key, "credentials": [{"accessKey": key, "secretKey": secret_of(key)}], "actions": actions}
            for key, actions in _IDENTITIES.items()
        ]
        (folder / "s3.json").write_text(json.dumps({"identities": who}), encoding="utf-8")
        names = [f"{part}.port{kind}" for part in ("master", "volume", "filer", "s3") for kind in ("", ".grpc")]
        ports = dict(zip(names, _free_ports(len(names)), strict=True))
        command = [
            *(str(program), "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
            *("-filer", "-s3", f"-s3.config={folder / 's3.json'}", "-s3.iam=false", "-master.telemetry=false"),
            *("-s3.port.iceberg=0", "-s3.port.lance=0"),
            *("-volume.max=20", "-master.volumeSizeLimitMB=64"),
            *(f"-{option}={port}" for option, port in ports.items()),
        ]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=folder)
        try:
            _wait_for(process, ports["s3.port"], folder / "log")
            store = ObjectStore(f"http://127.0.0.1:{ports['s3.port']}", process)
            asyncio.run(Bucket(f"s3://{BUCKET}", store.options()).put("made", b""))
            yield store
        finally:
            process.kill()
            process.wait()
            for port in ports.values():
                for left in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):  # noqa: S108 (where it puts them)
                    left.unlink(missing_ok=True)


def _free_ports(number: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _wait_for(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + _SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"SeaweedFS did not start: {log.read_text(errors='replace')[-2000:]}") from None
            time.sleep(0.05)
        else:
            return
