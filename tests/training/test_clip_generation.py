"""Training data follows from its numbers: whoever makes it, and however often it is interrupted."""

import json
import multiprocessing
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from cloning.bark.config import BarkSpec
from cloning.bark.engine import Generated, Utterance
from cloning.model_set import LoadedModels
from cloning.prompt import VoicePrompt
from errors import Conflict, InvalidInput, Unavailable
from training import clip_generation, data
from training.clip_generation import ClipGenerator, DataPlan, finished_count, left_out, planned_clip, spec_of
from training.prompts import PromptPlan, Prompts, Source
from training.shards import ClipShards

SPEC = BarkSpec.from_configs({}, {})


class Engine:
    """Speaks noise that follows from the seed: every fifth prompt runs into the limit, every seventh is silent.

    `lives`: after so many utterances it breaks.
    """

    spec = SPEC

    def __init__(self, lives: int = 10_000) -> None:
        self.lives = lives
        self.voices: set[int] = set()
        self.temperatures: list[float | None] = []

    def count_text_tokens(self, text: str) -> int:
        return 300 if text.startswith("“") else len(text)

    def generate_each(self, utterances: Sequence[Utterance]) -> Generator[tuple[int, Generated], None, None]:
        for place, utterance in reversed(list(enumerate(utterances))):
            self.lives -= 1
            if self.lives < 0:
                raise Unavailable("The engine broke.")
            self.voices.add(id(utterance.history))
            self.temperatures.append(utterance.options.temperature)
            yield place, self._generated(utterance.options.seed)

    def _generated(self, seed: int) -> Generated:
        random = np.random.default_rng(seed)
        length = SPEC.max_semantic_tokens if seed % 5 == 0 else int(random.integers(20, 60))
        fine = random.integers(0, 1024, (8, SPEC.frames(length)))
        level = 0.0 if seed % 7 == 0 else 0.1
        samples = random.normal(0, 1, 2000).astype(np.float32) * np.float32(level)
        return Generated(VoicePrompt(random.integers(0, 10_000, length), fine[:2], fine), samples)


class TwoSpeakers:
    """Two of them."""

    def load(self, name: str) -> VoicePrompt:
        if name not in ("a", "b"):
            raise InvalidInput(f"no {name}")
        tokens = np.full((8, 75), ord(name), np.int64)
        return VoicePrompt(np.full(50, ord(name), np.int64), tokens[:2], tokens)


