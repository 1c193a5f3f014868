#!/usr/bin/env bash
# GOMP_SPINCOUNT with torch on a CPU, in a process with two threads that compute one after the other.
# Expected: the operators of the second thread spin as the variable says, since the first thread is idle.
# Actual: libgomp keeps the helper threads of a thread that has computed in parallel until that thread ends, and counts
# them. While a process has more threads and helpers than cores, its threads spin 1,000 times at most and then sleep,
# whatever the variable says: after one operator in the main thread, each operator of another thread puts threads to
# sleep and wakes them again. Once the first thread has ended, its helpers have ended too, and spinning works again.
# Needs Linux on x86 and two cores; other programs disturb the measurement, so the quietest of many short runs counts.
# Set TORCH_INDEX to the package index of a CPU build of torch to install less.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.3.5
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} torch==2.13.0
cat > "$folder/sleeps.py" <<'PYTHON'
import os
import resource
import sys
import threading

import torch

torch.set_num_threads(len(os.sched_getaffinity(0)))
numbers = torch.randn(2**17)
OPERATORS, RUNS = 20, 200


def slept() -> float:
    """The fewest times that threads went to sleep, per operator, of many short runs."""
    fewest = float("inf")
    for _ in range(RUNS):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw
        for _ in range(OPERATORS):
            numbers.exp()
        fewest = min(fewest, (resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw - before) / OPERATORS)
    return fewest


def in_thread(action):
    results = []
    thread = threading.Thread(target=lambda: results.append(action()))
    thread.start()
    thread.join()
    return results[0]


if sys.argv[1] == "in the main thread before":
    numbers.exp()
elif sys.argv[1] == "in a thread that has ended":
    in_thread(numbers.exp)
print(in_thread(slept))
PYTHON
cd "$folder"
echo "torch 2.13.0, GOMP_SPINCOUNT=20000: sleeps per operator in a thread, after one operator"
declare -A found
for before in "nowhere" "in a thread that has ended" "in the main thread before"; do
    found[$before]=$(GOMP_SPINCOUNT=20000 "$folder/venv/bin/python" sleeps.py "$before")
    echo "  $before: ${found[$before]}"
done
"$folder/venv/bin/python" - \
  "${found[nowhere]}" "${found[in a thread that has ended]}" "${found[in the main thread before]}" <<'PYTHON'
import sys

alone, ended, kept = map(float, sys.argv[1:])
if not (alone < 0.5 and ended < 0.5 and kept >= 0.5):
    sys.exit("libgomp has changed, or the machine was too busy to see it: run it again with nothing else at work")
PYTHON
