"""The command line through its runner: with an engine of tones, and once from a recording to speech for real."""

import dataclasses
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
import torch
import typer
from typer.testing import CliRunner

from cloning import cli
from cloning.media import audio, recordings
from cloning.pipeline import SpeechPipeline
from cloning.prompt import VoicePrompt
from cloning.watermark.marking import mark
from errors import InvalidInput, Unavailable
from tests.cloning.tones import SPEC, ToneEngine, a_voice, pipeline

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "simulator" / "media" / "reference.flac"


def run(*arguments: object) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    result = CliRunner().invoke(cli.app, [str(argument) for argument in arguments])
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Threads that wait for each other waste a shared machine; a program of its own sees to it before torch starts."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def tags(path: Path) -> dict[str, str]:
    with av.open(str(path)) as container:
        return {**container.metadata, **container.streams.audio[0].metadata}


@pytest.mark.parametrize("suffix", [".ogg", ".wav", ".flac"])
def test_say_writes_labelled_sound(engine: ToneEngine, voice: Path, tmp_path: Path, suffix: str) -> None:
    output = tmp_path / f"out{suffix}"
    code, out, _ = run("say", "Hello there, my friend.", "--voice", voice, "-o", output, "--seed", 4)
    assert code == 0
    assert "seed 4" in out
    recording = recordings.read(output)
    assert recording.seconds > 0.3
    told = {name.lower(): text for name, text in tags(output).items()}
    assert "AI-generated" in told["comment"]
    assert told["artist"] == "anna (AI-generated voice)"


def test_say_for_machines_and_the_saved_prompt(engine: ToneEngine, voice: Path, tmp_path: Path) -> None:
    output, saved = tmp_path / "out.wav", tmp_path / "said.npz"
    code, out, _ = run(
        "say", "Hello there, my friend.", "--voice", voice, "-o", output, "--temperature", 0, "--save-prompt", saved,
        "--language", "de", "--json",
    )  # fmt: skip
    assert code == 0
    facts = json.loads(out)
    assert facts["output"] == str(output)
    assert facts["sample_rate"] == 24_000
    assert facts["sentences"] == 1
    assert facts["prompt"] == str(saved)
    assert engine.asked[0][1] == a_voice()
    assert engine.asked[0][2].temperature == 0
    assert (engine.asked[0][2].top_k, engine.asked[0][2].top_p) == (None, None)
    assert VoicePrompt.load(saved).semantic.size == 2 * len("Hello there, my friend.")


def test_what_the_model_does_not_read_is_named(engine: ToneEngine, voice: Path, tmp_path: Path) -> None:
    engine.spec = dataclasses.replace(SPEC, languages=("en",))
    words = ("say", "Good evening, добрый вечер to all of you.", "--voice", voice, "-o", tmp_path / "out.wav")

    code, out, _ = run(*words)
    assert code == 0
    assert "can't read this and left it out: добрый вечер" in out
    code, out, _ = run(*words, "--json")
    assert json.loads(out)["left_out"] == ["добрый вечер"]

    code, out, _ = run("say", "Good evening.", "--voice", voice, "-o", tmp_path / "out.wav")
    assert code == 0
    assert "left it out" not in out


def test_speech_is_marked_unless_told_not_to(monkeypatch: pytest.MonkeyPatch, voice: Path, tmp_path: Path) -> None:
    asked: list[object] = []

    def made(*_: object, watermark: bool, **__: object) -> SpeechPipeline:
        asked.append(watermark)
        return pipeline(ToneEngine(), watermark=watermark)

    monkeypatch.setattr(cli, "_pipeline", made)
    for option in ([], ["--no-watermark"]):
        assert run("say", "Hello there.", "--voice", voice, "-o", tmp_path / "out.wav", *option)[0] == 0
    assert asked == [True, False]


def test_a_recording_is_checked(tmp_path: Path) -> None:
    marked = tmp_path / "marked.ogg"
    samples, rate = audio.read_clip(REFERENCE).samples, 24_000
    audio.write(marked, mark(samples, rate), rate, tags={})
    code, out, _ = run("check", marked, "--json")
    told = json.loads(out)
    assert (code, told["recording"], told["verdict"]) == (0, str(marked), "marked")
    assert told["confidence"] > 0.9
    assert told["spans"][0][0] < 1
    code, out, _ = run("check", REFERENCE)
    assert code == 0
    assert "No mark of generated speech was found" in out
    code, out, _ = run("check", tmp_path / "gone.wav", "--json")
    assert (code, json.loads(out)["error"]) == (3, "InvalidInput")


def test_numbers_are_left_as_written_if_asked(engine: ToneEngine, voice: Path, tmp_path: Path) -> None:
    arguments = ("say", "Room 101.", "--voice", voice, "-o", tmp_path / "out.wav")
    assert run(*arguments)[0] == run(*arguments, "--as-written")[0] == 0
    assert [text for text, _, _ in engine.asked] == ["Room one hundred one.", "Room 101."]


