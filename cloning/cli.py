"""The command line: `python -m cloning clone | say | inspect | check`.

Exit codes: 0 done, 2 wrong usage, 3 the input cannot be used, 4 a model is missing or something else is unavailable, 5
an unknown error (the message names a reference, and standard error has the traceback), 130 interrupted. With --json,
exactly one JSON object is written to standard output, for errors too: {"error": kind, "message": text}. Progress and
log lines go to standard error.
"""

import dataclasses
import json
import logging
import secrets
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from cloning.atomic_files import require_folder, require_temporary_folder
from cloning.checkpoints.known_models import load_voice, prompt_specs
from cloning.inspection import inspection, show
from cloning.media import audio
from cloning.methods.converters import CONVERTERS
from cloning.methods.registry import METHODS
from cloning.progress import ProgressReporter
from cloning.prompt import PromptSpec, VoicePrompt
from cloning.text.splitting import LANGUAGES
from cloning.threads import limit_spinning
from cloning.watermark.finding import explained
from errors import BarkeepError, Cancelled, Unavailable

if TYPE_CHECKING:
    from cloning.pipeline import SpeechPipeline

AI_TAGS = {"comment": "AI-generated speech, made with Bark by Barkeep. No person said this.", "ai_generated": "true"}
"""The tags of every generated file."""

BAD_INPUT, UNAVAILABLE, UNKNOWN, INTERRUPTED = 3, 4, 5, 130
_SUFFIXES = (".ogg", ".wav", ".flac")
_EPILOGUE = (
    "Exit codes: 0 done, 2 wrong usage, 3 bad input, 4 a model is missing or unavailable, 5 unknown error, "
    "130 interrupted."
)

_log = logging.getLogger(__name__)
app = typer.Typer(
    help="Clone voices for Suno's Bark, and speak with them.",
    epilog=_EPILOGUE,
    no_args_is_help=True,
    add_completion=False,
)


def _one_of(names: Collection[str]) -> Callable[[str], str]:
    """Return a check that rejects values outside `names` as wrong usage."""

    def check(value: str) -> str:
        if value not in names:
            raise typer.BadParameter(f"{value!r} is not one of {', '.join(names)}.")
        return value

    return check


def _probability(value: float | None) -> float | None:
    """Reject a value that is not a probability above 0 as wrong usage."""
    if value is not None and not 0 < value <= 1:
        raise typer.BadParameter(f"{value} is not above 0 and at most 1.")
    return value


def _text(value: str | None) -> str | None:
    """Reject bytes that are not UTF-8, which arrive as lone surrogates, as wrong usage."""
    if value is not None and value != _printable(value):
        raise typer.BadParameter("It is not valid UTF-8.")
    return value


