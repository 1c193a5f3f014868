"""What is exported is a Bark checkpoint: the engine, the codec and transformers load it, and it makes sound."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cloning.bark.bark import BarkEngine
from cloning.bark.config import BarkSpec
from cloning.bark.engine import GenerationOptions
from cloning.bark.precision import PRECISIONS
from cloning.checkpoints import libraries
from cloning.checkpoints.speakers import Speakers
from cloning.checkpoints.weights import load_bark
from cloning.codec import Codec
from cloning.progress import ProgressReporter
from errors import InvalidInput
from research.bundled import export, gpt
from research.bundled.codec import codec_config
from research.bundled.layout import Size, Sizes
from tests.research.bundled.tokens import drawn_speech

CPU = torch.device("cpu")
SMALL = Size(layers=1, heads=2, width=16)
SPEAKERS = {"Heart": "speaker-1", "Emma": "speaker-0"}
SIZES = Sizes(SMALL, SMALL, SMALL)
transformers: Any = libraries.transformers


@pytest.fixture(scope="module")
def parts() -> dict[str, Any]:
    torch.manual_seed(0)
    codec = transformers.EncodecModel(codec_config())
    for layer in codec.quantizer.layers:
        layer.codebook.embed.normal_()
    return {
        "semantic": gpt.new_semantic(SMALL),
        "coarse": gpt.new_coarse(SMALL),
        "fine": gpt.new_fine(SMALL),
        "codec": codec,
    }


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory, parts: dict[str, Any]) -> Path:
    folder = tmp_path_factory.mktemp("exported") / "bark"
    speech = drawn_speech(clips=6)
    prompts = {name: export.prompts_of(speech, speaker)[0] for name, speaker in SPEAKERS.items()}
    export.write(export.assemble(SIZES, **parts), prompts, folder)
    return folder


def test_it_speaks_and_what_it_said_is_a_prompt(directory: Path) -> None:
    codec = Codec(directory, CPU)
    engine = BarkEngine.load(directory, precision=PRECISIONS["float32"], device=CPU, decode=codec.decode, batch=2)
    speakers = Speakers(directory, engine.spec.prompt)
    assert speakers.names == ("Emma", "Heart")
    speaker = speakers.load("Emma")
    options = GenerationOptions(seed=1, max_semantic_tokens=150)

    with_voice = engine.generate("Hello there, who are you?", speaker, options, ProgressReporter(lambda *_: None))
    without = engine.generate("Hello.", None, options, ProgressReporter(lambda *_: None))

    for said in (with_voice, without):
        said.prompt.validate(export.SPEC)
        assert said.samples.shape == (said.prompt.fine.shape[1] * 320,)
        assert np.isfinite(said.samples).all()
        assert said.prompt.fine.shape[1] == len(said.prompt.semantic)
    assert engine.count_text_tokens("Hello.") == len("hello.")


def test_the_weights_are_those_that_were_trained(directory: Path, parts: dict[str, Any]) -> None:
    bark: Any = load_bark(directory, torch.float32, CPU)
    for stage, name in ((bark.semantic, "semantic"), (bark.coarse_acoustics, "coarse"), (bark.fine_acoustics, "fine")):
        for key, tensor in parts[name].state_dict().items():
            torch.testing.assert_close(stage.state_dict()[key].float(), tensor.float(), rtol=1e-3, atol=1e-4)


def test_the_configuration_is_one_and_the_prompts_are_what_it_says(directory: Path) -> None:
    spec = BarkSpec.from_directory(directory)

    assert spec.prompt == export.SPEC
    assert spec.sample_rate == 16_000
    assert spec.window_seconds > 8.0
    assert (directory / "model.safetensors").stat().st_size < 10e6


def test_transformers_speaks_with_it_too(directory: Path) -> None:
    bark = transformers.BarkModel.from_pretrained(directory)
    tokenizer = transformers.AutoTokenizer.from_pretrained(directory)
    text = tokenizer("hello.", max_length=128, padding="max_length", add_special_tokens=False, return_tensors="pt")
    samples = bark.generate(**text, semantic_max_new_tokens=20, do_sample=False)

    assert samples.shape[-1] % 320 == 0


def test_a_prompt_of_another_model_is_refused(tmp_path: Path, parts: dict[str, Any]) -> None:
    (prompt,) = export.prompts_of(drawn_speech(clips=3), "speaker-0")
    prompt.semantic[0] = 5000
    with pytest.raises(InvalidInput, match="semantic tokens"):
        export.write(export.assemble(SIZES, **parts), {"Emma": prompt}, tmp_path)
    assert not list(tmp_path.iterdir())