def test_draws_can_be_narrowed(engine: ToneEngine, voice: Path, tmp_path: Path) -> None:
    arguments = ("say", "Hello there.", "--voice", voice, "-o", tmp_path / "out.wav", "--top-k", 50, "--top-p", 0.9)
    assert run(*arguments)[0] == 0
    assert (engine.asked[0][2].top_k, engine.asked[0][2].top_p) == (50, 0.9)


def test_the_best_of_several_takes_is_written(engine: ToneEngine, voice: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.wav"
    assert run("say", "Hello there.", "--voice", voice, "-o", output, "--takes", 3, "--seed", 1)[0] == 0
    assert len({options.seed for _, _, options in engine.asked}) == 3
    assert recordings.read(output).seconds > 0.3


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("say", "Hello", "--voice", "v.npz"),
        ("say", "Hello", "--voice", "v.npz", "-o", "out.mp3"),
        ("say", "Hello", "--voice", "v.npz", "-o", "out.ogg", "--save-prompt", "p.txt"),
        ("say", "Hello", "--voice", "v.npz", "-o", "out.ogg", "--temperature", 3),
        ("say", "Hello", "--voice", "v.npz", "-o", "out.ogg", "--seed", -1),
        ("say", "Hello", "--voice", "v.npz", "-o", "out.ogg", "--top-k", 0),
        ("say", "Hello", "--voice", "v.npz", "-o", "out.ogg", "--takes", 5),
        ("say", "Hello", "--voice", "v.npz", "-o", "out.ogg", "--top-p", 0),
        ("say", "Hello", "--voice", "v.npz", "-o", "out.ogg", "--top-p", 1.5),
        ("say", "Hello", "--voice", "v.npz", "-o", "out.ogg", "--language", "xx"),
        ("say", "Hello", "--voice", "v.npz", "-o", "out.ogg", "--dtype", "int3"),
        ("clone", "a.wav", "-o", "v.txt"),
        ("clone", "a.wav", "-o", "v.npz", "--method", "magic"),
        ("clone", "a.wav", "-o", "v.npz", "--method", "conversion", "--converter", "magic"),
        ("clone", "a.wav", "-o", "v.npz", "--method", "transcript"),
        ("clone", "a.wav", "-o", "v.npz", "--method", "transcript", "--transcript", "a\udcff"),
        ("say", "Hello \udcff", "--voice", "v.npz", "-o", "out.ogg"),
    ],
)
def test_wrong_usage_is_2(arguments: tuple[object, ...]) -> None:
    code, _, err = run(*arguments)
    assert code == 2
    assert "Usage" in err or not arguments


