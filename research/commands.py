"""The commands of `python -m research`: the bundled model's recipe and the evaluation."""

import typer

from research.bundled.build import bundled_command
from research.bundled.codec_steps import codec_command
from research.bundled.hubert_training import hubert_command
from research.evaluate.command import evaluate_command
from research.evaluate.consent import evaluate_consent_command
from research.evaluate.heldout import labelled_command
from research.evaluate.mark import evaluate_mark_command
from research.evaluate.match import match_command
from research.evaluate.recordings import recordings_command
from research.evaluate.stages import stages_command

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def _commands() -> None:
    """Make the model that ships with Barkeep, or evaluate a model's speech."""


app.command("bundled")(bundled_command)
app.command("codec")(codec_command)
app.command("hubert")(hubert_command)
app.command("evaluate")(evaluate_command)
app.command("evaluate-consent")(evaluate_consent_command)
app.command("evaluate-mark")(evaluate_mark_command)
app.command("labelled")(labelled_command)
app.command("match")(match_command)
app.command("recordings")(recordings_command)
app.command("stages")(stages_command)
