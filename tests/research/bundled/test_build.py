"""The recipe from the data on, in miniature: every step once, nothing twice, and at the end something that speaks."""

from dataclasses import replace
from itertools import product
from pathlib import Path
from string import ascii_lowercase
from unittest import mock

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from cloning.bark.bark import BarkEngine
from cloning.bark.engine import GenerationOptions
from cloning.bark.precision import PRECISIONS
from cloning.checkpoints.model_choice import (
    ModelChoice,
    resolve_bark,
    resolve_codebook,
    resolve_hubert,
    resolve_quantizer,
)
from cloning.checkpoints.speakers import Speakers
from cloning.checkpoints.weights import load_state
from cloning.codec import Codec
from cloning.methods.feature_clusters import load_codebook
from cloning.methods.hubert import HubertFeatures
from cloning.methods.quantizer_network import load
from cloning.progress import ProgressReporter
from errors import InvalidInput, Unavailable
from research.bundled import build, coarse, codec_training, codes, fine, quantizer_steps, semantic
from research.bundled.build import MODEL, RECIPES, TEXT, Build, Course, Profile, Step
from research.bundled.built_in import choose_prompts
from research.bundled.codec import DECODER, ENCODER, FINETUNE, TEACHER, new_decoder, new_encoder
from research.bundled.codec_steps import CODEC, CORPUS, PREDICTED, PROMPTS, CodecStep
from research.bundled.codec_training import DecoderJob
from research.bundled.codes import Codes
from research.bundled.export import SPEC, prompts_of
from research.bundled.hubert import TokenClassifier
from research.bundled.hubert_training import HUBERT
from research.bundled.kokoro import BUILT_IN
from research.bundled.layout import BOOKS, CODEBOOK_SIZE, Size, Sizes
from research.bundled.package import BARK, install
from research.bundled.phones import SEMANTIC_SIZE, frame_tokens
from research.bundled.pronunciation import held_out
from research.bundled.sentences import Sentences
from research.bundled.speech import SpeechTokens
from research.bundled.teacher import Teacher
from research.commands import app
from training.curves import read_log
from training.loop import Schedule
from training.run_state import write_state, write_weights
from training.shards import Clip, ShardWriter, Split, split_of

CPU = torch.device("cpu")
SMALL = Size(layers=4, heads=2, width=16)
PHONEMES = "həlˈO ðˈɛɹ, jˈu."
DURATIONS = np.full(len(PHONEMES) + 2, 5)
COURSE = Course(Schedule(steps=2, warmup=1, learning_rate=1e-3), batch=2)
RECIPE = replace(
    RECIPES[Profile.CPU],
    quantizer=replace(RECIPES[Profile.CPU].quantizer, copies=1, width=8, batch=2, schedule=COURSE.schedule, clusters=3),
    coarse=COURSE,
    semantic=COURSE,
    fine=COURSE,
    distortion=COURSE,
    codec=replace(RECIPES[Profile.CPU].codec, hours=1.0, finetune=COURSE.schedule, finetune_batch=2),
    sizes=Sizes(SMALL, SMALL, SMALL),
)
TRAINED = (Step.COARSE, Step.SEMANTIC, Step.FINE, Step.DISTORTION)


def named(split: Split, patterns: str, count: int) -> list[str]:
    """Names of this pattern that belong to a split."""
    drawn = ("".join(letters) for letters in product(ascii_lowercase, repeat=2))
    return [name for name in (patterns.format(letters) for letters in drawn) if split_of(name) == split][:count]


