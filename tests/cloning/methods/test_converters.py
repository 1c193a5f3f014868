"""Voice conversion with synthetic voices, and coqui-tts as far as it can be known without it."""

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import soundfile

from cloning.media.audio import Recording, loudness, resample
from cloning.media.world_vocoder import Analysis, Floats, analyse, pitch
from cloning.methods import coqui
from cloning.methods.converters import (
    CONVERTERS,
    Converter,
    WorldConverter,
    convert,
    formant_ratio,
    load_converter,
    moved_pitch,
)
from cloning.methods.coqui import CoquiConverter
from errors import InvalidInput, Unavailable
from tests.stand_in.synthetic_voice import synthetic_voice

RATE = 16_000


def voice(hertz: float, seed: int = 1, seconds: float = 2.0, rate: int = RATE) -> Recording:
    return Recording(synthetic_voice(seed, seconds, hertz, rate), rate)


def median_pitch(recording: Recording) -> float:
    f0 = pitch(recording)
    return float(np.median(f0[f0 > 0]))


def mean_shape(analysis: Analysis) -> Floats:
    below_7_khz = slice(0, 448)  # above it, resampling makes a cliff that outweighs everything
    shape: Floats = np.log(analysis.envelope[analysis.f0 > 0, below_7_khz]).mean(axis=0)
    shape -= shape.mean()
    return shape


@pytest.fixture(scope="module")
def converted() -> tuple[Recording, Recording, Recording]:
    source, target = voice(210.0, seed=2), voice(105.0, seed=7, rate=24_000)
    return source, target, convert(source, target, WorldConverter())


def test_the_pitch_becomes_the_targets(converted: tuple[Recording, Recording, Recording]) -> None:
    _, target, made = converted
    assert median_pitch(made) == pytest.approx(median_pitch(target), rel=0.05)


def test_the_envelope_moves_towards_the_target(converted: tuple[Recording, Recording, Recording]) -> None:
    source, target, made = converted
    aim = resample(target, RATE)
    before, after, wanted = (mean_shape(analyse(recording)) for recording in (source, made, aim))
    assert np.linalg.norm(after - wanted) < 0.5 * np.linalg.norm(before - wanted)


def test_length_rate_and_the_places_of_pauses_are_kept(converted: tuple[Recording, Recording, Recording]) -> None:
    source, _, made = converted
    assert (made.samples.size, made.sample_rate) == (source.samples.size, source.sample_rate)
    levels = [np.square(recording.samples).reshape(-1, 800).mean(axis=1) for recording in (source, made)]
    pause = levels[0] < 1e-3 * levels[0].max()
    assert 0 < pause.sum() < pause.size / 2
    assert levels[1][pause].mean() < 0.05 * levels[1][~pause].mean()


def test_the_loudness_becomes_the_targets(converted: tuple[Recording, Recording, Recording]) -> None:
    _, target, made = converted
    wanted = loudness(target.samples, target.sample_rate)
    assert loudness(made.samples, made.sample_rate) == pytest.approx(wanted, abs=2.5)
    assert np.abs(made.samples).max() <= 1.0


@pytest.mark.parametrize("ratio", [0.87, 1.0, 1.15])
def test_the_ratio_of_formants_is_found(ratio: float) -> None:
    source = analyse(voice(130.0))
    bands = np.arange(source.envelope.shape[1])
    stretched = np.stack([np.interp(bands / ratio, bands, frame) for frame in source.envelope])
    aim = Analysis(source.f0, stretched, source.aperiodicity, RATE)
    assert formant_ratio(source, aim) == pytest.approx(ratio, rel=0.04)


def test_speech_without_pitch_keeps_none() -> None:
    whisper = np.zeros(300)
    assert np.array_equal(moved_pitch(whisper, np.full(300, 120.0)), whisper)
    assert np.array_equal(moved_pitch(np.full(300, 120.0), whisper), np.full(300, 120.0))


def test_noise_can_be_converted_too() -> None:
    noise = Recording(np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32), RATE)
    assert np.isfinite(convert(noise, voice(120.0), WorldConverter()).samples).all()
    assert np.isfinite(convert(voice(120.0), noise, WorldConverter()).samples).all()


@pytest.mark.parametrize("silent", [0, 1])
def test_silence_is_refused(silent: int) -> None:
    recordings = [voice(120.0), voice(120.0)]
    recordings[silent] = Recording(np.zeros(RATE, np.float32), RATE)
    with pytest.raises(InvalidInput, match="silent"):
        convert(recordings[0], recordings[1], WorldConverter())


def test_an_unknown_converter_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"'magic'.*world, freevc, knnvc"):
        load_converter("magic")


