"""The benchmark of growth fills a database with rows that the bot can use, and counts statements."""

from pathlib import Path

from benchmarks.growth import Sqlite, measure
from storage.database import Storage
from storage.records import JobState


async def test_a_job_takes_as_many_statements_whatever_is_stored(tmp_path: Path) -> None:
    costs = []
    for rows in (10, 3000):
        folder = tmp_path / str(rows)
        folder.mkdir()
        costs.append(await measure(Sqlite(folder), folder, rows, 4))
    assert [cost["accept"].statements for cost in costs] == [costs[0]["accept"].statements] * 2
    assert costs[0]["accept"].statements > 3
    storage = await Storage.open(f"sqlite+aiosqlite:///{tmp_path / '3000' / 'growth.sqlite3'}", tmp_path / "3000")
    jobs = await storage.jobs.of_guild(1, tuple(JobState))
    assert sum(job.id.startswith("job-") for job in jobs) == 3  # of 3000 in 1000 servers
    await storage.close()