class Loaded:
    """What LoadedModels has that is needed."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.speakers = TwoSpeakers()


def plan(**changed: Any) -> DataPlan:
    fields: dict[str, Any] = {
        "prompts": PromptPlan(Source.MARKOV, "en"),
        "voices": (),
        "temperatures": (0.6, 0.8),
        "model": "suno/bark",
        "dtype": "float32",
        "batch": 2,
        "seed": 0,
    }
    return DataPlan(**fields | changed)


def test_the_time_left_counts_what_was_made_since_the_start(tmp_path: Path) -> None:
    assert data.report(0, 500, 2000, 9.0) == "500 of 2000 clips, loading the model"
    assert data.report(100, 500, 2000, 60.0) == "600 of 2000 clips, 14 min left"
    run(tmp_path, 30)
    assert (finished_count(tmp_path, 20), finished_count(tmp_path, 40)) == (20, 30)


def run(folder: Path, clips: int = 60, engine: Engine | None = None, processes: int = 1, **changed: Any) -> Engine:
    engine = engine or Engine()
    before, done = finished_count(folder, clips), multiprocessing.get_context("spawn").Value("q", 0)
    for number in range(processes):
        loaded = cast(LoadedModels, Loaded(engine))
        ClipGenerator(plan(**changed), loaded, folder, number).go(clips, processes, done)
    assert done.value == clips - before
    return engine


def content(folder: Path) -> dict[str, tuple[Any, ...]]:
    shards = ClipShards(folder)
    shards.verify()
    clips = [shards[place] for place in range(len(shards))]
    return {
        clip.key: (clip.text, clip.speaker, clip.seed, clip.semantic.tobytes(), clip.facts["temperature"])
        for clip in clips
    }


def test_all_that_is_of_use_is_kept_and_the_rest_counted(tmp_path: Path) -> None:
    engine = run(tmp_path)

    clips, reasons = content(tmp_path), left_out(tmp_path)
    assert len(clips) + reasons.total() == 60
    assert reasons["it ran into the length limit"] > 3
    assert reasons["it is silent"] > 3
    assert all(one is not None and 0.6 <= one <= 0.8 for one in engine.temperatures)
    assert len(set(engine.temperatures)) > 50


def test_a_clip_knows_how_it_was_made(tmp_path: Path) -> None:
    run(tmp_path, 12)
    clip = ClipShards(tmp_path)[0]

    wanted = planned_clip(plan(), Prompts(plan().prompts, SPEC.window_seconds), int(clip.key))
    assert (clip.text, clip.seed, clip.facts["temperature"]) == (wanted.text, wanted.seed, wanted.temperature)
    assert clip.speaker == clip.key
    assert clip.sample_rate == 24_000
    assert clip.facts["model"] == "suno/bark"
    assert clip.facts["revision"]
    assert clip.facts["seconds"] == pytest.approx(2000 / 24_000, abs=1e-3)


def test_an_interruption_and_more_processes_change_nothing(tmp_path: Path) -> None:
    run(tmp_path / "whole")
    with pytest.raises(Unavailable, match="broke"):
        run(tmp_path / "cut", engine=Engine(lives=23))
    kept = len(content(tmp_path / "cut"))

    run(tmp_path / "cut", processes=3)

    assert kept > 0
    assert content(tmp_path / "cut") == content(tmp_path / "whole")
    assert left_out(tmp_path / "cut") == left_out(tmp_path / "whole")


def test_what_is_there_is_not_spoken_again_and_more_clips_go_on(tmp_path: Path) -> None:
    run(tmp_path, 30)

    assert run(tmp_path, 30).temperatures == []
    assert len(run(tmp_path, 40).temperatures) == 10


def test_a_line_that_a_kill_cut_off_is_passed_over(tmp_path: Path) -> None:
    run(tmp_path, 30)
    before = left_out(tmp_path).total()
    with (tmp_path / "left-out-0.jsonl").open("a") as file:
        file.write('{"key": "00')

    assert left_out(tmp_path).total() == before


def test_given_voices_are_drawn_and_are_the_speakers(tmp_path: Path) -> None:
    engine = run(tmp_path, voices=("a", "b"))

    assert len(engine.voices) == 2
    assert set(ClipShards(tmp_path).speakers) == {"a", "b"}


def test_a_voice_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no c"):
        run(tmp_path, voices=("c",))


def test_texts_of_too_many_tokens_are_left_out(tmp_path: Path) -> None:
    text = tmp_path / "t.txt"
    text.write_text("“This one is far too long for the model to read it.\nThis one is not too long for it.\n")

    run(tmp_path / "clips", 2, prompts=PromptPlan(Source.LINES, "en", (text,)))

    assert left_out(tmp_path / "clips")["the text has too many tokens"] == 1


def test_a_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path, 10)
    (tmp_path / "left-out-0.jsonl").unlink(missing_ok=True)
    (tmp_path / "left-out-0.jsonl").mkdir()
    monkeypatch.setattr(clip_generation, "_left_out_records", lambda _: [])

    with pytest.raises(Unavailable, match="could not be saved"):
        run(tmp_path, 60)


@pytest.mark.parametrize("temperatures", [(0.9, 0.5), (-0.1, 0.5), (0.5, 2.5)])
def test_odd_temperatures_are_refused(temperatures: tuple[float, float]) -> None:
    with pytest.raises(InvalidInput, match="Temperatures"):
        plan(temperatures=temperatures)


def test_sunos_lengths_are_known_without_a_download() -> None:
    assert spec_of("suno/bark").max_semantic_tokens == 768
    with pytest.raises(Unavailable, match="no model"):
        spec_of("nobody/nothing")


def test_wrong_texts_and_other_settings_are_told_before_anything_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="No German text"):
        data.make(plan(prompts=PromptPlan(Source.MARKOV, "de")), 5, ["cpu"], tmp_path / "a")
    with pytest.raises(InvalidInput, match="device"):
        data.make(plan(), 5, [], tmp_path / "a")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "settings.json").write_text(json.dumps(plan(seed=3).settings()))
    with pytest.raises(Conflict, match="seed was 3, now 0"):
        data.make(plan(), 5, ["cpu"], tmp_path / "b")
