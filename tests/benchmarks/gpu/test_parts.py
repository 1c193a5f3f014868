"""Every part, rehearsed on the CPU with tiny models: what a card is going to run first is run here before."""

import io
import json
import subprocess
import sys
import wave
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks import limits
from benchmarks.gpu import child, graphs, models
from benchmarks.gpu.__main__ import PARTS
from benchmarks.gpu.context import REHEARSED, Context
from benchmarks.gpu.reference import compared
from benchmarks.rows import STAGES
from cloning.bark.cuda_graphs import CapturedBatch
from tests.cloning.bark.test_cuda_graphs import Graphs

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What the machine could do at best is measured once, not many times."""
    monkeypatch.setattr(limits, "_REPEATS", 1)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def rehearsed(part: str, out: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, Any]]:
    status = child.main(["--rehearse", f"--out={out}", "--seconds=380", f"{part}=380"])
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith('{"part"')]
    assert (status, events[0]["event"], events[-1]["event"]) == (0, "began", "ended"), events[-1]
    return {event["name"]: event["facts"] for event in events[1:-1]}


def test_what_the_machine_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = rehearsed("machine", tmp_path, capsys)
    assert found["versions"]["torch"] == torch.__version__
    assert found["limits"]["bandwidth"] > 1e8


def test_tokens_beside_those_of_transformers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = rehearsed("parity", tmp_path, capsys)
    for name, facts in found.items():
        for case in facts.get("each", [facts]) if ":" in name else []:
            assert all(case[stage]["others"] <= case[stage]["tokens"] / 100 for stage in STAGES[:3]), name
    alone = {"no voice", "voice of 519 frames", "voice of 237 frames", "to its end", "several fine windows"}
    assert {f"tiny: {case}" for case in alone} < set(found)
    assert found["tiny: 7 in 3 rows, as alone"]["same"]
    assert found["tiny: all at once, as in 3 rows"]["same"]
    assert found["tiny: drawn, 7 in 3 rows, as alone"]["same"]
    assert found["codec"]["furthest_from_cpu"] == 0 < found["codec"]["loudest"]
    assert found["cloning"]["quantizer_as_on_cpu"] == 1


def test_differences_are_counted_and_found() -> None:
    ours, theirs = models.voice(10, 15), models.voice(10, 15)
    theirs.coarse[1, 3] += 1
    found = compared(ours, {"semantic": theirs.semantic, "coarse": theirs.coarse, "fine": theirs.fine[:, :14]})
    assert found["semantic"] == {"tokens": 10, "others": 0}
    assert found["coarse"] == {"tokens": 30, "others": 1, "first": 7}
    assert found["fine"] == {"tokens": 112, "others": 112, "shapes": [[8, 15], [8, 14]]}


def test_forms_of_a_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = rehearsed("graphs", tmp_path, capsys)
    assert len(found) == 3 * 2 * 2 * 2 * 2  # precisions, stages, crowds, lengths, ways to draw
    for facts in found.values():
        assert not facts["captured"]
        assert facts["why"] == "there is no CUDA here"
        assert facts["step_ms"] > 0 < facts["eager_ms"]


@pytest.mark.parametrize("error", [None, RuntimeError("operation not permitted when stream is capturing")])
def test_a_form_that_cannot_be_captured_says_why(
    error: Exception | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = Context(torch.device("cpu"), REHEARSED, tmp_path)
    batch = CapturedBatch(graphs.causal_models(context, "tiny", torch.float32)["coarse"], 2)
    Graphs(monkeypatch, error).serve(batch)
    facts = graphs._form(context, batch, 2, 250, keep_all=False)
    assert facts["captured"] == (error is None)
    assert facts.get("why", "") == (str(error) if error else "")


def test_the_bundled_model_speaks_in_what_the_device_has(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = rehearsed("speech", tmp_path, capsys)
    spoken = {name for name, facts in found.items() if "refused" not in facts}
    assert "float32" in spoken
    with zipfile.ZipFile(tmp_path / "speech.zip") as archive:
        sounds = [name for name in archive.namelist() if name.endswith(".wav")]
        assert {name.partition("/")[0] for name in sounds} == spoken
        assert json.loads(archive.read("texts.json"))
        with wave.open(io.BytesIO(archive.read(sounds[0]))) as file:
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    assert 1_000 < np.abs(samples).max() <= 32_767


def test_a_profile_of_a_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = rehearsed("profiling", tmp_path, capsys)
    assert all(facts["us_a_step"] > 0 and facts["largest_us_a_step"] for facts in found.values())
    assert (tmp_path / "profile.txt").read_text(encoding="utf-8").count("8 steps") == len(found)


def test_everybody_speaks(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", lambda forward, *, dynamic, backend: forward)  # takes a minute
    found = rehearsed("speed", tmp_path, capsys)
    assert {name.split(": ")[1] for name in found} == {
        *(f"barkeep-{dtype}" for dtype in ("float16", "bfloat16", "float32")),
        "transformers",
        *(f"transformers-{kind}" for kind in ("float16", "bfloat16", "float16-batch", "compiled")),
    }
    for facts in found.values():
        lines = round(facts["audio_s"] / 0.08)
        assert lines in (1, 2)
        assert set(facts["of_the_limit"]) == {"semantic", "coarse", "fine", "audio"}


def test_what_fails_is_told_and_ends_the_process(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert child.main(["--rehearse", f"--out={tmp_path}", "--seconds=9", "nothing=9", "machine=9"]) == 1
    (began, failed) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (began["event"], failed["event"]) == ("began", "failed")
    assert "No module named 'benchmarks.gpu.nothing'" in failed["why"]


def test_each_part_has_a_module() -> None:
    folder = Path(child.__file__).parent
    assert all((folder / f"{part}.py").is_file() for part in PARTS)


def test_nothing_is_imported_that_a_bare_machine_lacks() -> None:
    """Beside what torch and transformers bring: encodec and einops, as benchmarks/GPU.md says."""
    parts = [f"benchmarks.gpu.{name}" for name in ("__main__", "child", "hear", *PARTS)]
    program = f"import importlib, sys\nfor name in {parts!r}: importlib.import_module(name)\nprint(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    packages = {name.partition(".")[0] for name in loaded.split()}
    assert {"torch", "transformers", "encodec"} < packages
    for lacking in ("av", "babel", "pydantic", "pyloudnorm", "pyworld", "sentencex", "structlog", "unicode_rbnf"):
        assert lacking not in packages
