"""The training loop of all networks: warm-up and decay, checkpoints, resuming, gates, figures, curves.

A run is a folder. `last.pt` holds everything that the next step depends on, so that a run that was stopped and
continued has the same result, to the bit, as an uninterrupted one. `best.safetensors` holds the weights with the lowest
validation loss.
"""

import math
import signal
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Literal, Protocol, Self

import numpy as np
import torch
from torch import Tensor, nn

from cloning.atomic_files import make_folder
from errors import BarkeepError, Cancelled
from training.curves import Curves
from training.optimizers import Kind, Optimizers
from training.run_state import RunningMean, read_state, write_state, write_weights

TOKENS = "tokens"
"""The figure that counts the tokens of a step. It is shown as a rate, and not as a curve."""

LOSS = "loss"
"""The validation figure that selects the best weights."""

_LINE_EVERY = 50
"""Steps between two lines of progress, and between two points of the training curves."""


class NotLearning(BarkeepError):
    """A run does not reach a required figure, or its loss is not finite."""


class Job(Protocol):
    """A network with its data and loss."""

    @property
    def module(self) -> nn.Module:
        """The module whose parameters and buffers are saved. Parameters without gradients are not trained."""

    def loss(self, random: np.random.Generator) -> tuple[Tensor, Mapping[str, float | Tensor]]:
        """Return the loss of one batch, and figures for the log: floats, or tensors of one number, which need no sync.

        All randomness comes from `random` or from torch's default generators. Runs under autocast if the schedule's
        precision is "bfloat16" and the device supports it.
        """

    def validate(self) -> dict[str, float]:
        """Return figures on validation data, among them "loss"; the module is in evaluation mode."""

    def check(self, step: int, figures: dict[str, float]) -> None:
        """Check the figures of a validation. Raises NotLearning with one sentence; the run then ends without saving."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Length and learning rate of a run: linear warm-up to `learning_rate` over `warmup` steps, then a cosine.

    A run that has reached its last step is extended by more `steps`: it continues from its last checkpoint with the
    rate of the longer schedule, which is higher than the last one.
    """

    steps: int
    warmup: int
    learning_rate: float
    final_rate: float = 0.05
    """The last step's share of `learning_rate`."""
    weight_decay: float = 0.01
    """Of parameters with two dimensions or more."""
    betas: tuple[float, float] = (0.9, 0.95)
    optimizer: Kind = "adamw"
    clip_norm: float = 1.0
    validate_every: int = 500
    save_every: int = 500
    patience: int | None = None
    """The run ends after this many validations without a better loss."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """bfloat16: autocast on CUDA, and on processors that support bfloat16; others compute in float32."""
    seed: int = 0
    ema: float | None = None
    """The decay of a running mean of the weights, which is validated and saved in their place; None: no mean."""

    def rate(self, step: int) -> float:
        """Return the learning rate of step 0, 1, 2, ..."""
        if step < self.warmup:
            return self.learning_rate * (step + 1) / self.warmup
        along = min(1.0, (step - self.warmup) / max(1, self.steps - self.warmup))
        return self.learning_rate * (self.final_rate + (1 - self.final_rate) * 0.5 * (1 + math.cos(math.pi * along)))


def train(job: Job, schedule: Schedule, folder: Path, *, device: torch.device) -> Path:
    """Train, or continue, until the schedule ends; return the file with the best weights.

    Raises NotLearning when a gate fails or a loss is not finite, Cancelled after SIGINT or SIGTERM (the state is saved,
    and the same call continues), Unavailable if `last.pt` is damaged.
    """
    make_folder(folder)
    with _Stop() as stop:
        return _Run(job, schedule, folder, device).go(stop)


def has_bfloat16() -> bool:
    """Return whether this processor supports bfloat16. Others emulate it in twice the time of float32."""
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def is_finished(schedule: Schedule, folder: Path) -> bool:
    """Return whether the run in `folder` is complete. Raises Unavailable if `last.pt` is damaged."""
    last = folder / "last.pt"
    if not last.is_file():
        return False
    state = read_state(last)
    step, waited = int(state["step"]), int(state["waited"])
    return step >= schedule.steps or (schedule.patience is not None and waited >= schedule.patience)


class _Run:
    """One run, resumed from the state in its folder if there is one."""

    def __init__(self, job: Job, schedule: Schedule, folder: Path, device: torch.device) -> None:
        self._job = job
        self._schedule = schedule
        self._device = device
        self._last, self._best = folder / "last.pt", folder / "best.safetensors"
        job.module.to(device)
        torch.manual_seed(schedule.seed)
        self._optimizers = Optimizers(
            job.module, schedule.optimizer, weight_decay=schedule.weight_decay, betas=schedule.betas
        )
        self._mean = None if schedule.ema is None else RunningMean(job.module, schedule.ema)
        self._step = 0
        self._lowest = math.inf
        self._waited = 0
        """Validations since the lowest loss."""
        if self._last.is_file():
            self._resume()
        self._curves = Curves(folder, self._step)
        self._meter = _Meter()

    def go(self, stop: "_Stop") -> Path:
        while self._step < self._schedule.steps and not self._patience_is_over:
            self._advance()
            validate, save = self._due(self._schedule.validate_every), self._due(self._schedule.save_every)
            if self._due(_LINE_EVERY) or validate or save or stop.asked:
                self._report()
            if validate:
                self._validate()
            if save or stop.asked or self._patience_is_over:
                self._save()
            if stop.asked:
                raise Cancelled(f"Stopped and saved at step {self._step}. The same command continues from here.")
        self._curves.draw()
        return self._best

    @property
    def _patience_is_over(self) -> bool:
        return self._schedule.patience is not None and self._waited >= self._schedule.patience

    def _due(self, every: int) -> bool:
        return self._step % every == 0 or self._step == self._schedule.steps

    def _advance(self) -> None:
        random = np.random.default_rng((self._schedule.seed, self._step))  # a resumed step draws the same numbers
        self._job.module.train()
        with self._autocast():
            loss, figures = self._job.loss(random)
        loss.backward()  # type: ignore[no-untyped-call]  # torch has no annotation there
        nn.utils.clip_grad_norm_(self._job.module.parameters(), self._schedule.clip_norm)
        self._optimizers.step(self._schedule.rate(self._step))
        self._step += 1
        if self._mean is not None:
            self._mean.follow(self._job.module, self._step)
        self._meter.add({LOSS: loss.detach(), **figures})

    def _report(self) -> None:
        figures, tokens_per_second, steps_per_second = self._meter.read()
        if not math.isfinite(figures[LOSS]):
            raise NotLearning(
                f"The loss became infinite or NaN near step {self._step}. Lower the learning rate; the "
                "steps since the last checkpoint were not saved."
            )
        self._curves.add(self._step, "train", figures)
        left = (self._schedule.steps - self._step) / steps_per_second
        tokens = f", {tokens_per_second:,.0f} tokens/s" if tokens_per_second else ""
        print(
            f"step {self._step}/{self._schedule.steps}  {_written(figures)}  "
            f"{steps_per_second:.2f} steps/s{tokens}, {_clock(left)} left",
            flush=True,
        )

    def _validate(self) -> None:
        started = time.monotonic()
        self._job.module.eval()
        weights = self._mean.lent_to(self._job.module) if self._mean is not None else nullcontext()
        with torch.random.fork_rng(self._cuda), torch.no_grad(), weights, self._autocast():
            figures = self._job.validate()
            self._curves.add(self._step, "valid", figures)
            print(f"step {self._step}/{self._schedule.steps}  validation: {_written(figures)}", flush=True)
            self._job.check(self._step, figures)
            if figures[LOSS] < self._lowest:
                self._lowest, self._waited = figures[LOSS], 0
                write_weights(self._best, self._job.module)
            else:
                self._waited += 1
        self._meter.pause(time.monotonic() - started)

    def _save(self) -> None:
        write_state(
            self._last,
            {
                "step": self._step,
                "lowest": self._lowest,
                "waited": self._waited,
                "module": self._job.module.state_dict(),
                "optimizers": self._optimizers.state(),
                "mean": None if self._mean is None else self._mean.weights,
                "random": torch.get_rng_state(),
                "cuda": [torch.cuda.get_rng_state(device) for device in self._cuda],
            },
        )
        self._curves.draw_if_old()

    def _resume(self) -> None:
        state = read_state(self._last)
        self._step, self._lowest, self._waited = state["step"], state["lowest"], state["waited"]
        self._job.module.load_state_dict(state["module"])
        self._optimizers.load(state["optimizers"])
        if self._mean is not None and state["mean"] is not None:
            self._mean.load(state["mean"])
        torch.set_rng_state(state["random"])
        for device, generator in zip(self._cuda, state["cuda"], strict=False):
            torch.cuda.set_rng_state(generator, device)
        print(f"continuing from step {self._step}", flush=True)

    @property
    def _cuda(self) -> list[torch.device]:
        return [self._device] if self._device.type == "cuda" else []

    def _autocast(self) -> AbstractContextManager[Any]:
        if self._schedule.precision == "float32" or (self._device.type == "cpu" and not has_bfloat16()):
            return nullcontext()
        return torch.autocast(self._device.type, torch.bfloat16)


class _Meter:
    """Computes mean figures and the speed since they were last read."""

    def __init__(self) -> None:
        self._sums: dict[str, float | Tensor] = {}
        self._steps = 0
        self._since = time.monotonic()

    def add(self, figures: Mapping[str, float | Tensor]) -> None:
        for name, value in figures.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._steps += 1

    def pause(self, seconds: float) -> None:
        """Exclude these seconds from the speed."""
        self._since += seconds

    def read(self) -> tuple[dict[str, float], float, float]:
        """Return the means, tokens per second (0 if not counted) and steps per second, and reset them."""
        sums = {name: float(value) for name, value in self._sums.items()}
        seconds = max(time.monotonic() - self._since, 1e-9)
        tokens = sums.pop(TOKENS, 0.0)
        means = {name: value / self._steps for name, value in sums.items()}
        rates = tokens / seconds, self._steps / seconds
        self._sums, self._steps, self._since = {}, 0, time.monotonic()
        return means, *rates


class _Stop:
    """Sets `asked` on Ctrl-C or SIGTERM inside `with`."""

    _SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        for number in self._SIGNALS:
            self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = True


def _written(figures: Mapping[str, float]) -> str:
    return " ".join(f"{name} {value:.4g}" for name, value in figures.items())


def _clock(seconds: float) -> str:
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}"
