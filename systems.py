"""Which systems Barkeep runs on. Imported before what others lack: locks on files, limits and groups of processes."""

import sys

if sys.platform == "win32":
    sys.exit(
        "Barkeep runs on Linux and macOS, not on Windows itself. There, use WSL (install a Linux with `wsl --install`, "
        "and follow README.md inside it) or the container (docs/operations.md)."
    )
