"""Run `cloning.cli`: `python -m cloning`."""

from cloning.cli import app

if __name__ == "__main__":
    app(prog_name="python -m cloning")
