"""The studio with its files in a bucket: what it stores, and that nothing of it stays."""

import io
import zipfile

import pytest

from errors import Unavailable
from storage.bucket import Bucket
from tests.storage.conftest import bucket, object_store  # noqa: F401 (fixtures)
from tests.studio.conftest import ANN, StudioHarness


@pytest.fixture
async def shared(harness: StudioHarness, bucket: Bucket) -> StudioHarness:  # noqa: F811 (it is the fixture)
    harness.bucket = bucket
    await harness.restart()
    return harness


async def stored(harness: StudioHarness) -> list[str]:
    assert harness.bucket is not None
    return [name for folder in ("uploads", "voices", "results", "trash") for name in await harness.bucket.names(folder)]


async def test_a_voice_is_cloned_speaks_is_exported_and_deleted(shared: StudioHarness) -> None:
    key = await shared.voice()
    assert len(await stored(shared)) == 2  # prompt and clip; the upload is deleted
    job = await shared.ended((await shared.say("Good evening.", voice=key)).job.id)
    assert job.state == "delivered"
    with zipfile.ZipFile(io.BytesIO(await shared.studio.privacy.export([ANN]))) as archive:
        assert any(name.endswith("clip.flac") for name in archive.namelist())
    assert shared.files() == []
    await shared.studio.library.delete(ANN, key)
    assert await stored(shared) == shared.files() == []


async def test_a_voice_survives_a_restart(shared: StudioHarness) -> None:
    key = await shared.voice()
    await shared.restart()
    assert (await shared.ended((await shared.say(voice=key)).job.id)).state == "delivered"
    assert len(await stored(shared)) == 2


async def test_a_clone_is_refused_while_the_bucket_is_away(
    shared: StudioHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise Unavailable("Barkeep cannot reach its files right now.")

    monkeypatch.setattr(Bucket, "put", away)
    with pytest.raises(Unavailable, match="cannot reach its files"):
        await shared.clone()
    assert await shared.storage.jobs.queued() == []
