"""A bucket of a real S3-compatible store, and what is said where it cannot be used."""

import signal
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from uuid import uuid4

import pytest

from errors import NotFound, Unavailable
from storage.bucket import FILES_AWAY, Bucket, open_bucket
from tests.storage.seaweed import BUCKET, GUEST, READER, ObjectStore, find_program, running_store


async def test_an_object_is_stored_replaced_found_and_deleted(bucket: Bucket) -> None:
    await bucket.check()
    assert await bucket.names("voices") == []
    await bucket.put("voices/1-2/prompt.npz", b"one")
    await bucket.put("voices/1-2/prompt.npz", b"two" * 3_000_000)
    await bucket.put("voices/1-21/prompt.npz", b"")
    assert await bucket.get("voices/1-2/prompt.npz") == b"two" * 3_000_000
    assert await bucket.get("voices/1-21/prompt.npz") == b""
    assert await bucket.names("voices/1-2") == ["voices/1-2/prompt.npz"]
    for _ in range(2):
        await bucket.delete(["voices/1-2/prompt.npz", "voices/none"])
    assert await bucket.names("voices") == ["voices/1-21/prompt.npz"]
    with pytest.raises(NotFound, match="no longer exists"):
        await bucket.get("voices/1-2/prompt.npz")
    await bucket.delete([])


async def test_a_renamed_object_is_at_its_new_place_only(bucket: Bucket) -> None:
    await bucket.put("uploads/a", b"sound")
    for _ in range(2):
        await bucket.rename("uploads/a", "trash/a")
    assert await bucket.names("trash") == ["trash/a"]
    assert await bucket.names("uploads") == []


async def test_a_check_that_fails_half_way_leaves_nothing(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    async def no_answer(*_: object) -> None:
        raise OSError("no answer")

    monkeypatch.setattr(bucket, "_obstore", SimpleNamespace(**vars(bucket._obstore) | {"get_async": no_answer}))
    with pytest.raises(Unavailable):
        await bucket.check()
    assert await bucket.names("tmp") == []


async def test_what_an_earlier_check_left_is_deleted_and_what_another_needs_is_not(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bucket.put("tmp/now", b"check")
    await bucket.check()
    assert await bucket.names("tmp") == ["tmp/now"]
    monkeypatch.setattr("storage.bucket._LEFT", -timedelta(minutes=5))  # as if some time had passed
    await bucket.check()
    assert await bucket.names("tmp") == []


async def test_prefixes_are_apart(object_store: ObjectStore) -> None:
    one, other = (Bucket(f"s3://{BUCKET}/{uuid4().hex}/", object_store.options()) for _ in range(2))
    await one.put("uploads/a", b"sound")
    assert await other.names("uploads") == []


async def test_many_are_deleted_at_once(bucket: Bucket) -> None:
    names = [f"uploads/{number}" for number in range(1100)]
    await bucket.put(names[0], b"")
    await bucket.put(names[-1], b"")
    await bucket.delete(names)
    assert await bucket.names("uploads") == []


@pytest.mark.parametrize(
    ("name", "key", "other", "sentence"),
    [
        pytest.param("none-of-this-name", GUEST, {}, "There is no bucket none-of-this-name at http", id="no-bucket"),
        pytest.param(BUCKET, READER, {}, r"may not use the bucket barkeep .* write, list and delete", id="read-only"),
        pytest.param(BUCKET, "stranger", {}, r"does not accept the key\. Check AWS_ACCESS_KEY_ID", id="no-such-key"),
        pytest.param(BUCKET, GUEST, {"secret_access_key": "x"}, "does not accept the key", id="wrong-secret"),
        pytest.param(BUCKET, GUEST, {"endpoint": "http://127.0.0.1:9"}, "the store runs", id="away"),
    ],
)
async def test_what_is_wrong_is_said_to_the_owner(
    object_store: ObjectStore, name: str, key: str, other: dict[str, str], sentence: str
) -> None:
    wrong = Bucket(f"s3://{name}/x", object_store.options(key, **other))
    with pytest.raises(Unavailable, match=sentence) as said:
        await wrong.check()
    assert "secret of" not in said.value.message


async def test_a_bucket_that_is_gone_is_no_missing_object(object_store: ObjectStore) -> None:
    gone = Bucket("s3://none-of-this-name", object_store.options(GUEST))
    for act in (gone.get("a"), gone.put("a", b""), gone.names("a")):
        with pytest.raises(Unavailable) as said:
            await act
        assert said.value.message == FILES_AWAY


@pytest.fixture
def short_lived() -> Iterator[ObjectStore]:
    program = find_program()
    if program is None:
        pytest.skip("SeaweedFS is not installed here (make development).")
    with running_store(program) as store:
        yield store


async def test_a_store_that_goes_away_later_is_said_to_members(short_lived: ObjectStore) -> None:
    bucket = Bucket(f"s3://{BUCKET}", short_lived.options())
    await bucket.put("uploads/a", b"sound")
    short_lived.process.send_signal(signal.SIGKILL)
    short_lived.process.wait()
    for act in (bucket.get("uploads/a"), bucket.put("uploads/b", b""), bucket.delete(["uploads/a"])):
        with pytest.raises(Unavailable, match="cannot reach its files"):
            await act


def test_no_bucket_is_none() -> None:
    assert open_bucket(None, {}) is None
