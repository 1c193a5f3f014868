"""Active jobs: what their members are told."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from cloning.worker.protocol import PartSpoken, Progress
from studio.queue.context import LONG_TEXT, ActiveJob
from studio.values import Update
from tests.studio.queue.test_fair_order import job

FOLDER = Path("staging")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("part", [PartSpoken("", 0, LONG_TEXT - 1, 1.0), PartSpoken("", 1, LONG_TEXT, 1.0)])
def test_only_the_first_of_many_sentences_is_told(part: PartSpoken) -> None:
    active = ActiveJob(job(1, 1, 1), FOLDER)
    assert active.update_for(part, NOW) is None
    assert active.beginning is None


def test_a_beginning_stays_with_the_news() -> None:
    active = ActiveJob(job(1, 1, 1), FOLDER)
    beginning = FOLDER / "part-0.ogg"
    assert active.update_for(PartSpoken("", 0, LONG_TEXT, 1.0), NOW) == Update(beginning=beginning)
    later = active.update_for(Progress("", "the rest", 0.5), NOW)
    assert later == Update(stage="the rest", fraction=0.5, beginning=beginning)


@pytest.mark.parametrize("event", [Progress("", "speaking", 0.1), PartSpoken("", 0, LONG_TEXT, 1.0)])
def test_a_cancelled_job_has_no_news(event: Progress | PartSpoken) -> None:
    active = ActiveJob(job(1, 1, 1), FOLDER)
    active.cancelled.set()
    assert active.update_for(event, NOW) is None
