"""Which executor the settings choose."""

import asyncio
import socket
import subprocess
import sys
from pathlib import Path

from pydantic import SecretStr

from assembly import create_executor
from cloning.worker.executor import SubprocessExecutor
from settings import Settings

ROOT = Path(__file__).parent.parent


def test_one_machine_imports_no_ray() -> None:
    program = (
        "import sys; from assembly import create_bot, create_executor; from settings import Settings; import bot;"
        "create_bot(Settings(_env_file=None)); create_executor(Settings(_env_file=None, executor='ray'));"
        "sys.exit('ray' in sys.modules or 'torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0


async def test_a_cluster_without_a_head_is_named_and_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    settings = Settings(
        _env_file=None,
        executor="ray",
        ray_address=f"127.0.0.1:{port}",
        ray_auth_token=SecretStr("a-long-word"),
        batch=3,
    )
    executor = create_executor(settings)
    assert isinstance(executor, SubprocessExecutor)
    assert executor.capacity == 3
    assert not any("a-long-word" in part for part in executor._command), "others see the commands of processes"
    await executor.start()
    async with asyncio.timeout(100):
        while executor.health().error is None:  # noqa: ASYNC110  # no event says so
            await asyncio.sleep(0.05)
    assert f"Nothing answers at RAY_ADDRESS=127.0.0.1:{port}." in (executor.health().error or "")
    assert executor.health().alive
    await executor.close()
