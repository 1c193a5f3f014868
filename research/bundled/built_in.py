"""Choose the prompts of the built-in speakers: those with which the exported model gets the fewest words wrong.

Bark uses only the end of a prompt (here its last 2.6 s, in the coarse stage 5.1 s), and the model's word errors depend
much on it.
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
FINALISTS = 3
"""The number of best candidates that are compared again: 16 sentences find the poor prompts, but not the best one."""
FIRST_SENTENCES = 16
SENTENCES = 64
"""The number of sentences that each candidate speaks, and that each finalist speaks."""


def choose_prompts(
    speech: SpeechTokens, speakers: Mapping[str, str], model: Path, texts: Sequence[str]
) -> dict[str, VoicePrompt]:
    """Return each speaker's prompt with the fewest wrong words in `texts`, by the speaker's shown name.

    All candidates speak the first FIRST_SENTENCES texts, the best FINALISTS of them also the others. speakers: names in
    `speech` by shown name. model: an exported model. Deterministic; prints every result.
    """
    pipeline = SpeechPipeline(LoadedModels(ModelChoice(str(model), device="cpu")))
    chosen = {}
    for shown, name in speakers.items():
        prompts = prompts_of(speech, name, CANDIDATES)
        results = {place: _errors(pipeline, prompt, texts[:FIRST_SENTENCES]) for place, prompt in enumerate(prompts)}
        print(f"{shown}: {_listed(results)} of the words wrong", flush=True)
        best = sorted(results, key=lambda place: results[place].rate)[:FINALISTS]
        final = {place: results[place] + _errors(pipeline, prompts[place], texts[FIRST_SENTENCES:]) for place in best}
        print(f"{shown}: {_listed(final)} with the best of them in {len(texts)} sentences", flush=True)
        chosen[shown] = prompts[min(final, key=lambda place: final[place].rate)]
    return chosen


def sentences_to_compare() -> list[str]:
    """Return SENTENCES sentences of the recipe's validation split. Deterministic."""
    held_out = [text for text in sentences() if split_of(text) == "valid"]
    order = np.random.default_rng(0).permutation(len(held_out))
    return [held_out[place] for place in order[:SENTENCES]]


def _listed(results: Mapping[int, WordErrors]) -> str:
    return ", ".join(f"{result.rate:.1%}" for result in results.values())


def _errors(pipeline: SpeechPipeline, prompt: VoicePrompt, texts: Sequence[str]) -> WordErrors:
    errors = WordErrors(0, 0)
    for seed, text in enumerate(texts):
        speech = pipeline.say(text, prompt, SayOptions(seed=seed), ProgressReporter())
        errors += word_errors(text, recognise(speech.samples, speech.sample_rate))
    return errors
