"""Refuses operating systems that Barkeep does not support.

Imported before modules that need POSIX file locks, limits and process groups.
"""

import sys

if sys.platform == "win32":
    sys.exit(
        "Barkeep runs on Linux and macOS, not on Windows. On Windows, use WSL (install Linux with `wsl --install`, "
        "and follow README.md inside it) or the container (docs/operations.md)."
    )
