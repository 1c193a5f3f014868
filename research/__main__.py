"""Run `python -m research COMMAND`; name the command that installs missing requirements."""

import sys

from training.command_line import run

if __name__ == "__main__":
    try:
        from research.commands import app
    except ModuleNotFoundError as error:
        sys.exit(f"The package {error.name} is not installed. Run `make research`, then try again.")
    run(app)
