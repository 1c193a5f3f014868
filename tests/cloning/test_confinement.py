"""The limits of a confined process."""

import json
import subprocess
import sys
from pathlib import Path

from cloning import confinement


def run(code: str) -> subprocess.CompletedProcess[str]:
    root = Path(confinement.__file__).parents[1]
    return subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)


def test_the_limits_are_the_kernels() -> None:
    child = run(
        "import resource, json; from cloning.confinement import confine; confine(64, 7, 1234)\n"
        "try: held = bytearray(200 * 2**20)\nexcept MemoryError: held = None\n"
        "print(json.dumps([held is None, resource.getrlimit(resource.RLIMIT_CPU), "
        "resource.getrlimit(resource.RLIMIT_FSIZE), resource.getrlimit(resource.RLIMIT_CORE)]))"
    )
    refused, cpu, size, core = json.loads(child.stdout)
    assert refused or not Path("/proc/self/statm").exists()
    assert (cpu, size, core) == ([7, 7], [1234, 1234], [0, 0])


def test_limits_of_the_surroundings_are_not_raised() -> None:
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_CPU, (5, 5)); from cloning.confinement import confine\n"
        "confine(64, 60, 10**9); print(resource.getrlimit(resource.RLIMIT_CPU))"
    )
    assert run(code).stdout.strip() == "(5, 5)"
