"""What people read instead of Ray's errors. The texts are Ray 2.60's own."""

import pytest

from cloning.cluster.refusals import why_dead, why_ended, why_not

MISMATCH = """Version mismatch: The cluster was started with:
    Ray: 2.59.0
    Python: 3.12.3
This process on node 10.0.0.7 was started with:
    Ray: 2.60.0
    Python: 3.11.7
"""


def test_other_versions_are_named() -> None:
    sentence = why_not("10.0.0.1:6379", MISMATCH)
    assert (
        "10.0.0.1:6379 runs Ray 2.59.0 with Python 3.12.3, and this machine Ray 2.60.0 with Python 3.11.7" in sentence
    )
    assert "make setup EXTRAS=ray" in sentence


@pytest.mark.parametrize(
    ("error", "part"),
    [
        ("Token authentication is enabled but the authentication token is invalid or incorrect.", "RAY_AUTH_TOKEN"),
        ("No node info found matching attributes: '' when trying to resolve node to connect to.", "--workers 0"),
        ("Failed to connect to Ray cluster at 10.0.0.1:6379", "RAY_AUTH_TOKEN"),
        ("GCS version mismatch", "other versions"),
        ("first\nWhat Ray says last.\n", "6379: What Ray says last."),
        ("", "no reason"),
    ],
)
def test_each_error_says_what_to_do(error: str, part: str) -> None:
    assert part in why_not("10.0.0.1:6379", error)


def test_a_node_is_not_told_to_start_a_node() -> None:
    assert "--workers 0" not in why_ended("10.0.0.1:6379", "No node info found matching attributes: ''")


def test_a_node_is_told_that_something_else_listens_at_the_address() -> None:
    output = "    raise RuntimeError(\nray.exceptions.RpcError: Timed out while waiting for GCS to become available.\n"
    assert "Something listens at 10.0.0.1:6379" in why_ended("10.0.0.1:6379", output)


def test_a_process_of_ray_that_was_killed_is_told_as_that() -> None:
    tail = "[state-dump] \tGCTaskFailureReason - 1 total\n" * 57
    output = f"{tail}2026-11-29 12:48:36,784\tERR scripts.py:1315 -- Remaining processes will be killed.\n"
    sentence = why_ended("10.0.0.1:6379", output)
    assert "One of Ray's processes on this machine was killed" in sentence
    assert "scripts.py" not in sentence


def test_a_node_without_the_program_is_told_apart() -> None:
    assert "cluster.py node" in why_dead("ModuleNotFoundError: No module named 'cloning'")
    assert why_dead("The actor died because its node has died.") == "was stopped"
