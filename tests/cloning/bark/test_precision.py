"""What is refused, and in which words: precisions that a device does not have, and models that do not fit."""

import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
import torch

from cloning.bark import precision
from cloning.bark.bark import BarkEngine
from cloning.bark.config import Shape
from cloning.bark.linear import Linear
from cloning.bark.precision import (
    HALF_MATRICES,
    PRECISIONS,
    MemoryPlan,
    Precision,
    memory_of,
    pick_precision,
    refuse_too_large,
    refuse_unsupported,
)
from errors import Unavailable

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
CONFIG = {
    stage: {"num_layers": 2, "num_heads": 2, "hidden_size": 64, "block_size": 128}
    for stage in ("semantic_config", "coarse_acoustics_config", "fine_acoustics_config")
}


def test_float32_works_everywhere() -> None:
    for device in (CPU, CUDA, torch.device("mps")):
        refuse_unsupported(PRECISIONS["float32"], device)


@pytest.mark.parametrize("name", list(PRECISIONS))
def test_a_named_precision_is_taken_on_every_device(name: str) -> None:
    with mock.patch("cloning.bark.linear.half_is_supported", return_value=False):
        for device in (CPU, CUDA):
            assert pick_precision(name, device) is PRECISIONS[name]


def test_float16_is_of_the_matrices_only_where_a_processor_multiplies_them() -> None:
    with mock.patch("cloning.bark.linear.half_is_supported", return_value=True):
        assert pick_precision("float16", CPU) is HALF_MATRICES
        assert pick_precision("float16", CUDA) is PRECISIONS["float16"]
    refuse_unsupported(HALF_MATRICES, CPU)


@pytest.mark.parametrize(
    ("device", "eight", "sixteen", "taken"),
    [
        (CPU, True, True, PRECISIONS["int8"]),
        (CPU, False, True, HALF_MATRICES),
        (CPU, False, False, PRECISIONS["float32"]),
        (CUDA, True, True, PRECISIONS["float32"]),
    ],
)
def test_auto_takes_what_a_processor_multiplies_fastest(
    device: torch.device, eight: bool, sixteen: bool, taken: Precision
) -> None:
    with (
        mock.patch("cloning.bark.linear.int8_is_supported", return_value=eight),
        mock.patch("cloning.bark.linear.half_is_supported", return_value=sixteen),
    ):
        assert pick_precision("auto", device) is taken


def test_eight_bits_are_for_processors_that_multiply_them() -> None:
    with pytest.raises(Unavailable, match=r"not for cuda[.] Set DTYPE=float16"):
        refuse_unsupported(PRECISIONS["int8"], CUDA)
    with mock.patch("cloning.bark.linear.int8_is_supported", return_value=True):
        refuse_unsupported(PRECISIONS["int8"], CPU)
    with (
        mock.patch("cloning.bark.linear.int8_is_supported", return_value=False),
        pytest.raises(Unavailable, match="Set DTYPE=auto"),
    ):
        refuse_unsupported(PRECISIONS["int8"], CPU)


@pytest.mark.parametrize("instructions", ["AVX2", "AVX512_CORE"])
def test_eight_bits_are_not_for_a_product_whose_sums_overflow(instructions: str) -> None:
    """oneDNN reads the variable once, so a process of its own is asked."""
    asked = subprocess.run(
        [sys.executable, "-c", "from cloning.bark import linear; print(linear.int8_is_supported())"],
        env={**os.environ, "ONEDNN_MAX_CPU_ISA": instructions},
        capture_output=True,
        text=True,
        check=True,
    )
    assert asked.stdout.strip() == "False"


def test_float16_is_for_gpus_unless_the_processor_has_it() -> None:
    refuse_unsupported(PRECISIONS["float16"], CUDA)
    supported = bool(torch.ops.mkldnn._is_mkldnn_fp16_supported())
    assert Linear(torch.randn(8, 8, dtype=torch.float16)).packed == supported
    if not supported:
        with pytest.raises(Unavailable, match="Set DTYPE=bfloat16"):
            refuse_unsupported(PRECISIONS["float16"], CPU)


