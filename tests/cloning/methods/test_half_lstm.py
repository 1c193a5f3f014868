"""An LSTM with weights in float16: nearly the same states, the same tokens, and the number of threads afterwards."""

import copy

import pytest
import torch
from torch import nn

from cloning.methods import half_lstm
from cloning.methods.half_lstm import HalfLstm
from cloning.methods.quantizer_network import Quantizer, QuantizerInfo

pytestmark = pytest.mark.skipif(not half_lstm.is_supported(), reason="torch has no such products on this machine")


@torch.inference_mode()
def test_its_states_are_those_of_the_exact_one_but_for_rounding() -> None:
    torch.manual_seed(0)
    exact = nn.LSTM(48, 64, 2, batch_first=True)
    x = torch.randn(3, 50, 48)
    wanted, _ = exact(x)
    found, _ = HalfLstm(exact)(x)
    assert found.shape == wanted.shape
    assert 0 < (found - wanted).norm() < 0.001 * wanted.norm()


@pytest.mark.parametrize("version", [0, 1])
def test_a_compact_quantizer_says_the_same_tokens(version: int) -> None:
    torch.manual_seed(0)
    exact = Quantizer(QuantizerInfo(96, 128, 300, version)).eval()
    compact = copy.deepcopy(exact)
    compact.compact()
    compact.compact()  # once more changes nothing
    features = torch.randn(200, 96)
    agreed = (compact.tokens(features) == exact.tokens(features)).float().mean()
    assert isinstance(compact.lstm, HalfLstm)
    assert agreed > 0.98


@torch.inference_mode()
def test_the_number_of_threads_is_afterwards_what_it_was() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        HalfLstm(nn.LSTM(8, 8, 2, batch_first=True))(torch.randn(1, 5, 8))
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
