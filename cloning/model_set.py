"""The models of one choice. Each is found, downloaded and loaded on first use, and then kept.

Speaking needs no HuBERT. There is a quantizer for each language. `methods` and `pipeline` use the models.
"""

from functools import cached_property
from pathlib import Path

import torch

from cloning import memory
from cloning.bark.bark import BarkEngine
from cloning.bark.config import pick_windows
from cloning.bark.engine import SpeechEngine
from cloning.bark.precision import Precision, pick_precision
from cloning.checkpoints import model_choice
from cloning.checkpoints.identity import digest_of
from cloning.checkpoints.model_choice import ModelChoice
from cloning.checkpoints.published import HUBERT
from cloning.checkpoints.speakers import Speakers
from cloning.codec import Codec
from cloning.media import audio
from cloning.media.audio import Recording
from cloning.methods import quantizer_network
from cloning.methods.feature_clusters import Codebook, load_codebook
from cloning.methods.hubert import SAMPLE_RATE, HubertFeatures
from cloning.methods.quantizer_network import FeatureQuantizer, Quantizer
from cloning.prompt import Tokens
from cloning.threads import in_own_thread

_OWN_HUBERT = "hubert"
"""The name of the folder of a HuBERT that comes with a model."""
_WORTH_TWO_THREADS = 384
"""The smallest hidden width at which two threads are faster than one. For the bundled model's 256, on two busy cores,
two threads took 2.7 s for a sentence and one took 2.2 s (23 November 2026)."""


class LoadedModels:
    """The models of a ModelChoice. Every property raises Unavailable if its files are missing or damaged."""

    def __init__(self, choice: ModelChoice) -> None:
        self.choice = choice
        self.device = model_choice.pick_device(choice.device)
        self._quantizers: dict[Path, FeatureQuantizer] = {}

    @cached_property
    def engine(self) -> SpeechEngine:
        """Bark: text -> tokens -> samples."""
        engine = in_own_thread(self._load_engine)
        if self.device.type == "cpu" and engine.spec.width < _WORTH_TWO_THREADS:
            torch.set_num_threads(1)
        return engine

    def _load_engine(self) -> BarkEngine:
        engine = BarkEngine.load(
            self._bark,
            precision=self._precision,
            device=self.device,
            decode=self.codec.decode,
            decode_together=self.codec.decode_together,
            batch=self.choice.batch,
            windows=pick_windows(self.choice.preset, self.choice.dtype, self.device.type),
        )
        memory.use_large_pages()
        return engine

    @cached_property
    def codec(self) -> Codec:
        """Bark's EnCodec: samples <-> tokens."""
        return Codec(self._bark, self.device)

    @cached_property
    def hubert(self) -> HubertFeatures:
        """HuBERT: samples -> features."""
        rounded = self.device.type == "cpu" and self._precision.is_int8
        return HubertFeatures(self._hubert, self.device, rounded=rounded)

    @cached_property
    def hubert_name(self) -> str:
        """The name of this HuBERT in a voice's record."""
        if self.choice.hubert is not None:
            return self.choice.hubert
        own = self._hubert.name == _OWN_HUBERT
        return f"{self.choice.model}/{_OWN_HUBERT}" if own else HUBERT.name

    @cached_property
    def digest(self) -> str:
        """A digest of Bark's weights, which distinguishes them from others of the same name."""
        return digest_of(self._bark, self.choice.cache)

    def semantic_tokens(self, clip: Recording, language: str) -> tuple[Tokens, str]:
        """Return the clip's semantic tokens by HuBERT and a quantizer, int64 (S,), and the quantizer's file name."""
        quantizer, name = self.quantizer(language)
        features = self.hubert(audio.resample(clip, SAMPLE_RATE).samples)
        tokens: Tokens = quantizer.tokens(features, self.engine.spec.semantic_rate).cpu().numpy()
        return tokens, name

    def clustered_tokens(self, clip: Recording) -> tuple[Tokens, str]:
        """Return the clip's semantic tokens by HuBERT and a codebook, int64 (S,), and the codebook's file name."""
        codebook, name = self.codebook
        features = self.hubert(audio.resample(clip, SAMPLE_RATE).samples)
        tokens: Tokens = codebook.tokens(features, self.engine.spec.semantic_rate).cpu().numpy()
        return tokens, name

    @cached_property
    def codebook(self) -> tuple[Codebook, str]:
        """The clusters of features with their semantic tokens, and the name of their file."""
        path = model_choice.resolve_codebook(self.choice)
        return load_codebook(path, self.device), path.name

    @cached_property
    def speakers(self) -> Speakers:
        """The checkpoint's own speakers."""
        return Speakers(self._bark, self.engine.spec.prompt)

    def quantizer(self, language: str) -> tuple[FeatureQuantizer, str]:
        """Return the quantizer for a language (features -> semantic tokens) and the name of its file."""
        path = model_choice.resolve_quantizer(self.choice, language)
        if path not in self._quantizers:
            loaded = quantizer_network.load(path, self.device)
            if isinstance(loaded, Quantizer) and self.device.type == "cpu":
                loaded.compact()
            self._quantizers[path] = loaded
        return self._quantizers[path], path.name

    @property
    def _precision(self) -> Precision:
        return pick_precision(self.choice.dtype, self.device)

    @cached_property
    def _bark(self) -> Path:
        return model_choice.resolve_bark(self.choice)

    @cached_property
    def _hubert(self) -> Path:
        return model_choice.resolve_hubert(self.choice)
