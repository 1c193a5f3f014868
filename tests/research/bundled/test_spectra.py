"""Mel spectra line up with the frames, and the loss hears differences and nothing else."""

import numpy as np
import pytest
import torch

from research.bundled.spectra import HOP, SAMPLE_RATE, FrameMel, SpectralLoss, mel_filters


def tone(frequency: float, seconds: float = 1.0, level: float = 0.1) -> torch.Tensor:
    time = torch.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return level * torch.sin(2 * torch.pi * frequency * time)[None]


def test_a_frame_is_a_hop() -> None:
    mel = FrameMel()

    assert mel(torch.zeros(2, 7 * HOP)).shape == (2, FrameMel.CHANNELS, 7)


def test_a_click_is_loudest_in_its_own_frame() -> None:
    samples = torch.zeros(1, 20 * HOP)
    samples[0, 9 * HOP + HOP // 2] = 1.0

    loudness = FrameMel()(samples)[0].mean(dim=0).tolist()

    assert loudness.index(max(loudness)) == 9
    assert loudness[8] == pytest.approx(loudness[10], abs=1e-4)


def test_a_louder_sound_is_the_same_spectrum_raised() -> None:
    mel = FrameMel()
    samples = 0.1 * torch.randn(1, 20 * HOP, generator=torch.Generator().manual_seed(0))

    raised = mel(10 * samples) - mel(samples)

    assert FrameMel.decibels(raised.mean()) == pytest.approx(20.0, abs=1.0)


def test_filters_find_a_tone_at_its_frequency() -> None:
    filters = mel_filters(1024, 80)
    spectrum = torch.stft(tone(1000.0), 1024, 256, window=torch.hann_window(1024), return_complex=True).abs().mean(-1)
    centres = (filters * torch.linspace(0, SAMPLE_RATE / 2, 513)).sum(1) / filters.sum(1)

    assert abs(float(centres[(filters @ spectrum[0]).argmax()]) - 1000.0) < 40.0


def test_the_loss_is_blind_to_phase_and_grows_with_the_difference() -> None:
    loss, voice = SpectralLoss(), tone(220.0) + tone(440.0)

    assert float(loss(voice, voice)) == 0.0
    assert float(loss(-voice, voice)) == pytest.approx(0.0, abs=1e-5)
    near, far = float(loss(1.1 * voice, voice)), float(loss(3.0 * voice, voice))
    assert 0.0 < near < far


def test_silence_can_be_learned_from() -> None:
    silent = torch.zeros(1, 4 * HOP, requires_grad=True)

    SpectralLoss()(silent, tone(220.0, 4 * HOP / SAMPLE_RATE)).backward()

    assert silent.grad is not None
    assert torch.isfinite(silent.grad).all()


def test_autocast_changes_nothing() -> None:
    mel, samples = (
        FrameMel(),
        torch.from_numpy(np.random.default_rng(0).normal(0, 0.1, (1, 6 * HOP)).astype(np.float32)),
    )

    with torch.autocast("cpu", torch.bfloat16):
        cast = mel(samples)

    assert torch.equal(cast, mel(samples))