def test_without_coqui_a_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "TTS", None)
    for name in ("freevc", "knnvc"):
        with pytest.raises(Unavailable, match=r"coqui-tts, which is not installed\..*CUDA"):
            load_converter(name)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("import no_such_package_six", "the package no_such_package_six, which it needs, is missing"),
        ("raise ImportError('\\nTorchaudio was not found.\\nRead this.')", r"Torchaudio was not found\."),
        ("from math import no_such_name", "cannot import name 'no_such_name'"),
        ("raise OSError('Could not load this library: x.so')", r"Could not load this library: x\.so"),
        ("raise RuntimeError", "RuntimeError"),
    ],
)
def test_what_keeps_an_installed_coqui_from_loading_is_said(
    content: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "TTS").mkdir()
    (tmp_path / "TTS" / "__init__.py").touch()
    (tmp_path / "TTS" / "api.py").write_text(content)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("TTS", "TTS.api"):
        monkeypatch.delitem(sys.modules, name, raising=False)

    with pytest.raises(Unavailable, match=f"coqui-tts is installed, but does not load: {reason}") as error:
        load_converter("freevc")

    assert "not installed" not in error.value.message
    assert "converter world" in error.value.message
    assert "\n" not in error.value.message
    for name in ("TTS", "TTS.api"):
        sys.modules.pop(name, None)


class FakeTTS:
    """The part of `TTS.api.TTS` that is used, as of coqui-tts 0.27: halves the rate, and loses a little at the end."""

    def __init__(self, model_name: str = "", *, progress_bar: bool = True) -> None:
        if model_name != coqui.FREEVC:
            raise RuntimeError("no network")

    def voice_conversion_to_file(self, source_wav: str, target_wav: str, *, file_path: str = "output.wav") -> str:
        assert Path(target_wav).is_file()
        samples, rate = soundfile.read(source_wav)
        soundfile.write(file_path, samples[: -rate // 10 : 2], rate // 2)
        return file_path


@pytest.fixture
def fake_coqui(monkeypatch: pytest.MonkeyPatch) -> None:
    package, api = ModuleType("TTS"), ModuleType("TTS.api")
    api.TTS = FakeTTS  # type: ignore[attr-defined]  # modules take any attribute
    monkeypatch.setitem(sys.modules, "TTS", package)
    monkeypatch.setitem(sys.modules, "TTS.api", api)


def test_what_coqui_returns_fits_the_source(fake_coqui: None) -> None:
    source = voice(120.0)
    made = convert(source, voice(200.0), load_converter("freevc"))
    assert (made.samples.size, made.sample_rate) == (source.samples.size, RATE)
    assert np.any(made.samples[: RATE // 2])
    assert not np.any(made.samples[-RATE // 20 :])


def test_an_error_of_coquis_libraries_is_a_sentence(fake_coqui: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object, **__: object) -> None:
        raise OSError("Could not load libtorchcodec.\nA long story.")

    monkeypatch.setattr(FakeTTS, "voice_conversion_to_file", failing)
    with pytest.raises(Unavailable, match=r"could not convert the voice: Could not load libtorchcodec\. Use the"):
        convert(voice(120.0), voice(200.0), load_converter("freevc"))


def test_a_model_that_cannot_be_loaded_is_a_sentence(fake_coqui: None) -> None:
    with pytest.raises(Unavailable, match="knnvc") as error:
        load_converter("knnvc")
    assert "no network" not in error.value.message


def test_both_are_converters() -> None:
    converters: list[type[Converter]] = [WorldConverter, CoquiConverter]
    assert set(CONVERTERS) == {"world", "freevc", "knnvc"}
    assert isinstance(load_converter("world"), converters[0])


def with_hisses(hertz: float, silence: float) -> Recording:
    """A vowel, a hiss, and silence, three times."""
    random = np.random.default_rng(round(hertz))
    hiss = (0.02 * random.standard_normal(RATE // 4)).astype(np.float32)
    still = (1e-6 * random.standard_normal(round(silence * RATE))).astype(np.float32)
    vowels = synthetic_voice(2, 1.2, hertz, RATE).reshape(3, -1)
    return Recording(np.concatenate([np.concatenate([vowel, hiss, still]) for vowel in vowels]), RATE)


def test_silence_does_not_make_hisses_louder() -> None:
    source, target = with_hisses(200.0, silence=0.5), with_hisses(110.0, silence=0.1)
    made = convert(source, target, WorldConverter()).samples.reshape(3, -1)
    vowel, hiss = RATE * 4 // 10, RATE // 4
    before = [np.std(part) for part in np.split(source.samples.reshape(3, -1), [vowel, vowel + hiss], axis=1)]
    after = [np.std(part) for part in np.split(made, [vowel, vowel + hiss], axis=1)]
    assert 0.4 < (after[1] / after[0]) / (before[1] / before[0]) < 2.5
    assert after[2] < 0.05 * after[0]
