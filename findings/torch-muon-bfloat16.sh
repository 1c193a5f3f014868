#!/usr/bin/env bash
# torch.optim.Muon with parameters of any floating-point type.
# Expected: an update is computed in the type of its parameter, and the momentum is the mean of the gradients in every
# type.
# Actual: Muon orthogonalises matrices in bfloat16, so that the update of a float32 or float64 parameter has 8
# significant bits, and a processor without bfloat16 computes it slowly. To do so, it converts the gradient, then
# divides it by its norm in place; a bfloat16 gradient is not copied. So with bfloat16 parameters and nesterov=False,
# each step scales the stored momentum itself to a norm of 1.
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

import torch

SIZE, STEPS = 64, 3
torch.manual_seed(0)
gradients = torch.randn(STEPS, SIZE, SIZE, dtype=torch.float64).bfloat16().double()  # exact in each type


def trained(dtype: torch.dtype, nesterov: bool) -> tuple[torch.Tensor, float]:
    """The parameter after STEPS from zero, and the norm of the momentum."""
    parameter = torch.nn.Parameter(torch.zeros(SIZE, SIZE, dtype=dtype))
    optimizer = torch.optim.Muon([parameter], lr=1.0, weight_decay=0.0, nesterov=nesterov)
    updates = []
    for gradient in gradients:
        before = parameter.detach().clone()
        parameter.grad = gradient.to(dtype)
        optimizer.step()
        updates.append(before - parameter.detach())
    return updates[0], float(optimizer.state[parameter]["momentum_buffer"].double().norm())


true = torch.zeros(SIZE, SIZE, dtype=torch.float64)
for gradient in gradients:
    true.lerp_(gradient, 0.05)  # 1 - Muon's default momentum
print(f"torch {torch.__version__}: Muon, {STEPS} steps; the norm of the momentum should be {true.norm():.2f}")
holds = True
for dtype in (torch.float64, torch.float32, torch.bfloat16):
    for nesterov in (True, False):
        update, norm = trained(dtype, nesterov)
        exact = torch.equal(update, update.bfloat16().to(dtype))
        print(
            f"{dtype}, nesterov={nesterov}: the first update has no more bits than bfloat16: {exact}; "
            f"norm of the momentum {norm:.2f}"
        )
        expected = 1.0 if (dtype, nesterov) == (torch.bfloat16, False) else float(true.norm())
        holds = holds and exact and abs(norm - expected) < 0.02 * expected
if not holds:
    sys.exit("torch has changed: this does not hold any more")
PYTHON
