"""Read an untrusted voice file in a separate process (`voice_reader_process`) with limits set by the kernel."""

import dataclasses
import json
import subprocess
import sys

from cloning.confinement import run_confined
from cloning.prompt import PromptSpec
from errors import KINDS, InvalidInput, Unavailable

_READER = (sys.executable, "-m", "cloning.checkpoints.voice_reader_process")
_SECONDS = 60.0


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
