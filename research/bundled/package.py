"""Write the finished model as one folder with the layout of `models/bundled`, with checksums, and install it."""

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cloning.atomic_files import write_error
from errors import LimitReached, Unavailable

BARK, HUBERT, QUANTIZER, CODEBOOK = "bark", "hubert", "quantizer.pth", "codebook.safetensors"
"""The names of the parts, as `cloning.checkpoints.model_choice` finds them."""
CHECKSUMS = "SHA256SUMS"

LARGEST = 40_000_000
"""The maximum size of a model in the repository, in bytes."""


def gather(parts: Mapping[str, Path], folder: Path) -> None:
    """Copy `parts` (name -> file or folder) into `folder` atomically, write their checksums, and print their sizes.

    Raises LimitReached if they are together larger than LARGEST, Unavailable if one is missing or cannot be written.
    """
    with _replacing(folder) as made:
        for name, source in parts.items():
            if not source.exists():
                raise Unavailable(f"{source} is missing; run the step that makes it first.")
            _copy(source, made / name)
        sizes = {name: _size(made / name) for name in parts}
        listed = f"{', '.join(f'{name} {_megabytes(size)}' for name, size in sizes.items())}"
        total = sum(sizes.values())
        if total > LARGEST:
            raise LimitReached(
                f"The model has {_megabytes(total)} ({listed}), more than the limit of {_megabytes(LARGEST)}; "
                "make one of its parts smaller in the recipe."
            )
        write_checksums(made)
    print(f"{folder}: {_megabytes(total)} ({listed})", flush=True)


def install(model: Path, place: Path) -> None:
    """Replace the model in `place` by a copy of a packaged one, atomically.

    Raises Unavailable if there is none, its checksums differ, or it cannot be written.
    """
    if not (model / CHECKSUMS).is_file():
        raise Unavailable(f"There is no finished model in {model} yet; run the step export first.")
    with _replacing(place) as made:
        _copy(model, made)
        if _checksums(made) != (made / CHECKSUMS).read_text(encoding="utf-8"):
            raise Unavailable(f"The files in {model} do not match its {CHECKSUMS}; run the step export again.")
    print(f"{place}: {_megabytes(_size(place))}", flush=True)


def write_checksums(folder: Path) -> None:
    """List all files below `folder` in SHA256SUMS, in the format of `sha256sum --check`."""
    (folder / CHECKSUMS).write_text(_checksums(folder), encoding="utf-8")


def _checksums(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != CHECKSUMS)
    return "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder).as_posix()}\n" for path in files
    )


def _copy(source: Path, target: Path) -> None:
    """Copy a file or a folder without its permissions, so that everyone can read the copy."""
    if source.is_dir():
        shutil.copytree(source, target, copy_function=shutil.copyfile, dirs_exist_ok=True)
    else:
        shutil.copyfile(source, target)


def _size(path: Path) -> int:
    files = [path] if path.is_file() else path.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file())


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


@contextmanager
def _replacing(folder: Path) -> Iterator[Path]:
    """Yield a new folder that replaces `folder` on success; otherwise `folder` stays as it was."""
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
    except OSError as error:
        raise write_error(folder, error) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        _put_back(old, folder)


def _put_back(old: Path, folder: Path) -> None:
    """Restore the old folder if an earlier process stopped between the two renames."""
    if folder.exists():
        shutil.rmtree(old, ignore_errors=True)
    elif old.exists():
        old.rename(folder)
