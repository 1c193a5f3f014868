"""An LSTM for inference on a CPU with its weights in float16, so that every frame reads half as many bytes.

A frame's product with the recurrent weights has one row and waits for the previous frame, so all of its time is spent
on reading the weights. Sums are float32. Threads wait for each other at every frame, so a busy machine uses fewer.
"""

import torch
from torch import Tensor, nn

from cloning.bark.thread_count import ThreadCount

_AT_ONCE = 32
"""Frames between two adjustments of the number of threads. On a busy machine, a frame took 24 ms with two threads and
takes 1.3 ms with one."""
_PARTS = ("ih", "hh")


def is_supported() -> bool:
    """Return whether torch can multiply by float16 weights here: on x86, with FBGEMM."""
    return "fbgemm" in torch.backends.quantized.supported_engines


class HalfLstm(nn.Module):
    """Replaces a unidirectional `torch.nn.LSTM` with `batch_first` and biases: (B, T, D) -> (B, T, H), None."""

    def __init__(self, lstm: nn.LSTM) -> None:
        super().__init__()
        self._size = lstm.hidden_size
        self._cells = [_packed(lstm, layer) for layer in range(lstm.num_layers)]

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        """Compute all frames."""
        start = x.new_zeros(len(self._cells), x.shape[0], self._size)
        state = [start, start]
        threads = ThreadCount()
        try:
            outputs = []
            for frames in torch.split(x, _AT_ONCE, dim=1):
                hidden, *state = self._run(frames, state)
                outputs.append(hidden)
                threads.adjust()
        finally:
            threads.restore()
        return torch.cat(outputs, dim=1), None

    def _run(self, x: Tensor, state: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        result: tuple[Tensor, Tensor, Tensor] = torch.quantized_lstm(
            x,
            state,
            self._cells,
            True,  # with biases
            len(self._cells),
            0.0,  # no dropout
            False,  # not training
            False,  # in one direction
            True,  # batch first
            dtype=torch.float16,
            use_dynamic=True,
        )
        return result


def _packed(lstm: nn.LSTM, layer: int) -> torch.ScriptObject:
    parts = [
        torch.ops.quantized.linear_prepack_fp16(
            getattr(lstm, f"weight_{part}_l{layer}").detach(), getattr(lstm, f"bias_{part}_l{layer}").detach()
        )
        for part in _PARTS
    ]
    cell: torch.ScriptObject = torch.ops.quantized.make_quantized_cell_params_fp16(*parts)
    return cell
