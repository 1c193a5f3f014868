"""What tests of the recipe and of the evaluation share."""

from pathlib import Path

import pytest

from tests.research.bundled.kokoro_voices import write_voices


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive of Kokoro's voices, with drawn styles in their place. Not to be changed."""
    return write_voices(tmp_path_factory.mktemp("voices"))
