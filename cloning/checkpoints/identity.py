"""Identify the weights of a checkpoint by a digest of its files, since a name may later stand for other weights."""

import hashlib
import json
import logging
import re
from pathlib import Path

from cloning.atomic_files import write_atomically
from cloning.checkpoints.weights import files_of, weight_file
from errors import ModelUnavailable, Unavailable

_log = logging.getLogger(__name__)

_NOTES = ".digests"
_CONFIGURATIONS = ("config.json", "generation_config.json")
_OF_THE_HUB = re.compile(r"[0-9a-f]{64}")
"""The hub's cache names a large file after its SHA-256, which `downloads` checks."""


def digest_of(directory: Path, cache: Path) -> str:
    """Return the SHA-256 in hexadecimal of the configuration and weights of a directory in the hub's layout.

    Large files are hashed once and again after they change; `cache` keeps the digests. Raises Unavailable if a file is
    missing.
    """
    paths = [directory / name for name in _CONFIGURATIONS if (directory / name).is_file()]
    facts = [(path.name, _digest(path, cache)) for path in [*paths, *files_of(weight_file(directory))]]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _digest(path: Path, cache: Path) -> str:
    try:
        blob = path.resolve(strict=True)
        if _OF_THE_HUB.fullmatch(blob.name):
            return blob.name
        return sha256_of(blob, cache)
    except OSError as error:
        raise ModelUnavailable(f"The model file {path} is missing; download the model again.") from error


def sha256_of(blob: Path, cache: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal. It is hashed once, and again after it changed. Raises OSError."""
    facts = blob.stat()
    state = f"{facts.st_size} {facts.st_mtime_ns} {facts.st_ctime_ns} {facts.st_ino}"
    return _noted(blob, state, cache) or _hashed(blob, state, cache)


def _noted(blob: Path, state: str, cache: Path) -> str | None:
    try:
        then, _, digest = _note(blob, cache).read_text(encoding="ascii").rpartition(" ")
    except (OSError, ValueError):
        return None
    return digest if then == state else None


def _hashed(blob: Path, state: str, cache: Path) -> str:
    with blob.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    try:
        _note(blob, cache).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(_note(blob, cache), f"{state} {digest}".encode())
    except (OSError, Unavailable):
        _log.debug("The cache %s is read-only; %s will be hashed again.", cache, blob)
    return digest


def _note(blob: Path, cache: Path) -> Path:
    return cache / _NOTES / hashlib.sha256(str(blob).encode()).hexdigest()
