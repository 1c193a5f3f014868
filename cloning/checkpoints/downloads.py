"""Download files from the Hugging Face hub into a cache shared by all processes: resumed, locked and checked.

Downloads, locks, partial files and progress bars are huggingface_hub's.
"""

import hashlib
import json
import logging
import re
from pathlib import Path

from huggingface_hub import hf_hub_download, snapshot_download

from cloning.atomic_files import write_atomically
from cloning.checkpoints.identity import sha256_of
from cloning.checkpoints.published import PublishedFile, Repository
from errors import ModelUnavailable, Unavailable

_log = logging.getLogger(__name__)

SWITCHED_OFF = "downloads are switched off"
"""Part of the message of an Unavailable that a download would resolve."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_WHOLE = ".whole"


def fetch_repository(repository: Repository, cache: Path, offline: bool) -> Path:
    """Return the directory of a repository's files; download what the cache lacks. Raises Unavailable if that fails.

    The hub is queried once: from then on, a complete download is used for its revision or branch.
    """
    folder = _kept(repository, cache)
    if folder is None:
        folder = _downloaded(repository, cache, offline)
    for name in repository.required:
        _check(folder / name, repository.sha256.get(name), cache)
    return folder


def _downloaded(repository: Repository, cache: Path, offline: bool) -> Path:
    _announce(repository.name, cache, offline)
    try:
        folder = Path(
            snapshot_download(
                repository.name,
                revision=repository.revision,
                cache_dir=cache,
                allow_patterns=list(repository.files),
                local_files_only=offline,
            )
        )
    except Exception as error:  # the hub's client raises its own errors, its network library's, and the system's
        raise _not_there(repository.name, cache, offline) from error
    for name in repository.required:
        if not (folder / name).is_file():
            raise _not_there(f"{name} of {repository.name}", cache, offline)
    if not offline:
        _keep(repository, folder, cache)
    return folder


def _kept(repository: Repository, cache: Path) -> Path | None:
    """Return the directory of an earlier complete download if all of its files still exist."""
    try:
        note = json.loads(_note(repository, cache).read_text(encoding="utf-8"))
        folder = cache / note["folder"]
        return folder if all((folder / name).is_file() for name in note["files"]) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _keep(repository: Repository, folder: Path, cache: Path) -> None:
    """Note that a directory is complete. The required files do not show this, since optional files may be missing."""
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    note = {"folder": str(folder.relative_to(cache)), "files": files}
    try:
        (cache / _WHOLE).mkdir(exist_ok=True)
        write_atomically(_note(repository, cache), json.dumps(note).encode())
    except (OSError, ValueError, Unavailable):
        _log.debug("The cache %s is read-only; the hub will be asked again.", cache)


def _note(repository: Repository, cache: Path) -> Path:
    """Return the path of the note for a repository's revision and requested files."""
    wanted = json.dumps([repository.name, repository.revision, repository.files])
    return cache / _WHOLE / f"{hashlib.sha256(wanted.encode()).hexdigest()}.json"


def fetch_file(file: PublishedFile, cache: Path, offline: bool) -> Path:
    """Return one file of a repository; download it if the cache lacks it. Raises Unavailable if that fails."""
    try:
        path = _file(file, cache, local=True)
    except Exception:  # not downloaded yet
        path = _downloaded_file(file, cache, offline)
    _check(path, None, cache)
    return path


def _downloaded_file(file: PublishedFile, cache: Path, offline: bool) -> Path:
    _announce(file.repository, cache, offline)
    try:
        return _file(file, cache, local=offline)
    except Exception as error:  # as above
        raise _not_there(f"{file.file} of {file.repository}", cache, offline) from error


def _file(file: PublishedFile, cache: Path, *, local: bool) -> Path:
    return Path(
        hf_hub_download(file.repository, file.file, revision=file.revision, cache_dir=cache, local_files_only=local)
    )


def _announce(repository: str, cache: Path, offline: bool) -> None:
    if not offline and not (cache / f"models--{repository.replace('/', '--')}").exists():
        _log.info("Downloading %s into %s.", repository, cache)


def _not_there(what: str, cache: Path, offline: bool) -> ModelUnavailable:
    if offline:
        return ModelUnavailable(
            f"{what} is not complete in {cache}, and {SWITCHED_OFF}. "
            "Set OFFLINE=false, or fill the cache on a machine with a network."
        )
    return ModelUnavailable(
        f"{what} could not be downloaded into {cache}. Check the network and the free disk space and try again; "
        "the downloaded part is kept."
    )


def _check(path: Path, expected: str | None, cache: Path) -> None:
    """Compare a file with its known checksum or the hub's, after which the hub's cache names large files."""
    blob = path.resolve()
    digest = expected or (blob.name if _SHA256.fullmatch(blob.name) else None)
    if digest is not None and sha256_of(blob, cache) != digest:
        raise ModelUnavailable(f"The model file {path} is damaged. Delete {blob} and try again.")