def test_bad_input_is_3(engine: ToneEngine, voice: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.ogg"
    code, out, err = run("say", " ", "--voice", voice, "-o", output)
    assert (code, out) == (3, "")
    assert "no text" in err
    code, out, _ = run("say", "Hello", "--voice", tmp_path / "nobody.npz", "-o", output, "--json")
    assert code == 3
    assert json.loads(out)["error"] == "NotFound"
    assert not output.exists()
    (tmp_path / "noise.bin").write_bytes(b"no audio at all" * 99)
    assert run("clone", tmp_path / "noise.bin", "-o", tmp_path / "v.npz")[0] == 3
    assert run("clone", tmp_path / "missing.wav", "-o", tmp_path / "v.npz")[0] == 3
    assert not (tmp_path / "v.npz").exists()


def test_missing_models_are_4(voice: Path, tmp_path: Path) -> None:
    code, out, _ = run(
        "say", "Hello", "--voice", voice, "-o", tmp_path / "out.ogg", "--model", tmp_path / "none", "--json"
    )
    assert code == 4
    assert json.loads(out)["error"] == "Unavailable"
    assert run("inspect", voice, "--model", tmp_path / "none")[0] == 4


@pytest.mark.parametrize(
    ("error", "code", "kind"),
    [
        (InvalidInput("A."), 3, "InvalidInput"),
        (Unavailable("B."), 4, "Unavailable"),
        (ZeroDivisionError("secret"), 5, "Unknown"),
        (KeyboardInterrupt(), 130, "Cancelled"),
    ],
)
def test_errors_have_exit_codes(
    engine: ToneEngine,
    voice: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: int,
    kind: str,
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(SpeechPipeline, "say", fail)
    arguments = ("say", "Hello", "--voice", voice, "-o", tmp_path / "out.ogg")
    found, out, _ = run(*arguments, "--json")
    assert found == code
    answer = json.loads(out)
    assert answer["error"] == kind
    assert "secret" not in answer["message"]
    found, out, err = run(*arguments)
    assert (found, out) == (code, "")
    assert err


def test_inspect_shows_what_is_there(voice: Path, stand_in: Path) -> None:
    code, out, _ = run("inspect", voice, "--model", stand_in, "--json")
    assert code == 0
    facts = json.loads(out)
    assert facts["semantic"] == {"shape": [100], "seconds": 2.0, "lowest": 0, "highest": 99}
    assert facts["fine"]["shape"] == [8, 150]
    assert facts["coarse_matches_fine"] is True
    code, out, _ = run("inspect", voice, "--model", stand_in)
    assert code == 0
    assert "(8, 150)" in out
    assert "coarse == fine[:2]: yes" in out


PRESET = VoicePrompt(np.arange(346) * 28, np.full((2, 519), 1023), np.full((8, 519), 1023))
"""Of the shape of Suno's own voices."""


def test_inspect_tells_whose_voice_it_is_and_why_the_chosen_model_cannot_use_it(tmp_path: Path) -> None:
    path = tmp_path / "en_speaker_6.npz"
    PRESET.save(path)
    code, out, _ = run("inspect", path, "--json")
    facts = json.loads(out)
    assert code == 0
    assert facts["fits"] == ["suno/bark-small", "suno/bark"]
    assert facts["rates"] == {"semantic": 49.9, "frames": 75.0}
    assert facts["semantic"] == {"shape": [346], "seconds": 6.93, "lowest": 0, "highest": 9660}
    assert facts["fine"] == {"shape": [8, 519], "seconds": 6.92, "lowest": 1023, "highest": 1023}
    assert facts["model"] == "bundled"
    assert "these models use 0 to" in facts["reason"]
    assert json.loads(run("inspect", path, "--model", "suno/bark", "--json")[1])["reason"] is None
    code, out, _ = run("inspect", path)
    assert code == 0
    assert "suno/bark-small, suno/bark" in out
    assert "does not fit bundled" in out


def test_inspect_tells_what_is_in_a_voice_of_no_known_model(stand_in: Path, tmp_path: Path) -> None:
    path = tmp_path / "odd.npz"
    VoicePrompt(np.arange(100), np.zeros((2, 90), np.int64), np.zeros((8, 90), np.int64)).save(path)
    for model in (stand_in, "suno/bark"):
        code, out, _ = run("inspect", path, "--model", model, "--json")
        facts = json.loads(out)
        assert code == 0
        assert facts["fits"] == []
        assert facts["rates"] is facts["fine"]["seconds"] is None
        assert "0.9 frames per semantic token" in facts["reason"]
    assert "no named model" in run("inspect", path, "--model", stand_in)[1]


def test_inspect_refuses_what_no_bark_could_read(tmp_path: Path) -> None:
    (tmp_path / "bad.npz").write_bytes(b"no archive")
    code, _, err = run("inspect", tmp_path / "bad.npz")
    assert code == 3
    assert "not a voice file" in err


def test_say_names_the_model_that_a_voice_is_for(stand_in: Path, tmp_path: Path) -> None:
    fine = np.full((8, 100), 200)
    VoicePrompt(np.arange(100), fine[:2], fine).save(tmp_path / "v.npz")
    chosen = ("--model", stand_in, "--device", "cpu")
    code, _, err = run("say", "Hi.", "--voice", tmp_path / "v.npz", "-o", tmp_path / "out.ogg", *chosen)
    assert code == 3
    assert "It is a voice for the model bundled." in err


def test_help_needs_no_torch() -> None:
    check = "import sys, cloning.cli, cloning.worker; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], cwd=ROOT, check=False).returncode == 0


def test_the_stable_options_exist_and_help_tells_the_exit_codes() -> None:
    commands = typer.main.get_command(cli.app).commands  # type: ignore[attr-defined]  # it is a group
    shared = {"--model", "--hubert", "--quantizer", "--device", "--dtype", "--json"}
    wanted = {
        "clone": {"-o", "--method", "--transcript", "--codebook"},
        "say": {"--voice", "-o", "--seed", "--temperature", "--save-prompt"},
        "inspect": set(),
    }
    assert {
        name: (wanted[name] | shared) - {o for p in command.params for o in p.opts}
        for name, command in commands.items()
        if name != "check"
    } == {name: set() for name in wanted}
    assert {option for parameter in commands["check"].params for option in parameter.opts} >= {"recording", "--json"}
    assert "130 interrupted" in run("--help")[1]


def test_from_a_recording_to_speech(one_thread: None, stand_in: Path, tmp_path: Path) -> None:
    chosen = ("--model", stand_in, "--device", "cpu")
    voice, output, saved = tmp_path / "v.npz", tmp_path / "out.ogg", tmp_path / "said.npz"
    code, out, _ = run("clone", REFERENCE, "-o", voice, "--json", *chosen)
    assert code == 0
    facts = json.loads(out)
    assert facts["made_by"] == "quantizer.pth"
    report = facts["report"]
    assert report["verdict"]
    assert f"{report['used_end'] - report['used_start']:.1f} s of" in run("clone", REFERENCE, "-o", voice, *chosen)[1]
    assert VoicePrompt.load(voice).semantic.size == facts["semantic_tokens"]
    assert run("inspect", voice, *chosen)[0] == 0
    arguments = ("say", "Hi.", "--voice", voice, "--seed", 2, "--temperature", 0, *chosen)
    assert run(*arguments, "-o", output, "--save-prompt", saved)[0] == 0
    assert recordings.read(output).seconds > 0.1
    assert VoicePrompt.load(saved, SPEC.prompt).coarse_matches_fine
    code, _, err = run("say", "Hi.", "--voice", "v2/nobody", "-o", output, *chosen)
    assert code == 3
    assert "v2/en_speaker_0" in err
