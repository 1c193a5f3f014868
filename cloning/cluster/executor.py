"""Run speech jobs on a cluster, by a relay process that is supervised like a speech worker. Does not import Ray."""

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from math import inf

import environment
from cloning.cluster.messages import Arrangement
from cloning.worker.executor import ROOT, SubprocessExecutor

_START = "import sys; sys.path.insert(0, sys.argv.pop(1)); from cloning.cluster.main import main; main(sys.argv[1:])"


def cluster_executor(
    configuration: Mapping[str, object],
    *,
    address: str,
    device: str,
    token: str | None,
    capacity: int,
    job_timeout: float,
) -> SubprocessExecutor:
    """Return the executor for the cluster whose head is at `address` (host:port).

    configuration, capacity and job_timeout: those of every speech worker, see `jobs.load` and SubprocessExecutor.
    device: the setting DEVICE. token: the authentication token of the cluster, or None.
    """
    arrangement = Arrangement(dict(configuration), capacity, job_timeout)
    relay = {"address": address, "device": device, "arrangement": asdict(arrangement)}
    return SubprocessExecutor(
        [sys.executable, "-c", _START, str(ROOT), json.dumps(relay)],
        job_timeout=inf,  # each node watches its own jobs
        capacity=capacity,
        passes_on=True,
        variables=environment.to_join_a_cluster(token),
    )
