"""The whole benchmark, on a tiny shape and with few words."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks import checkpoints, clones, measure
from benchmarks.__main__ import BenchmarkRun, read_options
from benchmarks.rows import ROWS
from cloning.checkpoints.model_choice import ModelChoice
from cloning.model_set import LoadedModels

MACHINE = {
    "processor": "a processor",
    "device": "cpu",
    "threads": 1,
    "torch": torch.__version__,
    "bandwidth": 2e10,
    "rate": {"float32": 2e11, "bfloat16": 4e11},
    "auto": "float32",
    "of_decoding": 4e7,
    "of_cloning": {"features": 1e9, "quantizer": 1e9, "codec": 3e10},
}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("benchmarks")
    with torch.random.fork_rng(devices=[]):
        checkpoints.written("tiny", directory)
    return directory


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def arguments(directory: Path, *more: str) -> list[str]:
    fixed = ["--shape=tiny", "--seconds=0.1", "--threads=1", "--device=cpu", f"--directory={directory}"]
    return [*fixed, f"--suno={directory}", f"--bark-cpp={directory / 'none.so'}", *more]


def here(given: list[str]) -> dict[str, Any]:
    """Measures in this process; the machine, whose measurement takes long, is made up."""
    return MACHINE if "--contender=limits" in given else measure.measured(given)


@pytest.fixture
def small_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three lines in place of eight, and a clip of a second."""
    for name, voices in (("paragraph", 1), ("members", 3)):
        monkeypatch.setitem(ROWS, name, replace(ROWS[name], lines=3, voices=voices))
    monkeypatch.setattr(clones, "CLONE_SECONDS", 1.0)


def medians(directory: Path, *options: str) -> dict[str, dict[str, dict[str, Any]]]:
    bench = BenchmarkRun(read_options(arguments(directory, "--runs=1", *options)), here)
    bench.run()
    assert "\n".join(bench.summary()).count("#### ") == len(bench.facts()["medians"])
    found: dict[str, dict[str, dict[str, Any]]] = json.loads(json.dumps(bench.facts()))["medians"]
    for of_row in found.values():
        assert len({round(facts["audio_s"], 3) for facts in of_row.values()}) == 1, "everybody speaks as long"
        for facts in of_row.values():
            assert 0 < sum(facts["stages_s"].values()) <= facts["time_s"] * 1.001
    return found


@pytest.mark.usefixtures("small_rows")
def test_one_line_and_a_clone_beside_transformers(directory: Path) -> None:
    found = medians(directory, "--rows=sentence,busy,unvoiced,clone", "--contenders=barkeep,transformers")
    both = ["barkeep", "transformers"]
    assert {row: list(of_row) for row, of_row in found.items()} == {
        "sentence": both,
        "busy": ["barkeep"],
        "unvoiced": both,
        "clone": both,
    }


@pytest.mark.usefixtures("small_rows")
def test_a_clone_has_the_precision_of_its_contender(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the bot, where it decides whether HuBERT computes in 8 bits."""
    chosen: list[str] = []

    class Noted(LoadedModels):
        def __init__(self, choice: ModelChoice) -> None:
            chosen.append(choice.dtype)
            super().__init__(choice)

    monkeypatch.setattr(clones, "LoadedModels", Noted)
    medians(directory, "--rows=clone", "--contenders=barkeep")
    assert chosen == ["auto"]


@pytest.mark.usefixtures("small_rows")
def test_several_lines_together_or_one_after_the_other(directory: Path) -> None:
    found = medians(directory, "--rows=paragraph,members", "--contenders=barkeep,transformers,transformers-batch")
    paragraph = found["paragraph"]
    assert {name: facts["measured_lines"] for name, facts in paragraph.items()} == {
        "barkeep": 3,
        "transformers": 2,
        "transformers-batch": 3,
    }
    assert found["members"]["transformers"]["time_s"] == paragraph["transformers"]["time_s"]
    assert found["members"]["barkeep"]["time_s"] != paragraph["barkeep"]["time_s"]


def test_two_takes_are_one_line(directory: Path) -> None:
    takes = medians(directory, "--rows=sentence", "--contenders=barkeep-takes2")["sentence"]["barkeep-takes2"]
    assert takes["audio_s"] == pytest.approx(0.09, abs=0.02)


def test_peers_whose_code_is_not_here_are_named() -> None:
    def measured(given: list[str]) -> dict[str, Any]:
        return MACHINE if "--contender=limits" in given else {"folder": "."}

    given = ["--suno=nowhere", "--bark-cpp=nowhere", "--contenders=suno,bark.cpp,bark.cpp-int8"]
    bench = BenchmarkRun(read_options(given), measured)
    bench.run()
    lines = list(bench.summary())
    assert sum("python -m benchmarks.peers" in line for line in lines) == 2


def made_up(seconds: float) -> dict[str, Any]:
    stages = {"semantic": seconds, "coarse": seconds, "fine": seconds, "audio": seconds}
    facts = {"time_s": 4 * seconds, "processor_s": seconds, "first_audio_s": seconds, "audio_s": 1.0, "load_s": 1.0}
    return {**facts, "stages_s": stages, "peak_mb": 1.0, "measured_lines": 1, "together": False}


def test_contenders_take_turns_and_later_runs_stop_in_time() -> None:
    asked = []

    def measured(given: list[str]) -> dict[str, Any]:
        asked.append((given[1].removeprefix("--row="), given[0].removeprefix("--contender=")))
        known: dict[str, dict[str, Any]] = {"limits": MACHINE, "prepare": {"folder": "."}}
        return known.get(asked[-1][1]) or made_up(1.0 if asked[-1][0] == "sentence" else 1000.0)

    wanted = ["--rows=sentence,unvoiced", "--contenders=barkeep,transformers", "--runs=2", "--minutes=45"]
    bench = BenchmarkRun(read_options(wanted), measured)
    bench.run()
    spoken = [pair for pair in asked if pair[0]]
    turns = [("sentence", "barkeep"), ("sentence", "transformers")]
    assert spoken == [*turns, ("unvoiced", "barkeep"), ("unvoiced", "transformers"), *turns]


def test_one_who_fails_is_named_and_the_others_go_on() -> None:
    def measured(given: list[str]) -> dict[str, Any]:
        if "--contender=barkeep-int8" in given:
            raise subprocess.CalledProcessError(1, "python", stderr="Traceback\nUnavailable: no such dtype\n")
        known: dict[str, dict[str, Any]] = {"--contender=limits": MACHINE, "--contender=prepare": {"folder": "."}}
        return known.get(given[0]) or made_up(1.0)

    wanted = ["--rows=sentence", "--contenders=barkeep,barkeep-int8", "--runs=2"]
    bench = BenchmarkRun(read_options(wanted), measured)
    bench.run()
    assert bench.facts()["failed"] == ["barkeep-int8 in sentence: Unavailable: no such dtype"]
    assert bench.facts()["medians"]["sentence"]["barkeep"]["runs"] == 2


def test_an_unknown_row_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read_options(["--rows=sentence,novel"])
    assert "there is no novel" in capsys.readouterr().err


@pytest.mark.timeout(400)  # torch is imported once more, which takes long on a busy machine
def test_a_measurement_is_a_process_of_its_own(directory: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.measure", *arguments(directory, "--contender=barkeep")]
    said = subprocess.run([*command, "--row=sentence"], capture_output=True, text=True, check=True).stdout
    facts = json.loads(said.splitlines()[-1])
    assert facts["audio_s"] > 0
    assert facts["first_audio_s"] <= facts["time_s"]
    assert facts["peak_mb"] > 100
