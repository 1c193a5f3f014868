"""Ways to make a voice prompt from a clip. The codec's tokens are always the clip's own; the ways differ in the others.

A method is a function in `METHODS`; another joins by its name there. Knows nothing of files or of how clips are chosen.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from cloning.bark.config import BarkSpec
from cloning.bark.engine import Generated, GenerationOptions
from cloning.media import audio, joining
from cloning.media.audio import Recording
from cloning.methods.conversion import convert, load_converter
from cloning.progress import Watch
from cloning.prompt import Tokens, VoicePrompt
from cloning.text import splitting
from cloning.text.passages import PASSAGES
from errors import InvalidInput, Unavailable

if TYPE_CHECKING:
    from cloning.checkpoints.model_set import LoadedModels  # brings torch, which the list of methods does not need

SEMANTIC, CODES, CONVERTED = "semantic tokens", "codec tokens", "converting the voice"
"""The stages, as members see them."""


_MIN_SECONDS = 0.5
"""Far below what makes a voice; under a quarter of a second the ratio of the lengths cannot even be right."""


@dataclass(frozen=True)
class Subject:
    """What a voice is made from: the chosen clip, its language, and its words if they are known.

    `seed` decides what a method draws. `converter`: one of `conversion.CONVERTERS`, for the method conversion.
    """

    clip: Recording
    language: str
    transcript: str | None = None
    seed: int = 0
    converter: str = "world"


@dataclass(frozen=True)
class Made:
    """A prompt, and what made its semantic tokens: the quantizer's file or the method's name."""

    prompt: VoicePrompt
    maker: str


class Method(Protocol):
    """Makes a prompt. Raises InvalidInput if the subject lacks something, Unavailable if a model does."""

    def __call__(self, models: "LoadedModels", subject: Subject, watch: Watch, /) -> Made:
        """The prompt of `subject`."""


def by_quantizer(models: "LoadedModels", subject: Subject, watch: Watch) -> Made:
    """Semantic tokens from the clip's HuBERT features by a trained quantizer. The others serve comparison."""
    watch.report(SEMANTIC, 0.0)
    semantic, name = models.semantic_tokens(subject.clip, subject.language)
    watch.report(SEMANTIC, 1.0)
    return Made(_prompt(semantic, _codes(models, subject.clip, watch), models.engine.spec), name)


def by_codebook(models: "LoadedModels", subject: Subject, watch: Watch) -> Made:
    """Semantic tokens by the clusters that the clip's HuBERT features fall into, frame by frame.

    The lengths are right, but sounds alike share a cluster and a token, so that less is understood.
    """
    watch.report(SEMANTIC, 0.0)
    semantic, name = models.clustered_tokens(subject.clip)
    watch.report(SEMANTIC, 1.0)
    return Made(_prompt(semantic, _codes(models, subject.clip, watch), models.engine.spec), name)


def by_transcript(models: "LoadedModels", subject: Subject, watch: Watch) -> Made:
    """Semantic tokens generated from the clip's words, at most as long as the clip.

    They are a random speaker's and not aligned with the codec's, so the result resembles the clip less; it needs
    neither HuBERT nor a quantizer.
    """
    if not subject.transcript or not subject.transcript.strip():
        raise InvalidInput("The method transcript needs the words of the clip. Give them with --transcript.")
    spec = models.engine.spec
    left = spec.semantic_tokens(subject.clip.seconds)
    said: list[Tokens] = []
    for number, piece in enumerate(_pieces(models, subject.transcript, subject.language)):
        options = GenerationOptions(seed=_seed(subject, number), max_semantic_tokens=left)
        said.append(models.engine.semantic(piece, None, options, watch))
        left -= said[-1].size
        if left <= 0:
            break
    return Made(_prompt(np.concatenate(said), _codes(models, subject.clip, watch), spec), "transcript")


