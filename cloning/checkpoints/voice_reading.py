"""Read an untrusted voice file in a separate process (`voice_reader_process`) with limits set by the kernel."""

import dataclasses
import json
import logging
import subprocess
import sys
from pathlib import Path

import environment
from cloning.prompt import PromptSpec
from errors import KINDS, InvalidInput, Unavailable

_log = logging.getLogger(__name__)
_ROOT = Path(__file__).resolve().parents[2]
_READER = (sys.executable, "-m", "cloning.checkpoints.voice_reader_process")
_SECONDS = 60.0


def read_voice(data: bytes, spec: PromptSpec) -> bytes:
    """Return the voice of an `.npz` file, as Barkeep writes it, for models of `spec`.

    Raises InvalidInput, which names the model that the voice is for if it is for another one, and Unavailable if no
    process can be started.
    """
    try:
        child = subprocess.run(
            [*_READER, json.dumps(dataclasses.asdict(spec))],
            cwd=_ROOT,
            env=environment.to_run(),
            input=data,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable("The machine is too busy to read this voice file. Try again in a minute.") from error
    if child.stderr:
        _log.warning("the reader of voice files said: %s", child.stderr.decode(errors="replace")[-4000:])
    line, _, voice = child.stdout.partition(b"\n")
    if child.returncode < 0:
        raise InvalidInput("This voice file takes too much time or memory to read. Export the voice again.")
    try:
        answer = json.loads(line)
    except ValueError as error:
        raise Unavailable("Voice files cannot be read at present. The owner finds the reason in the log.") from error
    if answer is not None:
        raise KINDS[answer["kind"]](answer["message"])
    return voice
