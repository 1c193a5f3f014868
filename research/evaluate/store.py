"""Store each result on disk as a line of JSON as soon as it exists, so that a stopped run can continue."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from errors import InvalidInput, Unavailable

Value = dict[str, Any]


class Store:
    """The results of one run by key: `store.once(key, make)` makes a missing result and stores it.

    `run` identifies everything else that results depend on (models, recordings); lines of other runs stay in the file
    and are ignored. A truncated last line is removed. Raises InvalidInput for a file of another kind.
    """

    def __init__(self, path: Path, run: str) -> None:
        self._path, self._run = path, run
        self._values: dict[str, Value] = {}
        for line in self._lines():
            if line["run"] == run:
                self._values[line["key"]] = line["value"]

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def once(self, key: str, make: Callable[[], Value]) -> Value:
        """Return the value of `key`. Raises what `make` raises, and Unavailable if the disk cannot be written."""
        if key not in self._values:
            value = make()
            self._append({"run": self._run, "key": key, "value": value})
            self._values[key] = value
        return self._values[key]

    def _lines(self) -> list[dict[str, Any]]:
        if not self._path.exists():
            return []
        whole = self._path.read_bytes()
        ends = whole.rfind(b"\n") + 1
        if ends < len(whole):
            os.truncate(self._path, ends)
        try:
            found = [json.loads(line) for line in whole[:ends].split(b"\n")[:-1]]
            if all({"run", "key", "value"} <= line.keys() for line in found):
                return found
        except (ValueError, AttributeError) as error:
            raise _damaged(self._path) from error
        raise _damaged(self._path)

    def _append(self, line: dict[str, Any]) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise Unavailable(f"{self._path} cannot be written. Free some disk space, then start again.") from error


def _damaged(path: Path) -> InvalidInput:
    return InvalidInput(f"{path} is not a file of results. Remove it, or choose another folder.")
