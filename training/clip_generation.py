"""One process of `python -m training data`: generate its share of the clips and store them."""

import json
import multiprocessing
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import islice
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cloning.atomic_files import write_error
from cloning.bark.config import BarkSpec
from cloning.bark.engine import Generated, GenerationOptions, SpeechEngine, Utterance
from cloning.checkpoints import model_choice
from cloning.checkpoints.model_choice import ModelChoice
from cloning.checkpoints.published import BARK as PUBLISHED
from cloning.media import audio
from cloning.model_set import LoadedModels
from cloning.prompt import VoicePrompt
from errors import BarkeepError, InvalidInput
from training.feature_cache import fingerprint
from training.prompts import PromptPlan, Prompts
from training.shards import Clip, ClipShards, ShardWriter

CLIPS_PER_SHARD = 32
"""Clips per shard: the most that a kill loses in each process."""
_GROUP = 8
"""The number of batches that are passed to the engine at once; all of their results are in memory together."""
_LEFT_OUT = "left-out-*.jsonl"


@dataclass(frozen=True)
class DataPlan:
    """The settings that determine every clip. Raises InvalidInput for impossible temperatures.

    voices: speakers of the model or .npz files, of which one is drawn for each clip; if empty, Bark speaks in a random
    voice. temperatures: the bounds between which a clip's temperature is drawn.
    """

    prompts: PromptPlan
    voices: tuple[str, ...]
    temperatures: tuple[float, float]
    model: str
    dtype: str
    batch: int
    seed: int

    def __post_init__(self) -> None:
        if not 0 <= self.temperatures[0] <= self.temperatures[1] <= 2:
            raise InvalidInput("Temperatures go from 0 to 2, and --coolest is not above --hottest.")

    def settings(self) -> dict[str, Any]:
        """Return the settings that must not change when the work continues: all but the batch size."""
        settings = {name: value for name, value in asdict(self).items() if name != "batch"}
        settings["prompts"]["files"] = [str(file) for file in self.prompts.files]
        return settings


@dataclass(frozen=True)
class PlannedClip:
    """One clip to generate."""

    key: str
    text: str
    voice: str | None
    seed: int
    temperature: float


def spec_of(model: str) -> BarkSpec:
    """Return a model's spec, of Suno's models without a download. Raises Unavailable for an unknown model."""
    if model in PUBLISHED:
        return BarkSpec.from_configs({}, {})
    return BarkSpec.from_directory(model_choice.resolve_bark(ModelChoice(model=model)))


def planned_clip(plan: DataPlan, prompts: Prompts, number: int) -> PlannedClip:
    """Return clip `number` of a plan."""
    random = np.random.default_rng((plan.seed, number, 1))
    voice = plan.voices[random.integers(len(plan.voices))] if plan.voices else None
    temperature = round(float(random.uniform(*plan.temperatures)), 4)
    return PlannedClip(f"{number:07d}", prompts[number], voice, int(random.integers(2**48)), temperature)


def finished_count(folder: Path, clips: int) -> int:
    """Return how many of the first `clips` clips exist or were left out. Raises InvalidInput for damaged shards."""
    return sum(int(key) < clips for key in _keys(folder))


def left_out(folder: Path) -> Counter[str]:
    """Return reason -> the number of clips of `folder` that were left out for it."""
    return Counter(record["reason"] for record in _left_out_records(folder))


def generate_share(
    plan: DataPlan, clips: int, folder: Path, device: str, number: int, processes: int, done: "Synchronized[int]"
) -> None:
    """Run process `number` of `processes`: generate its missing clips and count them in `done`.

    Ends with status 1 and a sentence on an error.
    """
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: sys.exit(1))  # finished clips are written on the way out
    try:
        loaded = LoadedModels(ModelChoice(model=plan.model, device=device, dtype=plan.dtype, batch=plan.batch))
        ClipGenerator(plan, loaded, folder, number).go(clips, processes, done)
    except torch.OutOfMemoryError:
        print(f"There is not enough memory on {device}. Give a smaller --batch; finished clips stay.", file=sys.stderr)
        sys.exit(1)
    except BarkeepError as error:
        print(error, file=sys.stderr)
        sys.exit(1)


