"""Generate speech with the bundled model in each precision; `benchmarks.gpu.hear` recognises it later.

`speech.zip` has `PRECISION/SPEAKER-NUMBER.wav`, and `texts.json` with the text of each number.
"""

import io
import json
import wave
import zipfile
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.gpu.context import Context, Results
from cloning.bark.bark import BarkEngine
from cloning.bark.engine import GenerationOptions, Samples, Utterance
from cloning.bark.precision import PRECISIONS
from cloning.checkpoints.published import BUNDLED_DIRECTORY
from cloning.checkpoints.speakers import Speakers
from cloning.codec import Codec
from errors import Unavailable

ARCHIVE, TEXTS = "speech.zip", "texts.json"
SENTENCES = (
    "The morning train was late, so we walked along the river.",
    "She keeps a small garden behind the old stone house.",
    "Please bring two cups of coffee and a glass of water.",
    "Nobody expected that the window would open by itself.",
    "He told us a story about a ship that never came home.",
    "Tomorrow we will paint the kitchen and repair the door.",
    "The children laughed when the dog jumped into the lake.",
    "It is warmer today, but the evenings are still cold.",
    "My brother plays the piano almost every afternoon.",
    "There was no light in the street except for the moon.",
)
_PRECISIONS = ("float32", "bfloat16", "float16")


def run(context: Context) -> Results:
    """Speak in each precision, and write its speech at once. Report precisions that the device does not support."""
    sounds: dict[str, bytes] = {TEXTS: json.dumps(SENTENCES, indent=1).encode()}
    for name in _PRECISIONS:
        try:
            facts, spoken = _speak(context, name)
        except Unavailable as error:
            yield name, {"refused": str(error)}
            continue
        sounds |= {f"{name}/{file}": sound for file, sound in spoken.items()}
        _write(context.out / ARCHIVE, sounds)
        yield name, facts


def _speak(context: Context, precision: str) -> tuple[dict[str, Any], dict[str, bytes]]:
    bark = BUNDLED_DIRECTORY / "bark"
    codec = Codec(bark, context.device)
    engine = BarkEngine.load(
        bark,
        precision=PRECISIONS[precision],
        device=context.device,
        decode=codec.decode,
        decode_together=codec.decode_together,
        batch=8,
    )
    speakers = Speakers(bark, engine.spec.prompt)
    count = len(SENTENCES) if len(context.sizes.shapes) > 1 else 1
    wanted = {
        f"{name.replace('/', '-')}-{number:02}.wav": Utterance(
            text, speakers.load(name), GenerationOptions(seed=number)
        )
        for name in speakers.names
        for number, text in enumerate(SENTENCES[:count])
    }
    began = perf_counter()
    generated = engine.generate_many(list(wanted.values()))
    seconds = perf_counter() - began
    audio = sum(one.samples.size for one in generated) / codec.sample_rate
    facts = {
        "sentences": len(generated),
        "time_s": seconds,
        "audio_s": audio,
        "finite": all(bool(np.isfinite(one.samples).all()) for one in generated),
        "loudest": max(float(np.abs(one.samples).max(initial=0.0)) for one in generated),
    }
    sounds = [_wav(one.samples, codec.sample_rate) for one in generated]
    return facts, dict(zip(wanted, sounds, strict=True))


def _wav(samples: Samples, sample_rate: int) -> bytes:
    """Encode samples as WAV, 16 bits, mono."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes((np.nan_to_num(samples).clip(-1, 1) * 32_767).astype("<i2").tobytes())
    return buffer.getvalue()


def _write(path: Path, files: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