def by_conversion(models: "LoadedModels", subject: Subject, watch: Watch) -> Made:
    """Bark speaks in a random voice, which is then converted into the clip's: the tokens match, the voice nearly.

    It says the clip's words if they are known, or else a passage in its language. The result is as good as the
    converter, and neither HuBERT nor a quantizer is needed.
    """
    converter = load_converter(subject.converter)  # before anything is spoken, since it may be missing
    semantic, speech = _spoken(models, subject, watch)
    watch.report(CONVERTED, 0.0)
    converted = convert(speech, subject.clip, converter)
    watch.report(CONVERTED, 1.0)
    return Made(_prompt(semantic, _codes(models, converted, watch), models.engine.spec), subject.converter)


METHODS: dict[str, Method] = {
    "quantizer": by_quantizer,
    "transcript": by_transcript,
    "codebook": by_codebook,
    "conversion": by_conversion,
}
"""Name on the command line -> method."""


_ENOUGH_SECONDS = 1.0
"""A first window shorter than this is no voice for the others to keep to."""


def _spoken(models: "LoadedModels", subject: Subject, watch: Watch) -> tuple[Tokens, Recording]:
    """What Bark says in a voice that it happens on: semantic tokens, int64 (S,), and the sound that belongs to them."""
    spec = models.engine.spec
    pieces = _pieces(models, subject.transcript or PASSAGES[subject.language], subject.language)
    voice: VoicePrompt | None = None
    windows: list[Generated] = []
    for number, piece in enumerate(pieces):
        limit = spec.semantic_tokens(splitting.longest_seconds(piece, subject.language))
        options = GenerationOptions(seed=_seed(subject, number), max_semantic_tokens=limit)
        window = models.engine.generate(
            piece, voice, options, watch.within(f"sentence {number + 1} of {len(pieces)}: ")
        )
        windows.append(window)
        if voice is None and window.prompt.seconds(spec.prompt) >= _ENOUGH_SECONDS:
            voice = window.prompt
    samples = np.concatenate([window.samples for window in windows])
    if not joining.is_usable(samples):
        raise Unavailable("The model made no sound to convert. Clone by another method, or give the clip's words.")
    return np.concatenate([window.prompt.semantic for window in windows]), Recording(samples, spec.sample_rate)


def _pieces(models: "LoadedModels", words: str, language: str) -> list[str]:
    """`words` in pieces that each fit one window of Bark."""
    spec = models.engine.spec
    return splitting.sentences(
        words,
        language,
        max_seconds=min(splitting.WINDOW_SECONDS, spec.window_seconds),
        count_tokens=models.engine.count_text_tokens,
        max_tokens=spec.max_text_tokens,
    )


def _seed(subject: Subject, number: int) -> int:
    """For piece `number` of what is said."""
    return int(np.random.SeedSequence([subject.seed, number]).generate_state(1)[0])


def _codes(models: "LoadedModels", clip: Recording, watch: Watch) -> Tokens:
    watch.report(CODES, 0.0)
    codes: Tokens = models.codec.encode(audio.resample(clip, models.codec.sample_rate).samples)
    watch.report(CODES, 1.0)
    return codes


def _prompt(semantic: Tokens, codes: Tokens, spec: BarkSpec) -> VoicePrompt:
    """Semantic tokens (S,) and codec tokens (books, T) of the same clip, made equally long.

    Both begin with the clip, so the longer one loses its tail, until T == floor(S * frame rate / semantic rate) as in
    Suno's presets. Raises InvalidInput when almost nothing is left.
    """
    length = min(semantic.size, spec.semantic_tokens_within(codes.shape[1]))
    frames = spec.frames(length)
    fine = codes[: spec.fine_books, :frames]
    prompt = VoicePrompt(semantic[:length], fine[: spec.coarse_books].copy(), fine)
    if prompt.seconds(spec.prompt) < _MIN_SECONDS:
        raise InvalidInput("This clip is too short to make a voice of. Record about 10 seconds.")
    prompt.validate(spec.prompt)
    return prompt
