"""The decoder in the process of the tests."""

import pytest

from cloning.media import decoder_process


@pytest.fixture(autouse=True)
def _unconfined(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the process of the tests without limits: tests/cloning/test_confinement.py tries them in a child."""
    monkeypatch.setattr(decoder_process, "confine", lambda *limits: None)
