"""Run `cloning.worker.server`: `python -m cloning.worker`."""

import sys

from cloning.worker.server import main

if __name__ == "__main__":
    main(sys.argv[1:])
