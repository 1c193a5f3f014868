"""Compare the engine's tokens on this device with transformers', those of batches with those alone, and with the CPU's.

Everything runs in float32 and at temperature 0, on random weights. If tokens differ from transformers', both are
compared with transformers in float64: if Barkeep's tokens are as near to those, the difference is due to rounding.
"""

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from benchmarks.gpu import models
from benchmarks.gpu.context import Context, Result, Results
from benchmarks.gpu.reference import compared, same, stages
from cloning.bark.bark import BarkEngine
from cloning.bark.engine import GenerationOptions, Utterance
from cloning.checkpoints.published import BUNDLED_DIRECTORY
from cloning.codec import Codec
from cloning.methods import quantizer_network
from cloning.methods.hubert import HubertFeatures
from cloning.progress import ProgressReporter
from cloning.prompt import Tokens, VoicePrompt

_TEXT = models.text(12)
_ENDS = 1e-3
"""`min_eos_p` of the case in which the model ends the speech itself."""
_ROWS = 3
_SECONDS_OF_A_CASE = 15.0
"""Seconds of the longest case; no case is started with less time left."""


def run(context: Context) -> Results:
    """Run all comparisons. Those without transformers, which are fast, come first."""
    yield from _sounds(context)
    for shape in context.sizes.shapes:
        if context.left < _SECONDS_OF_A_CASE:
            yield f"{shape}: left out", {"for": "not enough time"}
            return
        model = models.sharpened(context.random_bark(shape))
        engine = models.engine(context, copy.deepcopy(model), batch=_ROWS)
        yield from _alone(context, shape, model, engine)
        if shape == context.sizes.shapes[0]:
            yield from _together(context, shape, model, engine)


def _alone(context: Context, shape: str, model: Any, engine: BarkEngine) -> Results:
    """Compare one text at a time: without a voice, after voices, up to the end token, and over several fine windows."""
    sizes = context.sizes
    voices = [models.voice(*size, seed=number) for number, size in enumerate(sizes.voices)]
    cases: list[tuple[str, VoicePrompt | None, int, float]] = [
        ("no voice", None, sizes.tokens, 0.0),
        *((f"voice of {one.fine.shape[1]} frames", one, sizes.tokens, 0.0) for one in voices),
        ("to its end", voices[0], 3 * sizes.tokens, _ENDS),
    ]
    if shape == sizes.shapes[0]:
        cases.append(("several fine windows", voices[-1], sizes.many_tokens, 0.0))
    for name, voice, tokens, ends in cases:
        if context.left < _SECONDS_OF_A_CASE:
            yield f"{shape}: {name}: left out", {"for": "not enough time"}
            continue
        ours = _spoken(engine, [_wanted(voice, tokens, ends)])[0]
        theirs = stages(model, _TEXT, voice, tokens=tokens, min_eos_p=ends)
        facts = compared(ours, theirs)
        if not same([facts]):
            exact = stages(copy.deepcopy(model).double(), _TEXT, voice, tokens=tokens, min_eos_p=ends)
            facts["ours_and_float64"] = compared(ours, exact)
            facts["transformers_and_float64"] = compared(VoicePrompt(**theirs), exact)
        yield f"{shape}: {name}", facts


def _together(context: Context, shape: str, model: Any, engine: BarkEngine) -> Results:
    """Compare a batch of more utterances than rows, of several lengths, with each alone and with transformers."""
    voices = [None, *(models.voice(*size, seed=number) for number, size in enumerate(context.sizes.voices))]
    greedy = [_wanted(voices[n % len(voices)], 10 + context.sizes.tokens * n // 2, 0.0, seed=n) for n in range(7)]
    together = _spoken(engine, greedy)
    yield (
        f"{shape}: {len(greedy)} in {_ROWS} rows, as alone",
        _all_compared(together, (_spoken(engine, [one])[0] for one in greedy)),
    )
    shared = models.engine(context, copy.deepcopy(model), batch=len(greedy), refined_together=len(greedy))
    yield f"{shape}: all at once, as in {_ROWS} rows", _all_compared(_spoken(shared, greedy), iter(together))
    if context.left > _SECONDS_OF_A_CASE:
        theirs = [stages(model, one.text, one.history, tokens=one.options.max_semantic_tokens or 0) for one in greedy]
        facts = [compared(ours, others) for ours, others in zip(together, theirs, strict=True)]
        yield f"{shape}: {len(greedy)} in {_ROWS} rows, as transformers", {"each": facts, "same": same(facts)}
    drawn = [
        Utterance(one.text, one.history, GenerationOptions(0.7, 0.0, n, one.options.max_semantic_tokens, top_k=50))
        for n, one in enumerate(greedy)
    ]
    yield (
        f"{shape}: drawn, {len(greedy)} in {_ROWS} rows, as alone",
        _all_compared(_spoken(engine, drawn), (_spoken(engine, [one])[0] for one in drawn)),
    )


def _sounds(context: Context) -> Iterator[Result]:
    """Compare the bundled model's codec, HuBERT and quantizer on this device and on the CPU."""
    random, cpu = np.random.default_rng(0), torch.device("cpu")
    bark = BUNDLED_DIRECTORY / "bark"
    here, there = Codec(bark, context.device), Codec(bark, cpu)
    lengths = (225, 75, 40)
    clips: list[Tokens] = [random.integers(0, here.codebook_size, (here.books, length)) for length in lengths]
    alone = [here.decode(clip) for clip in clips]
    sounds = [there.decode(clip) for clip in clips]
    again, tokens = here.encode(sounds[0]), there.encode(sounds[0])
    yield (
        "codec",
        {
            "loudest": max(float(np.abs(sound).max()) for sound in sounds),
            "furthest_from_cpu": _furthest(alone, sounds),
            "furthest_from_together": _furthest(alone, here.decode_together(clips)),
            "encoded_as_on_cpu": float((again == tokens).mean()),
        },
    )
    speech = (0.1 * random.standard_normal(5 * 16_000)).astype(np.float32)
    heard = [HubertFeatures(BUNDLED_DIRECTORY / "hubert", device)(speech).cpu() for device in (context.device, cpu)]
    semantic = [
        quantizer_network.load(BUNDLED_DIRECTORY / "quantizer.pth", device).tokens(heard[1].to(device), 49.9).cpu()
        for device in (context.device, cpu)
    ]
    yield (
        "cloning",
        {
            "features_furthest": float((heard[0] - heard[1]).abs().max()),
            "features_largest": float(heard[1].abs().max()),
            "quantizer_as_on_cpu": float((semantic[0] == semantic[1]).float().mean()),
        },
    )


def _furthest(some: list[Any], others: list[Any]) -> float:
    return max(float(np.abs(one - other).max()) for one, other in zip(some, others, strict=True))


def _wanted(voice: VoicePrompt | None, tokens: int, ends: float, seed: int = 0) -> Utterance:
    text = models.text(12, seed) if seed else _TEXT
    return Utterance(text, voice, GenerationOptions(0.0, ends, max_semantic_tokens=tokens), ProgressReporter())


def _spoken(engine: BarkEngine, wanted: list[Utterance]) -> list[VoicePrompt]:
    return [one.prompt for one in engine.generate_many(wanted)]


def _all_compared(ours: list[VoicePrompt], others: Iterator[VoicePrompt]) -> dict[str, Any]:
    facts = [
        compared(one, {stage: getattr(other, stage) for stage in ("semantic", "coarse", "fine")})
        for one, other in zip(ours, others, strict=True)
    ]
    return {"each": facts, "same": same(facts)}
