"""A bucket of an S3-compatible store, through obstore: whole objects by name, and errors as sentences."""

import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from errors import NotFound, Unavailable
from storage.disk import GONE

FILES_AWAY = (
    "Barkeep cannot reach its files right now. Please try again in a few minutes; "
    "if that does not help, tell the person who runs Barkeep."
)
_TIMEOUT = "30s"
_CONNECT_TIMEOUT = "5s"
_RETRIES, _RETRY_TIME = 3, timedelta(seconds=20)
_LEFT = timedelta(hours=1)
"""An object of an earlier check that is older than this was left behind: no check takes so long."""
_CODE = re.compile(r"<Code>(\w+)</Code>|\(code: (\w+)\)")
_WRONG_KEY = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken"}
_log = structlog.get_logger(__name__)


class Bucket:
    """Objects whose names begin with the prefix of `url`, s3://bucket/prefix.

    Objects are stored atomically, and durably when the call returns. `options`: of obstore's S3Store; those that are
    None are ignored. Methods raise Unavailable if the store cannot be used.
    """

    def __init__(self, url: str, options: Mapping[str, str | None]) -> None:
        import obstore  # here, because it takes a moment that a start without a bucket does not need
        from obstore.exceptions import BaseError
        from obstore.store import S3Store

        self.url = url
        self._obstore = obstore
        self._errors = (BaseError, OSError)
        self._name, _, prefix = url.removeprefix("s3://").partition("/")
        self._endpoint = options.get("endpoint") or "AWS"
        store_options: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
        self._store = S3Store(
            self._name,
            prefix=prefix.strip("/") or None,
            client_options={
                "allow_http": self._endpoint.startswith("http:"),
                "timeout": _TIMEOUT,
                "connect_timeout": _CONNECT_TIMEOUT,
            },
            retry_config={"max_retries": _RETRIES, "retry_timeout": _RETRY_TIME},
            **store_options,
        )

    async def check(self) -> None:
        """List, write, read and delete an object. Raises Unavailable with a sentence for the owner.

        Objects that earlier checks could not delete are deleted.
        """
        name = f"tmp/{uuid.uuid4().hex}"
        try:
            found = await self._obstore.list(self._store, prefix="tmp").collect_async()  # fails if there is no bucket
            left = [str(each["path"]) for each in found if each["last_modified"] < datetime.now(UTC) - _LEFT]
            try:
                await self._obstore.put_async(self._store, name, b"check")
                await self._obstore.get_async(self._store, name)
            except self._errors:
                with suppress(*self._errors):
                    await self._obstore.delete_async(self._store, [name])
                raise
            await self._obstore.delete_async(self._store, [name, *left])
        except self._errors as error:
            _log.error("bucket_error", kind=type(error).__name__, reason=_reason(error))
            raise Unavailable(self.sentence(_code(error))) from error

    async def put(self, name: str, data: bytes) -> None:
        """Store an object; it replaces an earlier one."""
        with self._readable_errors():
            await self._obstore.put_async(self._store, name, data)

    async def get(self, name: str) -> bytes:
        """Return an object. Raises NotFound."""
        with self._readable_errors():
            found = await self._obstore.get_async(self._store, name)
            return bytes(await found.bytes_async())

    async def delete(self, names: Sequence[str]) -> None:
        """Delete objects. Names that do not exist are ignored."""
        with self._readable_errors():
            if names:
                await self._obstore.delete_async(self._store, list(names))

    async def names(self, folder: str) -> list[str]:
        """Return the names of all objects in a folder and in those below it."""
        with self._readable_errors():
            found = await self._obstore.list(self._store, prefix=folder).collect_async()
            return [str(each["path"]) for each in found]

    async def rename(self, name: str, new: str) -> None:
        """Copy an object and delete it under its old name. Does nothing if it does not exist."""
        try:
            with self._readable_errors():
                await self._obstore.rename_async(self._store, name, new)
        except NotFound:
            return

    @contextmanager
    def _readable_errors(self) -> Iterator[None]:
        try:
            yield
        except self._errors as error:
            if isinstance(error, FileNotFoundError) and _code(error) != "NoSuchBucket":
                raise NotFound(GONE) from error
            _log.error("bucket_error", kind=type(error).__name__, reason=_reason(error))
            raise Unavailable(FILES_AWAY) from error

    def sentence(self, code: str | None = None) -> str:
        """Return a sentence for the owner about an error. `code`: S3's error code."""
        if code == "NoSuchBucket":
            return f"There is no bucket {self._name} at {self._endpoint}. Create it, or correct FILES."
        if code in _WRONG_KEY:
            return (
                f"{self._endpoint} does not accept the key. Check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and "
                "AWS_REGION."
            )
        if code == "AccessDenied":
            return (
                f"The key in AWS_ACCESS_KEY_ID may not use the bucket {self._name} at {self._endpoint}. Let it read, "
                "write, list and delete objects there."
            )
        return (
            f"The file store {self.url} at {self._endpoint} cannot be used; the log says why. Check FILES and "
            "AWS_ENDPOINT_URL, and that the store runs."
        )


def open_bucket(url: str | None, options: Mapping[str, str | None]) -> Bucket | None:
    """Return the bucket at `url`, or None without one."""
    return None if url is None else Bucket(url, options)


def _code(error: Exception) -> str | None:
    """Return S3's error code, or None."""
    found = _CODE.search(str(error))
    return (found[1] or found[2]) if found else None


def _reason(error: Exception) -> str:
    """Return the reason for the log, in one line."""
    code = _code(error)
    return code or str(error).partition("\n")[0]
