"""Read an untrusted voice file in a separate process: `python -m cloning.checkpoints.voice_reader_process SPEC`.

SPEC is a PromptSpec as JSON; the file comes on standard input. Prints one line of JSON, null or a kind of `errors` with
a sentence, followed by the voice as Barkeep writes it. Called by `cloning.checkpoints.voice_reading`.
"""

import json
import sys
import traceback

from cloning.checkpoints.known_models import load_voice
from cloning.confinement import confine
from cloning.prompt import MAX_FILE_BYTES, PromptSpec
from errors import BarkeepError, InvalidInput

_MEMORY_MB = 192
"""The largest accepted prompt takes 30 MB as numbers, and briefly half of that again."""
_CPU_SECONDS = 20


def main(arguments: list[str]) -> None:
    """Read and check the file, and print the answer."""
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
