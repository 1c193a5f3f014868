"""Bark's three transformers, as transformers defines them, with a forward pass for training.

The forward pass uses the fastest attention of the device, whereas transformers computes it in float32. It returns
hidden states, so that logits are computed only where there are targets. The modules are transformers' own, so their
state is that of a checkpoint.

The initialisation makes a small model follow its input sequence: inputs and outputs of the same time get the same
sinusoids, tokens and times have about equal weight, and half of the heads in the first two layers attend at first to
similar vectors, that is, to those of the same time.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from cloning.checkpoints.libraries import transformers
from research.bundled.layout import Size, coarse_config, fine_config, semantic_config

TOKEN_SPREAD = 0.3
"""Initial standard deviation of a token's vector, and the amplitude of a sinusoid of time."""

_MATCHING_LAYERS = 2
_SHARPNESS = 2.0
"""Initial standard deviation of queries and keys in heads that match similar vectors."""
_SLOWEST_FRAMES = 200.0
"""The number of frames in which the slowest sinusoid advances by one radian."""
_SPREAD = 0.02
"""Initial standard deviation of other matrices."""
TIED_SPREAD = 0.1
"""Initial standard deviation of token vectors shared with the output head, since logits must start small."""
_TIED_GAIN = 0.5


def new_semantic(size: Size) -> Any:
    """Return an untrained BarkSemanticModel."""
    return _new(transformers.BarkSemanticModel, transformers.BarkSemanticConfig(**semantic_config(size)))


def new_coarse(size: Size) -> Any:
    """Return an untrained BarkCoarseModel."""
    return _new(transformers.BarkCoarseModel, transformers.BarkCoarseConfig(**coarse_config(size)))


def new_fine(size: Size) -> Any:
    """Return an untrained BarkFineModel."""
    return _new(transformers.BarkFineModel, transformers.BarkFineConfig(**fine_config(size)))


_Run = Callable[[nn.Module, Tensor, bool, int, tuple[int, ...]], tuple[Tensor, list[Tensor]]]


class TransformerRunner:
    """Runs Bark's transformers on `device`: compiled on CUDA, where a small model mostly waits for kernel launches."""

    def __init__(self, device: torch.device) -> None:
        self._run: _Run = torch.compile(_run, dynamic=False) if device.type == "cuda" else _run

    def __call__(self, module: nn.Module, x: Tensor, *, causal: bool, since: int = 0) -> Tensor:
        """Return the last hidden states (B, T - since, width) for token vectors (B, T, width). Differentiable.

        causal: whether positions attend only to earlier ones and themselves. since: the first returned position.
        """
        return self._run(module, x, causal, since, ())[0]

    def with_scores(
        self, module: nn.Module, x: Tensor, layers: tuple[int, ...], *, since: int = 0
    ) -> tuple[Tensor, list[Tensor]]:
        """Run causally; also return the attention scores (B, T, T) of the last head of each of `layers`.

        The scores are those before the softmax, with -10,000 added at masked positions.
        """
        return self._run(module, x, True, since, layers)


