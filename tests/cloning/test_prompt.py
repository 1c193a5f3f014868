"""Voice prompts: what Suno's code would accept is read, and nothing a stranger sends does more than be refused."""

import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloning.prompt import PromptSpec, VoicePrompt
from errors import InvalidInput, NotFound, Unavailable
from tests.cloning.prompt_files import archive, members, npz, refusal, tokens


def test_a_prompt_survives_bytes_and_disk(tmp_path: Path) -> None:
    prompt = tokens()
    prompt.save(tmp_path / "voice.npz")
    assert VoicePrompt.load(tmp_path / "voice.npz") == prompt == VoicePrompt.load(prompt.to_bytes())
    assert [path.name for path in tmp_path.iterdir()] == ["voice.npz"]


def test_equality_is_that_of_all_tokens() -> None:
    assert tokens() == tokens()
    assert tokens() != tokens(seed=1)
    assert tokens() != "a voice"


def test_the_same_tokens_make_the_same_bytes() -> None:
    assert tokens().to_bytes() == tokens().to_bytes()


def test_what_is_written_passes_the_checks_of_suno_code(tmp_path: Path) -> None:
    tokens().save(tmp_path / "voice.npz")
    history = np.load(tmp_path / "voice.npz")
    semantic, coarse, fine = history["semantic_prompt"], history["coarse_prompt"], history["fine_prompt"]
    assert semantic.ndim == 1
    assert len(semantic) > 0
    assert 0 <= semantic.min() <= semantic.max() <= 10_000 - 1
    assert coarse.shape[0] == 2
    assert 0 <= coarse.min() <= coarse.max() <= 1024 - 1
    assert round(coarse.shape[-1] / len(semantic), 1) == round(75 / 49.9 * 2 / 2, 1)
    assert fine.ndim == 2
    assert fine.shape[0] == 8
    assert 0 <= fine.min() <= fine.max() <= 1024 - 1


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint16, np.uint64, ">i4"])
def test_the_integer_types_of_published_presets_are_read_as_int64(dtype: Any) -> None:
    prompt = VoicePrompt.load(npz(fine_prompt=tokens().fine.astype(dtype), semantic_prompt=tokens().semantic))
    assert prompt == tokens()
    assert {prompt.semantic.dtype, prompt.coarse.dtype, prompt.fine.dtype} == {np.dtype(np.int64)}


def test_column_order_is_read() -> None:
    assert VoicePrompt.load(npz(fine_prompt=np.asfortranarray(tokens().fine))) == tokens()


def test_seconds_and_agreement_of_the_books() -> None:
    prompt = tokens(499)
    assert prompt.seconds() == pytest.approx(10.0)
    assert prompt.coarse_matches_fine
    assert not VoicePrompt(prompt.semantic, (prompt.coarse + 1) % 1024, prompt.fine).coarse_matches_fine


def test_another_family_of_models_has_other_limits() -> None:
    spec = PromptSpec(
        semantic_vocab=100, coarse_books=1, fine_books=3, codebook_size=16, semantic_rate=25.0, frame_rate=50.0
    )
    small = tokens(50, spec=spec)
    assert VoicePrompt.load(small.to_bytes(), spec) == small
    assert "(2, frames)" in refusal(small.to_bytes())
    assert "(1, frames)" in refusal(tokens().to_bytes(), spec)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"semantic_prompt": np.zeros((1, 200), int)}, "must be one row"),
        ({"coarse_prompt": np.zeros((3, 300), int)}, "coarse tokens have the shape (3, 300)"),
        ({"fine_prompt": np.zeros(300, int)}, "fine tokens have the shape (300,)"),
        ({"fine_prompt": np.zeros((8, 0), int)}, "empty"),
        ({"semantic_prompt": np.zeros(0, int)}, "empty"),
        ({"semantic_prompt": np.full(200, 10_000)}, "semantic tokens go from 10000 to 10000"),
        ({"coarse_prompt": np.full((2, 300), -1)}, "coarse tokens go from -1 to -1"),
        ({"fine_prompt": np.full((8, 300), 1024)}, "fine tokens go from 1024 to 1024"),
        ({"fine_prompt": np.full((8, 300), 2**63, np.uint64)}, "fine tokens go to 9223372036854775808"),
        ({"semantic_prompt": np.array(5)}, "semantic tokens have the shape ()"),
        ({"coarse_prompt": np.array(5)}, "coarse tokens have the shape ()"),
        ({"fine_prompt": np.zeros((1, 8, 300), int)}, "fine tokens have 3 dimensions"),
        ({"fine_prompt": np.full((8, 300), np.nan)}, "float64 instead of whole numbers"),
        ({"semantic_prompt": np.full(200, np.inf, np.float32)}, "float32 instead of whole numbers"),
        ({"semantic_prompt": np.zeros(200, bool)}, "bool instead of whole numbers"),
        ({"semantic_prompt": np.zeros(200, complex)}, "complex128 instead of whole numbers"),
        ({"semantic_prompt": np.zeros(200, "M8[s]")}, "datetime64[s] instead of whole numbers"),
        ({"semantic_prompt": np.full(200, "1")}, "str32 instead of whole numbers"),
        ({"semantic_prompt": np.zeros(200, [("**bold** @everyone", "<i8")])}, "holds void64 instead of whole numbers"),
        ({"semantic_prompt": np.zeros(100, int)}, "3.0 frames per semantic token"),
        ({"fine_prompt": np.zeros((8, 300))}, "float64 instead of whole numbers"),
        ({"fine_prompt": np.array([None])}, "Python objects"),
        ({"fine_prompt": None}, "each of these arrays once"),
        ({"semantic_prompt": np.int64(7)}, "must be one row"),
        ({"coarse_prompt": np.zeros((17, 300), int)}, "16 books at most"),
        ({"fine_prompt": np.zeros((8, 3, 100), int)}, "fine tokens have 3 dimensions"),
        ({"semantic_prompt": np.zeros(100_001, np.uint8)}, "at most 100000"),
    ],
)
def test_arrays_that_bark_could_not_use_are_refused_with_the_reason(changes: dict[str, Any], reason: str) -> None:
    assert reason in refusal(npz(**changes))


