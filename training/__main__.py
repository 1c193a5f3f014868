"""Make training data, quantizers and codebooks: `python -m training COMMAND`."""

import signal

if __name__ == "__main__":  # The imports below take a moment; Ctrl-C ends them without a traceback.
    usual = signal.signal(signal.SIGINT, signal.SIG_DFL)

import runpy
import sys

import typer

from training.codebook import codebook_command
from training.command_line import run
from training.data import data_command
from training.published_sets import export_command, import_command
from training.quantizer import quantizer_command

RESEARCH = ("bundled", "codec", "hubert", "evaluate", "evaluate-consent", "evaluate-mark", "match", "recordings")
"""Commands of `python -m research` that also work here, since scripts and notes use them."""

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def _commands() -> None:
    """Train quantizers and codebooks. `python -m research` has the bundled model's recipe and the evaluation."""


app.command("data")(data_command)
app.command("import")(import_command)
app.command("export")(export_command)
app.command("quantizer")(quantizer_command)
app.command("codebook")(codebook_command)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, usual)
    if sys.argv[1:2] and sys.argv[1] in RESEARCH:
        runpy.run_module("research", run_name="__main__", alter_sys=True)
    else:
        run(app)
