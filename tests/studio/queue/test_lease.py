"""Whether the process that holds a job is gone."""

import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta

import pytest

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
