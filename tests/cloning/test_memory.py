"""Freed memory goes back to the system. In a process of its own, whose arenas nothing else has touched."""

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CODE = """
import resource, threading
from cloning import memory

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() / 2**20

kept = []
def work():
    blocks = [bytearray(100_000) for _ in range(600)]
    kept.append(bytearray(100_000))  # lies above them, and keeps them from being returned

for _ in range(4):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
before = resident()
memory.release_freed()
print(before - resident())
"""


@pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "malloc_trim") or not Path("/proc/self/statm").exists(),
    reason="needs glibc on Linux",
)
def test_what_threads_have_freed_goes_back_to_the_system() -> None:
    child = subprocess.run([sys.executable, "-c", CODE], cwd=ROOT, capture_output=True, text=True, check=True)
    assert float(child.stdout) > 40
