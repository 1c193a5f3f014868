"""What is counted."""

from prometheus_client import REGISTRY

from tests.studio.conftest import StudioHarness


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_jobs_are_counted_from_acceptance_to_answer(harness: StudioHarness) -> None:
    names = [
        ("barkeep_jobs_accepted_total", {"kind": "speech"}),
        ("barkeep_jobs_finished_total", {"kind": "speech", "outcome": "ready"}),
        ("barkeep_jobs_finished_total", {"kind": "speech", "outcome": "failed"}),
        ("barkeep_jobs_retried_total", {"kind": "speech"}),
        ("barkeep_answers_total", {"way": "interaction"}),
        ("barkeep_audio_seconds_total", {}),
        ("barkeep_job_work_seconds_count", {"kind": "speech"}),
    ]
    before = [value(name, **labels) for name, labels in names]
    harness.executor.lose_next()
    await harness.ended((await harness.say()).id)
    harness.executor.fail_next()
    await harness.ended((await harness.say()).id)
    after = [value(name, **labels) for name, labels in names]
    assert [later - earlier for earlier, later in zip(before, after, strict=True)] == [2, 1, 1, 1, 2, 1.0, 2]


async def test_gauges_follow_the_queue(harness: StudioHarness) -> None:
    release = harness.executor.hold()
    queued = [await harness.say() for _ in range(3)]
    await harness.studio.upkeep()
    assert value("barkeep_worker_ready") == 1
    assert value("barkeep_jobs_running") == 1
    assert value("barkeep_jobs_queued") == 2
    release()
    for accepted in queued:
        await harness.ended(accepted.id)
    await harness.studio.upkeep()
    assert (value("barkeep_jobs_running"), value("barkeep_jobs_queued")) == (0, 0)
