"""The relay process when it can no longer read requests. The rest of it is tested in tests/cluster."""

import asyncio
import logging
from unittest.mock import create_autospec

import pytest

from cloning.cluster import main
from cloning.worker import server


@pytest.mark.parametrize(("error", "ends"), [(ValueError("a line without end"), True), (None, False)])
async def test_an_error_while_reading_ends_the_process(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception | None, ends: bool
) -> None:
    async def read(_: object) -> None:
        if error is not None:
            raise error
        await asyncio.Event().wait()

    async def reach(_: str, __: object) -> None:
        await asyncio.sleep(0.01)

    async def follow(_: str, __: str, ___: object) -> int:
        return 1

    end = create_autospec(server.end_process_group)
    monkeypatch.setattr(server, "end_process_group", end)
    for name, stand_in in {"_read": read, "_reach": reach, "_follow": follow}.items():
        monkeypatch.setattr(main, name, stand_in)
    arrangement = {"configuration": {}, "capacity": 1, "job_timeout": 1.0}
    configuration = {"address": "127.0.0.1:1", "device": "auto", "arrangement": arrangement}
    with caplog.at_level(logging.ERROR):
        assert await main._serve(configuration, create_autospec(server.EventWriter, instance=True)) == 1
        await asyncio.sleep(0)
    assert end.called is ends
    assert ("a line without end" in caplog.text) is ends
