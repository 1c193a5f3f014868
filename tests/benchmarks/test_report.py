"""Tables, ratios and what was wanted."""

from dataclasses import replace

import pytest

from benchmarks import report
from benchmarks.report import Task
from benchmarks.rows import ROWS
from benchmarks.work import MachineLimits

TASK = Task(
    249,
    {"num_layers": 12, "hidden_size": 768},
    MachineLimits(2e10, {"float32": 2e11, "bfloat16": 4e11}),
    4e7,
    {"features": 1e11, "quantizer": 2e10, "codec": 3e10},
    "cpu",
    "int8",
)
EXACT = replace(TASK, auto="float32")
HALVED = replace(TASK, auto="float16")
"""Of a processor with AVX2 only."""
STAGES = {"semantic": 8.0, "coarse": 20.0, "fine": 5.0, "audio": 1.0}


def run(seconds: float, **more: object) -> dict[str, object]:
    stages = {stage: spent * seconds / 34 for stage, spent in STAGES.items()}
    return {
        "time_s": seconds,
        "audio_s": 5.0,
        "first_audio_s": seconds,
        "processor_s": 2.0 * seconds,
        "peak_mb": 1500.0,
        "stages_s": stages,
        **more,
    }


def test_medians_of_runs_and_the_most_memory() -> None:
    middle = report.medians([run(30), run(50, peak_mb=1700.0), run(34)])
    assert middle["time_s"] == 34
    assert middle["peak_mb"] == 1700
    assert middle["stages_s"]["coarse"] == pytest.approx(20)
    assert middle["real_time_factor"] == pytest.approx(6.8)
    assert middle["runs"] == 3


def test_table_shows_speed_and_how_much_of_the_limit() -> None:
    lines = list(report.table(ROWS["sentence"], {"barkeep": report.medians([run(34)])}, TASK))
    limit = TASK.limits(ROWS["sentence"], "barkeep")["semantic"]
    assert f"{249 / 8:.1f} ({limit / 8:.0%})" in lines[-2]
    assert "| barkeep | 1 | 34.0 | 68.0 | 6.80 | 34.0 s | 1500 MB |" in lines[-2]


def test_table_says_how_many_lines_were_spoken() -> None:
    lines = list(report.table(ROWS["members"], {"suno": report.medians([run(400, measured_lines=2)])}, TASK))
    assert "400.0 (2 of 8 lines)" in lines[-2]


def test_table_of_clones_has_their_stages() -> None:
    stages = {"features": 2.0, "quantizer": 0.5, "codec": 1.0}
    facts = {"time_s": 3.5, "processor_s": 7.0, "audio_s": 10.0, "peak_mb": 900.0, "stages_s": stages}
    lines = list(report.table(ROWS["clone"], {"barkeep": report.medians([facts])}, TASK))
    assert "quantizer/s" in lines[2]
    assert "499" not in lines[-2]
    assert f"{499 / 0.5:.1f} (" in lines[-2]


def test_ratios_to_the_default_and_at_the_same_precision() -> None:
    results = {
        name: report.medians([run(seconds)])
        for name, seconds in (("barkeep", 30), ("barkeep-bfloat16", 20), ("transformers-bfloat16", 60))
    }
    line = list(report.ratios(ROWS["sentence"], results, TASK))[-2]
    assert line.startswith("| transformers-bfloat16 | **2.00** |")
    assert "**3.00** barkeep-bfloat16" in line


@pytest.mark.parametrize(("task", "wanted"), [(TASK, 4.0), (HALVED, 2.5), (EXACT, 2.5)])
@pytest.mark.parametrize("met", ["met", "missed"])
def test_bars_say_what_was_met(task: Task, wanted: float, met: str) -> None:
    ours = 60 / wanted + (1 if met == "missed" else -1)
    results = {"sentence": {name: report.medians([run(s)]) for name, s in (("barkeep", ours), ("transformers", 60))}}
    lines = list(report.bars(results, task))
    assert lines[0].endswith(f"{60 / ours:.2f} (wanted: {wanted}, {met})")
    assert not any("paragraph" in line for line in lines), "rows that were not asked for are not missed"


def test_bars_say_who_was_not_measured() -> None:
    lines = list(report.bars({"members": {"barkeep": report.medians([run(30)])}}, TASK))
    assert "not measured" in lines[0]


def test_bars_take_the_fastest_peer_at_the_same_precision() -> None:
    seconds = {"barkeep": 30, "transformers": 60, "suno": 45, "transformers-bfloat16": 10}
    results = {"sentence": {name: report.medians([run(spent)]) for name, spent in seconds.items()}}
    assert any("against suno, the fastest: 1.50" in line for line in report.bars(results, EXACT))
    assert not any("in float32 against" in line for line in report.bars(results, TASK))


def test_the_default_is_compared_at_the_precision_that_it_chooses() -> None:
    results = {name: report.medians([run(10)]) for name in ("barkeep", "barkeep-float32")}
    assert TASK.ours("int8", results) == "barkeep"
    assert TASK.ours("float32", results) == "barkeep-float32"
    assert EXACT.ours("float32", {"barkeep": results["barkeep"]}) == "barkeep"


def test_half_precision_on_a_cpu_is_compared_with_bfloat16() -> None:
    assert TASK.ours("float16", {}) == "barkeep-bfloat16"
    assert HALVED.ours("float16", {}) == "barkeep"  # unless it is the default
    assert replace(TASK, device="cuda").ours("float16", {}) == "barkeep-float16"


@pytest.mark.parametrize(("seconds", "met"), [(60, "met"), (90, "missed")])
def test_a_busy_machine_is_compared_with_an_idle_one(seconds: float, met: str) -> None:
    results = {"sentence": {"barkeep": report.medians([run(30)])}, "busy": {"barkeep": report.medians([run(seconds)])}}
    assert f"- busy: {seconds / 30:.2f} times as long as alone (wanted: at most 2.5, {met})" in report.bars(
        results, TASK
    )
