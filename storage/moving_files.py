"""Copies the lasting files of a data folder into a bucket: voices, uploads and results."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from errors import NotFound, Unavailable
from storage.bucket import FILES_AWAY, Bucket
from storage.disk import read_file
from storage.shared_files import SharedFiles

FOLDERS = ("voices", "uploads", "results")
"""The folders with lasting files. They have the same names on disk and in a bucket."""


@dataclass(frozen=True)
class Copied:
    """The number of files in the bucket now, how many of them were there before, and their total size in bytes."""

    files: int
    before: int
    size: int


async def copy_files(data_dir: Path, bucket: Bucket, installation_id: str) -> Copied:
    """Copy each file, read it back and compare it. Files that are there already are only compared.

    Raises Unavailable, with a sentence for the owner, if the bucket cannot be used, belongs to another installation or
    has another file of the same name. Nothing in it is replaced or deleted.
    """
    await bucket.check()
    try:
        await _claim(SharedFiles(data_dir, bucket), bucket, installation_id)
        found = before = size = 0
        for path in await asyncio.to_thread(lambda: list(_files(data_dir))):
            data = await read_file(path)
            before += await _copy(bucket, str(path.relative_to(data_dir)), data)
            found, size = found + 1, size + len(data)
    except Unavailable as error:
        raise Unavailable(bucket.sentence() if error.message == FILES_AWAY else error.message) from error
    return Copied(found, before, size)


async def _claim(shared: SharedFiles, bucket: Bucket, installation_id: str) -> None:
    """Store the installation's id in the bucket first, so that a second run recognises the files of the first."""
    known = await shared.installation_id()
    if known == installation_id:
        return
    if known is not None or any([await bucket.names(folder) for folder in FOLDERS]):
        raise Unavailable(
            f"The file store {bucket.url} has the files of another installation. Set FILES to an empty bucket or to "
            "another prefix. Nothing was changed."
        )
    await shared.put_installation_id(installation_id)


async def _copy(bucket: Bucket, name: str, data: bytes) -> bool:
    """Copy a file and compare it. Return whether it was there before."""
    try:
        there: bytes | None = await bucket.get(name)
    except NotFound:
        there = None
    if there == data:
        return True
    if there is None:
        await bucket.put(name, data)
        there = await bucket.get(name)
        if there == data:
            return False
    raise Unavailable(
        f"{name} in {bucket.url} differs from the file on this disk: a bot has used one of the two since an earlier "
        "run. It was not replaced. If the bot uses the bucket already, delete voices, uploads and results in DATA_DIR; "
        "if not, set FILES to another prefix. Then run this again."
    )


def _files(data_dir: Path) -> Iterator[Path]:
    for folder in FOLDERS:
        yield from sorted(path for path in (data_dir / folder).rglob("*") if path.is_file())
