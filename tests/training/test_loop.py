"""A run that is stopped and continued is the run that was not stopped."""

import os
import signal
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from cloning.checkpoints.weights import load_state
from errors import Cancelled, Unavailable
from training import loop
from training.curves import CurvePoint, Curves, read_log
from training.loop import NotLearning, Schedule, is_finished, train
from training.run_state import RunningMean

CPU = torch.device("cpu")
SHORT = Schedule(steps=12, warmup=3, learning_rate=0.05, validate_every=4, save_every=4, seed=7)


class Dense(nn.Module):
    """A layer, a counter, and dropout, which draws from torch's own generator."""

    seen: Tensor

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.layer = nn.Linear(3, 1)
        self.dropout = nn.Dropout(0.2)
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        fitted: Tensor = self.layer(self.dropout(x))
        return fitted


class Fit:
    """Fits a line, and does something unexpected at a step if asked."""

    def __init__(self, *, stop_at: int = -1, broken_at: int = -1, gate_at: int = -1, worse: bool = False) -> None:
        self.module = Dense()
        self.steps: list[float] = []
        self._stop_at, self._broken_at, self._gate_at, self._worse = stop_at, broken_at, gate_at, worse

    def loss(self, random: np.random.Generator) -> tuple[Tensor, Mapping[str, float | Tensor]]:
        x = torch.from_numpy(random.normal(size=(16, 3)).astype(np.float32))
        self.module.seen += 1
        self.steps.append(float(x[0, 0]))
        if len(self.steps) == self._stop_at:
            os.kill(os.getpid(), signal.SIGTERM)
        loss = (self.module(x)[:, 0] - x.sum(1)).square().mean()
        if len(self.steps) == self._broken_at:
            loss = loss * torch.nan
        return loss, {"tokens": 16.0, "size": x.abs().mean()}

    def validate(self) -> dict[str, float]:
        torch.rand(5)  # whatever a validation draws must not matter
        x = torch.eye(3)
        loss = (self.module(x)[:, 0] - 1.0).square().mean().item()
        return {"loss": float(self.module.seen) if self._worse else loss}

    def check(self, step: int, figures: dict[str, float]) -> None:
        if step == self._gate_at:
            raise NotLearning("It does not learn.")


def weights(job: Fit) -> dict[str, list[float]]:
    return {name: tensor.flatten().tolist() for name, tensor in job.module.state_dict().items()}


def stopped_and_continued(schedule: Schedule, folder: Path, stop_at: int) -> Fit:
    with pytest.raises(Cancelled, match=f"step {stop_at}"):
        train(Fit(stop_at=stop_at), schedule, folder, device=CPU)
    job = Fit()
    train(job, schedule, folder, device=CPU)
    return job


@pytest.mark.parametrize("stop_at", [1, 4, 7])
@pytest.mark.parametrize("ema", [None, 0.8])
def test_a_run_that_was_stopped_ends_with_the_same_bits(tmp_path: Path, stop_at: int, ema: float | None) -> None:
    schedule = replace(SHORT, ema=ema)
    whole = Fit()
    best = train(whole, schedule, tmp_path / "whole", device=CPU)

    parts = stopped_and_continued(schedule, tmp_path / "parts", stop_at)

    assert weights(parts) == weights(whole)
    assert parts.steps == whole.steps[stop_at:]
    assert best.read_bytes() == (tmp_path / "parts" / "best.safetensors").read_bytes()
    lines = {line for line in read_log(tmp_path / "parts" / "log.csv") if line.part == "valid"}
    assert lines == {line for line in read_log(tmp_path / "whole" / "log.csv") if line.part == "valid"}


def test_a_run_that_was_killed_goes_on_from_its_last_checkpoint(tmp_path: Path) -> None:
    class Killed(Exception):
        pass

    class Dies(Fit):
        def loss(self, random: np.random.Generator) -> tuple[Tensor, Mapping[str, float | Tensor]]:
            if len(self.steps) == 10:
                raise Killed
            return super().loss(random)

    whole, rest = Fit(), Fit()
    train(whole, SHORT, tmp_path / "whole", device=CPU)
    with pytest.raises(Killed):
        train(Dies(), SHORT, tmp_path / "parts", device=CPU)
    train(rest, SHORT, tmp_path / "parts", device=CPU)

    assert len(rest.steps) == 4
    assert weights(rest) == weights(whole)
    assert read_log(tmp_path / "parts" / "log.csv") == read_log(tmp_path / "whole" / "log.csv")


def test_a_finished_run_does_nothing_until_it_is_extended(tmp_path: Path) -> None:
    train(Fit(), SHORT, tmp_path, device=CPU)
    again, longer = Fit(), Fit()
    assert is_finished(SHORT, tmp_path)
    assert not is_finished(replace(SHORT, steps=20), tmp_path)
    assert not is_finished(SHORT, tmp_path / "elsewhere")

    train(again, SHORT, tmp_path, device=CPU)
    assert again.steps == []

    train(longer, replace(SHORT, steps=20), tmp_path, device=CPU)
    assert len(longer.steps) == 8
    assert [line.step for line in read_log(tmp_path / "log.csv") if line.part == "valid"] == [4, 8, 12, 16, 20]