def fill(work: Path) -> None:
    """Clips of two splits with drawn codes, and weights of an untrained codec and an untrained HuBERT."""
    random = np.random.default_rng(0)
    tokens = frame_tokens(PHONEMES, DURATIONS).tokens
    noise = random.integers(-9000, 9000, 320 * len(tokens)).astype(np.int16)
    keys: list[str] = []
    with ShardWriter(work / CORPUS, 100) as shards:
        splits: tuple[Split, ...] = ("train", "valid")
        for split in splits:
            speakers = named(split, "speaker {}", 3) + ([*BUILT_IN] if split == "train" else [])
            for speaker in speakers:
                for text in named(split, "hello there, {}.", 3):
                    keys.append(f"{speaker} {text}")
                    facts = {"phonemes": PHONEMES, "durations": DURATIONS.tolist()}
                    shards.add(Clip(keys[-1], text, speaker, 0, 16_000, noise, tokens, facts))
    (work / CODEC / PROMPTS).mkdir(parents=True)
    drawn = [random.integers(0, CODEBOOK_SIZE, (BOOKS, len(tokens))).astype(np.uint16) for _ in keys]
    for folder in (work / CODEC, work / CODEC / PROMPTS):
        codes._write(folder / "codes-00000.npz", keys, drawn)
    teacher = Teacher(SEMANTIC_SIZE)
    teacher.quantizer.embed.normal_()
    parts = {TEACHER: teacher, DECODER: new_decoder(), ENCODER: new_encoder()}
    for name, module in parts.items():
        (work / CODEC / name).mkdir()
        write_weights(work / CODEC / name / "best.safetensors", module)
    (work / HUBERT).mkdir()
    write_weights(work / HUBERT / "best.safetensors", TokenClassifier())
    write_state(work / HUBERT / "last.pt", {"step": RECIPE.hubert.schedule.steps, "waited": 0})


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("work")
    fill(folder)
    with pytest.MonkeyPatch.context() as patch:
        for job in (coarse, fine, semantic):
            patch.setattr(job, "_VALIDATION_ROWS", 2)
        patch.setattr(codec_training, "_VALID_CROPS", 2)
        patch.setattr(DecoderJob, "_FRAMES", 10)
        late = (Step.PREDICTED, Step.FINETUNE, Step.EXPORT)
        for step in (Step.HUBERT, Step.QUANTIZER, Step.CODEBOOK, *TRAINED, *late):
            Build(folder, RECIPE, CPU).do(step)
    return folder


def test_every_transformer_is_trained_in_a_folder_of_its_own(work: Path) -> None:
    for step in TRAINED:
        parts = {line.part for line in read_log(work / step / "log.csv")}
        assert parts == {"train", "valid"}


def test_what_comes_out_speaks(work: Path) -> None:
    bark = resolve_bark(ModelChoice(model=str(work / MODEL)))
    codec = Codec(bark, CPU)
    engine = BarkEngine.load(bark, precision=PRECISIONS["float32"], device=CPU, decode=codec.decode, batch=1)
    said = engine.generate("Hello.", None, GenerationOptions(max_semantic_tokens=40), ProgressReporter(lambda *_: None))

    assert said.prompt.fine.shape[0] == BOOKS
    assert len(said.samples) == 320 * said.prompt.fine.shape[1]


def test_its_decoder_has_learned_from_predicted_codes(work: Path) -> None:
    finetuned = load_state(work / CODEC / FINETUNE / "best.safetensors")
    exported = load_state(resolve_bark(ModelChoice(model=str(work / MODEL))) / "model.safetensors")

    assert {*Codes(work / CODEC / PREDICTED)._codes} == {*Codes(work / CODEC)._codes}
    name = "layers.0.conv.bias"
    torch.testing.assert_close(exported[f"codec_model.decoder.{name}"], finetuned[name].half())
    before = load_state(work / CODEC / DECODER / "best.safetensors")
    assert not torch.equal(before[name], finetuned[name])


def test_what_clones_is_exported_beside_it(work: Path) -> None:
    model = ModelChoice(model=str(work / MODEL))
    features = HubertFeatures(resolve_hubert(model), CPU)(np.zeros(16_000, np.float32))

    for reader in (load(resolve_quantizer(model, "en"), CPU), load_codebook(resolve_codebook(model), CPU)):
        tokens = reader.tokens(features, 50.0)
        assert len(tokens) == 49
        assert int(tokens.max()) < SEMANTIC_SIZE