Model = Annotated[str, typer.Option(help="bundled, suno/bark-small, suno/bark, or a directory.")]
Hubert = Annotated[str | None, typer.Option(help="A hub id or a directory. Default: the model's own.")]
QuantizerName = Annotated[
    str | None, typer.Option("--quantizer", help="A file or a published name. Default: by language.")
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")]
Dtype = Annotated[
    str,
    typer.Option(
        callback=_one_of(("auto", "float32", "bfloat16", "float16", "int8")),
        help="Bark's number format: auto, float32, bfloat16, float16 or int8.",
    ),
]
Preset = Annotated[
    str,
    typer.Option(
        callback=_one_of(("auto", "exact", "fast")),
        help="exact: Suno's windows of tokens; auto, fast: longer ones, which take less time.",
    ),
]
Language = Annotated[str, typer.Option(callback=_one_of(LANGUAGES), metavar="CODE", help=f"{', '.join(LANGUAGES)}.")]
AsJson = Annotated[bool, typer.Option("--json", help="Write one JSON object to standard output.")]


@app.command(epilog=_EPILOGUE)
def clone(
    reference: Annotated[Path, typer.Argument(help="A recording of one speaker, in any common audio format.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The voice file to write (.npz).")],
    method: Annotated[
        str, typer.Option(callback=_one_of(METHODS), help=f"{' or '.join(METHODS)}: how semantic tokens are made.")
    ] = "quantizer",
    transcript: Annotated[
        str | None, typer.Option(callback=_text, help="The words of the recording, for --method transcript.")
    ] = None,
    converter: Annotated[
        str, typer.Option(callback=_one_of(CONVERTERS), help=f"{' or '.join(CONVERTERS)}, for --method conversion.")
    ] = "world",
    codebook: Annotated[
        str | None, typer.Option(help="A codebook's file, for --method codebook. Default: the model's own.")
    ] = None,
    language: Language = "en",
    model: Model = "bundled",
    hubert: Hubert = None,
    quantizer: QuantizerName = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    as_json: AsJson = False,
) -> None:
    """Make a voice from a recording."""
    if output.suffix != ".npz":
        raise typer.BadParameter("The voice file must end in .npz.", param_hint="--output")
    if method == "transcript" and not transcript:
        raise typer.BadParameter("--method transcript needs the words of the recording.", param_hint="--transcript")
    with _exit_codes(as_json), _progress_bar() as reporter:
        require_folder(output)
        pipeline = _pipeline(model, hubert, quantizer, device, dtype, codebook=codebook)
        cloned = pipeline.clone(
            reference, language, reporter, method=method, transcript=transcript, converter=converter
        )
        cloned.prompt.save(output)
    facts = {
        "voice": str(output),
        "seconds": round(cloned.clip.seconds, 3),
        "semantic_tokens": cloned.prompt.semantic.size,
        "frames": cloned.prompt.fine.shape[1],
        "model": model,
        "hubert": pipeline.models.hubert_name if method in ("quantizer", "codebook") else None,
        "made_by": cloned.quantizer,
        "report": dataclasses.asdict(cloned.report),
    }
    report = cloned.report
    used = f"{report.used_end - report.used_start:.1f} s of the recording"
    _tell(as_json, facts, f"{output}: a voice from {used} ({report.verdict}). {' '.join(report.advice)}".rstrip())


@app.command(epilog=_EPILOGUE)
def say(
    text: Annotated[str, typer.Argument(callback=_text, help="The text to speak, of any length.")],
    voice: Annotated[str, typer.Option(help="A voice file (.npz), or a speaker of the model such as v2/en_speaker_6.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The sound file to write: .ogg, .wav or .flac.")],
    seed: Annotated[int | None, typer.Option(min=0, help="The same seed gives the same speech.")] = None,
    temperature: Annotated[
        float | None, typer.Option(min=0.0, max=2.0, help="0: most likely tokens only. Default: the model's.")
    ] = None,
    top_k: Annotated[int | None, typer.Option(min=1, help="Sample from the K most likely tokens.")] = None,
    top_p: Annotated[
        float | None, typer.Option(callback=_probability, help="Sample from the tokens that reach this probability.")
    ] = None,
    takes: Annotated[
        int, typer.Option(min=1, max=4, help="Generate each sentence this many times and keep the best.")
    ] = 1,
    normalise: Annotated[
        bool, typer.Option("--normalise/--as-written", help="Write numbers, dates and abbreviations as words first.")
    ] = True,
    watermark: Annotated[
        bool, typer.Option("--watermark/--no-watermark", help="Add the inaudible mark that `check` detects.")
    ] = True,
    save_prompt: Annotated[Path | None, typer.Option(help="Write the generated tokens to a voice file (.npz).")] = None,
    language: Language = "en",
    model: Model = "bundled",
    hubert: Hubert = None,
    quantizer: QuantizerName = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    preset: Preset = "auto",
    as_json: AsJson = False,
) -> None:
    """Speak a text with a voice."""
    if output.suffix not in _SUFFIXES:
        raise typer.BadParameter(f"The sound file must end in {', '.join(_SUFFIXES)}.", param_hint="--output")
    if save_prompt is not None and save_prompt.suffix != ".npz":
        raise typer.BadParameter("The voice file must end in .npz.", param_hint="--save-prompt")
    with _exit_codes(as_json), _progress_bar() as reporter:
        from cloning.sentences import SayOptions  # imports torch, which takes seconds and which --help does not need

        for path in (output, save_prompt):
            if path is not None:
                require_folder(path)
        pipeline = _pipeline(model, hubert, quantizer, device, dtype, preset, watermark=watermark)
        spec = pipeline.models.engine.spec.prompt
        prompt = load_voice(Path(voice), spec) if _is_file(voice) else pipeline.models.speakers.load(voice)
        speech = pipeline.say(
            text, prompt, SayOptions(language, temperature, seed, top_k, top_p, takes, normalise), reporter
        )
        tags = {"title": text[:100], "artist": f"{_printable(Path(voice).stem)} (AI-generated voice)", **AI_TAGS}
        audio.write(output, speech.samples, speech.sample_rate, tags=tags)
        if save_prompt is not None:
            speech.prompt.save(save_prompt)
    facts = {
        "output": str(output),
        "seconds": round(speech.seconds, 3),
        "sample_rate": speech.sample_rate,
        "sentences": speech.sentences,
        "seed": speech.seed,
        "left_out": list(speech.left_out),
        "prompt": None if save_prompt is None else str(save_prompt),
    }
    left_out = f". The model can't read this and left it out: {' · '.join(speech.left_out)}" if speech.left_out else ""
    _tell(as_json, facts, f"{output}: {speech.seconds:.1f} seconds, seed {speech.seed}{left_out}")


@app.command(epilog=_EPILOGUE)
def inspect(
    voice: Annotated[Path, typer.Argument(help="A voice file (.npz).")],
    model: Model = "bundled",
    hubert: Hubert = None,
    quantizer: QuantizerName = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    as_json: AsJson = False,
) -> None:
    """Show the tokens in a voice file, the models that it fits, and why it does not fit --model."""
    with _exit_codes(as_json):
        prompt = VoicePrompt.read(voice)
        report = inspection(prompt, model, _prompt_spec(model))
    if as_json:
        _tell(as_json, {"voice": str(voice), **report}, "")
        return
    show(report, _printable(str(voice)))


@app.command(epilog=_EPILOGUE)
def check(
    recording: Annotated[Path, typer.Argument(help="A recording, in any common audio format.")],
    as_json: AsJson = False,
) -> None:
    """Check a recording for the inaudible mark of generated speech."""
    with _exit_codes(as_json):
        from cloning.watermark.checking import check_file  # torch, as above

        finding = check_file(recording)
    _tell(as_json, {"recording": str(recording), **dataclasses.asdict(finding)}, f"{recording}: {explained(finding)}")


def _prompt_spec(model: str) -> PromptSpec:
    """Return the shape of a model's voices. Named models need no download."""
    if model in prompt_specs():
        return prompt_specs()[model]
    from cloning.bark.config import BarkSpec
    from cloning.checkpoints.model_choice import ModelChoice, resolve_bark  # torch, as above

    return BarkSpec.from_directory(resolve_bark(ModelChoice(model=model))).prompt


def _pipeline(
    model: str,
    hubert: str | None,
    quantizer: str | None,
    device: str,
    dtype: str,
    preset: str = "auto",
    codebook: str | None = None,
    *,
    watermark: bool = False,
) -> "SpeechPipeline":
    require_temporary_folder()
    from cloning.checkpoints.model_choice import ModelChoice
    from cloning.model_set import LoadedModels  # torch, as above
    from cloning.pipeline import SpeechPipeline

    choice = ModelChoice(model, hubert, quantizer, device, dtype, preset=preset, codebook=codebook)
    return SpeechPipeline(LoadedModels(choice), watermark=watermark)


def _is_file(voice: str) -> bool:
    """Return whether `voice` is a file and not the name of a speaker, which has no suffix."""
    try:
        return Path(voice).suffix == ".npz" or Path(voice).is_file()
    except OSError:  # too long for a file name
        return False


@contextmanager
def _progress_bar() -> Iterator[ProgressReporter]:
    """Show a progress bar on standard error if it is a terminal; one line per stage."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("loading the models", total=1.0)
        shown = ""

        def report(stage: str, fraction: float) -> None:
            nonlocal shown, task
            if stage != shown:
                progress.update(task, completed=1.0)
                shown, task = stage, progress.add_task(stage, total=1.0)
            progress.update(task, completed=fraction)

        yield ProgressReporter(report)
        progress.update(task, completed=1.0)


@contextmanager
def _exit_codes(as_json: bool) -> Iterator[None]:
    """Turn errors into one sentence and an exit code."""
    limit_spinning()
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    try:
        yield
    except (KeyboardInterrupt, Cancelled):
        raise _end(as_json, INTERRUPTED, Cancelled.__name__, "Interrupted.") from None
    except Unavailable as error:
        raise _end(as_json, UNAVAILABLE, Unavailable.__name__, error.message) from error
    except BarkeepError as error:
        raise _end(as_json, BAD_INPUT, type(error).__name__, error.message) from error
    except Exception as error:
        reference = secrets.token_hex(4)
        _log.exception("unknown error, reference %s", reference)
        sentence = f"An unexpected error occurred; the log on standard error has it under {reference}."
        raise _end(as_json, UNKNOWN, "Unknown", sentence) from error


def _end(as_json: bool, code: int, kind: str, message: str) -> typer.Exit:
    if as_json:
        typer.echo(json.dumps({"error": kind, "message": message}))
    else:
        typer.echo(_printable(message), err=True)
    return typer.Exit(code)


def _tell(as_json: bool, facts: dict[str, Any], sentence: str) -> None:
    typer.echo(_printable(json.dumps(facts, ensure_ascii=False) if as_json else sentence))


def _printable(text: str) -> str:
    """Return `text` in a form that UTF-8 can encode: invalid bytes of file names become JSON escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