class ClipGenerator:
    """Generates the clips of one process."""

    def __init__(self, plan: DataPlan, loaded: LoadedModels, folder: Path, number: int) -> None:
        self._plan, self._loaded, self._folder, self._number = plan, loaded, folder, number
        self._engine: SpeechEngine = loaded.engine
        self._prompts = Prompts(plan.prompts, self._engine.spec.window_seconds)
        self._voices = {name: self._voice(name) for name in plan.voices}
        self._revision = _revision(plan.model)

    def go(self, clips: int, processes: int, done: "Synchronized[int]") -> None:
        """Generate this process's missing clips of the first `clips`, and count them in `done`.

        Raises Unavailable when the disk is full.
        """
        with ShardWriter(self._folder, CLIPS_PER_SHARD, f"data-{self._number}") as writer:
            made = _keys(self._folder)
            numbers = (place for place in range(self._number, clips, processes) if f"{place:07d}" not in made)
            while group := list(islice(numbers, _GROUP * self._plan.batch)):
                for one, generated in self._spoken([planned_clip(self._plan, self._prompts, place) for place in group]):
                    _end_if_alone()
                    reason = self._error(generated)
                    if reason is None and generated is not None:
                        writer.add(self._clip(one, generated))
                    else:
                        self._leave_out(one, reason or "")
                    with done.get_lock():
                        done.value += 1

    def _spoken(self, clips: list[PlannedClip]) -> Iterator[tuple[PlannedClip, Generated | None]]:
        """Yield each clip with its speech as it is done, with None if its text is too long for the model."""
        limit = self._engine.spec.max_text_tokens
        fitting = [one for one in clips if self._engine.count_text_tokens(one.text) <= limit]
        yield from ((one, None) for one in clips if one not in fitting)
        utterances = [self._utterance(one) for one in fitting]
        with closing(self._engine.generate_each(utterances)) as results:
            for place, generated in results:
                yield fitting[place], generated

    def _utterance(self, one: PlannedClip) -> Utterance:
        options = GenerationOptions(temperature=one.temperature, seed=one.seed)
        return Utterance(one.text, self._voices[one.voice] if one.voice else None, options)

    def _error(self, generated: Generated | None) -> str | None:
        """Return why a clip is unusable, or None."""
        if generated is None:
            return "the text has too many tokens"
        if len(generated.prompt.semantic) >= self._engine.spec.max_semantic_tokens:
            return "it ran into the length limit"
        return None if audio.is_usable(generated.samples) else "it is silent"

    def _clip(self, one: PlannedClip, generated: Generated) -> Clip:
        """Return the clip; a random speaker is named after the clip's key, since no other clip has that voice."""
        spec = self._engine.spec
        audio = np.round(np.clip(generated.samples, -1, 1) * np.iinfo(np.int16).max).astype(np.int16)
        facts = {
            "temperature": one.temperature,
            "model": self._plan.model,
            "revision": self._revision,
            "language": self._plan.prompts.language,
            "seconds": round(len(audio) / spec.sample_rate, 3),
            "semantic_vocab": spec.semantic_vocab,
        }
        semantic = generated.prompt.semantic.astype(np.uint16)
        return Clip(one.key, one.text, one.voice or one.key, one.seed, spec.sample_rate, audio, semantic, facts)

    def _leave_out(self, one: PlannedClip, reason: str) -> None:
        path = self._folder / _LEFT_OUT.replace("*", str(self._number))
        try:
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"key": one.key, "reason": reason}) + "\n")
        except OSError as error:
            raise write_error(path, error) from error

    def _voice(self, name: str) -> VoicePrompt:
        if name.endswith(".npz"):
            return VoicePrompt.load(Path(name), self._engine.spec.prompt)
        return self._loaded.speakers.load(name)


def _end_if_alone() -> None:
    """Exit, after writing finished clips, if the parent process was killed: it may be started again."""
    parent = multiprocessing.parent_process()
    if parent is not None and not parent.is_alive():
        sys.exit(1)


def _revision(model: str) -> str:
    """Return the version of a model: the hub's revision, or a digest of its weights."""
    if model in PUBLISHED:
        return PUBLISHED[model].revision
    return fingerprint(model_choice.resolve_bark(ModelChoice(model=model)))


def _keys(folder: Path) -> set[str]:
    """Return the keys of all clips that exist or were left out, by any process."""
    return {*ClipShards(folder).keys, *(record["key"] for record in _left_out_records(folder))}


def _left_out_records(folder: Path) -> list[dict[str, str]]:
    """Read the files of left-out clips, each clip once; truncated lines are skipped."""
    records: dict[str, dict[str, str]] = {}
    for path in sorted(folder.glob(_LEFT_OUT)):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                record = json.loads(line)
                records[record["key"]] = {"key": record["key"], "reason": record["reason"]}
            except (ValueError, KeyError, TypeError):
                continue
    return list(records.values())
