"""`python -m cloning.worker`: see `cloning.worker.server`."""

import sys

from cloning.worker.server import main

if __name__ == "__main__":
    main(sys.argv[1:])
