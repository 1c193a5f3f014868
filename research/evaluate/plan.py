"""Plan the lines of an evaluation: every voice speaks some of the texts, and both voices of a pair the same ones."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from errors import InvalidInput, NotFound

_REPORT_SECONDS = 10.0


@dataclass(frozen=True)
class PlannedLine:
    """A line to generate: its speaker, text and seed."""

    speaker: str
    text: str
    seed: int


def lines(speakers: Sequence[str], texts: Sequence[str], each: int, seeds: int) -> Iterator[PlannedLine]:
    """Yield `each` of the texts for every speaker, with every seed.

    The first two speakers speak the first texts, the next two speakers the following ones, and so on: all texts are
    used, and the two voices of each pair can be compared on the same words.
    """
    each = min(each, len(texts))
    for place, speaker in enumerate(speakers):
        start = place // 2 * each
        for number in range(each):
            for seed in range(seeds):
                yield PlannedLine(speaker, texts[(start + number) % len(texts)], seed)


def read_texts(path: Path) -> list[str]:
    """Read the non-empty lines of a UTF-8 text file. Raises NotFound, or InvalidInput if there is no text."""
    try:
        texts = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except FileNotFoundError as error:
        raise NotFound(f"There is no file {path}. Give one with one sentence per line.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} cannot be read. Save it as text in UTF-8.") from error
    texts = [text for text in texts if text]
    if not texts:
        raise InvalidInput(f"{path} has no text. Write one sentence per line.")
    return texts


class ProgressPrinter:
    """Prints the progress of `total` items, at most every ten seconds, and at the end."""

    def __init__(self, what: str, total: int) -> None:
        self._what, self._total = what, total
        self._done = 0
        self._started = self._told = time.monotonic()

    def step(self) -> None:
        """Count one finished item."""
        self._done += 1
        now = time.monotonic()
        if self._done < self._total and now - self._told < _REPORT_SECONDS:
            return
        self._told = now
        left = (now - self._started) / self._done * (self._total - self._done)
        print(f"{self._what}: {self._done} of {self._total}, {left / 60:.0f} min left", flush=True)
