"""Two bot processes on one PostgreSQL, each with half of Discord: killed at random, and PostgreSQL restarts."""

import asyncio
import random
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import structlog

from tests.cluster.shards import Process, none_is_lost_or_doubled, number, sent_by
from tests.storage.postgres import find_programs, restart

JOBS = 1000
log = structlog.get_logger(__name__)
PATIENCE = 180.0
"""Seconds without any answer, on a machine that others use too: then something hangs."""


def life() -> int:
    """How many answers a process gives before it is killed: some, or it would never come to any."""
    return random.randint(10, JOBS // 8)


@pytest.mark.timeout(3600)
def test_nothing_is_lost_or_doubled(url: str, tmp_path: Path) -> None:
    programs = find_programs()
    both = [Process(url, tmp_path, shard, JOBS // 2) for shard in (0, 1)]
    lives = [life() for _ in both]
    began, kills, restarted = time.monotonic(), 0, False
    unanswered = "SELECT count(*) FROM jobs WHERE answered_at IS NULL"
    accepted, answers, answered_at = 0, 0, began
    try:
        while accepted < JOBS or asyncio.run(number(url, unanswered)):
            time.sleep(random.uniform(1, 3))
            sent = sent_by(tmp_path)
            if len(sent) > answers:
                answers, answered_at = len(sent), time.monotonic()
            assert time.monotonic() - answered_at < PATIENCE, "\n".join(each.said() for each in both)
            accepted = asyncio.run(number(url, "SELECT count(*) FROM jobs"))
            for each in both:
                if each.process.poll() is not None:  # PostgreSQL was away when it started; a supervisor restarts it
                    each.start()
            if accepted >= JOBS // 2 and not restarted:
                restart(programs, Path(parse_qs(urlsplit(url).query)["host"][0]))
                restarted = True
            for number_of, victim in enumerate(both):
                if accepted < JOBS and victim.answers(sent) >= lives[number_of]:
                    victim.kill()
                    victim.start()
                    lives[number_of] = life()
                    kills += 1
    finally:
        for each in both:
            each.kill()
    assert restarted
    assert kills >= 3
    assert asyncio.run(number(url, "SELECT count(DISTINCT guild_id) FROM jobs")) == 20
    assert asyncio.run(number(url, "SELECT count(DISTINCT member_id) FROM jobs")) == 200
    repeated = none_is_lost_or_doubled(url, sent_by(tmp_path), both[0].killed | both[1].killed)
    log.info("counted", jobs=accepted, kills=kills, repeated_edits=repeated, seconds=time.monotonic() - began)