def _run(
    module: nn.Module, x: Tensor, causal: bool, since: int, scored: tuple[int, ...]
) -> tuple[Tensor, list[Tensor]]:
    stage: Any = module
    length = x.shape[1]
    x = x + stage.position_embeds_layer.weight[:length]
    attend = _attend_on_gpu if x.is_cuda else _attend_on_cpu
    mask = _causal_mask(length, x.device) if causal else None
    scores = []
    for number, layer in enumerate(stage.layers):
        projected = layer.attn.att_proj(layer.layernorm_1(x))
        queries, keys, values = _split(projected, layer.attn.num_heads)
        if number in scored:
            scores.append(_scores(queries[:, -1], keys[:, -1], mask))
        if number == len(stage.layers) - 1:  # earlier positions of the last layer are not read
            queries, x = queries[:, :, since:], x[:, since:]
        attended = attend(queries, keys, values, mask)
        x = x + layer.attn.out_proj(attended.transpose(1, 2).flatten(2))
        x = x + layer.mlp.out_proj(functional.gelu(layer.mlp.in_proj(layer.layernorm_2(x))))
    return stage.layernorm_final(x), scores


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the losses (...) in nats, float32, of logits (..., entries) and int64 targets (...)."""
    losses = functional.cross_entropy(logits.float().flatten(0, -2), targets.flatten(), reduction="none")
    return losses.view(targets.shape)


def to_device(array: NDArray[Any], device: torch.device) -> Tensor:
    """Return an array as a tensor on `device`. The transfer to CUDA is asynchronous."""
    tensor = torch.from_numpy(array)
    if device.type != "cuda":
        return tensor
    there: Tensor = tensor.pin_memory().to(device, non_blocking=True)
    return there


def align(module: nn.Module, times: Tensor) -> None:
    """Initialise the position vectors as sinusoids. times: float (block,), the time of each position in frames."""
    stage: Any = module
    width = stage.position_embeds_layer.weight.shape[1]
    with torch.no_grad():
        stage.position_embeds_layer.weight.copy_(TOKEN_SPREAD * sinusoids(times, width))


def sinusoids(times: Tensor, width: int) -> Tensor:
    """Return (N, width): sines and cosines of times (N,) in frames, from one radian a frame to one in 200 frames."""
    speeds = torch.exp(torch.arange(0, width, 2) * (-math.log(_SLOWEST_FRAMES) / width))
    angles = times.float()[:, None] * speeds
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def spread_like(table: Tensor, codebook: Tensor, spread: float = TOKEN_SPREAD) -> None:
    """Initialise vectors (entries, width) by a random projection of a codebook (entries, latent)."""
    entries = codebook - codebook.mean(0)
    turned = entries @ torch.randn(entries.shape[1], table.shape[1], device=entries.device)
    with torch.no_grad():
        table.copy_(spread * turned / turned.std())


def _new(kind: Any, config: Any) -> Any:
    module = kind(config)
    tied = config.model_type == "fine_acoustics"
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if "input_embeds" in name:
                nn.init.normal_(parameter, std=TIED_SPREAD if tied else TOKEN_SPREAD)
            elif name.endswith("out_proj.weight"):
                nn.init.normal_(parameter, std=_SPREAD / math.sqrt(2 * config.num_layers))
            elif parameter.ndim == 2:
                nn.init.normal_(parameter, std=_SPREAD)
        for layer in module.layers[:_MATCHING_LAYERS]:
            _match(layer.attn)
        if tied:  # the heads share the embeddings, and logits must start small
            module.layernorm_final.weight.fill_(_TIED_GAIN)
    return module


def _match(attention: Any) -> None:
    """Set the query weights equal to the key weights in half of the heads."""
    width, heads = attention.embed_dim, attention.num_heads // 2
    rows = heads * attention.head_dim
    drawn = torch.randn(rows, width) * (_SHARPNESS / math.sqrt(width))
    attention.att_proj.weight[:rows] = drawn
    attention.att_proj.weight[width : width + rows] = drawn


def _split(projected: Tensor, heads: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return queries, keys and values, each (B, H, T, D), of a projection (B, T, 3 * width)."""
    batch, length, _ = projected.shape
    queries, keys, values = projected.view(batch, length, 3, heads, -1).permute(2, 0, 3, 1, 4)
    return queries, keys, values


def _attend_on_gpu(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
    """Return the attention (B, H, Q, D) of the last Q of T positions. Keys and values: (B, H, T, D). Mask: (T, T)."""
    before = keys.shape[2] - queries.shape[2]
    whole = mask is not None and not before
    rows = None if mask is None or whole else mask[before:].to(queries.dtype)
    attended: Tensor = functional.scaled_dot_product_attention(queries, keys, values, rows, is_causal=whole)
    return attended


def _attend_on_cpu(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
    """Return the same as `_attend_on_gpu`; with a few hundred positions, twice as fast as torch's fused attention.

    Causal queries are split into two halves, so that the first half skips keys that are masked for it.
    """
    if mask is None:
        return _mixture(_scores(queries, keys, None), values)
    before, middle = keys.shape[2] - queries.shape[2], queries.shape[2] // 2
    seen = before + middle
    first = _scores(queries[:, :, :middle], keys[:, :, :seen], mask[before:seen, :seen])
    second = _scores(queries[:, :, middle:], keys, mask[seen:])
    return torch.cat([_mixture(first, values[:, :, :seen]), _mixture(second, values)], dim=2)


def _mixture(scores: Tensor, values: Tensor) -> Tensor:
    mixed: Tensor = scores.softmax(-1).to(values.dtype) @ values
    return mixed


def _scores(queries: Tensor, keys: Tensor, mask: Tensor | None) -> Tensor:
    """Return the scores (..., Q, T) of queries (..., Q, D) and keys (..., T, D), with the mask added."""
    scores: Tensor = (queries * queries.shape[-1] ** -0.5) @ keys.transpose(-1, -2)
    return scores if mask is None else scores + mask.to(scores.dtype)


def _causal_mask(length: int, device: torch.device) -> Tensor:
    """Return the causal mask (T, T) to add to scores."""
    return torch.full((length, length), -1e4, device=device).triu(1)
