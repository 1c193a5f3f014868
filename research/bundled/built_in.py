"""Choose the prompts of the built-in speakers: those with which the exported model is understood best.

Bark uses only the end of a prompt (here its last 2.6 s, in the coarse stage 5.1 s), and how well a model reads a text
depends much on it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from cloning.checkpoints.model_choice import ModelChoice
from cloning.model_set import LoadedModels
from cloning.pipeline import SpeechPipeline
from cloning.progress import ProgressReporter
from cloning.prompt import VoicePrompt
from cloning.sentences import SayOptions
from research.bundled.export import prompts_of
from research.bundled.speech import SpeechTokens
from research.bundled.texts import sentences
from research.metrics.recogniser import WordErrors, recognise, word_errors
from training.shards import split_of

CANDIDATES = 8
"""The number of prompts that are compared for each speaker."""
SENTENCES = 16
"""The number of sentences that each of them says."""


def choose_prompts(
    speech: SpeechTokens, speakers: Mapping[str, str], model: Path, texts: Sequence[str]
) -> dict[str, VoicePrompt]:
    """Return the prompt of each speaker with which the fewest words of `texts` are wrong, by the speaker's shown name.

    speakers: their names in `speech` by shown name. model: an exported model. Deterministic; prints every result.
    """
    pipeline = SpeechPipeline(LoadedModels(ModelChoice(str(model), device="cpu")))
    chosen = {}
    for shown, name in speakers.items():
        prompts = prompts_of(speech, name, CANDIDATES)
        results = [_errors(pipeline, prompt, texts) for prompt in prompts]
        print(f"{shown}: {', '.join(f'{result.rate:.1%}' for result in results)} of the words wrong", flush=True)
        chosen[shown] = prompts[int(np.argmin([result.rate for result in results]))]
    return chosen


def sentences_to_compare() -> list[str]:
    """Return SENTENCES sentences of the recipe's validation split. Deterministic."""
    held_out = [text for text in sentences() if split_of(text) == "valid"]
    order = np.random.default_rng(0).permutation(len(held_out))
    return [held_out[place] for place in order[:SENTENCES]]


def _errors(pipeline: SpeechPipeline, prompt: VoicePrompt, texts: Sequence[str]) -> WordErrors:
    errors = WordErrors(0, 0)
    for seed, text in enumerate(texts):
        said = pipeline.say(text, prompt, SayOptions(seed=seed), ProgressReporter())
        errors += word_errors(text, recognise(said.samples, said.sample_rate))
    return errors