def test_coarse_and_fine_tokens_need_not_be_equally_long() -> None:
    """Bark looks at the end of each by itself; Suno's own code does not compare their lengths."""
    assert VoicePrompt.load(npz(fine_prompt=tokens().fine[:, :299])).fine.shape == (8, 299)


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"no voice file gone\.npz"):
        VoicePrompt.load(tmp_path / "gone.npz")
    with pytest.raises(Unavailable, match="cannot be read"):
        VoicePrompt.load(tmp_path)


def test_saving_where_nothing_can_be_saved_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="could not be saved"):
        tokens().save(tmp_path / "no folder" / "voice.npz")


def test_a_full_disk_is_named_and_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "voice.npz"
    tokens().save(path)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cloning.atomic_files.os.fsync", full)
    with pytest.raises(Unavailable, match="disk is full"):
        tokens(seed=1).save(path)
    assert VoicePrompt.load(path) == tokens()
    assert list(tmp_path.iterdir()) == [path]


def accepted_or_refused(data: bytes) -> None:
    """Any bytes are a valid prompt or an InvalidInput."""
    try:
        VoicePrompt.load(data).validate()
    except InvalidInput as error:
        assert error.message.endswith(".")


@given(st.binary(max_size=2000))
def test_arbitrary_bytes_are_only_ever_refused(data: bytes) -> None:
    accepted_or_refused(data)


SMALL = tokens(10).to_bytes()


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(st.integers(0, len(SMALL) - 1), st.integers(0, 255)), min_size=1, max_size=8),
    st.integers(0, len(SMALL)),
)
def test_mutated_files_are_accepted_or_refused(changes: list[tuple[int, int]], end: int) -> None:
    data = bytearray(SMALL)
    for position, value in changes:
        data[position] = value
    accepted_or_refused(bytes(data))
    accepted_or_refused(bytes(data[:end]))


@settings(max_examples=150)
@given(st.binary(max_size=300), st.sampled_from(["semantic_prompt", "coarse_prompt", "fine_prompt"]))
def test_arbitrary_members_and_headers_are_accepted_or_refused(body: bytes, name: str) -> None:
    accepted_or_refused(archive(members(**{name: body})))
    magic = b"\x93NUMPY\x01\x00"
    accepted_or_refused(archive(members(**{name: magic + struct.pack("<H", len(body)) + body})))
    header = b"{'descr': '<i8', 'fortran_order': False, 'shape': " + body + b"}"
    accepted_or_refused(archive(members(**{name: magic + struct.pack("<H", len(header)) + header})))


@given(st.integers(1, 800), st.integers(0, 2**32 - 1))
@settings(max_examples=50)
def test_every_sound_prompt_survives(length: int, seed: int) -> None:
    prompt = tokens(length, seed=seed)
    try:
        prompt.validate()
    except InvalidInput as error:
        assert length < 20, error.message
        return
    assert VoicePrompt.load(prompt.to_bytes()) == prompt


def test_crc_is_checked_so_silent_corruption_is_found() -> None:
    data = bytearray(archive(members(), zipfile.ZIP_STORED))
    target = data.index(b"\x93NUMPY") + 200
    before = zlib.crc32(data)
    data[target] ^= 1
    assert zlib.crc32(data) != before
    assert "damaged" in refusal(bytes(data))
