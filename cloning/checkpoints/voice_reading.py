"""Read an untrusted voice file in a separate process, which runs this module with limits that the kernel enforces."""

import dataclasses
import json
import subprocess
import sys
import traceback

from cloning.checkpoints.known_models import load_voice
from cloning.confinement import confine, run_confined
from cloning.prompt import MAX_FILE_BYTES, PromptSpec
from errors import KINDS, BarkeepError, InvalidInput, Unavailable

_READER = (sys.executable, "-m", "cloning.checkpoints.voice_reading")
_SECONDS = 60.0
_CPU_SECONDS = 20
_MEMORY_MB = 192
"""The largest accepted prompt takes 30 MB as numbers, and briefly half of that again."""


def read_voice(data: bytes, spec: PromptSpec) -> bytes:
    """Return the voice of an `.npz` file, as Barkeep writes it, for models of `spec`.

    Raises InvalidInput, which names the model that the voice is for if it is for another one, and Unavailable if no
    process can be started.
    """
    try:
        child = run_confined([*_READER, json.dumps(dataclasses.asdict(spec))], _SECONDS, data)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable("The machine is too busy to read this voice file. Try again in a minute.") from error
    line, _, voice = child.stdout.partition(b"\n")
    if child.returncode < 0:
        raise InvalidInput("This voice file takes too much time or memory to read. Export the voice again.")
    try:
        answer = json.loads(line)
    except ValueError as error:
        raise Unavailable(
            "Voice files cannot be read at present. The person who runs Barkeep finds the reason in the log."
        ) from error
    if answer is not None:
        raise KINDS[answer["kind"]](answer["message"])
    return voice


def main(arguments: list[str]) -> None:
    """Run as the separate process: read the file from standard input, check it, and print the answer.

    arguments: a PromptSpec as JSON. The answer is one line of JSON, null or a kind of `errors` with a sentence,
    followed by the voice.
    """
    spec = PromptSpec(**json.loads(arguments[0]))
    confine(_MEMORY_MB, _CPU_SECONDS, output_bytes=0)
    error: BarkeepError | None = None
    voice = b""
    try:
        voice = load_voice(sys.stdin.buffer.read(MAX_FILE_BYTES + 1), spec).to_bytes()
    except BarkeepError as refusal:
        error = refusal
    except Exception:  # any other exception is an error in a hostile file; the log gets the traceback
        traceback.print_exc()
        error = InvalidInput("This voice file is damaged. Export the voice again.")
    answer = None if error is None else {"kind": type(error).__name__, "message": error.message}
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n" + voice)


if __name__ == "__main__":
    main(sys.argv[1:])
