"""The decoder in this process: which files it reads, and what it says about the others. Its limits: in a child."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloning.media import decoder_process
from errors import InvalidInput, Unavailable
from tests.cloning.media.decoder_runs import FORMATS, decoded, outcome, refusal
from tests.cloning.test_confinement import run
from tests.media.build import coded, corrupted, encoded, speech, tone, wav


@pytest.mark.parametrize("name", FORMATS)
def test_every_common_format_is_read_by_content(name: str, tmp_path: Path) -> None:
    rate, samples = decoded(FORMATS[name], tmp_path)
    assert rate == 48_000
    assert samples.size == pytest.approx(48_000, rel=0.07)
    middle = samples[12_000:36_000]
    assert np.abs(middle).max() == pytest.approx(0.3, rel=0.25)
    crossings = np.count_nonzero(np.diff(np.signbit(middle)))
    assert crossings == pytest.approx(220, abs=3)


@pytest.mark.parametrize(("rate", "expected"), [(8_000, 8_000), (16_000, 16_000), (96_000, 48_000), (192_000, 48_000)])
def test_a_rate_is_kept_up_to_48_khz(rate: int, expected: int, tmp_path: Path) -> None:
    found, samples = decoded(encoded("wav", "pcm_s16le", rate=rate), tmp_path)
    assert found == expected
    assert samples.size == pytest.approx(expected, abs=2)
    assert np.abs(samples[expected // 4 : -expected // 4]).max() == pytest.approx(0.3, rel=0.01)


def test_a_rate_that_changes_within_a_stream_is_evened_out(tmp_path: Path) -> None:
    chained = encoded("adts", "aac", rate=48_000) + encoded("adts", "aac", rate=24_000)
    rate, samples = decoded(chained, tmp_path)
    assert rate == 48_000
    assert samples.size == pytest.approx(2 * 48_000, rel=0.07)


def test_samples_that_are_no_sound_become_silence(tmp_path: Path) -> None:
    values = np.array([np.nan, np.inf, -np.inf, 1e30, -7.0, 0.25] * 1000, np.float32)
    _, samples = decoded(wav(values.tobytes(), bits=32, tag=3), tmp_path)
    assert samples[:6].tolist() == [0.0, 0.0, 0.0, 0.0, -7.0, 0.25]


def test_samples_that_are_no_sound_do_not_spread_when_the_rate_is_lowered(tmp_path: Path) -> None:
    values = np.concatenate([tone(0.5, 96_000), [np.nan, np.inf], tone(0.5, 96_000)]).astype(np.float32)
    _, samples = decoded(wav(values.tobytes(), bits=32, tag=3, rate=96_000), tmp_path)
    assert np.isfinite(samples).all()
    assert np.abs(samples[30_000:40_000]).max() == pytest.approx(0.3, rel=0.01)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"hello, this is text\n" * 50, "not a recording"),
        (np.random.default_rng(3).bytes(100_000), "not a recording"),
        (b"%PDF-1.4\n" + b"abc" * 1000, "not a recording"),
        (encoded("avi", "pcm_s16le"), "not a recording"),
        (encoded("mp4", None, video_codec="mpeg4"), "no sound"),
        (encoded("webm", None, video_codec="libvpx"), "no sound"),
        (FORMATS["m4a aac"][:5_000], "damaged"),
        (FORMATS["flac"][:60], "damaged"),
        (FORMATS["webm"][:60], "damaged"),
        (wav(b""), "damaged"),
        (wav(bytes(9600), channels=0), "damaged"),
        (wav(bytes(9600), channels=65_535), "damaged"),
        (corrupted(FORMATS["mp3"], 0.1), "damaged"),
        (corrupted(FORMATS["ogg opus"], 0.1), "damaged"),
        (corrupted(FORMATS["aac"], 0.1), "damaged"),
        (wav(bytes(9600), rate=2_000_000), "2000000 samples a second"),
        (wav(bytes(960), rate=100), "100 samples a second"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_reason(data: bytes, reason: str, tmp_path: Path) -> None:
    assert reason in refusal(data, tmp_path)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("container", "codec"),
    [
        ("wav", "pcm_s16le"),
        ("flac", "flac"),
        ("mp3", "libmp3lame"),
        ("ogg", "libopus"),
        ("adts", "aac"),
        ("webm", "libopus"),
    ],
)
def test_what_is_there_of_a_truncated_file_is_used(container: str, codec: str, tmp_path: Path) -> None:
    data = encoded(container, codec, seconds=4.0)
    rate, samples = decoded(data[: len(data) * 6 // 10], tmp_path)
    assert 1.5 * rate < samples.size < 3.5 * rate
    assert np.abs(samples).max() > 0.2


CHAINED = {
    "mono": coded("ogg", "libopus", tone(2.0)),
    "stereo": coded("ogg", "libopus", np.repeat(tone(2.0)[None], 2, 0), layout="stereo"),
    "vorbis": coded("ogg", "libvorbis", tone(2.0)),
    "vorbis at another rate": coded("ogg", "libvorbis", tone(2.0, 24_000), rate=24_000),
    "flac": coded("ogg", "flac", tone(2.0)),
}


@pytest.mark.parametrize("first", CHAINED)
@pytest.mark.parametrize("second", CHAINED)
def test_all_links_of_a_chained_ogg_are_read(first: str, second: str, tmp_path: Path) -> None:
    found = outcome(CHAINED[first] + CHAINED[second], tmp_path)
    assert found.seconds == pytest.approx(4.0, abs=0.01)
    assert not found.has_holes
    rate, samples = decoded(CHAINED[first] + CHAINED[second], tmp_path)
    later = samples[-rate:]
    assert np.count_nonzero(np.diff(np.signbit(later))) == pytest.approx(440, abs=4)


def test_a_link_that_cannot_be_read_is_a_hole(tmp_path: Path) -> None:
    data = CHAINED["mono"]
    broken = data[:60] + bytes(len(data) - 60)
    assert outcome(data + broken + data, tmp_path).has_holes
    assert outcome(broken[:200] + data, tmp_path).seconds == pytest.approx(2.0, abs=0.01)
    assert "longer than 3 seconds" in refusal(data + data, tmp_path, 3.0)


def test_a_file_may_not_change_its_channels_at_will(tmp_path: Path) -> None:
    mono = coded("ogg", "libopus", tone(0.1))
    stereo = coded("ogg", "libopus", np.repeat(tone(0.1)[None], 2, 0), layout="stereo")
    assert "damaged" in refusal((mono + stereo) * 40, tmp_path)


@pytest.mark.parametrize("container", ["matroska", "mp4"])
def test_the_default_track_comes_first_and_the_others_follow(container: str, tmp_path: Path) -> None:
    data = coded(container, "aac", tone(1.0, level=0.1), tone(1.0, level=0.5), tone(1.0, level=0.8), default=1)
    for wanted, (number, level) in enumerate([(2, 0.5), (1, 0.1), (3, 0.8), (3, 0.8)]):
        found = outcome(data, tmp_path, track=wanted)
        assert (found.track, found.tracks) == (number, 3)
        assert np.abs(np.fromfile(tmp_path / "out", "<f4")[12_000:36_000]).max() == pytest.approx(level, rel=0.1)


@pytest.mark.parametrize(
    ("container", "codec"),
    [
        ("flac", "flac"),
        ("mp3", "libmp3lame"),
        ("adts", "aac"),
        ("ogg", "libopus"),
        ("ogg", "libvorbis"),
        ("ogg", "flac"),
        ("webm", "libopus"),
        ("matroska", "aac"),
        ("mp4", "aac"),
        ("ipod", "alac"),
    ],
)
@pytest.mark.parametrize("what", ["zeros", "noise"])
def test_a_hole_in_the_middle_is_noticed(container: str, codec: str, what: str, tmp_path: Path) -> None:
    data = coded(container, codec, speech())
    assert not outcome(data, tmp_path).has_holes
    filling = bytes(3000) if what == "zeros" else np.random.default_rng(0).bytes(3000)
    middle = len(data) // 2
    found = outcome(data[:middle] + filling + data[middle + 3000 :], tmp_path)
    assert found.has_holes
    assert found.seconds == pytest.approx(12.0, abs=0.5)


@pytest.mark.parametrize("codec", ["g722", "g726"])
def test_coders_of_telephony_are_read_from_wav(codec: str, tmp_path: Path) -> None:
    rate = 16_000 if codec == "g722" else 8_000
    found, samples = decoded(coded("wav", codec, tone(1.0, rate), rate=rate), tmp_path)
    assert found == rate
    assert np.abs(samples[rate // 4 : -rate // 4]).max() == pytest.approx(0.3, rel=0.2)


def test_a_coder_that_is_not_read_is_named_and_the_advice_holds_in_a_wav_too(tmp_path: Path) -> None:
    answer = refusal(coded("wav", "adpcm_yamaha", tone(1.0)), tmp_path)
    assert "coded as adpcm_yamaha" in answer
    assert "Save it as a 16-bit WAV" in answer


@pytest.mark.parametrize(
    "playlist",
    [
        b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile://{path}\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile {path}\n",
        b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n",
    ],
)
def test_a_file_cannot_make_the_decoder_open_another_or_listen(playlist: bytes, tmp_path: Path) -> None:
    other = tmp_path / "other.wav"
    other.write_bytes(FORMATS["wav 16"])
    assert "not a recording" in refusal(playlist.replace(b"{path}", str(other).encode()), tmp_path)


def test_missing_files_and_folders(tmp_path: Path) -> None:
    for source in (tmp_path / "gone.wav", tmp_path):
        with pytest.raises(InvalidInput, match="cannot be opened"):
            decoder_process.decode(source, tmp_path / "out", track=0, keep_seconds=10.0, max_seconds=10.0)


def test_a_place_that_cannot_be_written_is_not_the_files_error(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(FORMATS["flac"])
    with pytest.raises(Unavailable, match="no room"):
        decoder_process.decode(source, tmp_path / "no folder" / "out", track=0, keep_seconds=10.0, max_seconds=10.0)


def test_a_broken_index_that_points_nowhere_is_answered_with_an_error_number(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(FORMATS["flac"])
    with source.open("rb") as file:
        nameless = decoder_process._Bytes(file, 10, 20)
        assert nameless.seek(-5) == -errno.EINVAL
        assert nameless.seek(4) == 4
        assert nameless.read(100) == FORMATS["flac"][14:20]
        assert nameless.read() == b""
        assert nameless.seek(-1, os.SEEK_END) == 9
        assert nameless.seek(-3, os.SEEK_CUR) == 6
        assert nameless.tell() == 6
        assert nameless.seek(0, 65_536) == -errno.EINVAL
        for beyond in (2**63 - 1, 2**63, 2**70):
            assert nameless.seek(beyond) == -errno.EINVAL
        assert nameless.tell() == 6
        assert not hasattr(nameless, "name")


def test_a_disk_that_cannot_be_read_is_not_told_as_a_full_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object, size: int = -1) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(decoder_process._Bytes, "read", refuse)
    assert "damaged" in refusal(FORMATS["flac"], tmp_path)


SEEDS = [FORMATS[name][:6000] for name in ("wav 16", "flac", "mp3", "ogg opus", "m4a aac", "webm")]


@settings(
    max_examples=120, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.integers(0, 5999), st.integers(0, 255)), max_size=12),
    st.integers(0, 6000),
)
def test_mutated_media_is_decoded_or_refused(
    tmp_path: Path, seed: bytes, changes: list[tuple[int, int]], end: int
) -> None:
    data = bytearray(seed)
    for position, value in changes:
        if position < len(data):
            data[position] = value
    source, out = tmp_path / "source", tmp_path / "out"
    source.write_bytes(data[:end])
    limits = ["--track", "0", "--keep-seconds", "3", "--max-seconds", "5", "--memory-mb", "1", "--cpu-seconds", "1"]
    decoder_process.main([str(source), str(out), *limits])


def test_the_child_needs_no_torch() -> None:
    code = (
        "import sys, cloning.media.decoder_process, cloning.media.audio, cloning.prompt; print('torch' in sys.modules)"
    )
    assert run(code).stdout.strip() == "False"
