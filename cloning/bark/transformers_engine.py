"""Bark through transformers' three sub-models, one voice and one window of speech at a time.

The stages are called separately, since BarkModel.generate throws away the tokens that a voice prompt needs. Where
transformers differs from `suno-ai/bark`, this follows Suno: no top-k (transformers keeps the 50 likeliest tokens), the
end of speech is weighed after the temperature, and a fine temperature of 1.0 samples. Knows nothing of sentences.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from cloning.bark.config import BarkSpec
from cloning.bark.engine import Generated, GenerationOptions, Samples
from cloning.checkpoints import load_bark
from cloning.libraries import transformers
from cloning.prompt import Tokens, VoicePrompt
from cloning.watch import Watch
from errors import InvalidInput, Unavailable

SEMANTIC, COARSE, FINE, AUDIO = "semantic tokens", "coarse tokens", "fine tokens", "audio"
"""The stages, as members see them."""

_SEMANTIC_CONFIG, _COARSE_CONFIG, _FINE_CONFIG = "semantic_config", "coarse_acoustics_config", "fine_acoustics_config"
_classes = transformers.models.bark.generation_configuration_bark
_CONFIGS: dict[str, Any] = {
    _SEMANTIC_CONFIG: _classes.BarkSemanticGenerationConfig,
    _COARSE_CONFIG: _classes.BarkCoarseGenerationConfig,
    _FINE_CONFIG: _classes.BarkFineGenerationConfig,
}
_NO_TOP_K = 0
_ABOUT_ONE = math.nextafter(1.0, 2.0)

Decode = Callable[[Tokens], Samples]
"""The codec: fine tokens int64 (books, T) -> float32 (N,) at the codec's sample rate."""


