#!/usr/bin/env bash
# ray 2.60.0: a program started by an actor, which does the work (a speech worker, a decoder).
# Expected: it runs with the priority of the command that started Ray (nice 0).
# Actual: the actor and the programs that it starts have nice 15, so that every other program on the machine has
# priority. RAY_worker_niceness=0 in the environment of `ray start` keeps the priority.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "ray==2.60.0"
cat > "$folder/nice.py" <<'PYTHON'
import os
import subprocess

import ray

ray.init("local", num_cpus=1, include_dashboard=False, object_store_memory=100_000_000, log_to_driver=False)


@ray.remote
class Actor:
    def child(self):
        return int(subprocess.run(["nice"], capture_output=True, text=True).stdout)


print(os.nice(0), ray.get(Actor.remote().child.remote()), ray.__version__)
PYTHON
export RAY_AUTH_MODE=disabled RAY_USAGE_STATS_ENABLED=0
read -r own plain version < <("$folder/venv/bin/python" "$folder/nice.py")
read -r _ kept _ < <(RAY_worker_niceness=0 "$folder/venv/bin/python" "$folder/nice.py")
echo "ray $version"
echo "guess: $own, as the program that starts Ray; it is $plain, and with RAY_worker_niceness=0 $kept"
[ "$plain" = "$((own + 15))" ] || [ "$plain" = 15 ]
[ "$kept" = "$own" ]
