"""Which executor the settings choose, and what keeps a bot from it."""

import asyncio
import importlib.util
import socket
import subprocess
import sys
from pathlib import Path
from unittest.mock import create_autospec

import pytest
from pydantic import SecretStr

from assembly import create_bot, create_executor
from checkup import Exit, StartError
from cloning.worker.executor import SubprocessExecutor
from settings import Settings
from studio.values import Courier

ROOT = Path(__file__).parent.parent


def test_one_machine_imports_no_ray() -> None:
    program = (
        "import sys; from assembly import create_bot, create_executor; from settings import Settings; import bot;"
        "create_bot(Settings(_env_file=None)); create_executor(Settings(_env_file=None, executor='ray'));"
        "sys.exit('ray' in sys.modules or 'torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0


async def test_a_bot_joins_no_cluster_without_a_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: object())  # as if Ray was installed
    bot = create_bot(Settings(_env_file=None, executor="ray", data_dir=tmp_path / "data"))
    with pytest.raises(StartError, match="RAY_AUTH_TOKEN is not set") as refused:
        await bot._open_studio(create_autospec(Courier, instance=True))
    assert refused.value.code is Exit.SETTINGS
    assert not (tmp_path / "data").exists()


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
