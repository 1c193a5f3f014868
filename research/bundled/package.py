"""The finished model as one folder, laid out like `models/bundled`: gathered, weighed, listed, put in its place.

Knows nothing of what is in the files.
"""

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cloning.atomic_files import write_fault
from errors import LimitReached, Unavailable

BARK, HUBERT, QUANTIZER, CODEBOOK = "bark", "hubert", "quantizer.pth", "codebook.safetensors"
"""What the parts are called, as `cloning.checkpoints.model_choice` finds a model with all that belongs to it."""
CHECKSUMS = "SHA256SUMS"

LARGEST = 40_000_000
"""Bytes: what the repository has room for."""


def gather(parts: Mapping[str, Path], folder: Path) -> None:
    """Copy files and folders to these names in `folder`, list their checksums, print what they weigh. All or nothing.

    Raises LimitReached if they are more than LARGEST together, Unavailable if one is missing or the disk refuses.
    """
    with _replacing(folder) as made:
        for name, source in parts.items():
            if not source.exists():
                raise Unavailable(f"{source} is missing; do the step that makes it first.")
            _copy(source, made / name)
        sizes = {name: _weight(made / name) for name in parts}
        told = f"{', '.join(f'{name} {_megabytes(size)}' for name, size in sizes.items())}"
        total = sum(sizes.values())
        if total > LARGEST:
            raise LimitReached(
                f"The model has {_megabytes(total)} ({told}), and the repository has room for {_megabytes(LARGEST)}; "
                "make one of its parts smaller in the recipe."
            )
        write_checksums(made)
    print(f"{folder}: {_megabytes(total)} ({told})", flush=True)


def install(model: Path, place: Path) -> None:
    """Put a copy of a gathered model in the place of another, all or nothing.

    Raises Unavailable if there is none, it is not what its checksums say, or the disk refuses.
    """
    if not (model / CHECKSUMS).is_file():
        raise Unavailable(f"There is no finished model in {model} yet; do the step export first.")
    with _replacing(place) as made:
        _copy(model, made)
        if _checksums(made) != (made / CHECKSUMS).read_text(encoding="utf-8"):
            raise Unavailable(f"The files in {model} are not those of its {CHECKSUMS}; do the step export again.")
    print(f"{place}: {_megabytes(_weight(place))}", flush=True)


def write_checksums(folder: Path) -> None:
    """List all files below `folder` in SHA256SUMS, in the format of `sha256sum --check`."""
    (folder / CHECKSUMS).write_text(_checksums(folder), encoding="utf-8")


def _checksums(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != CHECKSUMS)
    return "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder).as_posix()}\n" for path in files
    )


def _copy(source: Path, target: Path) -> None:
    """A file or a folder, without the rights of the files: a model is for everybody to read."""
    if source.is_dir():
        shutil.copytree(source, target, copy_function=shutil.copyfile, dirs_exist_ok=True)
    else:
        shutil.copyfile(source, target)


def _weight(path: Path) -> int:
    files = [path] if path.is_file() else path.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file())


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


@contextmanager
def _replacing(folder: Path) -> Iterator[Path]:
    """A new folder, which takes the place of `folder` if all goes well; if not, `folder` is as it was."""
    fresh, old = folder.with_name(f".{folder.name}.new"), folder.with_name(f".{folder.name}.old")
    try:
        _put_back(old, folder)
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        yield fresh
        if folder.exists():
            folder.rename(old)
        fresh.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as fault:
        raise write_fault(folder, fault) from fault
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        _put_back(old, folder)


def _put_back(old: Path, folder: Path) -> None:
    """What was there before, if the process was stopped after it had been put aside."""
    if folder.exists():
        shutil.rmtree(old, ignore_errors=True)
    elif old.exists():
        old.rename(folder)
