"""The forward for training is transformers' forward, and the beginning is one that listens."""

from typing import Any

import pytest
import torch
from torch import Tensor

from research.bundled import gpt
from research.bundled.layout import BOOKS, COARSE_VOCABULARY, FINE_VOCABULARY, SEMANTIC_INPUTS, Size

RUN = gpt.TransformerRunner(torch.device("cpu"))
SMALL = Size(layers=3, heads=2, width=16)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(3)


def loud(module: Any) -> Any:
    """With weights large enough for everything to matter."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return module.eval()


@pytest.mark.parametrize(
    ("make", "vocabulary"), [(gpt.new_semantic, SEMANTIC_INPUTS), (gpt.new_coarse, COARSE_VOCABULARY)]
)
def test_the_causal_forward_is_that_of_transformers(make: Any, vocabulary: int) -> None:
    module = loud(make(SMALL))
    ids = torch.randint(0, vocabulary, (2, 40))

    hidden = RUN(module, module.input_embeds_layer(ids), causal=True)

    torch.testing.assert_close(module.lm_head(hidden), module(input_ids=ids).logits, rtol=1e-4, atol=1e-4)


def test_the_fine_forward_is_that_of_transformers() -> None:
    module = loud(gpt.new_fine(SMALL))
    ids = torch.randint(0, FINE_VOCABULARY, (2, 30, BOOKS))
    book = 4
    x = sum((module.input_embeds_layers[other](ids[..., other]) for other in range(book + 1)), torch.zeros(()))

    hidden = RUN(module, x, causal=False)

    torch.testing.assert_close(module.lm_heads[book - 1](hidden), module(book, ids).logits, rtol=1e-4, atol=1e-4)


def test_both_ways_of_attending_are_one() -> None:
    queries, keys, values = (torch.randn(2, 2, 9, 8) for _ in range(3))
    for causal in (True, False):
        hidden = gpt._causal_mask(9, queries.device) if causal else None
        spelled_out = gpt._attend_on_cpu(queries, keys, values, hidden)
        torch.testing.assert_close(spelled_out, gpt._attend_on_gpu(queries, keys, values, hidden))


def test_asking_the_last_positions_only_changes_nothing() -> None:
    module = loud(gpt.new_coarse(SMALL))
    x = module.input_embeds_layer(torch.randint(0, COARSE_VOCABULARY, (2, 21)))
    queries, keys, values = (torch.randn(2, 2, 9, 8) for _ in range(3))

    torch.testing.assert_close(RUN(module, x, causal=True, since=8), RUN(module, x, causal=True)[:, 8:])
    last = queries[:, :, 4:], keys, values, gpt._causal_mask(9, queries.device)
    torch.testing.assert_close(gpt._attend_on_cpu(*last), gpt._attend_on_gpu(*last))


def test_the_returned_scores_are_those_of_the_attention() -> None:
    module = loud(gpt.new_coarse(SMALL))
    x = module.input_embeds_layer(torch.randint(0, COARSE_VOCABULARY, (2, 11)))

    hidden, scores = RUN.with_scores(module, x, (0, 2))

    torch.testing.assert_close(hidden, RUN(module, x, causal=True))
    assert [part.shape for part in scores] == [(2, 11, 11)] * 2
    projected = module.layers[0].attn.att_proj(
        module.layers[0].layernorm_1(x + module.position_embeds_layer.weight[:11])
    )
    queries, keys = projected[..., 8:16], projected[..., 24:32]
    torch.testing.assert_close(scores[0].tril(), (queries @ keys.transpose(1, 2) / 8**0.5).tril())
    assert scores[0].softmax(-1).triu(1).max() == 0


def test_heads_that_match_look_at_the_same_time_first() -> None:
    module = gpt.new_coarse(Size(layers=2, heads=2, width=256))
    times = torch.arange(module.position_embeds_layer.weight.shape[0]).float()
    times[60:120] = torch.arange(60).float()
    gpt.align(module, times)
    with torch.no_grad():
        x = module.position_embeds_layer.weight[:120] + 0.1 * torch.randn(120, 256)
        projected = module.layers[0].attn.att_proj(module.layers[0].layernorm_1(x))
        queries, keys, _ = gpt._split(projected[None], 2)
        scores = (queries @ keys.transpose(-1, -2))[0, 0, 60:, :60]  # the second sequence scores at the first

    assert (scores.argmax(1) - torch.arange(60)).abs().median() <= 1


def test_codes_begin_as_far_from_each_other_as_what_they_stand_for() -> None:
    codebook = torch.randn(50, 12)
    table = torch.zeros(50, 64)
    gpt.spread_like(table, codebook)

    def distances(x: Tensor) -> Tensor:
        return torch.nn.functional.pdist(x)

    assert torch.corrcoef(torch.stack([distances(codebook), distances(table)]))[0, 1] > 0.8
    assert table.std().item() == pytest.approx(gpt.TOKEN_SPREAD, rel=0.01)


def test_losses_are_those_of_each_target() -> None:
    logits, targets = torch.randn(2, 3, 5), torch.randint(0, 5, (2, 3))
    losses = gpt.cross_entropy(logits, targets)
    assert losses[1, 2].item() == pytest.approx(-logits[1, 2].log_softmax(0)[targets[1, 2]].item(), rel=1e-5)
