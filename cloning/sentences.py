"""Divide a text into pieces and generate them together, with one or several takes of each."""

import logging
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from cloning import takes
from cloning.bark.engine import Generated, GenerationOptions, SpeechEngine, Utterance
from cloning.progress import ProgressReporter
from cloning.prompt import VoicePrompt
from cloning.takes import Take, TakeTarget, VoiceFeatures
from cloning.text import durations, splitting
from errors import InvalidInput, Unavailable

_ROUNDS = 2
"""The number of attempts: a sentence without sound is generated once more."""
ENOUGH_SECONDS = 1.0
"""A first sentence shorter than this is not used as the voice of the others."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SayOptions:
    """The options of `say`. `temperature` None: the model's; 0: greedy. `seed` None: a random one, which the Speech
    then contains.

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


def pieces_of(engine: SpeechEngine, words: str, language: str) -> list[str]:
    """Split `words` into pieces that each fit one window."""
    spec = engine.spec
    return splitting.sentences(
        words,
        language,
        max_seconds=min(splitting.WINDOW_SECONDS, spec.window_seconds),
        count_tokens=engine.count_text_tokens,
        max_tokens=spec.max_text_tokens,
    )


class SentenceGenerator:
    """Generates the sentences of a text with one engine.

    seed: that of the whole text. voice_features: the features that takes are compared with; None without a voice.
    """

    def __init__(
        self,
        engine: SpeechEngine,
        sentences: Sequence[str],
        options: SayOptions,
        seed: int,
        voice_features: VoiceFeatures | None,
    ) -> None:
        self._engine = engine
        self._sentences = sentences
        self._options = options
        self._seed = seed
        self._voice_features = voice_features

    def generate(self, voice: VoicePrompt | None, reporter: ProgressReporter) -> Generator[Generated, None, None]:
        """Yield the sentences in order, each as soon as it and the earlier ones are done.

        Without a voice, the first sentence's voice is used for the others. Raises Unavailable if the model makes no
        sound.
        """
        numbers = range(len(self._sentences))
        if voice is None and len(numbers) > 1:
            (first,) = self._together(numbers[:1], None, reporter.within(f"sentence 1 of {len(numbers)}: "))
            yield first
            reporter = reporter.within(f"sentences 2 to {len(numbers)}: ")
            if first.prompt.seconds(self._engine.spec.prompt) >= ENOUGH_SECONDS:
                voice = first.prompt
            numbers = numbers[1:]
        yield from self._together(numbers, voice, reporter)

    def _together(
        self, numbers: Sequence[int], voice: VoicePrompt | None, reporter: ProgressReporter
    ) -> Generator[Generated, None, None]:
        """Yield these sentences, in order, in one voice. A sentence without sound is repeated once with other seeds."""
        done: dict[int, Generated] = {}
        yielded = 0
        for attempt in range(_ROUNDS):
            missing = [number for number in numbers if number not in done]
            with closing(self._best(missing, attempt, voice, reporter)) as best_takes:
                for number, generated in best_takes:
                    done[number] = generated
                    while yielded < len(numbers) and numbers[yielded] in done:
                        yield done[numbers[yielded]]
                        yielded += 1
            if yielded == len(numbers):
                return
            _log.warning("%d sentences have no usable sound in round %d", len(numbers) - len(done), attempt + 1)
        raise Unavailable("The model made no sound for this text. Try again with another seed, text or voice.")

    def _best(
        self, numbers: Sequence[int], attempt: int, voice: VoicePrompt | None, reporter: ProgressReporter
    ) -> Generator[tuple[int, Generated], None, None]:
        """Generate the takes of one round. Yield (number, best take) of each sentence once its takes are done.

        Sentences without sound are left out.
        """
        count = self._options.takes
        requested = [(number, attempt * count + take) for number in numbers for take in range(count)]
        utterances = [
            Utterance(self._sentences[number], voice, self._options_of(number, take), part)
            for (number, take), part in zip(requested, reporter.together(len(requested)), strict=True)
        ]
        done: dict[int, Generated] = {}
        with closing(self._engine.generate_each(utterances)) as results:
            for index, generated in results:
                done[index] = generated
                first = index - index % count
                if all(place in done for place in range(first, first + count)):
                    same = [done.pop(place) for place in range(first, first + count)]
                    if (chosen := self._chosen(utterances[first : first + count], same)) is not None:
                        yield requested[first][0], chosen

    def _options_of(self, number: int, take: int) -> GenerationOptions:
        """Return the options for one take. Every sentence and take has its own seed."""
        options = self._options
        drawn = int(np.random.SeedSequence([self._seed, number, take]).generate_state(1)[0])
        limit = self._engine.spec.semantic_tokens(durations.longest_seconds(self._sentences[number], options.language))
        return GenerationOptions(
            options.temperature, seed=drawn, max_semantic_tokens=limit, top_k=options.top_k, top_p=options.top_p
        )

    def _chosen(self, utterances: Sequence[Utterance], generated: Sequence[Generated]) -> Generated | None:
        """Return the best take of one sentence; None if none has sound."""
        compared = [
            Take(one.samples, self._engine.spec.sample_rate, one.prompt.semantic.size < _limit(utterance))
            for utterance, one in zip(utterances, generated, strict=True)
        ]
        index = takes.best(compared, TakeTarget(utterances[0].text, self._options.language, self._voice_features))
        return None if index is None else generated[index]


def _limit(utterance: Utterance) -> float:
    limit = utterance.options.max_semantic_tokens
    return np.inf if limit is None else limit
