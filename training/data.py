"""`python -m training data`: Bark speaks prompts, and its semantic tokens and sound are kept in shards.

A process for each device takes every so-manieth clip. Every clip follows from its number and the settings, so that
neither the devices nor an interruption changes the data. Knows nothing of what is learned from it.
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
from training.prompts import PromptPlan, Prompts, Source
from training.settings_file import keep_settings
from training.shards import Shards
from training.speaking import DataPlan, left_out, made_before, speak, spec_of

_SETTINGS = "settings.json"
_PROGRESS_SECONDS = 15.0


def data_command(
    out: Annotated[Path, typer.Option(help="The folder of the clips. The same again goes on.")],
    clips: Annotated[int, typer.Option(min=1, help="How many prompts are spoken. More later go on.")] = 3000,
    prompts: Annotated[
        Source, typer.Option(help="Drawn sentences, passages of files, or lines of files.")
    ] = Source.MARKOV,
    text: Annotated[list[Path] | None, typer.Option(help="UTF-8 files. Default: the English text of Barkeep.")] = None,
    language: Annotated[str, typer.Option(help="Of the text: one of Bark's, such as en or de.")] = "en",
    order: Annotated[int, typer.Option(help="How many words decide on the next one, for markov.")] = 2,
    longest: Annotated[int, typer.Option(help="The most words of a sentence, for markov.")] = 25,
    voice: Annotated[
        list[str] | None, typer.Option(help="Speakers of the model or .npz files. Default: random.")
    ] = None,
    coolest: Annotated[float, typer.Option(min=0.0, max=2.0, help="The least temperature that is drawn.")] = 0.6,
    hottest: Annotated[float, typer.Option(min=0.0, max=2.0, help="The greatest temperature that is drawn.")] = 0.8,
    model: Annotated[str, typer.Option(help="bundled, suno/bark-small, suno/bark, or a directory.")] = BUNDLED,
    devices: Annotated[str, typer.Option(help="A process for each: auto, or such as cuda:0,cuda:1,cpu.")] = "auto",
    dtype: Annotated[str, typer.Option(help="float32, bfloat16, float16 or int8, of Bark.")] = "float32",
    batch: Annotated[int, typer.Option(min=1, help="Clips that a device speaks at once.")] = 8,
    seed: Annotated[int, typer.Option(min=0, help="Another one makes other data.")] = 0,
) -> None:
    """Have Bark make training data, or go on making it; stop it whenever you like."""
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
    """Fill `folder` with the first so many clips of `plan`, check them, and print how far it is.

    Raises InvalidInput for prompts that cannot be made or shards that are damaged, Conflict for a folder with other
    settings, Unavailable when a process ends early, Cancelled after Ctrl-C or `kill`; what was made stays.
    """
    if not devices:
        raise InvalidInput("At least one device is needed. Give --devices cpu, for example.")
    Prompts(plan.prompts, spec_of(plan.model).window_seconds)[0]  # a wrong text is told before models are loaded
    keep_settings(folder / _SETTINGS, plan.settings())
    context = multiprocessing.get_context("spawn")
    done: Synchronized[int] = context.Value("q", 0)
    workers = [
        context.Process(target=speak, args=(plan, clips, folder, device, number, len(devices), done), daemon=True)
        for number, device in enumerate(devices)
    ]
    before = made_before(folder, clips)
    handler = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for worker in workers:
            worker.start()
        _follow(workers, done, before, clips)
    except KeyboardInterrupt as stop:
        for worker in workers:
            worker.terminate()
            worker.join()
        raise Cancelled("Stopped. What was made stays, and the same command goes on.") from stop
    finally:
        signal.signal(signal.SIGTERM, handler)
    if any(worker.exitcode for worker in workers):
        raise Unavailable("Making data stopped before its end; the reason stands above. The same command goes on.")
    shards = Shards(folder)
    shards.verify()
    print(f"{folder}: {len(shards)} clips, all of them whole")
    for reason, count in left_out(folder).items():
        print(f"left out, {reason}: {count}")


def _follow(workers: Sequence[BaseProcess], done: "Synchronized[int]", before: int, clips: int) -> None:
    """Tell how far they are, until all have ended. before: clips that were there when they started."""
    started = time.monotonic()
    while running := [worker.sentinel for worker in workers if worker.is_alive()]:
        if not connection.wait(running, _PROGRESS_SECONDS):
            print(report(done.value, before, clips, time.monotonic() - started), flush=True)


def report(done: int, before: int, total: int, seconds: float) -> str:
    """How far it is when `done` clips took so many seconds, beside those that were there before."""
    left = total - before - done
    time_left = f"{seconds * left / done / 60:.0f} min left" if done else "loading the model"
    return f"{before + done} of {total} clips, {time_left}"
