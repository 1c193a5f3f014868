"""Freed memory goes back to the system, and models lie in large pages. Each in a process of its own."""

import ctypes
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cloning import memory

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


WEIGHTS = """
import re
import torch
from cloning import memory

def large():
    text = open("/proc/self/smaps_rollup").read()
    return int(re.search(r"AnonHugePages: *(\\d+)", text)[1]) / 2**10

weights = [torch.full((1000, 1000), float(number)) for number in range(16)]
before = large()
memory.use_large_pages()
print(large() - before, all((weight == number).all() for number, weight in enumerate(weights)))
"""


@pytest.mark.skipif(
    sys.platform != "linux"
    or platform.machine() != "x86_64"
    or not Path("/sys/kernel/mm/transparent_hugepage").exists()
    or tuple(int(part) for part in re.findall(r"\d+", platform.release())[:2]) < (6, 1),
    reason="needs a newer Linux with large pages",
)
def test_weights_lie_in_large_pages_and_stay_what_they_are() -> None:
    child = subprocess.run([sys.executable, "-c", WEIGHTS], cwd=ROOT, capture_output=True, text=True, check=True)
    gained, same = child.stdout.split()
    assert float(gained) > 10  # of 64, where free memory is in pieces
    assert same == "True"


MAPPINGS = """\
555500100000-555501100000 rw-p 00000000 00:00 0                          [heap]
Size:              16384 kB
Rss:               16384 kB
VmFlags: rd wr mr mw me ac
7f0000000000-7f0000600000 rw-p 00000000 00:00 0
Size:               6144 kB
Rss:                6144 kB
7f0010000000-7f0020000000 rw-p 00000000 00:00 0
Size:             262144 kB
Rss:               20000 kB
7f0030000000-7f0040000000 rw-p 00000000 08:01 1234                       /model.safetensors
Rss:              262144 kB
7f0050000000-7f0060000000 r--p 00000000 00:00 0
Rss:              262144 kB
7f0070000000-7f0080000000 rw-s 00000000 00:01 77                         /dev/zero (deleted)
Rss:              262144 kB
7f0090001000-7f00a0001000 rw-p 00000000 00:00 0
Rss:              250000 kB
"""


def test_only_large_private_memory_in_use_is_moved() -> None:
    """Not a small mapping, one that is mostly empty, a file, what cannot be written, and what others share."""
    moved = [(0x555500200000, 0x555501000000), (0x7F0090200000, 0x7F00A0000000)]
    assert list(memory.full_mappings(MAPPINGS.splitlines())) == moved
