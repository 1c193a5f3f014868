"""Everything that trains or evaluates: `python -m training COMMAND`."""

import sys

import typer

from errors import BarkeepError
from training.bundled.build import bundled_command
from training.bundled.codec_steps import codec_command
from training.bundled.hubert_training import hubert_command
from training.codebook import codebook_command
from training.data import data_command
from training.evaluate.command import evaluate_command
from training.evaluate.match import match_command
from training.evaluate.recordings import recordings_command
from training.original import export_command, import_command
from training.quantizer import quantizer_command

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def _commands() -> None:
    """Train, or measure, what Barkeep speaks with."""


app.command("bundled")(bundled_command)
app.command("codec")(codec_command)
app.command("hubert")(hubert_command)
app.command("data")(data_command)
app.command("import")(import_command)
app.command("export")(export_command)
app.command("quantizer")(quantizer_command)
app.command("codebook")(codebook_command)
app.command("evaluate")(evaluate_command)
app.command("match")(match_command)
app.command("recordings")(recordings_command)


def main() -> None:
    """Run a command; what goes wrong is one sentence on stderr, and exit status 1."""
    try:
        app()
    except BarkeepError as fault:
        print(fault, file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
