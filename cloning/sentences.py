"""Generate the sentences of a text together, with several takes of each if asked, and return them in order."""

import logging
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from cloning import takes
from cloning.bark.config import BarkSpec
from cloning.bark.engine import Generated, GenerationOptions, SpeechEngine, Utterance
from cloning.progress import ProgressReporter
from cloning.prompt import VoicePrompt
from cloning.takes import Take, TakeTarget, VoiceFeatures
from cloning.text import durations, splitting
from errors import InvalidInput, Unavailable

_ROUNDS = 2
"""A sentence without sound is tried once more."""
_ENOUGH_SECONDS = 1.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SayOptions:
    """The options of `say`. `temperature` None: the model's; 0: greedy. `seed` None: a random one, which the
    Speech has.

    `top_k` and `top_p`: as in GenerationOptions. `takes`: how often each sentence is generated, 1 to 4; the best is
    kept (`cloning.takes`). `normalise`: whether numbers, signs and abbreviations are put into words first.
    """

    language: str = "en"
    temperature: float | None = None
    seed: int | None = None
    top_k: int | None = None
    top_p: float | None = None
    takes: int = 1
    normalise: bool = True

    def __post_init__(self) -> None:
        splitting.check_language(self.language)
        GenerationOptions(self.temperature, seed=self.seed or 0, top_k=self.top_k, top_p=self.top_p)  # checks ranges
        if not 1 <= self.takes <= takes.MOST:
            raise InvalidInput(f"Choose 1 to {takes.MOST} takes of each sentence.")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A piece of a text, its index, and the seed of the whole text."""

    text: str
    number: int
    seed: int

    def options(self, options: SayOptions, take: int, spec: BarkSpec) -> GenerationOptions:
        """Return the options for generating one take. Every sentence and take has its own seed."""
        drawn = int(np.random.SeedSequence([self.seed, self.number, take]).generate_state(1)[0])
        limit = spec.semantic_tokens(durations.longest_seconds(self.text, options.language))
        return GenerationOptions(
            options.temperature, seed=drawn, max_semantic_tokens=limit, top_k=options.top_k, top_p=options.top_p
        )


class SentenceGenerator:
    """Generates sentences with one engine. voice_features: what takes are compared with; None without a voice."""

    def __init__(self, engine: SpeechEngine, options: SayOptions, voice_features: VoiceFeatures | None) -> None:
        self._engine = engine
        self._options = options
        self._voice_features = voice_features

    def generate(
        self, sentences: Sequence[Sentence], voice: VoicePrompt | None, reporter: ProgressReporter
    ) -> Generator[Generated, None, None]:
        """Yield the sentences in order, each as soon as it and the earlier ones are done.

        Without a voice, the first sentence's voice is used for the others. Raises Unavailable if the model makes no
        sound.
        """
        if voice is None and len(sentences) > 1:
            (first,) = self._together(sentences[:1], None, reporter.within(f"sentence 1 of {len(sentences)}: "))
            yield first
            reporter = reporter.within(f"sentences 2 to {len(sentences)}: ")
            if first.prompt.seconds(self._engine.spec.prompt) >= _ENOUGH_SECONDS:
                voice = first.prompt
            sentences = sentences[1:]
        yield from self._together(sentences, voice, reporter)

    def _together(
        self, sentences: Sequence[Sentence], voice: VoicePrompt | None, reporter: ProgressReporter
    ) -> Generator[Generated, None, None]:
        """Yield the sentences for a given voice. A sentence without sound is repeated once with other seeds."""
        kept: dict[int, Generated] = {}
        told = 0
        for number in range(_ROUNDS):
            missing = [sentence for sentence in sentences if sentence.number not in kept]
            with closing(self._best(missing, number, voice, reporter)) as found:
                for sentence, generated in found:
                    kept[sentence.number] = generated
                    while told < len(sentences) and sentences[told].number in kept:
                        yield kept[sentences[told].number]
                        told += 1
            if told == len(sentences):
                return
            _log.warning("%d sentences have no usable sound in round %d", len(sentences) - len(kept), number + 1)
        raise Unavailable("The model made no sound for this text. Try again with another seed, text or voice.")

    def _best(
        self, sentences: Sequence[Sentence], number: int, voice: VoicePrompt | None, reporter: ProgressReporter
    ) -> Generator[tuple[Sentence, Generated], None, None]:
        """Run one round of takes: yield each sentence's best take once all are done; none without sound."""
        count = self._options.takes
        asked = [(sentence, number * count + take) for sentence in sentences for take in range(count)]
        utterances = [
            Utterance(sentence.text, voice, sentence.options(self._options, take, self._engine.spec), part)
            for (sentence, take), part in zip(asked, reporter.together(len(asked)), strict=True)
        ]
        made: dict[int, Generated] = {}
        with closing(self._engine.generate_each(utterances)) as results:
            for index, generated in results:
                made[index] = generated
                first = index - index % count
                if all(place in made for place in range(first, first + count)):
                    same = [made.pop(place) for place in range(first, first + count)]
                    yield from self._chosen(asked[first][0], utterances[first : first + count], same)

    def _chosen(
        self, sentence: Sentence, utterances: Sequence[Utterance], made: Sequence[Generated]
    ) -> Iterator[tuple[Sentence, Generated]]:
        compared = [
            Take(one.samples, self._engine.spec.sample_rate, one.prompt.semantic.size < _limit(utterance))
            for utterance, one in zip(utterances, made, strict=True)
        ]
        index = takes.best(compared, TakeTarget(sentence.text, self._options.language, self._voice_features))
        if index is not None:
            yield sentence, made[index]


def _limit(utterance: Utterance) -> float:
    limit = utterance.options.max_semantic_tokens
    return np.inf if limit is None else limit
