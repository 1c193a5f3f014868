"""Which channel is taken, which are added, and at what level, with speech as stereo recorders and calls hold it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cloning.media import channels
from tests.media.build import Sound, speech

RATE = 24_000
VOICE = speech("reference", RATE)
GUEST = speech("guest", RATE)[: VOICE.size]
SILENCE = np.zeros_like(VOICE)
_random = np.random.default_rng(0)


def noise(level: float) -> Sound:
    return _random.normal(0, level, VOICE.size).astype(np.float32)


def later(samples: Sound, milliseconds: float) -> Sound:
    """The sound at a microphone that is further away."""
    spectrum = np.fft.rfft(samples)
    turned = spectrum * np.exp(-2j * np.pi * np.fft.rfftfreq(samples.size, 1 / RATE) * milliseconds / 1000)
    return np.fft.irfft(turned, samples.size).astype(np.float32)


def likeness(one: Sound, two: Sound) -> float:
    return abs(float(np.corrcoef(one, two)[0, 1]))


HISS = noise(0.01)


@pytest.mark.parametrize(
    ("name", "recorded", "channel"),
    [
        ("one voice twice", (VOICE, VOICE), 0),
        ("upside down", (VOICE, -VOICE), 0),
        ("upside down and quieter", (VOICE, -0.9 * VOICE), 0),
        ("quieter first", (0.3 * VOICE, VOICE), 1),
        ("speech left, noise right", (VOICE, noise(0.1)), 0),
        ("noise left, speech right", (noise(0.3), VOICE), 1),
        ("speech left, clicks right", (VOICE + HISS, (_random.random(VOICE.size) < 3e-5).astype(np.float32)), 0),
        ("only the right one plugged in", (SILENCE, VOICE), 1),
        ("the centre of 5.1", (SILENCE, SILENCE, VOICE, noise(0.0003), SILENCE, SILENCE), 2),
        ("the centre of 5.1, noise around", (noise(0.1), noise(0.1), VOICE, SILENCE, noise(0.1), noise(0.1)), 2),
        ("two microphones 0.1 ms apart, one upside down", (VOICE, -later(VOICE, 0.1)), 0),
        ("in the scale of 16 bits", (32768 * VOICE, noise(3000)), 0),
        ("far below full scale", (1e-4 * VOICE, noise(1e-5)), 0),
    ],
)
def test_the_channel_with_the_voice_is_taken(name: str, recorded: tuple[Sound, ...], channel: int) -> None:
    mix = channels.choose(np.stack(recorded, axis=1), RATE)
    assert mix.channel == channel
    assert likeness(mix.samples, VOICE) > 0.99
    assert mix.samples.std() == pytest.approx(recorded[channel].std(), rel=0.02)


@pytest.mark.parametrize("milliseconds", [0.1, 0.5, 3.0])
def test_microphones_that_stand_apart_are_not_added(milliseconds: float) -> None:
    """Their sum would be hollow, though it has less noise."""
    hiss = [noise(0.01), noise(0.01)]
    recorded = np.stack([VOICE + hiss[0], later(VOICE, milliseconds) + hiss[1]], axis=1)
    mix = channels.choose(recorded, RATE)
    assert np.array_equal(mix.samples, recorded[:, mix.channel])
    assert not mix.has_other_voices


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("level", [1.0, 0.5])
def test_channels_that_differ_by_noise_only_are_added(sign: float, level: float) -> None:
    recorded = np.stack([VOICE + noise(0.01), sign * level * (VOICE + noise(0.01))], axis=1)
    mix = channels.choose(recorded, RATE)
    alone = max(likeness(recorded[:, channel], VOICE) for channel in (0, 1))
    assert 1 - likeness(mix.samples, VOICE) < 0.6 * (1 - alone)


def call() -> tuple[Sound, Sound]:
    """Two people in turn, one to a channel."""
    half = VOICE.size // 2
    left, right = VOICE.copy(), GUEST.copy()
    left[half:], right[:half] = 0, 0
    return left + noise(0.001), right + noise(0.001)


@pytest.mark.parametrize("recorded", [call(), (VOICE + noise(0.001), GUEST + noise(0.001))])
def test_two_people_on_two_channels_stay_apart_and_are_told_of(recorded: tuple[Sound, Sound]) -> None:
    mix = channels.choose(np.stack(recorded, axis=1), RATE)
    assert mix.has_other_voices
    assert np.array_equal(mix.samples, recorded[mix.channel])


def test_the_same_voice_in_another_channel_is_no_other_voice() -> None:
    echo = np.exp(-np.arange(RATE // 3) / 2000) * _random.normal(0, 0.05, RATE // 3)
    room = np.convolve(VOICE, echo)[: VOICE.size].astype(np.float32)
    for other in (room, 0.2 * VOICE + noise(0.003), later(VOICE, 5)):
        assert not channels.choose(np.stack([VOICE, other], axis=1), RATE).has_other_voices


def test_a_long_recording_is_judged_by_its_loudest_parts() -> None:
    """Speech comes late, and the other channel has noise throughout."""
    left = np.concatenate([np.zeros(40 * RATE, np.float32), VOICE])
    right = _random.normal(0, 0.01, left.size).astype(np.float32)
    mix = channels.choose(np.stack([right, left], axis=1), RATE)
    assert mix.channel == 1
    assert not mix.has_other_voices


@pytest.mark.parametrize("recorded", [(SILENCE, SILENCE), (noise(0.1), noise(0.01)), (SILENCE,)])
def test_without_speech_the_loudest_is_taken(recorded: tuple[Sound, ...]) -> None:
    assert np.array_equal(channels.choose(np.stack(recorded, axis=1), RATE).samples, recorded[0])


@settings(max_examples=60, deadline=None)
@given(
    arrays.arrays(
        np.float32,
        st.tuples(st.integers(1, 2000), st.integers(1, 8)),
        elements=st.floats(-4, 4, width=32) | st.sampled_from([0.0, 4e9, -4e9]),
    )
)
def test_any_channels_become_one(recorded: Sound) -> None:
    mix = channels.choose(recorded, 16_000)
    assert mix.samples.shape == recorded.shape[:1]
    assert np.isfinite(mix.samples).all()
    assert np.abs(channels.in_range([mix.samples])).max(initial=0.0) <= 1.0


@pytest.mark.parametrize("scale", [2.5, 8.0, 32768.0, 2.0**31])
def test_a_scale_beyond_full_is_brought_down_and_nothing_is_cut_off(scale: float) -> None:
    loud = (VOICE / np.abs(VOICE).max() * scale).astype(np.float32)
    samples = channels.in_range([loud[:1000], loud[1000:]])
    assert likeness(samples, VOICE) > 0.999999
    assert np.abs(samples).max() == pytest.approx(0.9)


def test_what_is_within_full_scale_keeps_its_level() -> None:
    assert np.array_equal(channels.in_range([VOICE]), VOICE)


@pytest.mark.parametrize("tower", [4.0, 1e4, 4e9])
def test_damage_that_towers_above_the_voice_does_not_decide(tower: float) -> None:
    broken = VOICE.copy()
    broken[[5000, 90_000]] = tower, -tower
    samples = channels.in_range([broken])
    assert samples[5000] == 1.0
    assert likeness(np.delete(samples, [5000, 90_000]), np.delete(VOICE, [5000, 90_000])) > 0.999999
    assert samples.std() > 0.2 * VOICE.std()
