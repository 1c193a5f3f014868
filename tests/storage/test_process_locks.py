"""Several processes on one PostgreSQL: who has which shards, who does what only one has to do."""

import asyncio
import os
import socket
from pathlib import Path

import pytest

from errors import Conflict, Unavailable
from storage import database
from storage.database import Storage
from storage.shards import Shards
from tests.storage.processes import LONG, Open, drop_connections, never, within

pytestmark = pytest.mark.postgres
ME = f"{socket.gethostname()}, process {os.getpid()}"


async def test_two_processes_take_disjoint_shards(start: Open) -> None:
    for ids in ((0, 2), (1,)):
        await (await start(Shards(ids, 3))).claim_shards(never)


async def test_a_shard_that_another_process_has_is_named(start: Open) -> None:
    await (await start(Shards((0, 2), 4))).claim_shards(never)
    second = await start(Shards((1, 2), 4))
    with pytest.raises(Conflict) as refused:
        await second.claim_shards(never, patience=0)
    assert f"Another bot process already has shard 2 (barkeep, {ME}" in refused.value.message
    third = await start(Shards((1, 3), 4))
    await third.claim_shards(never, patience=0)  # the refused one kept nothing


async def test_two_processes_with_all_servers_are_refused(start: Open) -> None:
    await (await start()).claim_shards(never)
    with pytest.raises(Conflict, match="already serves all servers with this database"):
        await (await start()).claim_shards(never, patience=0)


async def test_another_number_of_shards_is_refused(start: Open) -> None:
    await (await start(Shards((0,), 2))).claim_shards(never)
    with pytest.raises(Conflict, match="SHARD_COUNT is 4 in this process, and 2 in a process that is running"):
        await (await start(Shards((3,), 4))).claim_shards(never, patience=0)


async def test_shards_are_free_again_when_their_process_ends(start: Open) -> None:
    first = await start(Shards((0,), 2))
    await first.claim_shards(never)
    claiming = asyncio.create_task((await start(Shards((0,), 2))).claim_shards(never, patience=LONG))
    await asyncio.sleep(0.1)
    assert not claiming.done()
    await first.close()
    async with within(LONG):
        await claiming


async def test_one_process_leads_and_another_follows_it(start: Open) -> None:
    first, second = await start(), await start()
    assert [await first.leads(), await second.leads(), await first.leads()] == [True, False, True]
    await first.close()
    assert await second.leads()


async def test_turns_do_not_overlap(start: Open) -> None:
    inside = 0
    worked = 0

    async def work(storage: Storage) -> None:
        nonlocal inside, worked
        async with storage.in_turn():
            inside += 1
            assert inside == 1
            await asyncio.sleep(0.05)
            inside -= 1
            worked += 1

    await asyncio.gather(*[work(await start()) for _ in range(3)])
    assert worked == 3


async def test_a_process_on_another_machine_keeps_files_from_being_swept(start: Open) -> None:
    first = await start(machine="one")
    await first.files.put_upload("on-its-way", b"the row follows")
    await first.close()
    await start(machine="two")
    await start(machine="one")
    assert first.files.upload("on-its-way").read_bytes() == b"the row follows"


async def test_a_start_whose_connection_is_lost_while_it_sweeps_stops(
    start: Open, postgres_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process may start then, be alone too, and store files that this one does not know."""
    swept: list[str] = []

    async def slow(*_: object) -> None:
        await drop_connections(postgres_address)
        await asyncio.sleep(LONG)
        swept.append("files of another process")

    monkeypatch.setattr(database, "_tidy", slow)
    async with within(LONG / 2):
        with pytest.raises(Unavailable, match="lost while Barkeep started"):
            await start()
    assert swept == []
    monkeypatch.undo()
    await start()


async def test_a_server_that_is_away_at_the_start_is_said_to_the_owner(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="PostgreSQL must be running and know the user"):
        await Storage.open(f"postgresql+asyncpg://postgres@/postgres?host={tmp_path}", tmp_path / "data")
