"""Generate Kokoro's speech for the bundled model: sentences spoken by random speakers, and sentences with timing only.

Every clip depends only on its key, so neither the number of processes nor an interruption changes the data. Held-out
speakers read held-out sentences; the built-in voices read sentences of all splits.
"""

import hashlib
import multiprocessing
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from multiprocessing import connection
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from errors import Unavailable
from research.bundled.kokoro import BUILT_IN, SAMPLE_RATE, KokoroSpeaker, KokoroSynthesiser
from research.bundled.number_phrases import number_sentences
from research.bundled.phones import Pronouncer, frame_tokens
from research.bundled.texts import sentences
from training.shards import Clip, ClipShards, ShardWriter, Split, split_of

Kind = Literal["speech", "text"]

_CLIPS_PER_SHARD = {"speech": 25, "text": 2000}
"""Clips per write: a killed process loses at most these, a minute or two of work."""
_SPLITS: tuple[Split, ...] = ("train", "valid", "test")
_SPEED_OF_A_CLIP = 0.05  # standard deviation of its logarithm
_PROGRESS_SECONDS = 15.0


@dataclass(frozen=True)
class Plan:
    """The amount of data. A clip lasts about 3.4 s."""

    speakers: int
    clips_per_speaker: int
    built_in_clips: int
    texts: int
    """The maximum number of sentences in the text corpus."""


PLANS = {
    "cpu": Plan(speakers=2400, clips_per_speaker=8, built_in_clips=2000, texts=49_099),
    "cuda": Plan(speakers=5000, clips_per_speaker=8, built_in_clips=4000, texts=85_000),
}
"""18 and 38 hours of speakers, 2 and 4 hours of the built-in voices, 46 and 80 hours of text."""


@dataclass(frozen=True)
class ClipRequest:
    """One clip to make: its speaker and its text."""

    key: str
    speaker: str
    text: str


def make(kind: Kind, folder: Path, plan: Plan, voices: Path, *, processes: int = 1) -> None:
    """Fill `folder` with the speech or the text of `plan`, and print the progress. Existing clips are kept.

    voices: the archive of Kokoro's voices. Raises Unavailable if a process ends early.
    """
    context = multiprocessing.get_context("spawn")
    done: Synchronized[int] = context.Value("q", 0)
    workers = [
        context.Process(target=_work, args=(kind, folder, plan, voices, number, processes, done), daemon=True)
        for number in range(processes)
    ]
    for worker in workers:
        worker.start()
    started, total = time.monotonic(), _total(kind, plan)
    while running := [worker.sentinel for worker in workers if worker.is_alive()]:
        connection.wait(running, _PROGRESS_SECONDS)
        _report(kind, done.value, total, time.monotonic() - started)
    if any(worker.exitcode for worker in workers):
        raise Unavailable(f"Making the {kind} stopped early; the reason is above. Start it again to continue.")


def clip_requests(kind: Kind, plan: Plan, texts: list[str]) -> Iterator[ClipRequest]:
    """Yield the clips of a plan, speaker by speaker, with clips of the built-in voices evenly spread among them."""
    by_split = {split: [text for text in _shuffled(texts) if split_of(text) == split] for split in _SPLITS}
    if kind == "text":
        for number, text in enumerate(islice(_shuffled(texts), plan.texts)):
            yield ClipRequest(f"text-{number:06d}", f"text-{number:06d}", text)
        return
    built_in = enumerate(_shuffled(texts)[::-1])
    each = plan.built_in_clips // plan.speakers + 1
    for number in range(plan.speakers):
        speaker = f"speaker-{number:05d}"
        own = by_split[split_of(speaker)]
        for clip in range(plan.clips_per_speaker):
            text = own[(number * plan.clips_per_speaker + clip) % len(own)]
            yield ClipRequest(f"{speaker}-{clip:02d}", speaker, text)
        for place, text in islice(built_in, each if (number * each) < plan.built_in_clips else 0):
            built_in_speaker = BUILT_IN[place % len(BUILT_IN)]
            yield ClipRequest(f"{built_in_speaker}-{place:05d}", built_in_speaker, text)


class ClipMaker:
    """Makes clips with Kokoro. voices: the archive of its voices. Raises Unavailable if it cannot be read."""

    def __init__(self, voices: Path) -> None:
        self._pronounce = Pronouncer()
        self._synthesiser = KokoroSynthesiser(voices)

    def record(self, request: ClipRequest) -> Clip | None:
        """Return the clip with its sound; None if a pronunciation is uncertain or the sentence is too long."""
        return self._make(request, self._say)

    def time(self, request: ClipRequest) -> Clip | None:
        """Return the clip with its timing and without sound; None as for `record`."""
        return self._make(request, self._time)

    def _make(
        self,
        request: ClipRequest,
        speak: Callable[[str, KokoroSpeaker, float], tuple[NDArray[np.int64], NDArray[np.int16] | None]],
    ) -> Clip | None:
        phonemes = self._pronounce(request.text)
        if not phonemes or not self._synthesiser.fits(phonemes):
            return None
        seed, speaker = _seed(request.key), KokoroSpeaker.drawn(request.speaker)
        speed = float(np.exp(np.random.default_rng(seed).normal(0, _SPEED_OF_A_CLIP)))
        durations, audio = speak(phonemes, speaker, speed)
        return Clip(
            key=request.key,
            text=request.text,
            speaker=request.speaker,
            seed=seed,
            sample_rate=SAMPLE_RATE,
            audio=audio,
            semantic=frame_tokens(phonemes, durations).tokens,
            facts={
                "phonemes": phonemes,
                "durations": durations.tolist(),
                "voices": dict(speaker.parts),
                "speed": round(speaker.speed * speed, 4),
            },
        )

    def _say(self, phonemes: str, speaker: KokoroSpeaker, speed: float) -> tuple[NDArray[np.int64], NDArray[np.int16]]:
        said = self._synthesiser.speak(phonemes, speaker, speed=speed)
        most = np.iinfo(np.int16).max
        return said.durations, np.round(said.samples.clip(-1, 1) * most).astype(np.int16)

    def _time(self, phonemes: str, speaker: KokoroSpeaker, speed: float) -> tuple[NDArray[np.int64], None]:
        return self._synthesiser.durations(phonemes, speaker, speed=speed), None


def _work(
    kind: Kind, folder: Path, plan: Plan, voices: Path, number: int, processes: int, done: "Synchronized[int]"
) -> None:
    """Run process `number` of `processes`: make its missing clips, and count all its clips in `done`."""
    maker = ClipMaker(voices)
    make_clip = maker.record if kind == "speech" else maker.time
    with ShardWriter(folder, _CLIPS_PER_SHARD[kind], f"{kind}-{number}") as writer:
        made = set(ClipShards(folder).keys)
        for request in islice(clip_requests(kind, plan, [*sentences(), *number_sentences()]), number, None, processes):
            if (recipe := multiprocessing.parent_process()) is not None and not recipe.is_alive():
                break  # it was killed; the next start would write the same files as this process
            if request.key not in made and (clip := make_clip(request)) is not None:
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
