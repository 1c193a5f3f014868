"""Windows: which a preset has, and how long they are. `test_engine` compares what they generate with transformers."""

import pytest

from cloning.bark.config import BarkSpec, InputLayout, Windows, pick_windows
from errors import Unavailable

SPEC = BarkSpec.from_configs({}, {})
"""Of the published models."""


@pytest.mark.parametrize(
    ("preset", "dtype", "device", "wanted"),
    [
        ("auto", "auto", "cpu", Windows.LONG),
        ("auto", "int8", "cpu", Windows.LONG),
        ("auto", "float32", "cpu", Windows.EXACT),
        ("auto", "auto", "cuda", Windows.EXACT),
        ("exact", "auto", "cpu", Windows.EXACT),
        ("fast", "float32", "cuda", Windows.SHORT_HISTORY),
    ],
)
def test_windows_are_sunos_where_tokens_are_to_be_and_on_a_gpu(
    preset: str, dtype: str, device: str, wanted: Windows
) -> None:
    assert pick_windows(preset, dtype, device) is wanted


@pytest.mark.parametrize(
    ("windows", "history", "window"),
    [(Windows.EXACT, 630, 60), (Windows.LONG, 630, 138), (Windows.SHORT_HISTORY, 384, 384)],
)
def test_windows_of_the_published_models(windows: Windows, history: int, window: int) -> None:
    layout = InputLayout.from_config({}).with_windows(windows, SPEC, 1024)
    assert (layout.coarse_history, layout.coarse_window) == (history, window)


def test_long_windows_fill_the_positions_and_have_their_semantic_tokens() -> None:
    layout = InputLayout.from_config({}).with_windows(Windows.LONG, SPEC, 1024)
    assert layout.coarse_input + 1 + layout.coarse_history + layout.coarse_window - 1 <= 1024  # the last is not read
    tokens = layout.coarse_input * SPEC.frame_rate / SPEC.semantic_rate * SPEC.coarse_books
    assert layout.coarse_history + layout.coarse_window <= tokens


def test_long_windows_are_not_shorter_than_the_checkpoints() -> None:
    """Of a model that reads so few semantic tokens that history and window go beyond them anyway."""
    generation = {"coarse_acoustics_config": {"max_coarse_input_length": 220}}
    layout = InputLayout.from_config(generation).with_windows(Windows.LONG, SPEC, 1024)
    assert (layout.coarse_history, layout.coarse_window) == (630, 60)


@pytest.mark.parametrize("windows", Windows)
@pytest.mark.parametrize(
    "lengths",
    [
        {"sliding_window_len": 0},
        {"sliding_window_len": -60},
        {"max_coarse_history": 0},
        {"max_coarse_history": 709},
        {"max_coarse_input_length": 0},
        {"max_coarse_input_length": 1024},
    ],
)
def test_windows_that_no_model_can_have_are_refused(windows: Windows, lengths: dict[str, int]) -> None:
    with pytest.raises(Unavailable, match="1024 positions"):
        InputLayout.from_config({"coarse_acoustics_config": lengths}).with_windows(windows, SPEC, 1024)


def test_windows_that_just_fit_are_accepted() -> None:
    layout = InputLayout.from_config({"coarse_acoustics_config": {"max_coarse_history": 708}})
    assert layout.with_windows(Windows.EXACT, SPEC, 1024) == layout
