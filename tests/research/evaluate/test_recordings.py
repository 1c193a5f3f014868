"""References out of prompts."""

from pathlib import Path

import av
import numpy as np
import pytest
from av.audio.stream import AudioStream

from cloning.media.audio import Recording, read_clip, write
from errors import InvalidInput
from research.evaluate.recordings import make_references, read_prompt
from research.evaluate.references import read_references
from research.metrics.speakers import embed, similarity
from tests.stand_in.synthetic_voice import synthetic_voice

RATE = 16_000


def save_g722(path: Path, recording: Recording) -> None:
    with av.open(str(path), "w", format="g722") as container:
        stream = container.add_stream("g722", rate=RATE, layout="mono")
        assert isinstance(stream, AudioStream)
        frame = av.AudioFrame.from_ndarray(np.rint(recording.samples * 32767).astype(np.int16)[None], "s16", "mono")
        frame.sample_rate = RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    for name, hertz in (("en_f_Ann", 220.0), ("it_m_Carlo", 110.0)):
        folder = tmp_path / "prompts" / "share" / name
        folder.mkdir(parents=True)
        for number in range(8):
            voice = Recording(synthetic_voice(number, 2.5, hertz, RATE), RATE)
            save_g722(folder / f"{number}.g722", voice)
        write(folder / "short.wav", voice.samples[: RATE // 2], RATE, tags={})
        (folder / "README").write_text("no sound")
        again = tmp_path / "prompts" / "old" / name
        again.mkdir(parents=True)
        write(again / "more.wav", voice.samples, RATE, tags={})
        (folder / "digits").mkdir()
        write(folder / "digits" / "1.wav", voice.samples, RATE, tags={})
    return tmp_path / "prompts"


def test_each_speaker_gets_two_recordings(prompts: Path, tmp_path: Path) -> None:
    made = make_references(prompts, tmp_path / "people")
    assert read_references(tmp_path / "people") == made
    assert [reference.speaker for reference in made] == ["en_f_Ann", "it_m_Carlo"]
    ann, carlo = made
    clips = [read_clip(take.path) for take in (ann.take, ann.others[0], carlo.take)]
    assert all(9 <= clip.seconds < 13 for clip in clips)
    own, other, stranger = (embed(clip.samples, clip.sample_rate) for clip in clips)
    assert similarity(own, other) > similarity(own, stranger)


def test_a_folder_without_speakers_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidInput, match="two folders"):
        make_references(tmp_path / "empty", tmp_path / "people")


def test_a_damaged_prompt_is_named(tmp_path: Path) -> None:
    path = tmp_path / "bad.flac"
    path.write_bytes(b"nothing")
    with pytest.raises(InvalidInput, match=r"bad\.flac.*Remove it"):
        read_prompt(path)
