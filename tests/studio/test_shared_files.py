"""The studio with its files in a bucket: what it stores, and that nothing of it stays."""

import io
import zipfile

import pytest

from errors import Unavailable
from storage.bucket import FILES_AWAY, Bucket
from tests.storage.conftest import bucket, object_store  # noqa: F401 (fixtures)
from tests.studio.conftest import ANN, StudioHarness, until


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
    job = await shared.ended((await shared.say("Good evening.", voice=key)).id)
    assert job.state == "delivered"
    with zipfile.ZipFile(io.BytesIO(await shared.studio.privacy.export([ANN]))) as archive:
        assert any(name.endswith("clip.flac") for name in archive.namelist())
    assert shared.files() == []
    await shared.studio.library.delete(ANN, key)
    assert await stored(shared) == shared.files() == []


async def test_a_voice_survives_a_restart(shared: StudioHarness) -> None:
    key = await shared.voice()
    await shared.restart()
    assert (await shared.ended((await shared.say(voice=key)).id)).state == "delivered"
    assert len(await stored(shared)) == 2


async def test_a_clone_is_refused_while_the_bucket_is_away(
    shared: StudioHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise Unavailable(FILES_AWAY)

    monkeypatch.setattr(Bucket, "put", away)
    with pytest.raises(Unavailable, match="cannot reach its files"):
        await shared.clone()
    assert await shared.storage.jobs.queued() == []


class Interrupted:
    """Lets calls of a method of the bucket fail at first."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, method: str, times: int) -> None:
        self.left = times
        works, outage = getattr(Bucket, method), self

        async def interrupted(self: Bucket, *arguments: object) -> object:
            if outage.left:
                outage.left -= 1
                raise Unavailable(FILES_AWAY)
            return await works(self, *arguments)

        monkeypatch.setattr(Bucket, method, interrupted)


async def test_a_result_is_stored_once_the_bucket_is_back(
    shared: StudioHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await shared.voice()
    away = Interrupted(monkeypatch, "put", 2)
    job = await shared.ended((await shared.say(voice=key)).id)
    assert away.left == 0
    assert (job.state, job.attempts) == ("delivered", 1)
    assert [each.outcome.job.id for each in shared.courier.delivered].count(job.id) == 1


async def test_a_job_whose_voice_cannot_be_fetched_waits_without_losing_an_attempt(
    shared: StudioHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await shared.voice()
    away = Interrupted(monkeypatch, "get", 1)
    accepted = await shared.say(voice=key)
    await until(lambda: not away.left, "the outage")
    await shared.studio.upkeep()
    job = await shared.ended(accepted.id)
    assert (job.state, job.attempts) == ("delivered", 1)
