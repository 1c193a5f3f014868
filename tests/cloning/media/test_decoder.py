"""The decoder in this process: which files it reads, and what it says about the others. Its limits: in a child."""

import errno
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloning.media import decoder
from errors import InvalidInput, Unavailable
from tests.media.build import corrupted, encoded, silent_flac, tone, wav, without_length

FORMATS = {
    "wav 16": encoded("wav", "pcm_s16le"),
    "wav 24": encoded("wav", "pcm_s24le"),
    "wav float": encoded("wav", "pcm_f32le"),
    "wav 8": encoded("wav", "pcm_u8"),
    "wav A-law": encoded("wav", "pcm_alaw"),
    "wav stereo": encoded("wav", "pcm_s16le", layout="stereo"),
    "wav 5.1": encoded("wav", "pcm_s16le", layout="5.1"),
    "flac": encoded("flac", "flac"),
    "mp3": encoded("mp3", "libmp3lame"),
    "ogg opus": encoded("ogg", "libopus"),
    "ogg vorbis": encoded("ogg", "libvorbis"),
    "m4a aac": encoded("ipod", "aac"),
    "m4a alac": encoded("ipod", "alac"),
    "aac": encoded("adts", "aac"),
    "aiff": encoded("aiff", "pcm_s16be"),
    "caf": encoded("caf", "pcm_s16le"),
    "webm": encoded("webm", "libopus"),
    "mp4 video": encoded("mp4", "aac", video_codec="mpeg4"),
    "webm video": encoded("webm", "libopus", video_codec="libvpx"),
}


def decoded(
    data: bytes, folder: Path, max_seconds: float = 600.0
) -> tuple[int, np.ndarray[tuple[int], np.dtype[np.float32]]]:
    source, out = folder / "source", folder / "out"
    source.write_bytes(data)
    rate = decoder.decode(source, out, max_seconds)
    return rate, np.fromfile(out, "<f4").astype(np.float32)


def refusal(data: bytes, folder: Path, max_seconds: float = 600.0) -> str:
    with pytest.raises(InvalidInput) as caught:
        decoded(data, folder, max_seconds)
    return caught.value.message


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


def test_samples_that_are_no_sound_become_silence_or_full_scale(tmp_path: Path) -> None:
    values = np.array([np.nan, np.inf, -np.inf, 1e30, -7.0, 0.25] * 1000, np.float32)
    _, samples = decoded(wav(values.tobytes(), bits=32, tag=3), tmp_path)
    assert samples[:6].tolist() == [0.0, 1.0, -1.0, 1.0, -1.0, 0.25]


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


def test_three_hours_are_refused_whether_the_header_says_so_or_not(tmp_path: Path) -> None:
    bomb = silent_flac(3 * 3600)
    assert len(bomb) < 4 * 2**20
    assert "longer than 10 minutes" in refusal(bomb, tmp_path)
    assert "longer than 10 minutes" in refusal(without_length(bomb), tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".part"] == ["source"]


def test_a_guessed_length_is_not_believed(tmp_path: Path) -> None:
    """The first frames of a variable-rate MP3 can make it look many times as long as it is."""
    assert "longer than 2 seconds" in refusal(encoded("mp3", "libmp3lame", seconds=3), tmp_path, 2.0)
    _, samples = decoded(encoded("mp3", "libmp3lame", seconds=1), tmp_path, 2.0)
    assert samples.size < 60_000


def test_a_header_may_promise_more_than_the_file_holds(tmp_path: Path) -> None:
    """Recorders that stream to a pipe cannot go back to fill in the length."""
    data = (tone() * 32767).astype("<i2").tobytes()
    for claim in (0, 2**32 - 1):
        assert decoded(wav(data, claim=claim), tmp_path)[1].size == 48_000


def test_missing_files_and_folders(tmp_path: Path) -> None:
    for source in (tmp_path / "gone.wav", tmp_path):
        with pytest.raises(InvalidInput, match="cannot be opened"):
            decoder.decode(source, tmp_path / "out", 10.0)


def test_a_place_that_cannot_be_written_is_not_the_files_fault(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(FORMATS["flac"])
    with pytest.raises(Unavailable, match="no room"):
        decoder.decode(source, tmp_path / "no folder" / "out", 10.0)


def test_a_broken_index_that_points_nowhere_is_answered_with_an_error_number(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(FORMATS["flac"])
    with source.open("rb") as file:
        nameless = decoder._Bytes(file)
        assert nameless.seek(-5) == -errno.EINVAL
        assert nameless.seek(4) == 4
        assert not hasattr(nameless, "name")


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
    decoder.main([str(source), str(out), "--max-seconds", "5", "--memory-mb", "1", "--cpu-seconds", "1"])


@pytest.fixture(autouse=True)
def _unconfined(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' own process is not to be limited; the limits have their test in a child below."""
    monkeypatch.setattr(decoder, "confine", lambda *limits: None)


def run(code: str) -> subprocess.CompletedProcess[str]:
    root = Path(decoder.__file__).parents[2]
    return subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)


def test_the_limits_are_the_kernels() -> None:
    child = run(
        "import resource, json; from cloning.media.decoder import confine; confine(64, 7, 1234)\n"
        "try: held = bytearray(200 * 2**20)\nexcept MemoryError: held = None\n"
        "print(json.dumps([held is None, resource.getrlimit(resource.RLIMIT_CPU), "
        "resource.getrlimit(resource.RLIMIT_FSIZE), resource.getrlimit(resource.RLIMIT_CORE)]))"
    )
    refused, cpu, size, core = json.loads(child.stdout)
    assert refused or not Path("/proc/self/statm").exists()
    assert (cpu, size, core) == ([7, 7], [1234, 1234], [0, 0])


def test_limits_of_the_surroundings_are_not_raised() -> None:
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_CPU, (5, 5)); from cloning.media.decoder import confine\n"
        "confine(64, 60, 10**9); print(resource.getrlimit(resource.RLIMIT_CPU))"
    )
    assert run(code).stdout.strip() == "(5, 5)"


def test_the_child_needs_no_torch() -> None:
    code = "import sys, cloning.media.decoder, cloning.media.audio, cloning.prompt; print('torch' in sys.modules)"
    assert run(code).stdout.strip() == "False"