class TransformersEngine:
    """Implements `cloning.bark.engine.SpeechEngine`. Not for several threads at once: the seed is the process's."""

    def __init__(
        self, model: transformers.BarkModel, tokenizer: transformers.PreTrainedTokenizerBase, decode: Decode
    ) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._decode = decode
        self._generation: dict[str, Any] = model.generation_config.to_dict()
        self._spec = BarkSpec.from_configs(model.config.to_dict(), self._generation)

    @classmethod
    def load(cls, directory: Path, *, dtype: torch.dtype, device: torch.device, decode: Decode) -> "TransformersEngine":
        """Load a checkpoint in the hub's layout. Raises Unavailable that names what is missing or damaged."""
        model = load_bark(directory, dtype, device)
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(directory, local_files_only=True)
        except (OSError, ValueError, KeyError) as fault:
            raise Unavailable(
                f"The tokenizer in {directory} is missing or damaged; download the model again."
            ) from fault
        return cls(model, tokenizer, decode)

    @property
    def spec(self) -> BarkSpec:
        """The checkpoint's rates, vocabularies and lengths."""
        return self._spec

    def count_text_tokens(self, text: str) -> int:
        """How many text tokens `text` has; `spec.max_text_tokens` fit one window."""
        return len(self._text_tokens(text))

    def semantic(self, text: str, history: VoicePrompt | None, options: GenerationOptions, watch: Watch) -> Tokens:
        """The first stage alone: semantic tokens, int64 (S,), S may be 0. Raises InvalidInput for a text too long."""
        with self._drawing(options.seed):
            return _array(self._generate_semantic(text, self._history(history), options, watch)[0])

    def generate(self, text: str, history: VoicePrompt | None, options: GenerationOptions, watch: Watch) -> Generated:
        """Speak `text` in the voice of `history`, or in any voice. See `SpeechEngine.generate`."""
        prompt_tensors = self._history(history)
        with self._drawing(options.seed):
            semantic = self._generate_semantic(text, prompt_tensors, options, watch)
            if self._spec.frames(semantic.shape[1]) == 0:
                return _nothing(self._spec)
            coarse = self._generate_coarse(semantic, prompt_tensors, options, watch)
            fine = self._generate_fine(coarse, prompt_tensors, options, watch)
        watch.report(AUDIO, 0.0)
        tokens = _array(fine[0])
        samples = self._decode(tokens)
        watch.report(AUDIO, 1.0)
        return Generated(VoicePrompt(_array(semantic[0]), tokens[: self._spec.coarse_books], tokens), samples)

    def _generate_semantic(
        self, text: str, history: dict[str, Tensor] | None, options: GenerationOptions, watch: Watch
    ) -> Tensor:
        """Text -> (1, S) semantic tokens, without the token that ends the speech."""
        limit = min(options.max_semantic_tokens or self._spec.max_semantic_tokens, self._spec.max_semantic_tokens)
        temperature = options.stage_temperatures[0]
        config = self._config(
            _SEMANTIC_CONFIG,
            max_new_tokens=limit,
            # Suno weighs the end of speech after the temperature, transformers before it: right where there is none.
            min_eos_p=options.min_eos_p if temperature == 0 and options.min_eos_p > 0 else None,
            **_sampling(temperature),
        )
        end = _EndOfSpeech(config.eos_token_id, options.min_eos_p if temperature > 0 else 0.0)
        input_ids, attention_mask = self._padded(text)
        tokens: Tensor = self._model.semantic.generate(
            input_ids,
            semantic_generation_config=config,
            history_prompt=history,
            attention_mask=attention_mask,
            stopping_criteria=[_Step(watch, SEMANTIC, limit), end],
            return_dict_in_generate=True,
            output_scores=True,
        )
        watch.report(SEMANTIC, 1.0)
        ended = end.reached or int(tokens[0, -1]) == config.eos_token_id
        return tokens[:, :-1] if ended else tokens

    def _generate_coarse(
        self, semantic: Tensor, history: dict[str, Tensor] | None, options: GenerationOptions, watch: Watch
    ) -> Tensor:
        """(1, S) semantic tokens -> (1, coarse books * T) tokens of the coarse vocabulary, the books taking turns."""
        total = self._spec.frames(semantic.shape[1]) * self._spec.coarse_books
        tokens = self._model.coarse_acoustics.generate(
            semantic.clone(),  # it is changed in place
            semantic_generation_config=self._config(_SEMANTIC_CONFIG),
            coarse_generation_config=self._config(_COARSE_CONFIG, **_sampling(options.stage_temperatures[1])),
            codebook_size=self._spec.codebook_size,
            history_prompt=history,
            stopping_criteria=[_Step(watch, COARSE, total)],
        )
        return cast(Tensor, tokens)

    def _generate_fine(
        self, coarse: Tensor, history: dict[str, Tensor] | None, options: GenerationOptions, watch: Watch
    ) -> Tensor:
        """(1, coarse books * T) -> (1, fine books, T) codec tokens."""
        temperature = options.stage_temperatures[2]
        config = self._config(_FINE_CONFIG, temperature=_fine_temperature(temperature))
        frames = coarse.shape[1] // self._spec.coarse_books
        past = 0 if history is None else min(history["fine_prompt"].shape[1], self._spec.max_fine_history)
        with self._reporting_fine(self._fine_windows(frames, past), watch):
            tokens: Tensor = self._model.fine_acoustics.generate(
                coarse,
                semantic_generation_config=self._config(_SEMANTIC_CONFIG),
                coarse_generation_config=self._config(_COARSE_CONFIG),
                fine_generation_config=config,
                codebook_size=self._spec.codebook_size,
                history_prompt=history,
            )
        return tokens.long()

    def _fine_windows(self, frames: int, past: int) -> int:
        """How many windows the fine model takes for `frames` new frames behind `past` old ones."""
        hop = self._spec.max_fine_history
        return max(0, math.ceil((frames + past - self._spec.max_fine_input) / hop)) + 1

    @contextmanager
    def _reporting_fine(self, windows: int, watch: Watch) -> Iterator[None]:
        """The fine model takes no callback, so its layers report: one pass of a large model lasts seconds on a CPU."""
        layers = self._model.fine_acoustics.layers
        total = windows * (self._spec.fine_books - self._spec.coarse_books) * len(layers)
        done = 0

        def report(*_: object) -> None:
            nonlocal done
            watch.report(FINE, min(1.0, done / total))
            done += 1

        handles = [layer.register_forward_pre_hook(report) for layer in layers]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _text_tokens(self, text: str) -> list[int]:
        tokens: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return tokens

    def _padded(self, text: str) -> tuple[Tensor, Tensor]:
        """Text tokens and their mask, each (1, max_text_tokens). Raises InvalidInput when they do not fit."""
        tokens, room = self._text_tokens(text), self._spec.max_text_tokens
        if not tokens:
            raise InvalidInput("There is no text to speak.")
        if len(tokens) > room:
            raise InvalidInput(f"This text has {len(tokens)} tokens, and {room} fit one window of Bark. Divide it.")
        padding = room - len(tokens)
        ids = torch.tensor([tokens + [0] * padding], device=self._model.device)
        mask = torch.tensor([[1] * len(tokens) + [0] * padding], device=self._model.device)
        return ids, mask

    def _history(self, prompt: VoicePrompt | None) -> dict[str, Tensor] | None:
        """The prompt as transformers takes it. Raises InvalidInput for a prompt of other models."""
        if prompt is None:
            return None
        prompt.validate(self._spec.prompt)
        arrays = {"semantic_prompt": prompt.semantic, "coarse_prompt": prompt.coarse, "fine_prompt": prompt.fine}
        return {name: torch.from_numpy(array).to(self._model.device) for name, array in arrays.items()}

    def _config(self, stage: str, **changes: Any) -> Any:
        """The checkpoint's generation configuration of one stage, with changes."""
        return _CONFIGS[stage](**{**(self._generation.get(stage) or {}), **changes})

    @contextmanager
    def _drawing(self, seed: int) -> Iterator[None]:
        """Draws come from `seed`, and the process's own random state is as before afterwards.

        transformers takes no generator of its own. On Apple's MPS only the CPU's state is put back.
        """
        device = self._model.device
        devices = [device] if device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices), torch.inference_mode():
            torch.manual_seed(seed)
            yield


