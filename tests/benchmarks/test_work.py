"""The least that a row can cost follows from counts that can be made by hand."""

from dataclasses import replace

import pytest

from benchmarks import work
from benchmarks.rows import CONTENDERS, ROWS
from benchmarks.work import MachineLimits, Model
from cloning.bark.config import Windows

SIZE = {"num_layers": 12, "hidden_size": 768}
MATRICES = 12 * 12 * 768**2
CODEC = 4e7
SLOW_MEMORY = MachineLimits(1e9, {"float32": 1e18, "bfloat16": 1e18})
"""Where only bytes count."""
SLOW_PROCESSOR = MachineLimits(1e18, {"float32": 1e9, "bfloat16": 2e9})
"""Where only operations count."""


def least(row: str, contender: str, machine: MachineLimits, semantic: int = 249) -> dict[str, float]:
    known = CONTENDERS[contender]
    at = replace(known, dtype="float32") if known.dtype == "auto" else known
    return work.least_seconds(ROWS[row], at, known.windows("cpu"), semantic, SIZE, machine, CODEC)


def test_a_step_reads_matrices_head_and_cache() -> None:
    size, operations = Model(12, 768, 1024, "float32").step(1, 500)
    assert size == 4 * (MATRICES + 1024 * 768 + 2 * 12 * 500 * 768)
    assert operations == 2 * (MATRICES + 1024 * 768) + 4 * 12 * 500 * 768


def test_in_8_bits_a_step_reads_a_byte_of_a_matrix_and_two_of_the_cache() -> None:
    size, _ = Model(12, 768, 1024, "int8").step(1, 500)
    assert size == MATRICES + 1024 * 768 + 2 * 2 * 12 * 500 * 768


def test_half_the_bytes_take_half_the_time() -> None:
    full, half = least("sentence", "barkeep", SLOW_MEMORY), least("sentence", "barkeep-bfloat16", SLOW_MEMORY)
    assert half["semantic"] == pytest.approx(full["semantic"] / 2)


def test_eight_rows_together_read_the_matrices_once() -> None:
    together, alone = least("members", "barkeep", SLOW_MEMORY), least("members", "transformers", SLOW_MEMORY)
    steps = 248 * 4 * (MATRICES + 10_001 * 768) / 1e9
    assert alone["semantic"] - together["semantic"] == pytest.approx(7 * steps, rel=1e-6)


def test_together_nobody_multiplies_less() -> None:
    together, alone = (least("members", name, SLOW_PROCESSOR) for name in ("barkeep-float32", "transformers"))
    assert together == pytest.approx(alone)


def test_the_fine_stage_is_six_passes_over_whole_windows() -> None:
    one = 2 * MATRICES * 1024 + 2 * 1024 * 768 * 1024 + 4 * 12 * 768 * 1024**2
    assert least("sentence", "barkeep-float32", SLOW_PROCESSOR)["fine"] == pytest.approx(6 * one / 1e9)


def test_the_fine_stage_of_a_long_line_has_two_windows() -> None:
    short, long = (least("sentence", "barkeep-float32", SLOW_PROCESSOR, tokens)["fine"] for tokens in (249, 400))
    assert long == pytest.approx(2 * short)


def test_a_voice_costs_a_history_in_the_coarse_stage_only() -> None:
    with_voice, without = least("sentence", "barkeep", SLOW_PROCESSOR), least("unvoiced", "barkeep", SLOW_PROCESSOR)
    assert with_voice["coarse"] > 1.3 * without["coarse"]
    assert with_voice["semantic"] == without["semantic"]


def test_fast_fine_windows_are_as_long_as_voice_and_text() -> None:
    frames = 256 + 374
    one = 2 * MATRICES * frames + 2 * 1024 * 768 * frames + 4 * 12 * 768 * frames**2
    assert least("sentence", "barkeep-fast", SLOW_PROCESSOR)["fine"] == pytest.approx(6 * one / 1e9)


def test_longer_coarse_windows_are_read_less_often() -> None:
    exact, long, fast = (
        least("sentence", name, SLOW_PROCESSOR)["coarse"] for name in ("barkeep-float32", "barkeep", "barkeep-fast")
    )
    assert long < 0.6 * exact
    assert fast < 0.5 * long


@pytest.mark.parametrize(("contender", "same"), [("barkeep", False), ("barkeep-float32", True), ("suno", True)])
def test_windows_are_sunos_in_float32_and_on_a_gpu(contender: str, same: bool) -> None:
    known = CONTENDERS[contender]
    assert (known.windows("cpu") is Windows.EXACT) is same
    assert known.windows("cuda") is Windows.EXACT


def test_precisions_that_were_not_measured_compute_in_the_fastest() -> None:
    assert SLOW_PROCESSOR.seconds(0, 2e9, "int8") == 1.0


def test_units_of_five_seconds() -> None:
    assert work.units(ROWS["sentence"], 249) == {"semantic": 249, "coarse": 748, "fine": 2244, "audio": 374}
    assert work.units(ROWS["members"], 249)["semantic"] == 8 * 249
    assert work.units(ROWS["clone"], 249) == {"features": 499, "quantizer": 499, "codec": 750}


def test_two_takes_of_a_line_read_the_matrices_once_and_multiply_twice() -> None:
    assert least("sentence", "barkeep-takes2", SLOW_PROCESSOR)["fine"] == pytest.approx(
        2 * least("sentence", "barkeep", SLOW_PROCESSOR)["fine"]
    )
    one, two = (least("sentence", name, SLOW_MEMORY)["semantic"] for name in ("barkeep", "barkeep-takes2"))
    assert one < two < 1.2 * one
