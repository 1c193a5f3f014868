"""The published layout is read from folders and zips, pair by pair; what is of no use is left out and counted."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from errors import InvalidInput, Unavailable
from training.published_sets import export_original, find_pairs, import_original
from training.shards import ClipShards

RATE = 24_000


def tokens(values: object = (1, 2, 9_999)) -> bytes:
    file = io.BytesIO()
    np.save(file, np.asarray(values))
    return file.getvalue()


def wav(rate: int = RATE, level: int = 500) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.full(1000, level, np.int16), rate, format="WAV", subtype="PCM_16")
    return file.getvalue()


def layout(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def zipped(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, body in files.items():
            archive.writestr(name, body)
    return content.getvalue()


def pair(number: int) -> dict[str, bytes]:
    return {f"semantic/{number}_semantic.npy": tokens(), f"wav/{number}_wav.wav": wav()}


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    source = layout(tmp_path / "a", pair(0))
    import_original(source, tmp_path / "clips")
    (tmp_path / "file").touch()
    for refused in (tmp_path / "file", tmp_path / "file" / "b"):
        with pytest.raises(Unavailable, match="cannot be made"):
            import_original(source, refused)
        with pytest.raises(Unavailable, match="cannot be made"):
            export_original(tmp_path / "clips", refused)


def test_what_is_exported_is_imported_again(tmp_path: Path) -> None:
    source = layout(tmp_path / "a", pair(0) | pair(7))
    import_original(source, tmp_path / "clips")

    assert export_original(tmp_path / "clips", tmp_path / "b") == 2
    assert import_original(tmp_path / "b", tmp_path / "again").total() == 0

    first, second = ClipShards(tmp_path / "clips"), ClipShards(tmp_path / "again")
    assert first.keys == ["0", "7"]
    assert second.keys == ["0", "1"]
    for place in range(2):
        assert first[place].semantic.tolist() == second[place].semantic.tolist() == [1, 2, 9_999]
        assert np.array_equal(first[place].audio, second[place].audio)  # type: ignore[arg-type]  # None would differ
        assert first[place].sample_rate == RATE
    assert len(set(first.speakers)) == len(set(first.texts)) == 2


def test_zips_are_read_and_told_apart_by_name_where_numbers_repeat(tmp_path: Path) -> None:
    files = {}
    for name in ("a", "b"):
        files[f"semantic/{name}.zip"] = zipped({"0_semantic.npy": tokens()})
        files[f"wav/{name}.zip"] = zipped({"0_wav.wav": wav()})
    files["semantic/c.zip"] = zipped({"sub/5_semantic.npy": tokens()})
    files["wav/other.zip"] = zipped({"5_wav.wav": wav()})

    pairs, errors = find_pairs(layout(tmp_path, files))

    assert [one.name for one in pairs] == ["5", "a-0", "b-0"]
    assert not errors


def test_a_published_set_is_read_zip_by_zip_though_its_names_repeat(tmp_path: Path) -> None:
    files = {}
    for level, name in enumerate(("first", "second"), 1):
        stems = {"0": level, "a line": level + 2}
        files[f"semantic/{name}.zip"] = zipped({f"{stem}.npy": tokens([n]) for stem, n in stems.items()})
        files[f"wav/{name}.zip"] = zipped({f"{stem}.wav": wav(level=100 * n) for stem, n in stems.items()})

    assert not import_original(layout(tmp_path / "a", files), tmp_path / "clips")

    shards = ClipShards(tmp_path / "clips")
    clips = {clip.key: clip for clip in map(shards.__getitem__, range(len(shards)))}
    assert set(clips) == {"first-0", "second-0", "first-a line", "second-a line"}
    for clip in clips.values():
        assert clip.audio is not None
        assert clip.audio[0] == 100 * clip.semantic[0]


def test_the_same_set_unpacked_is_the_same(tmp_path: Path) -> None:
    files = {}
    for level, name in enumerate(("first", "second"), 1):
        files[f"semantic/{name}/0.npy"] = tokens([level])
        files[f"wav/{name}/0.wav"] = wav(level=100 * level)
    files["semantic/third/7.npy"], files["wav/third.zip"] = tokens([3]), zipped({"third/7.wav": wav(level=300)})

    assert not import_original(layout(tmp_path / "a", files), tmp_path / "clips")

    shards = ClipShards(tmp_path / "clips")
    assert sorted(shards.keys) == ["7", "first-0", "second-0"]
    for clip in map(shards.__getitem__, range(3)):
        assert clip.audio is not None
        assert clip.audio[0] == 100 * clip.semantic[0]


def test_what_macs_add_to_zips_is_no_clip(tmp_path: Path) -> None:
    files = {"semantic/a.zip": zipped({"0.npy": tokens(), "__MACOSX/._0.npy": b"fork"})}
    files["wav/a.zip"] = zipped({"0.wav": wav(), "__MACOSX/._0.wav": b"fork"})

    pairs, errors = find_pairs(layout(tmp_path, files))

    assert [one.name for one in pairs] == ["0"]
    assert not errors


def test_what_is_of_no_use_is_left_out_and_counted(tmp_path: Path) -> None:
    bad = {
        "semantic/1_semantic.npy": tokens(),  # alone
        "wav/2_wav.wav": wav(),  # alone
        "semantic/3_semantic.npy": b"no array",
        "wav/3_wav.wav": wav(),
        "semantic/4_semantic.npy": tokens([10_000]),
        "wav/4_wav.wav": wav(),
        "semantic/5_semantic.npy": tokens(),
        "wav/5_wav.wav": wav(rate=16_000),
        "semantic/6_semantic.npy": tokens(),
        "wav/6_wav.wav": b"RIFF",
        "semantic/7_semantic.npy": tokens(),
        "wav/7_wav.wav": wav(level=0),
        "semantic/8_semantic.npy": tokens([0.5]),
        "wav/8_wav.wav": wav(),
        "semantic/9_semantic.npy": tokens(np.zeros(0, np.int64)),
        "wav/9_wav.wav": wav(),
        "semantic/x.zip": b"PK",
    }

    errors = import_original(layout(tmp_path / "a", pair(0) | bad), tmp_path / "clips")

    assert ClipShards(tmp_path / "clips").keys == ["0"]
    assert errors == {
        "tokens without sound": 1,
        "sound without tokens": 1,
        "damaged tokens": 2,
        "tokens outside 0 to 9999": 1,
        "sound of another rate than 24000 Hz": 1,
        "damaged sound": 1,
        "silent sound": 1,
        "no tokens": 1,
        "damaged zips": 1,
    }


def test_pickles_are_never_read(tmp_path: Path) -> None:
    file = io.BytesIO()
    np.save(file, np.array([{}]), allow_pickle=True)
    files = {"semantic/1_semantic.npy": file.getvalue(), "wav/1_wav.wav": wav()}

    assert import_original(layout(tmp_path / "a", files | pair(0)), tmp_path / "clips")["damaged tokens"] == 1


def test_importing_again_goes_on(tmp_path: Path) -> None:
    import_original(layout(tmp_path / "a", pair(0)), tmp_path / "clips")
    import_original(layout(tmp_path / "a", pair(1)), tmp_path / "clips")

    assert ClipShards(tmp_path / "clips").keys == ["0", "1"]


def test_a_folder_without_pairs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no folder"):
        import_original(tmp_path / "none", tmp_path / "clips")
    with pytest.raises(InvalidInput, match="no such files"):
        import_original(layout(tmp_path / "a", {"x.txt": b""}), tmp_path / "clips")
    with pytest.raises(InvalidInput, match="tokens without sound: 1"):
        import_original(layout(tmp_path / "b", {"semantic/1_semantic.npy": tokens()}), tmp_path / "clips")


def test_nothing_to_export_is_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no clips with sound"):
        export_original(tmp_path, tmp_path / "out")
