"""Two bot processes with half of Discord each, one PostgreSQL, and the speech nodes that both use."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster.conftest import LocalCluster
from tests.cluster.shards import Process, none_is_lost_or_doubled, number, sent_by

JOBS = 4
"""Of each shard, at the least: what members asked for meanwhile is answered, too."""
PATIENCE = 900.0

pytestmark = pytest.mark.timeout(1800)


def until(condition: Callable[[], bool], what: str, both: list[Process]) -> None:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < PATIENCE, "\n".join([f"waited in vain for {what}", *(p.said() for p in both)])
        time.sleep(0.5)


def test_one_process_is_killed_in_mid_job(cluster: LocalCluster, url: str, tmp_path: Path) -> None:
    def jobs(shard: int, condition: str = "true") -> int:
        query = f"SELECT count(*) FROM jobs WHERE (guild_id >> 22) % 2 = {shard} AND {condition}"  # noqa: S608
        return asyncio.run(number(url, query))

    def is_done(shard: int) -> bool:
        return jobs(shard) >= JOBS and jobs(shard, "answered_at IS NULL") == 0

    at_work = "state = 'running' AND started_at IS NOT NULL"
    both = [Process(url, tmp_path, shard, JOBS, cluster.address) for shard in (0, 1)]
    try:
        until(lambda: jobs(0, at_work) > 0 and jobs(1, at_work) > 0, "speech of both", both)
        both[0].kill()
        left = jobs(0, at_work)
        assert left > 0
        until(lambda: is_done(1), "the answers of the process that lives", both)
        assert jobs(0, "answered_at IS NULL") >= left
        both[0].start()
        until(lambda: is_done(0), "the answers of the process that was killed", both)
    finally:
        for each in both:
            each.kill()
    killed = both[0].killed | both[1].killed
    none_is_lost_or_doubled(url, sent_by(tmp_path), killed)
    assert jobs(0, "attempts > 1") >= left
    assert jobs(0, "audio_seconds < 1") == jobs(1, "audio_seconds < 1") == 0