class _Step(transformers.StoppingCriteria):
    """Called after each token: reports progress, and lets Cancelled through. Never stops the generation itself."""

    def __init__(self, watch: Watch, stage: str, total: int) -> None:
        self._watch = watch
        self._stage = stage
        self._total = total
        self._done = 0

    def __call__(self, input_ids: Tensor, scores: object, **_: object) -> Tensor:
        self._done += 1
        self._watch.report(self._stage, min(1.0, self._done / self._total))
        return torch.zeros(input_ids.shape[0], dtype=torch.bool, device=input_ids.device)


class _EndOfSpeech(transformers.StoppingCriteria):
    """Stops when the end token's probability, in the distribution that is drawn from, is at least `min_eos_p`.

    The token drawn in that step does not count (`suno-ai/bark`, `generate_text_semantic`).
    """

    def __init__(self, end_token: int, min_eos_p: float) -> None:
        self._end_token = end_token
        self._min_eos_p = min_eos_p
        self.reached = False

    def __call__(self, input_ids: Tensor, scores: tuple[Tensor, ...], **_: object) -> Tensor:
        if self._min_eos_p > 0:
            self.reached = bool(scores[-1].float().softmax(-1)[0, self._end_token] >= self._min_eos_p)
        return torch.full((input_ids.shape[0],), self.reached, device=input_ids.device)


def _sampling(temperature: float) -> dict[str, Any]:
    """Generation settings for a temperature; 0 is greedy."""
    if temperature == 0:
        return {"do_sample": False, "temperature": 1.0, "top_k": _NO_TOP_K}
    return {"do_sample": True, "temperature": temperature, "top_k": _NO_TOP_K}


def _fine_temperature(temperature: float) -> float | None:
    """transformers' fine model reads both None and 1.0 as greedy."""
    if temperature == 0:
        return None
    return _ABOUT_ONE if temperature == 1 else temperature


def _array(tokens: Tensor) -> Tokens:
    array: Tokens = tokens.cpu().numpy().astype(np.int64)
    return array


def _nothing(spec: BarkSpec) -> Generated:
    def empty(*shape: int) -> Tokens:
        return np.zeros(shape, np.int64)

    prompt = VoicePrompt(empty(0), empty(spec.coarse_books, 0), empty(spec.fine_books, 0))
    return Generated(prompt, np.zeros(0, np.float32))
