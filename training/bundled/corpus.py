"""The training data of the bundled model: drawn speakers who read sentences, and sentences with their timing alone.

Every clip follows from its key, so that neither the number of processes nor an interruption changes the data. Speakers
that are held out read the sentences that are held out; the built-in voice reads all kinds. Knows nothing of networks
other than the synthesiser's.
"""

import hashlib
import multiprocessing
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from multiprocessing import connection
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from errors import Unavailable
from training.bundled.phones import TOKEN_RATE, Pronouncer, spoken
from training.bundled.texts import sentences
from training.bundled.voices import BUILT_IN, SAMPLE_RATE, Speaker, Synthesiser
from training.shards import Clip, Shards, ShardWriter, Split, split_of

Kind = Literal["corpus", "text"]

HOP = SAMPLE_RATE // TOKEN_RATE
"""Samples to a semantic token."""

_CLIPS_PER_SHARD = {"corpus": 200, "text": 2000}
_SPLITS: tuple[Split, ...] = ("train", "valid", "test")
_SPEED_OF_A_CLIP = 0.05  # standard deviation of its logarithm
_SLOWEST, _FASTEST = 0.87, 1.18  # where there is no speaker whose speed it could be
_PROGRESS_SECONDS = 15.0


@dataclass(frozen=True)
class Plan:
    """How much is made. A clip lasts about 3.3 s."""

    speakers: int
    clips_per_speaker: int
    built_in_clips: int
    texts: int
    """Sentences of the text corpus, at most."""


PLANS = {
    "cpu": Plan(speakers=1500, clips_per_speaker=11, built_in_clips=2000, texts=49_099),
    "cuda": Plan(speakers=5500, clips_per_speaker=12, built_in_clips=2500, texts=85_000),
}
"""15 and 60 hours of speakers, 2 hours of the built-in voice, 42 and 73 hours of text."""


@dataclass(frozen=True)
class Order:
    """One clip to make: who says what, and how fast if no speaker's speed decides."""

    key: str
    speaker: str
    text: str


def make(kind: Kind, folder: Path, plan: Plan, *, processes: int = 1) -> None:
    """Fill `folder` with the audio corpus or the text corpus of `plan`, and print how far it is.

    What is there already is not made again. Raises Unavailable when a process of it ends early.
    """
    context = multiprocessing.get_context("spawn")
    done: Synchronized[int] = context.Value("q", 0)
    workers = [
        context.Process(target=_work, args=(kind, folder, plan, number, processes, done), daemon=True)
        for number in range(processes)
    ]
    for worker in workers:
        worker.start()
    started, total = time.monotonic(), _total(kind, plan)
    while running := [worker.sentinel for worker in workers if worker.is_alive()]:
        connection.wait(running, _PROGRESS_SECONDS)
        _report(kind, done.value, total, time.monotonic() - started)
    if any(worker.exitcode for worker in workers):
        raise Unavailable(
            f"Making the {kind} stopped before its end; the reason stands above. Start it again to go on."
        )


def orders(kind: Kind, plan: Plan, texts: list[str]) -> Iterator[Order]:
    """The clips of a plan, each speaker's together, the built-in voice's spread among them."""
    by_split = {split: [text for text in _shuffled(texts) if split_of(text) == split] for split in _SPLITS}
    if kind == "text":
        for number, text in enumerate(islice(_shuffled(texts), plan.texts)):
            yield Order(f"text-{number:06d}", BUILT_IN, text)
        return
    built_in = enumerate(_shuffled(texts)[::-1])
    each = plan.built_in_clips // plan.speakers + 1
    for number in range(plan.speakers):
        speaker = f"speaker-{number:05d}"
        own = by_split[split_of(speaker)]
        for clip in range(plan.clips_per_speaker):
            text = own[(number * plan.clips_per_speaker + clip) % len(own)]
            yield Order(f"{speaker}-{clip:02d}", speaker, text)
        for place, text in islice(built_in, each if (number * each) < plan.built_in_clips else 0):
            yield Order(f"{BUILT_IN}-{place:05d}", BUILT_IN, text)


class Studio:
    """Makes the clip of an order."""

    def __init__(self) -> None:
        self._pronounce = Pronouncer()
        self._synthesiser = Synthesiser()

    def record(self, order: Order) -> Clip | None:
        """The clip with its sound, or None if the sentence has a word that cannot be pronounced for sure."""
        phonemes = self._phonemes(order.text)
        if phonemes is None:
            return None
        random = _random(order.key)
        speed = float(np.exp(random.normal(0, _SPEED_OF_A_CLIP)))
        said = self._synthesiser.speak(phonemes, Speaker.drawn(order.speaker), random, speed=speed)
        audio = np.round(said.samples * np.iinfo(np.int16).max).astype(np.int16)
        return _clip(order, phonemes, said.durations, speed, audio)

    def time(self, order: Order) -> Clip | None:
        """The clip without sound: what is said when, at some speed; None as for `record`."""
        phonemes = self._phonemes(order.text)
        if phonemes is None:
            return None
        speed = float(np.exp(_random(order.key).uniform(np.log(_SLOWEST), np.log(_FASTEST))))
        return _clip(order, phonemes, self._synthesiser.durations(phonemes, speed), speed, None)

    def _phonemes(self, text: str) -> str | None:
        phonemes = self._pronounce(text)
        return phonemes if phonemes and self._synthesiser.fits(phonemes) else None


def _clip(
    order: Order, phonemes: str, durations: NDArray[np.int64], speed: float, audio: NDArray[np.int16] | None
) -> Clip:
    tokens = spoken(phonemes, durations).tokens
    return Clip(
        key=order.key,
        text=order.text,
        speaker=order.speaker,
        seed=_seed(order.key),
        sample_rate=SAMPLE_RATE,
        audio=None if audio is None else audio[: len(tokens) * HOP],
        semantic=tokens,
        facts={"phonemes": phonemes, "durations": durations.tolist(), "speed": round(speed, 4)},
    )


def _work(kind: Kind, folder: Path, plan: Plan, number: int, processes: int, done: "Synchronized[int]") -> None:
    """One process: every so-manieth order, those that are done excepted."""
    studio = Studio()
    make_clip = studio.record if kind == "corpus" else studio.time
    with ShardWriter(folder, _CLIPS_PER_SHARD[kind], f"{kind}-{number}") as writer:
        made = set(Shards(folder).keys)
        for order in islice(orders(kind, plan, sentences()), number, None, processes):
            if order.key not in made and (clip := make_clip(order)) is not None:
                writer.add(clip)
            with done.get_lock():
                done.value += 1


def _total(kind: Kind, plan: Plan) -> int:
    return plan.texts if kind == "text" else plan.speakers * plan.clips_per_speaker + plan.built_in_clips


def _report(kind: Kind, done: int, total: int, seconds: float) -> None:
    left = seconds * max(total - done, 0) / done if done else float("inf")
    print(f"{kind}: {done} of about {total} clips, {left / 60:.0f} min left", flush=True)


def _shuffled(texts: list[str]) -> list[str]:
    order = np.random.default_rng(0).permutation(len(texts))
    return [texts[place] for place in order]


def _seed(key: str) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=6).digest(), "big")


def _random(key: str) -> np.random.Generator:
    return np.random.default_rng(_seed(key))
