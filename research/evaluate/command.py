"""`python -m research evaluate`: compare the cloning methods, and check the model against its goals.

Reads the options and writes the report; `experiment` does the work. An existing folder of results is continued.
"""

from pathlib import Path
from typing import Annotated

import typer

from cloning.bark.precision import PRECISIONS
from cloning.checkpoints.model_choice import EXACT, PRESETS, ModelChoice
from cloning.checkpoints.published import BUNDLED
from cloning.methods.converters import CONVERTERS
from cloning.methods.registry import METHODS
from cloning.text.splitting import check_language
from errors import InvalidInput
from research.evaluate.heldout import ARCHIVE, SPEAKERS, HeldOutVoices, KokoroVoices, held_out_sentences
from research.evaluate.plan import read_texts
from research.evaluate.references import read_references


def evaluate_command(
    model: Annotated[str, typer.Option(help="bundled, suno/bark-small, suno/bark, or a directory.")] = BUNDLED,
    references: Annotated[
        Path | None, typer.Option(help="A folder with recordings and a manifest.csv (file,speaker,transcript).")
    ] = None,
    recordings: Annotated[
        Path | None, typer.Option(help="Another such folder, of real people, for the goals about real voices.")
    ] = None,
    texts: Annotated[Path | None, typer.Option(help="A file with one sentence per line.")] = None,
    methods: Annotated[str, typer.Option(help="Cloning methods, separated by commas.")] = ",".join(METHODS),
    voices: Annotated[int, typer.Option(min=2, help="The number of held-out voices, without --references.")] = SPEAKERS,
    sentences: Annotated[int, typer.Option(min=1, help="The number of texts per voice.")] = 2,
    seeds: Annotated[int, typer.Option(min=1, help="The number of seeds per text.")] = 1,
    out: Annotated[Path, typer.Option(help="The folder for results. An existing one is continued.")] = Path(
        ".training/evaluate"
    ),
    quantizer: Annotated[str | None, typer.Option(help="A quantizer's file or published name.")] = None,
    codebook: Annotated[str | None, typer.Option(help="A codebook's file, for the method codebook.")] = None,
    converter: Annotated[str, typer.Option(help=f"For the method conversion: {', '.join(CONVERTERS)}.")] = "world",
    language: Annotated[str, typer.Option(help="The language of recordings and texts: en, de, ...")] = "en",
    recogniser: Annotated[
        str, typer.Option(help="A Whisper model of faster-whisper: a name or a directory.")
    ] = "tiny.en",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    dtype: Annotated[str, typer.Option(help=f"The precision of Bark: {', '.join(PRECISIONS)}.")] = "float32",
    preset: Annotated[str, typer.Option(help=f"{' or '.join(PRESETS)}: the windows of Bark.")] = EXACT,
    kokoro_voices: KokoroVoices = ARCHIVE,
) -> None:
    """Measure words, voices, quality and time of clones by every method, with confidence intervals."""
    # These imports take seconds, for which other commands should not wait.
    from research.evaluate.experiment import ExperimentSettings, evaluate
    from research.evaluate.report import PICTURE, TABLE, write_report
    from research.metrics.measurement import ModelMeter

    if converter not in CONVERTERS:
        raise InvalidInput(f"There is no converter {converter!r}. Choose one of: {', '.join(CONVERTERS)}.")
    for given, known in ((dtype, PRECISIONS), (preset, PRESETS)):
        if given not in known:
            raise InvalidInput(f"There is no {given!r}. Choose one of: {', '.join(known)}.")
    english = check_language(language) == "en"
    settings = ExperimentSettings(
        ModelChoice(model, quantizer=quantizer, device=device, dtype=dtype, preset=preset, codebook=codebook),
        _methods(methods),
        tuple(read_texts(texts) if texts else held_out_sentences()),
        sentences,
        seeds,
        language,
        converter,
    )
    held_out = HeldOutVoices(kokoro_voices) if english else None
    if references is None and held_out is not None:
        references = out / f"kokoro-references-{voices}"
        held_out.write_references(references, voices)
    if references is None or (texts is None and not english):
        raise InvalidInput("The held-out voices and sentences are English. Give --references and --texts as well.")
    meter = ModelMeter(recogniser, language)
    people = read_references(recordings) if recordings else None
    results = evaluate(settings, read_references(references), people, held_out, meter, out)
    write_report(out, results)
    print((out / TABLE).read_text(encoding="utf-8"))
    print(f"{out}: {TABLE}, {PICTURE}, samples/")


def _methods(names: str) -> tuple[str, ...]:
    chosen = tuple(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    unknown = [name for name in chosen if name not in METHODS]
    if unknown or not chosen:
        raise InvalidInput(f"There is no method {', '.join(unknown) or 'given'}. Choose from: {', '.join(METHODS)}.")
    return chosen
