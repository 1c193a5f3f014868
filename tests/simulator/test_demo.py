"""The demo, with the real worker and the stand-in; and what it does not accept as speech."""

import signal
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import AsyncMock, create_autospec

import numpy as np
import pytest
from discord import Attachment
from simcord import InteractionResult

from cloning.media import audio
from cogs.client import Barkeep
from errors import Unavailable
from settings import Settings
from simulator import demo
from simulator.notice import NOTICE

RATE = 24_000
SPOKEN = "Some words that were said."


@pytest.fixture(autouse=True)
def noise(own_process: None, stand_in: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model of the settings."""
    monkeypatch.setenv("MODEL", str(stand_in))


@pytest.mark.timeout(400)
def test_the_demo_plays_to_its_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.main() == 0
    *steps, verdict = capsys.readouterr().out.splitlines()
    assert len(steps) == 5
    assert all(" s  " in step and "failed" not in step for step in steps)
    assert verdict.startswith("demo/gilbert.ogg: ")
    assert {path.name for path in (tmp_path / "demo").iterdir()} == {"gilbert.ogg", "waveform.png"}


def test_a_small_model_is_announced(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    async def play(settings: Settings, folder: Path) -> Path:
        raise Unavailable("Nobody is there.")

    monkeypatch.setattr(demo, "play", play)
    assert demo.main() == 1
    monkeypatch.setenv("MODEL", "bundled")
    assert demo.main() == 1
    assert capsys.readouterr().out.splitlines() == ["Nobody is there.", NOTICE, "Nobody is there."]


def recorded(path: Path, samples: np.ndarray[tuple[int], np.dtype[np.float32]]) -> Path:
    audio.write(path, samples, RATE, tags={})
    return path


def hum(seconds: float, level: float = 0.1) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    time = np.arange(int(seconds * RATE)) / RATE
    return (level * np.sin(2 * np.pi * 220 * time)).astype(np.float32)


def test_a_plausible_recording(tmp_path: Path) -> None:
    assert "2.0 s" in demo.examine(recorded(tmp_path / "a.ogg", hum(2.0)), SPOKEN)


@pytest.mark.parametrize(
    ("seconds", "level", "reason"),
    [(2.0, 0.0, "silent"), (2.0, 1e-4, "silent"), (0.2, 0.1, "plausible"), (30.0, 0.1, "plausible")],
)
def test_what_is_no_speech(tmp_path: Path, seconds: float, level: float, reason: str) -> None:
    with pytest.raises(Unavailable, match=reason):
        demo.examine(recorded(tmp_path / "a.flac", hum(seconds, level)), SPOKEN)


def test_a_failure_is_told_in_the_members_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    silence = tmp_path / "silence.flac"
    audio.write(silence, hum(5.0, 0.0), RATE, tags={})
    monkeypatch.setattr(demo, "SAMPLE", silence)
    assert demo.main() == 1
    said = capsys.readouterr().out
    assert "failed" in said
    assert "Traceback" not in said


async def test_an_answer_that_comes_while_the_jobs_are_looked_at_is_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attachment = create_autospec(Attachment, instance=True, filename="late.ogg")
    attachment.read = AsyncMock(return_value=b"sound")
    result = create_autospec(InteractionResult, instance=True, deferred=False)
    result.response = SimpleNamespace(content="Here it is.", attachments=[])

    async def idle(self: demo.Demo) -> bool:
        result.response.attachments.append(attachment)
        return True

    monkeypatch.setattr(demo.Demo, "_idle", idle)
    monkeypatch.setattr(demo, "build", lambda env: None)
    monkeypatch.setattr(demo, "LiveEnv", lambda bot: None)
    (saved,) = await demo.Demo(create_autospec(Barkeep, instance=True), tmp_path).save(result)
    assert saved.read_bytes() == b"sound"


def test_ctrl_c_ends_the_demo_with_a_word(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    async def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "play", interrupted)
    before = signal.getsignal(signal.SIGINT)
    try:
        assert demo.main() == demo.STOPPED
    finally:
        signal.signal(signal.SIGINT, before)
    assert capsys.readouterr().out.rstrip().endswith("Stopped.")
