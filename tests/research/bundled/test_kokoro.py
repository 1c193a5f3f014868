"""Speakers are mixtures that a name decides, and the network says how long everything that it says lasts."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import Unavailable
from research.bundled import kokoro
from research.bundled.kokoro import (
    BUILT_IN,
    LEARNED,
    RESERVED,
    SAMPLES_PER_DURATION,
    KokoroSpeaker,
    KokoroSynthesiser,
    read_voices,
)
from tests.research.bundled.kokoro_voices import write_voices
from training.shards import split_of

PHONEMES = "ðə pˈipᵊl."


@pytest.fixture(scope="module")
def synthesiser(archive: Path) -> KokoroSynthesiser:
    return KokoroSynthesiser(archive)


@given(st.text())
def test_a_name_always_means_the_same_mixture(name: str) -> None:
    speaker = KokoroSpeaker.drawn(name)

    assert speaker == KokoroSpeaker.drawn(name)
    assert len(speaker.parts) == 3
    assert sum(speaker.parts.values()) == pytest.approx(1, abs=1e-3)
    assert 0.85 <= speaker.speed <= 1.2


def test_reserved_voices_are_the_largest_part_of_held_out_speakers_and_of_no_other() -> None:
    speakers = [KokoroSpeaker.drawn(f"speaker-{number}") for number in range(300)]
    held_out = [speaker for speaker in speakers if split_of(speaker.name) != "train"]

    assert len(held_out) > 10
    for speaker in speakers:
        largest = max(speaker.parts, key=lambda voice: speaker.parts[voice])
        assert set(speaker.parts) & set(RESERVED) == ({largest} if speaker in held_out else set())


def test_built_in_speakers_are_voices_as_they_are_and_train() -> None:
    for name in BUILT_IN:
        ((voice, weight),) = KokoroSpeaker.drawn(name).parts.items()
        assert voice in LEARNED
        assert weight == 1
        assert split_of(name) == "train"


def test_sound_lasts_as_long_as_its_durations(synthesiser: KokoroSynthesiser) -> None:
    speaker = KokoroSpeaker("x", {"af_heart": 0.5, "am_puck": 0.5})
    said = synthesiser.speak(PHONEMES, speaker)

    assert len(said.durations) == len(PHONEMES) + 2
    assert said.samples.shape == (said.durations.sum() * SAMPLES_PER_DURATION,)
    assert np.isfinite(said.samples).all()
    assert np.abs(said.samples).max() > 0
    assert np.array_equal(said.samples, synthesiser.speak(PHONEMES, speaker).samples)
    assert np.array_equal(said.durations, synthesiser.durations(PHONEMES, speaker))


def test_a_faster_speaker_and_a_faster_clip_take_less_time(synthesiser: KokoroSynthesiser) -> None:
    parts = {"af_heart": 1.0}
    usual = synthesiser.durations(PHONEMES, KokoroSpeaker("x", parts)).sum()

    assert synthesiser.durations(PHONEMES, KokoroSpeaker("x", parts, speed=2.0)).sum() < usual
    assert synthesiser.durations(PHONEMES, KokoroSpeaker("x", parts), speed=2.0).sum() < usual


def test_a_mixture_is_the_weighted_mean_of_the_styles_for_so_many_symbols(
    synthesiser: KokoroSynthesiser, archive: Path
) -> None:
    styles = read_voices(archive, {"af_heart", "am_puck"})
    inputs = synthesiser._inputs(PHONEMES, KokoroSpeaker("x", {"af_heart": 0.25, "am_puck": 0.75}), 1.0)

    place = len(PHONEMES) - 1
    wanted = 0.25 * styles["af_heart"][place] + 0.75 * styles["am_puck"][place]
    np.testing.assert_allclose(np.asarray(inputs["style"], np.float32), wanted[None], rtol=1e-5)


def test_too_long_or_foreign_phonemes_do_not_fit(synthesiser: KokoroSynthesiser) -> None:
    assert synthesiser.fits(PHONEMES)
    assert not synthesiser.fits(PHONEMES * 40)
    assert not synthesiser.fits("□")


def test_without_the_archive_it_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="npm pack kokoro-js"):
        KokoroSynthesiser(tmp_path / "nothing.tgz")


def test_an_archive_that_lacks_a_voice_or_is_none_is_refused(tmp_path: Path) -> None:
    archive = write_voices(tmp_path, ("af_heart",))
    assert read_voices(archive, {"af_heart"})["af_heart"].shape == (510, 256)
    with pytest.raises(Unavailable, match="am_puck"):
        read_voices(archive, {"af_heart", "am_puck"})
    archive.write_bytes(archive.read_bytes()[:100_000])
    with pytest.raises(Unavailable, match="cannot be read"):
        read_voices(archive, {"af_heart"})
    archive.write_bytes(b"no archive")
    with pytest.raises(Unavailable, match="cannot be read"):
        read_voices(archive, {"af_heart"})


def test_without_its_packages_the_network_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kokoro, "_PARTS", ("no_such_package_of_kokoro",))
    with pytest.raises(Unavailable, match="make research"):
        kokoro._model()
