"""The stand-in on the disk, made once for all tests and all processes. Free of torch, unless it is to be made."""

import hashlib
import shutil
from importlib.metadata import version
from pathlib import Path

from filelock import FileLock

_SOURCES = sorted(Path(__file__).parent.glob("[!_]*.py"))
_LIBRARIES = ("torch", "transformers", "numpy")


def made_once(folder: Path) -> Path:
    """The stand-in's directory below `folder`. Other sources or libraries make another one."""
    directory = folder / _fingerprint()
    with FileLock(folder / "lock"):
        if not directory.is_dir():
            from tests.stand_in.random_model import write_model  # takes seconds, which most tests need not wait

            unfinished = folder / "unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)
            write_model(unfinished)
            unfinished.rename(directory)
    return directory


def _fingerprint() -> str:
    sources = [path.read_bytes() for path in _SOURCES if not path.name.startswith("test_")]
    libraries = [f"{name} {version(name)}".encode() for name in _LIBRARIES]
    return hashlib.blake2b(b"\n".join([*sources, *libraries]), digest_size=8).hexdigest()
