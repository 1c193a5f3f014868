import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cloning.checkpoints.speakers import ANY_SPEAKER, Speakers
from cloning.prompt import BARK, VoicePrompt
from errors import NotFound, Unavailable

PARTS = ("semantic_prompt", "coarse_prompt", "fine_prompt")


def write_speaker(directory: Path, name: str, tokens: int = 100) -> VoicePrompt:
    """One speaker in the hub's layout, added to the list."""
    fine = np.arange(8 * 150).reshape(8, 150) % 1024
    arrays: tuple[np.ndarray, ...] = (np.arange(tokens), fine[:2], fine.astype(np.int32))
    listed = directory / "speaker_embeddings_path.json"
    entries: dict[str, Any] = json.loads(listed.read_text()) if listed.exists() else {"repo_or_path": "suno/bark"}
    files = entries[name] = {part: f"speaker_embeddings/{name}_{part}.npy" for part in PARTS}
    for part, array in zip(PARTS, arrays, strict=True):
        path = directory / files[part]
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, array)
    listed.write_text(json.dumps(entries))
    return VoicePrompt(arrays[0], arrays[1], fine)


def test_speakers_are_listed_and_loaded(tmp_path: Path) -> None:
    written = write_speaker(tmp_path, "v2/en_speaker_6")
    write_speaker(tmp_path, "announcer")
    speakers = Speakers(tmp_path, BARK)
    assert speakers.names == ("announcer", "v2/en_speaker_6")
    assert speakers.load("v2/en_speaker_6") == written
    assert speakers.load("announcer").fine.dtype == np.int64


def test_without_a_list_there_are_none(tmp_path: Path) -> None:
    speakers = Speakers(tmp_path, BARK)
    assert speakers.names == ()
    with pytest.raises(NotFound, match="no speakers of its own"):
        speakers.load(ANY_SPEAKER)


def test_any_speaker_is_the_first(tmp_path: Path) -> None:
    write_speaker(tmp_path, "v2/en_speaker_6", tokens=90)
    first = write_speaker(tmp_path, "v2/de_speaker_3")
    assert Speakers(tmp_path, BARK).load(ANY_SPEAKER) == first


def test_an_unknown_name_is_answered_with_some_that_exist(tmp_path: Path) -> None:
    for number in range(14):
        write_speaker(tmp_path, f"s{number:02}")
    with pytest.raises(NotFound, match=r"s00, .*s11 and 2 more\."):
        Speakers(tmp_path, BARK).load("nobody")


def test_speakers_with_missing_files_or_foreign_paths_are_left_out(tmp_path: Path) -> None:
    for name in ("whole", "torn", "climber", "rooted"):
        write_speaker(tmp_path / "bark", name)
    listed = tmp_path / "bark" / "speaker_embeddings_path.json"
    entries = json.loads(listed.read_text())
    (tmp_path / "bark" / entries["torn"]["fine_prompt"]).unlink()
    (tmp_path / "outside.npy").write_bytes((tmp_path / "bark" / entries["whole"]["fine_prompt"]).read_bytes())
    entries["climber"]["fine_prompt"] = "../outside.npy"
    entries["rooted"]["fine_prompt"] = str(tmp_path / "outside.npy")
    entries["typed"] = {"semantic_prompt": 3}
    listed.write_text(json.dumps(entries))
    assert Speakers(tmp_path / "bark", BARK).names == ("whole",)


@pytest.mark.parametrize("content", ["{", "[]"])
def test_a_damaged_list_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / "speaker_embeddings_path.json").write_text(content)
    with pytest.raises(Unavailable, match="list of speakers"):
        Speakers(tmp_path, BARK)


def test_damaged_files_are_told(tmp_path: Path) -> None:
    write_speaker(tmp_path, "odd", tokens=50)
    with pytest.raises(Unavailable, match="do not fit this model"):
        Speakers(tmp_path, BARK).load("odd")
    fine = tmp_path / "speaker_embeddings" / "odd_fine_prompt.npy"
    fine.write_bytes(b"\x93NUMPY")
    with pytest.raises(Unavailable, match="damaged"):
        Speakers(tmp_path, BARK).load("odd")
    np.save(fine, np.array([object()]), allow_pickle=True)
    with pytest.raises(Unavailable, match="damaged"):
        Speakers(tmp_path, BARK).load("odd")
    np.save(fine, np.zeros((8, 75)))
    with pytest.raises(Unavailable, match="no tokens"):
        Speakers(tmp_path, BARK).load("odd")
