"""One bot process serves the servers of an SQLite file."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from errors import BarkeepError, Conflict
from storage.database import Storage
from storage.folder_locks import FolderClaim
from tests.storage.conftest import sqlite_url

ROOT = Path(__file__).parents[2]


def never(error: BarkeepError) -> None:
    raise AssertionError(error.message)


async def test_a_second_bot_on_the_folder_is_refused_and_the_first_is_named(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "barkeep.sqlite3")
    first, second = await Storage.open(url, tmp_path), await Storage.open(url, tmp_path)
    await first.claim_shards(never)
    with pytest.raises(Conflict, match=rf"with this data folder \(.*, process {os.getpid()}\)"):
        await second.claim_shards(never, patience=0)
    await first.close()
    await second.claim_shards(never, patience=0)
    await second.close()


async def test_a_process_that_just_ends_is_waited_for(tmp_path: Path) -> None:
    first, second = FolderClaim(tmp_path), FolderClaim(tmp_path)
    await first.take("first", 0)
    taking = asyncio.create_task(second.take("second", 5))
    await asyncio.sleep(0.05)
    first.close()
    await taking
    third = FolderClaim(tmp_path)
    with pytest.raises(Conflict, match=r"\(second\)"):
        await third.take("third", 0)
    second.close()
    third.close()


async def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    script = (
        "import asyncio, os, signal, sys; from pathlib import Path; from storage.folder_locks import FolderClaim\n"
        "claim = FolderClaim(Path(sys.argv[1])); asyncio.run(claim.take('killed', 0)); os.kill(os.getpid(), 9)"
    )
    killed = await asyncio.create_subprocess_exec(sys.executable, "-c", script, str(tmp_path), cwd=ROOT)
    await killed.wait()
    assert (tmp_path / "bot.lock").read_text() == "killed"
    claim = FolderClaim(tmp_path)
    await claim.take("next", 0)
    claim.close()
