"""Runs the commands of a program; expected errors are printed as one sentence."""

import sys

import typer

from errors import BarkeepError


def run(app: typer.Typer) -> None:
    """Run the command that was typed. A BarkeepError is one sentence on stderr, and exit status 1."""
    try:
        app()
    except BarkeepError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
