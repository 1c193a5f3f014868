"""A linear layer that only ever computes, with its weight laid out for the processor's matrix kernels.

On a CPU the weight is packed once for oneDNN. Against `torch.nn.functional.linear` in float32 (MKL), on two cores with
AVX-512, that reads 887 rows in 40 % of the time, and 8 rows cost what 1 costs (benchmarks/RESULTS.md).
"""

import torch
from torch import Tensor
from torch.nn import functional

_PACKED_FOR = 900
"""The number of rows that the layout is made for: a coarse window. It serves a single row as well as any other."""


class Linear:
    """y = x W^T + b, for x (rows, in) -> (rows, out), and GELU (the exact one) behind it if `gelu`.

    Packed, the values of a row do not depend, to the last bit, on the other rows or on how many there are.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None = None, *, gelu: bool = False) -> None:
        self.packed: bool = _can_be_packed(weight)
        """Whether its rows are independent of each other, as said above."""
        self._weight: Tensor = (
            torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), _PACKED_FOR) if self.packed else weight
        )
        self._bias = bias
        self._gelu = gelu
        self.nbytes: int = weight.numel() * weight.element_size()
        """What a step reads of it."""

    def __call__(self, x: Tensor) -> Tensor:
        """Apply it."""
        if not self.packed:
            y = functional.linear(x, self._weight, self._bias)
            return functional.gelu(y) if self._gelu else y
        # A kernel of its own serves a single row, and it adds up in another order.
        return self._run(x) if x.shape[0] > 1 else self._run(x.repeat(2, 1))[:1]

    def _run(self, x: Tensor) -> Tensor:
        after = "gelu" if self._gelu else "none"
        y: Tensor = torch.ops.mkldnn._linear_pointwise(x, self._weight, self._bias, after, [], "none")
        return y


def _can_be_packed(weight: Tensor) -> bool:
    """Whether oneDNN has fast kernels for this weight: float32 anywhere, bfloat16 where the processor has it."""
    available = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]  # torch has no annotation here
    if weight.device.type != "cpu" or not available:
        return False
    if weight.dtype == torch.bfloat16:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return weight.dtype == torch.float32
