"""What prompts are worth to the coarse stage."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from errors import InvalidInput, Unavailable
from research.bundled import gpt
from research.bundled.layout import BOOKS, CODEBOOK_SIZE, Size
from research.bundled.phones import SEMANTIC_SIZE
from research.bundled.teacher import Teacher
from research.evaluate.match import NONE, TRUE, Shown, late, match_command, surprise, table
from tests.research.bundled.kokoro_voices import write_voices


def drawn(frames: int, seed: int) -> Shown:
    random = np.random.default_rng(seed)
    return Shown(random.integers(0, SEMANTIC_SIZE, frames), random.integers(0, CODEBOOK_SIZE, (BOOKS, frames)))


@pytest.fixture(scope="module")
def coarse() -> Any:
    torch.manual_seed(0)
    module: Any = gpt.new_coarse(Size(layers=1, heads=2, width=16))
    with torch.no_grad():
        for weights in module.parameters():
            weights.mul_(4)  # as drawn, all tokens are about equally likely
    return module.eval()


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_voices(tmp_path_factory.mktemp("voices"))


SAID = [drawn(70, 1), drawn(20, 2), drawn(200, 3)]
PROMPTS = [drawn(200, 4), drawn(30, 5), None]


def test_late_tokens_are_as_many_as_before() -> None:
    assert late(np.array([7, 8, 9]), 1).tolist() == [7, 7, 8]
    assert late(np.array([7, 8, 9]), 5).tolist() == [7, 7, 7]


def test_who_knows_nothing_is_as_surprised_as_can_be() -> None:
    nothing: Any = gpt.new_coarse(Size(layers=1, heads=2, width=16)).eval()
    torch.nn.init.zeros_(nothing.lm_head.weight)

    assert surprise(nothing, PROMPTS, SAID) == pytest.approx(math.log(CODEBOOK_SIZE))


def test_each_speaker_is_measured_alone(coarse: Any) -> None:
    together = surprise(coarse, PROMPTS, SAID)
    alone = [surprise(coarse, [prompt], [said])[0] for prompt, said in zip(PROMPTS, SAID, strict=True)]

    assert together == pytest.approx(alone, rel=1e-4)
    assert len(set(together.round(3))) == 3


@pytest.mark.parametrize("changed", ["semantic", "codes", "nothing"])
def test_both_halves_of_the_prompt_are_heard(coarse: Any, changed: str) -> None:
    prompt, other = drawn(200, 4), drawn(200, 6)
    shown = {
        "semantic": Shown(other.semantic, prompt.codes),
        "codes": Shown(prompt.semantic, other.codes),
        "nothing": Shown(prompt.semantic.copy(), prompt.codes.copy()),
    }[changed]

    (before,), (after,) = (surprise(coarse, [one], SAID[:1]) for one in (prompt, shown))

    assert (before == after) == (changed == "nothing")


def test_the_table_tells_what_is_right_and_by_how_much_each_is_worse() -> None:
    true = [drawn(20, 1), drawn(60, 2)]
    wrong = [Shown((true[0].semantic + 1) % SEMANTIC_SIZE, true[0].codes), Shown(true[1].semantic[:20], true[1].codes)]
    nats = {TRUE: np.array([1.0, 2.0]), "others": np.array([1.5, 2.5]), NONE: np.array([2.0, 3.0])}

    lines = table({TRUE: true, "others": wrong, NONE: [None, None]}, nats)

    assert lines[2:] == [
        f"| {TRUE} | 100 % | 1.500 |  |",
        "| others | 50 % | 2.000 | +0.500 (+0.500 to +0.500) |",
        f"| {NONE} | – | 2.500 | +1.000 (+1.000 to +1.000) |",
    ]


@pytest.mark.timeout(400)  # Kokoro speaks, which takes a minute on a processor with AVX2 only
def test_the_bundled_model_is_measured(archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    teacher = tmp_path / "best.safetensors"
    save_file(Teacher(SEMANTIC_SIZE).state_dict(), teacher)

    match_command(voices=2, teacher=teacher, kokoro_voices=archive)

    rows = [line.split("|")[1:-1] for line in capsys.readouterr().out.splitlines()[2:]]
    nats = {name.strip(): float(value) for name, _, value, _ in rows}
    assert set(nats) > {TRUE, "quantizer", "codebook", "transcript"}
    assert len(set(nats.values())) > 5


def test_the_recipes_teacher_is_needed(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"best\.safetensors"):
        match_command(voices=2, teacher=tmp_path / "best.safetensors")


def test_other_models_have_no_true_tokens(stand_in: Path) -> None:
    with pytest.raises(InvalidInput, match="bundled"):
        match_command(model=str(stand_in))
