"""A stranger's voice file is read in a process of its own, which cannot take more than it may."""

import json
import subprocess
import sys
from dataclasses import asdict
from unittest import mock

import numpy as np
import pytest

from cloning import confinement
from cloning.checkpoints import voice_reading
from cloning.checkpoints.voice_reading import read_voice
from cloning.prompt import BARK, PromptSpec, VoicePrompt
from errors import InvalidInput, Unavailable

FINE = np.arange(8 * 150).reshape(8, 150) % 1024
VOICE = VoicePrompt(np.arange(100), FINE[:2], FINE)


def test_a_voice_comes_back_as_barkeep_writes_it() -> None:
    assert read_voice(VOICE.to_bytes(), BARK) == VOICE.to_bytes()


def test_a_refusal_keeps_its_sentence_and_its_kind() -> None:
    with pytest.raises(InvalidInput, match="not a voice file"):
        read_voice(b"something else", BARK)
    with pytest.raises(InvalidInput, match="It is a voice for the model suno/bark"):
        read_voice(VOICE.to_bytes(), PromptSpec(semantic_vocab=3))


def child(code: str) -> mock.MagicMock:
    """Patches the reader with another program."""
    return mock.patch.object(voice_reading, "_READER", (sys.executable, "-c", code))  # type: ignore[return-value]  # a patcher


def test_a_reader_that_is_killed_or_says_nothing_is_a_sentence() -> None:
    with child("import os; os.kill(os.getpid(), 9)"), pytest.raises(InvalidInput, match="too much time or memory"):
        read_voice(b"", BARK)
    with child("pass"), pytest.raises(Unavailable, match="in the log"):
        read_voice(b"", BARK)
    with mock.patch.object(voice_reading, "_READER", ("/nowhere/python",)), pytest.raises(Unavailable, match="busy"):
        read_voice(b"", BARK)


def test_it_sees_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", "secret")
    code = "import os, sys; sys.stdout.write('null\\n' + str('DISCORD_TOKEN' in os.environ))"
    with child(code):
        assert read_voice(b"", BARK) == b"False"


def test_it_is_confined_before_it_reads() -> None:
    code = (
        "import sys; from unittest import mock; from cloning.checkpoints import voice_reading as reader\n"
        "def take(*_): bytearray(500 * 2**20)\n"
        "with mock.patch.object(reader, 'load_voice', take): reader.main(sys.argv[1:])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(asdict(BARK))],
        cwd=confinement._ROOT,
        input=b"",
        capture_output=True,
        check=True,
    )
    assert json.loads(done.stdout.splitlines()[0])["kind"] == "InvalidInput"
    assert b"MemoryError" in done.stderr


def test_the_largest_voice_that_any_shape_allows_fits_into_the_cage() -> None:
    books = np.ones((16, 100_000), np.int64)
    spec = PromptSpec(coarse_books=16, fine_books=16, semantic_rate=75.0)
    data = VoicePrompt(books[0], books, books).to_bytes()
    assert read_voice(data, spec) == data
    assert voice_reading._MEMORY_MB < 256
