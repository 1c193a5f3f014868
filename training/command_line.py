"""Run the commands of a program, and print expected errors as one sentence."""

import sys

import typer

from errors import BarkeepError


def run(app: typer.Typer) -> None:
    """Run the command that was given. A BarkeepError is one sentence on stderr, with exit status 1."""
    try:
        app()
    except BarkeepError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
