"""A Ray cluster on this machine: a head that does not speak, and two speech nodes with the bundled model."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import environment
from cloning.cluster.start import PLAIN, SPEECH, SYSTEM
from tests.cluster.bot import TOKEN
from tests.storage.conftest import migrated_server

ROOT = Path(__file__).parents[2]
environment.join_a_cluster(TOKEN, PYTHONPATH=str(ROOT))  # Ray reads the environment when it is imported
pytest.importorskip("ray", reason="Ray is not installed (make setup EXTRAS=ray)")

STORE = 80_000_000


class LocalCluster:
    """The head and the nodes. A test may kill nodes and add others, in the main thread only."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self._cluster = Cluster(
            initialize_head=True,
            head_node_args={
                **PLAIN,
                "no_monitor": True,
                "object_store_memory": STORE,
                "include_dashboard": False,
                "node_name": "head",
                "_system_config": SYSTEM,
            },
        )
        self.nodes: dict[str, Any] = {}

    @property
    def address(self) -> str:
        return str(self._cluster.address)

    def add(self, name: str, gpus: int = 0) -> Any:
        """A new speech node. gpus: how many it says that it has; Ray believes it."""
        node = self._cluster.add_node(
            **PLAIN,
            num_gpus=gpus,
            object_store_memory=STORE,
            resources={SPEECH: 1},
            node_name=name,
        )
        self.nodes[name] = node
        return node

    def remove(self, name: str) -> None:
        """Kill a node with all its processes, unless it is gone."""
        with suppress(Exception):
            self._cluster.remove_node(self.nodes[name], allow_graceful=False)
        del self.nodes[name]

    def close(self) -> None:
        for name in list(self.nodes):
            self.remove(name)
        self._cluster.shutdown()

    def restore(self) -> None:
        """Have the nodes one and two, and no others. Those that were not killed keep their loaded models."""
        for name in self.nodes.keys() - {"one", "two"}:
            self.remove(name)
        for name in ("one", "two"):
            if name not in self.nodes:
                self.add(name)


@pytest.fixture(scope="session")
def _started() -> Iterator[LocalCluster]:
    made = LocalCluster()
    yield made
    made.close()


@pytest.fixture
def cluster(_started: LocalCluster) -> LocalCluster:
    """The cluster, with both nodes."""
    _started.restore()
    return _started


@pytest.fixture
def url() -> Iterator[str]:
    """An empty PostgreSQL database, on a server that ends with the test."""
    with migrated_server() as url:
        yield url