@pytest.mark.parametrize("supported", [True, False])
def test_bfloat16_is_for_gpus_that_have_it(supported: bool) -> None:
    with mock.patch.object(precision, "_has_bfloat16", return_value=supported):
        if supported:
            refuse_unsupported(PRECISIONS["bfloat16"], CUDA)
            return
        with pytest.raises(Unavailable, match="Set DTYPE=float16"):
            refuse_unsupported(PRECISIONS["bfloat16"], CUDA)


def test_lower_precisions_plan_less() -> None:
    plans = {name: chosen.plan(CONFIG, 4) for name, chosen in PRECISIONS.items()}
    assert plans["bfloat16"] == plans["float16"]
    assert plans["bfloat16"].weights * 2 == plans["float32"].weights
    assert plans["bfloat16"].caches * 2 == plans["float32"].caches
    assert plans["int8"].caches == plans["bfloat16"].caches
    assert HALF_MATRICES.plan(CONFIG, 4).caches == plans["bfloat16"].caches
    assert plans["bfloat16"].weights < HALF_MATRICES.plan(CONFIG, 4).weights < plans["float32"].weights
    shape = Shape.from_config(CONFIG["semantic_config"])
    heads = 2 * 10_048 * shape.width  # of the causal models, with Bark's vocabulary
    assert plans["float32"].weights - plans["int8"].weights == 3 * (3 * shape.matrices + heads)


def test_a_model_that_does_not_fit_is_refused_with_the_numbers() -> None:
    plan, chosen = MemoryPlan(weights=1500 * 2**20, caches=1152 * 2**20), PRECISIONS["float32"]
    for room in (None, 2652 * 2**20, 2**40):
        refuse_too_large(plan, room, batch=8, precision=chosen)
    with pytest.raises(Unavailable) as refusal:
        refuse_too_large(plan, 2048 * 2**20, batch=8, precision=chosen)
    for part in ("1,500 MB", "float32", "1,152 MB", "8 sentences", "2,048 MB", "BATCH", "DTYPE", "MODEL"):
        assert part in str(refusal.value)


@pytest.mark.parametrize("chosen", [PRECISIONS["int8"], PRECISIONS["bfloat16"], HALF_MATRICES])
def test_a_larger_precision_is_no_advice(chosen: Precision) -> None:
    with pytest.raises(Unavailable, match=r"Set a smaller BATCH or a smaller MODEL\.$"):
        refuse_too_large(MemoryPlan(weights=2, caches=2), 3, batch=8, precision=chosen)


@pytest.mark.parametrize(("batch", "room"), [(1, 2000), (8, 1600), (8, 1000)])
def test_a_smaller_batch_is_no_advice_where_it_does_not_help(batch: int, room: int) -> None:
    plan = MemoryPlan(weights=1500 * 2**20, caches=1152 * 2**20)
    with pytest.raises(Unavailable, match=r"MB\. Set a smaller MODEL\.$"):
        refuse_too_large(plan, room * 2**20, batch=batch, precision=PRECISIONS["int8"])
    with pytest.raises(Unavailable, match=r"MB\. Set DTYPE=bfloat16 .* or a smaller MODEL\.$"):
        refuse_too_large(plan, room * 2**20, batch=batch, precision=PRECISIONS["float32"])


def test_an_engine_that_does_not_fit_is_not_loaded(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    with (
        mock.patch("cloning.bark.bark.memory_of", return_value=2**20),
        mock.patch("cloning.bark.bark.load_bark") as load,
        pytest.raises(Unavailable, match="there are 1 MB"),
    ):
        BarkEngine.load(tmp_path, precision=PRECISIONS["float32"], device=CPU, decode=mock.Mock(), batch=8)
    load.assert_not_called()


@pytest.mark.parametrize(("text", "allowed"), [("1048576\n", 2**20), ("max\n", None), ("", None)])
def test_a_container_may_have_less_than_its_machine(tmp_path: Path, text: str, allowed: int | None) -> None:
    limit = tmp_path / "memory.max"
    limit.write_text(text, encoding="ascii")
    with mock.patch.object(precision, "_LIMITS_OF_THE_GROUP", (limit, tmp_path / "none")):
        assert memory_of(CPU) == (allowed or precision._physical_memory())


def test_where_nothing_tells_nothing_is_refused(tmp_path: Path) -> None:
    with (
        mock.patch("os.sysconf", side_effect=ValueError),
        mock.patch.object(precision, "_LIMITS_OF_THE_GROUP", (tmp_path / "none",)),
    ):
        assert memory_of(CPU) is None
