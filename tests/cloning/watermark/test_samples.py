"""The generated samples in the repository."""

from pathlib import Path

import av
import pytest

from cloning.media import recordings
from cloning.watermark.checking import check

SAMPLES = sorted((Path(__file__).parent.parent.parent.parent / "docs" / "samples").glob("*.ogg"))


def test_there_are_samples() -> None:
    assert len(SAMPLES) > 1


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_what_barkeep_said_carries_the_mark_and_all_say_that_nobody_did(path: Path) -> None:
    with av.open(str(path)) as container:
        tags = container.streams.audio[0].metadata
    assert "No person said this." in tags["comment"]
    if "ai_generated" in tags:  # not the recording that was cloned: another synthesiser made it
        assert check([recordings.read(path)]).verdict == "marked"