def test_a_gate_stops_the_run_and_saves_nothing_more(tmp_path: Path) -> None:
    with pytest.raises(NotLearning, match="does not learn"):
        train(Fit(gate_at=8), SHORT, tmp_path, device=CPU)

    job = Fit()
    train(job, SHORT, tmp_path, device=CPU)
    assert len(job.steps) == 8  # from step 4 on


def test_a_loss_that_is_no_number_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(NotLearning, match="infinite or NaN near step 8"):
        train(Fit(broken_at=6), SHORT, tmp_path, device=CPU)

    job = Fit()
    train(job, SHORT, tmp_path, device=CPU)
    assert len(job.steps) == 8


def test_patience_ends_a_run_that_gets_worse_and_the_best_weights_are_kept(tmp_path: Path) -> None:
    job = Fit(worse=True)
    best = train(job, replace(SHORT, steps=100, patience=2), tmp_path, device=CPU)

    assert len(job.steps) == 12
    assert int(load_state(best)["seen"]) == 4
    assert is_finished(replace(SHORT, steps=100, patience=2), tmp_path)
    again = Fit(worse=True)
    train(again, replace(SHORT, steps=100, patience=2), tmp_path, device=CPU)
    assert again.steps == []


def test_the_mean_of_the_weights_is_what_is_kept_as_best(tmp_path: Path) -> None:
    job = Fit()
    best = train(job, replace(SHORT, ema=0.9), tmp_path, device=CPU)

    assert not torch.equal(load_state(best)["layer.weight"], job.module.layer.weight)


def test_the_mean_is_short_as_long_as_the_run_is() -> None:
    layer = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(layer.weight)
    mean = RunningMean(layer, 0.999)
    nn.init.ones_(layer.weight)
    for step in range(1, 101):
        mean.follow(layer, step)

    assert mean.weights["weight"].item() > 0.999


@pytest.mark.parametrize("native", [True, False])
def test_bfloat16_trains_in_mixed_precision_where_the_processor_has_it(
    native: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "has_bfloat16", lambda: native)
    seen: list[torch.dtype] = []

    class Watched(Fit):
        def loss(self, random: np.random.Generator) -> tuple[Tensor, Mapping[str, float | Tensor]]:
            seen.append(self.module(torch.zeros(1, 3)).dtype)
            return super().loss(random)

    train(Watched(), replace(SHORT, steps=1, precision="bfloat16"), tmp_path, device=CPU)
    assert seen == [torch.bfloat16 if native else torch.float32]


def test_the_handlers_of_signals_are_put_back(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    train(Fit(), SHORT, tmp_path, device=CPU)
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    (tmp_path / "last.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(Unavailable, match=r"last\.pt"):
        train(Fit(), SHORT, tmp_path, device=CPU)


def test_what_was_learned_is_better_than_what_was_drawn(tmp_path: Path) -> None:
    job = Fit()
    before = job.validate()["loss"]
    train(job, replace(SHORT, steps=100, validate_every=20, save_every=50), tmp_path, device=CPU)
    lines = read_log(tmp_path / "log.csv")
    losses = [line.value for line in lines if (line.part, line.figure) == ("valid", "loss")]

    assert losses[-1] < 0.2 * before
    assert {line.figure for line in lines if line.part == "train"} == {"loss", "size"}
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@given(warmup=st.integers(0, 50), steps=st.integers(51, 1000), final=st.floats(0, 1))
def test_the_rate_climbs_and_falls_and_never_leaves_its_bounds(warmup: int, steps: int, final: float) -> None:
    schedule = Schedule(steps=steps, warmup=warmup, learning_rate=1.0, final_rate=final)
    rates = [schedule.rate(step) for step in range(steps + 1)]

    assert rates[:warmup] == sorted(rates[:warmup])
    assert rates[warmup:] == sorted(rates[warmup:], reverse=True)
    assert rates[warmup] == pytest.approx(1.0)
    assert rates[-1] == pytest.approx(final)


def test_a_line_of_the_table_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    Curves(tmp_path, 0).add(5, "train", {"loss": 1.5})
    with (tmp_path / "log.csv").open("a") as file:
        file.write("6,train,lo")

    assert read_log(tmp_path / "log.csv") == [CurvePoint(5, "train", "loss", 1.5)]
    Curves(tmp_path, 5).add(6, "valid", {"loss": 1.0})
    assert [line.step for line in read_log(tmp_path / "log.csv")] == [5, 6]


def test_the_picture_is_drawn_anew_once_a_minute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    curves = Curves(tmp_path, 0)
    curves.add(5, "train", {"loss": 1.5})
    curves.draw_if_old()
    assert not (tmp_path / "curves.png").exists()

    monkeypatch.setattr(time, "monotonic", lambda: 161.0)
    curves.draw_if_old()
    assert (tmp_path / "curves.png").exists()


def test_without_figures_there_is_no_picture(tmp_path: Path) -> None:
    Curves(tmp_path, 0).draw()
    assert not (tmp_path / "curves.png").exists()
