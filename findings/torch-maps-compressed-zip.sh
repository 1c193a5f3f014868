#!/usr/bin/env bash
# torch.load(mmap=True) of a checkpoint whose zip was repacked with compression.
# Expected: the same tensors as without mmap, or an error that says why not.
# Actual: there is no error, and a tensor's values are the compressed bytes of its member. (Only a tensor that would
# reach beyond the end of the file raises a RuntimeError, about a storage that cannot be resized.)
# Set TORCH_INDEX to the package index of a CPU build of torch to install less.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.3.5
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} torch==2.13.0
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import zipfile

import torch

torch.manual_seed(0)
state = {"weight": torch.arange(1024.0), "bias": torch.randn(1024), "scale": torch.randn(512)}
torch.save(state, "stored.pt")
with zipfile.ZipFile("stored.pt") as old, zipfile.ZipFile("packed.pt", "w", zipfile.ZIP_DEFLATED) as new:
    for member in old.infolist():
        new.writestr(member.filename, old.read(member))


def same(mmap: bool) -> dict[str, bool]:
    loaded = torch.load("packed.pt", weights_only=True, mmap=mmap)
    return {name: torch.equal(loaded[name], tensor) for name, tensor in state.items()}


read, mapped = same(mmap=False), same(mmap=True)
print(f"torch {torch.__version__}, the same state dict packed again with ZIP_DEFLATED")
print(f"read,   equal to what was saved: {read}")
print(f"mapped, equal to what was saved: {mapped} (no error was raised)")
if not all(read.values()) or all(mapped.values()):
    sys.exit("torch has changed: this does not hold any more")
PYTHON
