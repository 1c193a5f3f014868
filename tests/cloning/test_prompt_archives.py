"""Voice files as archives: lies in directories and headers, sizes, damage."""

import io
import pickle
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cloning.prompt import VoicePrompt
from errors import InvalidInput
from tests.cloning.prompt_files import archive, members, npy, npz, refusal, tokens


def test_a_pickle_is_never_opened() -> None:
    class Trap:
        def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
            return (pytest.fail, ("the pickle ran",))

    header = npy(np.zeros(1, int))[:128].replace(b"'<i8'", b"'|O' ")
    assert "Python objects" in refusal(archive(members(semantic_prompt=header + pickle.dumps(Trap()))))
    assert "not a NumPy array" in refusal(archive(members(semantic_prompt=pickle.dumps(Trap()))))
    assert "not a voice file" in refusal(pickle.dumps(Trap()))


def deflated(**changes: Any) -> bytes:
    with zipfile.ZipFile(io.BytesIO(npz(**changes))) as source:
        return archive({name: source.read(name) for name in source.namelist()})


def memory_of(action: Callable[[], object]) -> int:
    """The most bytes that `action` holds at a time."""
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
def test_an_array_that_no_prompt_could_be_is_refused_by_its_header(dtype: Any) -> None:
    """Nothing of it is inflated, and small numbers do not become eight times as large."""
    data = deflated(fine_prompt=np.zeros((8, 1_000_000), dtype))
    assert "a row has 1000000 fine tokens" in refusal(data)
    assert memory_of(lambda: refusal(data)) < 2**20


def test_what_is_read_stays_within_a_few_prompts_in_memory() -> None:
    """The largest that any shape allows: 100,000 tokens in every row of sixteen books, deflated to nearly nothing."""
    books = np.zeros((16, 100_000), np.uint8)
    data = deflated(semantic_prompt=books[0], coarse_prompt=books, fine_prompt=books)
    assert memory_of(lambda: VoicePrompt.read(data)) < 40 * 2**20


@pytest.mark.parametrize(
    "extra",
    [
        {"metadata": np.array("made by somebody", dtype="<U20")},
        {"name": np.array("Ada"), "desc": np.array("calm, low")},
        {"speaker": np.array({"pickled": True}, dtype=object)},
    ],
)
def test_other_arrays_in_a_voice_file_are_left_unread(extra: dict[str, Any]) -> None:
    assert VoicePrompt.load(npz(**extra)) == tokens()


def test_other_members_are_not_even_looked_at() -> None:
    data = archive({**members(), "metadata.npy": pickle.dumps("no array"), "huge.npy": bytes(2**27)})
    assert VoicePrompt.load(data) == tokens()


def test_a_directory_that_hides_a_bomb_inflates_no_more_than_it_claims() -> None:
    hidden = members(fine_prompt=npy(np.zeros((8, 2**20), np.int64)))
    data = bytearray(archive(hidden))
    size = len(hidden["fine_prompt.npy"])
    entry = data.rindex(b"PK\x01\x02")
    assert struct.unpack_from("<I", data, entry + 24) == (size,)
    struct.pack_into("<I", data, entry + 24, 8000)
    assert "not as long as it claims" in refusal(bytes(data))


@pytest.mark.parametrize("shape", [(8, 2**40), (8, -300), (8, 299), (8, 301), (2**62, 2**62)])
def test_a_header_that_lies_about_its_length_is_refused(shape: tuple[int, ...]) -> None:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<i8", "fortran_order": False, "shape": shape})
    body = np.zeros((8, 300), np.int64).tobytes()
    assert "not as long as it claims" in refusal(archive(members(fine_prompt=buffer.getvalue() + body)))


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("{'descr': '<i8', 'fortran_order': False, 'shape': (" + "1," * 450 + ")}", "have 450 dimensions"),
        ("{'descr': '<i8', 'fortran_order': False, 'shape': (" + "9" * 800 + ",)}", "not as long as it claims"),
        ("{'descr': '<i8', 'fortran_order': False, 'shape': 'abc'}", "not a NumPy array"),
        ("{'descr': ('<i8', (2,)), 'fortran_order': False, 'shape': (8,)}", "instead of whole numbers"),
        (
            f"{{'descr': {[(f'f{n}', '<i8') for n in range(50)]}, 'fortran_order': False, 'shape': (8,)}}",
            "void3200 instead",
        ),
        ("[" * 500 + "]" * 500, "not a NumPy array"),
        ("(" * 900, "damaged"),
    ],
)
def test_a_strange_header_makes_one_short_sentence(header: str, reason: str) -> None:
    data = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + bytes(8)
    message = refusal(archive(members(fine_prompt=data)))
    assert reason in message
    assert len(message) < 200


def test_names_with_paths_and_control_characters_are_neither_taken_nor_written(tmp_path: Path) -> None:
    stray = {"../../fine_prompt.npy": b"", "/etc/fine_prompt.npy": b"", "C:\\fine_prompt.npy": b"", "\x1b[31m\n": b""}
    assert VoicePrompt.load(archive({**stray, **members()})) == tokens()
    alone = members()
    alone["../fine_prompt.npy"] = alone.pop("fine_prompt.npy")
    assert "each of these arrays once" in refusal(archive(alone))


def test_tens_of_thousands_of_entries_are_read_past() -> None:
    entries = {f"{number:x}": b"" for number in range(20_000)}
    assert VoicePrompt.load(archive(entries | members(), zipfile.ZIP_STORED)) == tokens()


def test_a_password_is_named() -> None:
    data = bytearray(archive(members()))
    for offset in (data.rindex(b"PK\x01\x02") + 8, data.index(b"PK\x03\x04") + 6):
        data[offset] |= 1
    assert "password" in refusal(bytes(data))


def test_unusual_packing_is_refused() -> None:
    assert "uses a compression" in refusal(archive(members(), zipfile.ZIP_LZMA))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_the_same_name_twice_is_refused() -> None:
    buffer = io.BytesIO(archive(members()))
    with zipfile.ZipFile(buffer, "a") as target:
        target.writestr("fine_prompt.npy", npy(np.zeros((8, 300), int)))
    assert "each of these arrays once" in refusal(buffer.getvalue())


def test_a_file_with_flipped_contents_is_damaged() -> None:
    data = bytearray(npz())
    data[len(data) // 2] ^= 0xFF
    assert "damaged" in refusal(bytes(data))


@pytest.mark.parametrize("keep", [0, 1, 100, 0.5, 0.99])
def test_a_truncated_file_is_refused(keep: float) -> None:
    data = npz()
    assert "cut off" in refusal(data[: int(keep if keep >= 1 else keep * len(data))])


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "huge.npz"
    with path.open("wb") as file:
        file.truncate(2**31)
    with pytest.raises(InvalidInput, match="larger than 8 MiB"):
        VoicePrompt.load(path)
