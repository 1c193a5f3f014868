"""`python -m research evaluate-mark PROMPTS`: measure the detection of the mark, and its audibility.

PROMPTS is a folder of people's recordings, as for `research recordings`. Prints the tables of docs/privacy.md: of
detection, misses and false alarms, and of speech with and without the mark. Lines that an earlier run generated in the
same folder are reused.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from scipy import stats

from cloning.checkpoints.model_choice import ModelChoice
from cloning.checkpoints.published import BUNDLED
from cloning.media import audio, recordings
from cloning.media.audio import Recording
from cloning.watermark.checking import SHORTEST_SECONDS, check
from cloning.watermark.finding import Verdict
from cloning.watermark.marking import STRENGTH, mark
from errors import InvalidInput
from research.evaluate.heldout import ARCHIVE, HeldOutVoices, KokoroVoices, held_out_sentences
from research.evaluate.plan import PlannedLine, ProgressPrinter, lines
from research.evaluate.recordings import prompts_of, read_prompt
from research.evaluate.references import read_references
from research.evaluate.treatments import TREATMENTS
from research.metrics.statistics import Estimate, estimate, mean

_VOICES, _EACH = 20, 3
_CHOSEN_ON = 110
"""The number of recordings of each speaker, the first ones by name, on which the thresholds were chosen."""
_PROMPT_SECONDS = (1.5, 8.0)
_AGAIN = "Ogg Opus, 24 kbit/s"
"""The treatment that recordings of people get too: what members send to be checked is often coded."""


@dataclass(frozen=True)
class MarkedPair:
    """A line without and with the mark, as Barkeep would send it before coding."""

    speaker: str
    text: str
    plain: Recording
    marked: Recording


@dataclass(frozen=True)
class Compared:
    """The measurements of a pair, each without and with the mark.

    `quality`: DNSMOS. `wrong`: word errors among `words`. `likeness`: the similarity to another recording of the voice.
    `alike`: the similarity of the two to each other.
    """

    speaker: str
    quality: tuple[float, float]
    wrong: tuple[int, int]
    words: int
    likeness: tuple[float, float]
    alike: float


def evaluate_mark_command(
    prompts: Annotated[Path, typer.Argument(help="A folder with a folder of recordings for each speaker.")],
    model: Annotated[str, typer.Option(help="bundled, suno/bark-small, suno/bark, or a directory.")] = BUNDLED,
    people: Annotated[int, typer.Option(min=1, help="The number of recordings of people.")] = 200,
    strength: Annotated[float, typer.Option(min=0.0, help="The strength of the mark.")] = STRENGTH,
    out: Annotated[Path, typer.Option(help="The folder for lines. An existing one is continued.")] = Path(
        ".training/mark"
    ),
    kokoro_voices: KokoroVoices = ARCHIVE,
) -> None:
    """Count false alarms and misses of the watermark, and compare speech with and without it."""
    HeldOutVoices(kokoro_voices).write_references(_references(out), _VOICES)
    pairs = list(spoken(model, out, strength))
    print(detection_table([pair.plain for pair in pairs], [pair.marked for pair in pairs], chosen(prompts, people)))
    print(hearing_table(f"{model}'s lines", list(compared(pairs, out))))
    print(hearing_table("clear speech of the same voices", list(compared(list(clear(out, strength)), out))))


def chosen(folder: Path, number: int) -> list[Recording]:
    """Return `number` recordings of people on which no threshold was chosen, from each speaker by turns.

    Raises InvalidInput if there are too few.
    """
    speakers = [files[_CHOSEN_ON:] for files in prompts_of(folder).values()]
    found: list[Recording] = []
    for place in range(max(map(len, speakers), default=0)):
        for files in speakers:
            if place < len(files):
                found += _fitting(files[place])
            if len(found) == number:
                return found
    raise InvalidInput(f"{folder} has only {len(found)} recordings that fit. Give more, or ask for fewer.")


def _fitting(path: Path) -> list[Recording]:
    """Return the recording in a list, or nothing if it is empty, damaged, too short or too long."""
    try:
        recording = read_prompt(path)
    except InvalidInput:
        return []
    return [recording] if _PROMPT_SECONDS[0] <= recording.seconds <= _PROMPT_SECONDS[1] else []


def spoken(model: str, out: Path, strength: float) -> Iterator[MarkedPair]:
    """Yield sixty lines in the voices of the references, each with its own seed, with and without the mark."""
    voices = [reference.speaker for reference in read_references(_references(out))]
    planned = list(lines(voices, held_out_sentences(), _EACH, 1))
    progress = ProgressPrinter("lines", len(planned))
    speak = _speaker(model, out)
    for number, line in enumerate(planned):
        path = out / "kokoro-lines" / f"{number:02d}.flac"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            said = speak(line, number)
            audio.write(path, said.samples, said.sample_rate, tags={"comment": "AI-generated, without a mark."})
        plain = audio.read_clip(path)
        yield MarkedPair(line.speaker, line.text, plain, marked(plain, strength))
        progress.step()


def clear(out: Path, strength: float) -> Iterator[MarkedPair]:
    """Yield the recordings that the voices were cloned from, without and with the mark.

    They have no noise of a model, which may mask a mark.
    """
    for reference in read_references(_references(out)):
        plain = recordings.read(reference.take.path)
        yield MarkedPair(reference.speaker, reference.take.transcript, plain, marked(plain, strength))


def marked(plain: Recording, strength: float = STRENGTH) -> Recording:
    """Return the recording with the mark, at the same loudness."""
    samples, rate = plain.samples, plain.sample_rate
    return Recording(audio.normalise(mark(samples, rate, strength), rate, audio.loudness(samples, rate)), rate)


def compared(pairs: Sequence[MarkedPair], out: Path) -> Iterator[Compared]:
    """Yield the measurements of each pair. Voices are compared with recordings that were not cloned."""
    from research.metrics.measurement import ModelMeter
    from research.metrics.recogniser import word_errors
    from research.metrics.speakers import similarity

    meter = ModelMeter()
    progress = ProgressPrinter("listening", len(pairs))
    voices = {
        one.speaker: meter.voice(recordings.read(one.others[0].path)) for one in read_references(_references(out))
    }
    for pair in pairs:
        heard = [meter.all(recording) for recording in (pair.plain, pair.marked)]
        errors = [word_errors(pair.text, one.words) for one in heard]
        likeness = [similarity(one.voice, voices[pair.speaker]) for one in heard]
        yield Compared(
            pair.speaker,
            (heard[0].opinion.overall, heard[1].opinion.overall),
            (errors[0].wrong, errors[1].wrong),
            errors[0].words,
            (likeness[0], likeness[1]),
            similarity(heard[0].voice, heard[1].voice),
        )
        progress.step()


def detection_table(plain: Sequence[Recording], made: Sequence[Recording], people: Sequence[Recording]) -> str:
    """Return the table of `check` on recordings of people, on unmarked lines, and on marked lines after treatments."""
    seconds = sum(recording.seconds for recording in people)
    print(f"{len(people)} recordings of people, {seconds / 60:.0f} minutes")
    rows = [
        _row("people", people),
        _row(f"people, {_AGAIN}", list(map(TREATMENTS[_AGAIN], people))),
        _row("generated, unmarked", plain),
        _row("marked", made),
        *(_row(f"marked, {name}", list(map(treat, made))) for name, treat in TREATMENTS.items()),
    ]
    head = ("recordings", "number", "marked", "unclear", "unmarked", "marked, 95 %", "lowest to highest confidence")
    return "\n".join(["| " + " | ".join(head) + " |", "|---" * len(head) + "|", *rows, ""])


def hearing_table(name: str, measured: Sequence[Compared]) -> str:
    """Return the table of figures without and with the mark, and of their difference, with its interval over voices."""
    rows = [
        _difference("DNSMOS, 1 to 5", measured, lambda some, side: mean([one.quality[side] for one in some]) or 0.0),
        _difference("word error rate", measured, _error_rate),
        _difference(
            "likeness to the voice", measured, lambda some, side: mean([one.likeness[side] for one in some]) or 0.0
        ),
    ]
    alike = estimate(measured, lambda some: mean([one.alike for one in some]), lambda one: one.speaker)
    head = (f"{name}, {len(measured)}", "without the mark", "with it", "difference, 95 %")
    end = f"Likeness of the same line with and without the mark: {_figure(alike)}\n"
    return "\n".join(["| " + " | ".join(head) + " |", "|---" * len(head) + "|", *rows, "", end])


def interval(count: int, of: int) -> tuple[float, float]:
    """Return the exact 95 % interval of a share (C. Clopper, E. Pearson, 1934)."""
    beta = stats.beta  # type: ignore[attr-defined]  # scipy has it from its parts by `*`
    low = 0.0 if count == 0 else float(beta.ppf(0.025, count, of - count + 1))
    high = 1.0 if count == of else float(beta.ppf(0.975, count + 1, of - count))
    return low, high


def _row(name: str, some: Sequence[Recording]) -> str:
    found = [check([recording]) for recording in some if recording.seconds >= SHORTEST_SECONDS]
    verdicts: tuple[Verdict, ...] = ("marked", "unclear", "unmarked")
    counts = [sum(one.verdict == verdict for one in found) for verdict in verdicts]
    low, high = interval(counts[0], len(found))
    sure = [one.confidence for one in found]
    cells = (name, len(found), *counts, f"{low:.1%} to {high:.1%}", f"{min(sure):.2f} to {max(sure):.2f}")
    return "| " + " | ".join(map(str, cells)) + " |"


def _difference(name: str, measured: Sequence[Compared], of: Callable[[Sequence[Compared], int], float]) -> str:
    change = estimate(measured, lambda some: of(some, 1) - of(some, 0), lambda one: one.speaker)
    return f"| {name} | {of(measured, 0):.3f} | {of(measured, 1):.3f} | {_figure(change)} |"


def _error_rate(some: Sequence[Compared], side: int) -> float:
    return sum(one.wrong[side] for one in some) / max(1, sum(one.words for one in some))


def _figure(found: Estimate | None) -> str:
    return "none" if found is None else f"{found.value:+.3f} ({found.low:+.3f} to {found.high:+.3f})"


def _references(out: Path) -> Path:
    return out / "kokoro-references"


def _speaker(model: str, out: Path) -> Callable[[PlannedLine, int], Recording]:
    """Return a function that says lines in the voices of the references; it loads models on first use."""
    from cloning.model_set import LoadedModels
    from cloning.pipeline import SpeechPipeline
    from cloning.progress import ProgressReporter
    from cloning.sentences import SayOptions

    files = {one.speaker: one.take.path for one in read_references(_references(out))}
    box = SpeechPipeline(LoadedModels(ModelChoice(model=model)))

    def speak(line: PlannedLine, seed: int) -> Recording:
        voice = box.clone(files[line.speaker], "en", ProgressReporter()).prompt
        speech = box.say(line.text, voice, SayOptions(seed=seed), ProgressReporter())
        return Recording(speech.samples, speech.sample_rate)

    return speak
