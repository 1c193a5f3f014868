"""Requests and results on their way between machines."""

from dataclasses import make_dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloning.cluster import messages
from cloning.worker import protocol
from cloning.worker.protocol import (
    PROMPT_FILE,
    SPEECH_FILE,
    Cancel,
    CheckRequest,
    CloneRequest,
    ListenRequest,
    PartSpoken,
    Progress,
    PromptModels,
    Query,
    Request,
    SpeakRequest,
    Spoken,
    encode,
    part_file,
)
from errors import InvalidInput


def there_and_back(request: Request | Query, folder: Path) -> Request | Query:
    return messages.unpacked(messages.packed(request), folder, "here")


@given(prompt=st.binary(min_size=1), clip=st.binary(), text=st.text(max_size=50), seed=st.none() | st.integers(0, 99))
def test_a_line_of_speech_arrives_whole(
    tmp_path_factory: pytest.TempPathFactory, prompt: bytes, clip: bytes, text: str, seed: int | None
) -> None:
    folder = tmp_path_factory.mktemp("speak")
    (folder / "prompt.npz").write_bytes(prompt)
    (folder / "clip.flac").write_bytes(clip)
    sent = SpeakRequest(
        "job", text, folder / "out", prompt=folder / "prompt.npz", clip=folder / "clip.flac", seed=seed, tags={"a": "b"}
    )
    got = there_and_back(sent, folder / "far")
    assert isinstance(got, SpeakRequest)
    assert (got.job_id, got.text, got.seed, got.tags, got.output_dir) == ("here", text, seed, sent.tags, folder / "far")
    assert got.prompt is not None
    assert got.clip is not None
    assert (got.prompt.read_bytes(), got.clip.read_bytes()) == (prompt, clip)
    assert got.prompt.parent == folder / "far"
    assert (got.prompt.suffix, got.clip.suffix) == (".npz", ".flac")


def test_the_other_requests_arrive_whole(tmp_path: Path) -> None:
    (tmp_path / "a.ogg").write_bytes(b"a")
    (tmp_path / "b.ogg").write_bytes(b"b")
    clone = there_and_back(CloneRequest("j", tmp_path / "a.ogg", tmp_path, "de", alone=True), tmp_path / "1")
    assert isinstance(clone, CloneRequest)
    assert (clone.source.read_bytes(), clone.language, clone.alone) == (b"a", "de", True)
    check = there_and_back(CheckRequest("j", tmp_path / "a.ogg"), tmp_path / "2")
    assert isinstance(check, CheckRequest)
    assert check.source.read_bytes() == b"a"
    listen = there_and_back(ListenRequest("j", tmp_path / "a.ogg", tmp_path / "b.ogg", "Yes."), tmp_path / "3")
    assert isinstance(listen, ListenRequest)
    assert (listen.source.read_bytes(), listen.answer.read_bytes(), listen.sentence) == (b"a", b"b", "Yes.")


def test_a_prompt_can_be_left_out_and_put_back(tmp_path: Path) -> None:
    (tmp_path / "p.npz").write_bytes(b"prompt")
    parcel = messages.packed(SpeakRequest("j", "hello", tmp_path, prompt=tmp_path / "p.npz"))
    light = messages.without_prompt(parcel)
    assert (light.files, light.prompt) == ({}, parcel.prompt)
    assert messages.prompt_of(light) is None
    assert messages.with_prompt(light, b"prompt") == parcel
    assert messages.packed(SpeakRequest("j", "hello", tmp_path)).prompt is None


def test_a_line_that_is_no_request_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="not a request"):
        messages.unpacked(messages.Parcel("j", encode(Cancel("j")), {}), tmp_path, "here")
    with pytest.raises(InvalidInput):
        messages.unpacked(messages.Parcel("j", "{", {}), tmp_path, "here")


def test_results_are_read_and_written_by_name_only(tmp_path: Path) -> None:
    for name in (SPEECH_FILE, part_file(1)):
        (tmp_path / name).write_bytes(name.encode())
    assert messages.made_files(PartSpoken("j", 1, 2, 0.5), tmp_path) == {part_file(1): part_file(1).encode()}
    assert messages.made_files(Spoken("j", 1.0, 1, 1), tmp_path) == {SPEECH_FILE: SPEECH_FILE.encode()}
    assert messages.made_files(Progress("j", "audio", 0.5), tmp_path) == {}
    (tmp_path / "inner").mkdir()
    messages.write_files({f"../../{PROMPT_FILE}": b"prompt"}, tmp_path / "inner")
    assert (tmp_path / "inner" / PROMPT_FILE).read_bytes() == b"prompt"
    assert not (tmp_path.parent / PROMPT_FILE).exists()


def test_a_version_with_another_report_in_its_messages_is_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = messages.protocol_digest()
    report = make_dataclass("QualityReport", [("seconds", float)])
    theirs = make_dataclass("Cloned", [("job_id", str), ("report", report), ("models", PromptModels)])
    monkeypatch.setattr(protocol, "Message", theirs)
    assert messages.protocol_digest() != ours
