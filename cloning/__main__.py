"""Run `cloning.cli`: `python -m cloning`."""

import signal

if __name__ == "__main__":  # The imports below take a moment; Ctrl-C ends them without a traceback.
    usual = signal.signal(signal.SIGINT, signal.SIG_DFL)

from cloning.cli import app

if __name__ == "__main__":
    signal.signal(signal.SIGINT, usual)
    app(prog_name="python -m cloning")