def test_it_is_installed_when_that_is_asked_for(work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "BUNDLED_DIRECTORY", tmp_path / "bundled")

    Build(work, RECIPE, CPU).do(Step.INSTALL)

    names = {path.relative_to(work / MODEL) for path in (work / MODEL).rglob("*")}
    assert {path.relative_to(tmp_path / "bundled") for path in (tmp_path / "bundled").rglob("*")} == names
    assert Path("SHA256SUMS") in names


def test_better_prompts_replace_those_that_were_exported(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "sentences_to_compare", lambda: ["Hello."])
    speech = SpeechTokens.load(work / CORPUS, work / CODEC, work / CODEC / PROMPTS, "train")
    last = {shown: prompts_of(speech, name, 3)[-1] for shown, name in build._SPEAKERS.items()}
    choose = mock.create_autospec(choose_prompts, return_value=last)
    monkeypatch.setattr(build, "choose_prompts", choose)

    Build(work, RECIPE, CPU).do(Step.SPEAKERS)

    speakers = Speakers(work / MODEL / BARK, SPEC)
    assert speakers.names == ("Emma", "Heart", "Michael", "Puck")
    for name in speakers.names:
        np.testing.assert_array_equal(speakers.load(name).fine, last[name].fine)
    assert choose.call_args.args[1:] == (build._SPEAKERS, work / MODEL, ["Hello."])
    install(work / MODEL, work / "installed")  # refuses wrong checksums


def test_what_is_exported_is_measured(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with ShardWriter(work / TEXT, 10) as shards:
        for text in named("test", "hello there, {}.", 2):
            shards.add(Clip(text, text, BUILT_IN[0], 0, 16_000, None, frame_tokens(PHONEMES, DURATIONS).tokens, {}))

    Build(work, RECIPE, CPU).do(Step.MEASURE)

    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["greedy", "drawn", "drawn, with a voice"]
    assert all("of phones wrong" in line for line in lines)


def test_nothing_held_out_is_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="held-out"):
        held_out(tmp_path, 3)


def test_what_is_done_is_not_even_loaded_again(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(SpeechTokens, "load", refuse)
    monkeypatch.setattr(Sentences, "load", refuse)
    monkeypatch.setattr(quantizer_steps, "corpus_of", refuse)
    for step in (Step.QUANTIZER, Step.CODEBOOK, *TRAINED):
        Build(work, RECIPE, CPU).do(step)


def test_a_step_without_what_it_builds_on_says_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="make the text corpus"):
        Build(tmp_path, RECIPE, CPU).do(Step.SEMANTIC)
    with pytest.raises(InvalidInput, match="make the corpus"):
        Build(tmp_path, RECIPE, CPU).do(Step.COARSE)
    with pytest.raises(Unavailable, match="run the step export first"):
        Build(tmp_path, RECIPE, CPU).do(Step.INSTALL)


def test_the_command_does_all_steps_but_install_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[tuple[Path, Step]] = []
    monkeypatch.setattr(Build, "do", lambda self, step: done.append((self._work, step)))

    every = CliRunner().invoke(app, ["bundled", "--work", str(tmp_path), "--device", "cpu"])
    one = CliRunner().invoke(app, ["bundled", "--work", str(tmp_path), "--profile", "cuda", "--step", "fine"])

    assert every.exit_code == one.exit_code == 0
    assert done == [(tmp_path, step) for step in (*list(Step)[:-1], Step.FINE)]
    assert list(Step)[-1] is Step.INSTALL
    assert "== coarse" in every.stdout


def test_codec_steps_have_the_same_names(work: Path) -> None:
    own = Build(work, RECIPE, CPU)._steps
    assert [CodecStep(step) for step in Step if step not in own] == list(CodecStep)[:-1]
