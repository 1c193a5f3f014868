"""Whether the process that holds a job is gone."""

import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from studio.queue import lease
from studio.queue.lease import is_abandoned, new_owner
from tests.studio.queue.test_fair_order import job

_JOB = job(1, 1, 1)
_START = _JOB.created_at
_SOON = _START + timedelta(seconds=60)


def held_by(owner: str | None) -> bool:
    return is_abandoned(replace(_JOB, lease_owner=owner, lease_until=_SOON), _START)


def _ended_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_owners_are_unique_and_name_this_process() -> None:
    one, other = new_owner(), new_owner()
    assert one != other
    assert one.split("/")[1] == str(os.getpid())


def test_a_process_of_another_container_or_machine_of_this_name_may_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """In both, the first process is 1 and others may have any id of here."""
    pid = _ended_process()
    own = new_owner().split("/")[0]
    monkeypatch.setattr(Path, "stat", lambda *_, **__: SimpleNamespace(st_ino=1))
    lease._machine.cache_clear()
    container = new_owner().split("/")[0]
    monkeypatch.undo()
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: "another start\n")
    lease._machine.cache_clear()
    machine = new_owner().split("/")[0]
    monkeypatch.undo()
    lease._machine.cache_clear()
    assert len({own, container, machine}) == 3
    assert not held_by(f"{container}/{pid}/ab")
    assert not held_by(f"{machine}/{pid}/ab")
    assert held_by(f"{own}/{pid}/ab")


def test_a_process_of_this_machine_that_ended_or_is_an_earlier_self_is_gone() -> None:
    host = new_owner().split("/")[0]
    assert held_by(new_owner())
    assert held_by(f"{host}/{_ended_process()}/ab")
    assert not held_by(f"{host}/{os.getppid()}/ab")
    assert not held_by(f"{host}/1/ab")


@pytest.mark.parametrize("owner", [None, "", "x", "elsewhere/1/ab", "elsewhere/x/y", "a/b/c/d"])
def test_of_others_only_the_lease_counts(owner: str | None) -> None:
    assert not held_by(owner)
    held = replace(_JOB, lease_owner=owner, lease_until=_SOON)
    assert is_abandoned(held, _SOON)
    assert is_abandoned(replace(held, lease_until=None), _START)
