"""`python -m training data`: generate prompts' speech with Bark, and store its semantic tokens and sound in shards.

One process per device generates every n-th clip. A clip depends only on its number and the settings, so neither the
devices nor an interruption changes the data.
"""

import multiprocessing
import signal
import time
from collections.abc import Sequence
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Annotated

import typer

from cloning.checkpoints.published import BUNDLED
from errors import Cancelled, InvalidInput, Unavailable
from training.clip_generation import DataPlan, finished_count, generate_share, left_out, spec_of
from training.prompts import PromptPlan, Prompts, Source
from training.settings_file import keep_settings
from training.shards import ClipShards

_SETTINGS = "settings.json"
_PROGRESS_SECONDS = 15.0


def data_command(
    out: Annotated[Path, typer.Option(help="The folder of the clips. An existing one is continued.")],
    clips: Annotated[int, typer.Option(min=1, help="The number of prompts; a larger one continues the run.")] = 3000,
    prompts: Annotated[
        Source, typer.Option(help="Drawn sentences, passages of files, or lines of files.")
    ] = Source.MARKOV,
    text: Annotated[list[Path] | None, typer.Option(help="UTF-8 files. Default: the English text of Barkeep.")] = None,
    language: Annotated[str, typer.Option(help="The language of the text, such as en or de.")] = "en",
    order: Annotated[int, typer.Option(help="The words of context, for markov.")] = 2,
    longest: Annotated[int, typer.Option(help="The maximum of words in a sentence, for markov.")] = 25,
    voice: Annotated[
        list[str] | None, typer.Option(help="Speakers of the model or .npz files. Default: random.")
    ] = None,
    coolest: Annotated[float, typer.Option(min=0.0, max=2.0, help="The lowest temperature.")] = 0.6,
    hottest: Annotated[float, typer.Option(min=0.0, max=2.0, help="The highest temperature.")] = 0.8,
    model: Annotated[str, typer.Option(help="bundled, suno/bark-small, suno/bark, or a directory.")] = BUNDLED,
    devices: Annotated[str, typer.Option(help="One process each: auto, or a list such as cuda:0,cuda:1,cpu.")] = "auto",
    dtype: Annotated[str, typer.Option(help="float32, bfloat16, float16 or int8, of Bark.")] = "float32",
    batch: Annotated[int, typer.Option(min=1, help="The clips that a device generates at once.")] = 8,
    seed: Annotated[int, typer.Option(min=0, help="The seed of prompts, voices and temperatures.")] = 0,
) -> None:
    """Generate training data with Bark, or continue an earlier run. It can be stopped at any time."""
    plan = DataPlan(
        PromptPlan(prompts, language, tuple(text or ()), order, longest, seed),
        tuple(voice or ()),
        (coolest, hottest),
        model,
        dtype,
        batch,
        seed,
    )
    make(plan, clips, [name.strip() for name in devices.split(",") if name.strip()], out)


def make(plan: DataPlan, clips: int, devices: list[str], folder: Path) -> None:
    """Fill `folder` with the first `clips` clips of `plan`, verify them, and print the progress.

    Raises InvalidInput for impossible prompts or damaged shards, Conflict for a folder with other settings, Unavailable
    when a process ends early, Cancelled after Ctrl-C or `kill`; finished clips stay.
    """
    if not devices:
        raise InvalidInput("At least one device is needed. Give --devices cpu, for example.")
    Prompts(plan.prompts, spec_of(plan.model).window_seconds)[0]  # report a wrong text before models are loaded
    keep_settings(folder / _SETTINGS, plan.settings())
    context = multiprocessing.get_context("spawn")
    done: Synchronized[int] = context.Value("q", 0)
    workers = [
        context.Process(
            target=generate_share, args=(plan, clips, folder, device, number, len(devices), done), daemon=True
        )
        for number, device in enumerate(devices)
    ]
    before = finished_count(folder, clips)
    handler = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for worker in workers:
            worker.start()
        _follow(workers, done, before, clips)
    except KeyboardInterrupt as stop:
        for worker in workers:
            worker.terminate()
            worker.join()
        raise Cancelled("Stopped. The finished clips stay, and the same command continues.") from stop
    finally:
        signal.signal(signal.SIGTERM, handler)
    if any(worker.exitcode for worker in workers):
        raise Unavailable("A process stopped early; the reason is above. The same command continues.")
    shards = ClipShards(folder)
    shards.verify()
    print(f"{folder}: {len(shards)} clips, all of them undamaged")
    for reason, count in left_out(folder).items():
        print(f"left out, {reason}: {count}")


def _follow(workers: Sequence[BaseProcess], done: "Synchronized[int]", before: int, clips: int) -> None:
    """Print the progress until all workers have ended. before: the clips that existed at the start."""
    started = time.monotonic()
    while running := [worker.sentinel for worker in workers if worker.is_alive()]:
        if not connection.wait(running, _PROGRESS_SECONDS):
            print(report(done.value, before, clips, time.monotonic() - started), flush=True)


def report(done: int, before: int, total: int, seconds: float) -> str:
    """Return a line of progress: `done` clips took `seconds`, and `before` clips existed at the start."""
    left = total - before - done
    time_left = f"{seconds * left / done / 60:.0f} min left" if done else "loading the model"
    return f"{before + done} of {total} clips, {time_left}"
