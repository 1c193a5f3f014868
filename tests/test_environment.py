"""What child processes are given of the environment."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

import environment
from cloning.media import decoding
from cloning.worker.process import WorkerProcess
from errors import Unavailable
from settings import Settings

SECRETS = {
    "DISCORD_TOKEN": "MTIz.a-token",
    "DATABASE_URL": "postgresql+asyncpg://barkeep:password@host/barkeep",
    "PGPASSWORD": "password",
    "AWS_SECRET_ACCESS_KEY": "key",
    "HF_TOKEN": "hf_x",
    "GITHUB_TOKEN": "x",
}
TELL = "import os, sys; sys.stderr.write('INFO ' + ' '.join(sorted(os.environ)) + '\\n')"


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    for name in ("OMP_NUM_THREADS", "HTTPS_PROXY", "CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH", "LC_ALL"):
        monkeypatch.setenv(name, "C.UTF-8" if name == "LC_ALL" else "1")


def test_no_setting_and_no_secret_is_handed_on() -> None:
    given = environment.to_run_models()
    assert not given.keys() & SECRETS.keys()
    assert not {name.lower() for name in given} & Settings.model_fields.keys()


def test_what_a_child_needs_is_handed_on() -> None:
    assert environment.to_run()["PATH"] == os.environ["PATH"]
    assert environment.to_run().keys() >= {"LD_LIBRARY_PATH", "LC_ALL"}
    assert environment.to_run_models().keys() >= {"OMP_NUM_THREADS", "HTTPS_PROXY", "CUDA_VISIBLE_DEVICES", "LC_ALL"}


def test_the_decoder_is_told_nothing_of_models_and_proxies() -> None:
    assert not environment.to_run().keys() & {"OMP_NUM_THREADS", "HTTPS_PROXY", "CUDA_VISIBLE_DEVICES"}


async def test_the_worker_gets_no_secret() -> None:
    lines: list[str] = []
    worker = await WorkerProcess.start([sys.executable, "-c", TELL], lambda _, line: lines.append(line))
    await asyncio.wait_for(worker.receive(), 30)
    await worker.stop()
    (names,) = lines
    assert "OMP_NUM_THREADS" in names.split()
    assert not SECRETS.keys() & set(names.split())


def test_the_decoder_gets_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(decoding, "_DECODER", (sys.executable, "-c", f"{TELL}; print('{{\"pieces\": []}}')"))
    with pytest.raises(Unavailable):  # the stand-in writes no samples
        decoding.decode(tmp_path / "recording.ogg")
    assert "PATH" in caplog.text
    assert not any(name in caplog.text for name in SECRETS)
