#!/usr/bin/env bash
# ray 2.60.0: `ray start --head --node-ip-address=127.0.0.1` without a token (RAY_AUTH_MODE=disabled).
# Expected: a cluster at 127.0.0.1 can be reached from this machine only.
# Actual: its head and its node listen on all addresses of the machine, and if the machine has another address, the node
# joins with that one. Everyone who can reach a cluster without a token can run code in it, so a token is needed on
# loopback, too.
set -euo pipefail
folder=$(mktemp -d)
head=
trap '[ -z "$head" ] || { kill "$head"; wait "$head" || true; }; rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "ray==2.60.0"
export RAY_AUTH_MODE=disabled RAY_USAGE_STATS_ENABLED=0
port=$(python3 -c "import socket; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1])")
"$folder/venv/bin/ray" start --block --head --node-ip-address=127.0.0.1 --port="$port" --num-cpus=1 \
  --object-store-memory=100000000 --include-dashboard=false --temp-dir="$folder/ray" >/dev/null 2>&1 &
head=$!
until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do kill -0 "$head"; sleep 1; done
"$folder/venv/bin/python" - "$port" <<'PYTHON'
import sys
from pathlib import Path

import ray

port = int(sys.argv[1])
ray.init(address=f"127.0.0.1:{port}", log_to_driver=False)
listening = set()
for table in ("/proc/net/tcp", "/proc/net/tcp6"):
    for line in Path(table).read_text().splitlines()[1:]:
        local, state = line.split()[1], line.split()[3]
        address, _, number = local.partition(":")
        if state == "0A" and int(number, 16) == port:
            listening.add(address)
print("ray", ray.__version__)
print("guess: port", port, "listens on 127.0.0.1")
print("it listens on", ["all addresses" if set(each) == {"0"} else each for each in sorted(listening)])
print("the node joined as", [node["NodeManagerAddress"] for node in ray.nodes()])
sys.exit(not any(set(each) == {"0"} for each in listening))
PYTHON
