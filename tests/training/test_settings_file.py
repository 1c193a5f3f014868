"""A folder goes on with its own settings only."""

from pathlib import Path

import pytest

from errors import Conflict, InvalidInput, Unavailable
from training.settings_file import keep_settings


def test_the_same_settings_go_on_and_others_are_named(tmp_path: Path) -> None:
    path = tmp_path / "run" / "settings.json"
    keep_settings(path, {"network": "v0", "seed": 1})

    keep_settings(path, {"network": "v0", "seed": 1})
    with pytest.raises(Conflict, match="network was v0, now v1"):
        keep_settings(path, {"network": "v1", "seed": 1})


@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_damaged_file_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text(text)

    with pytest.raises(InvalidInput, match="damaged"):
        keep_settings(tmp_path / "settings.json", {})


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(Unavailable, match="cannot be made"):
        keep_settings(tmp_path / "file" / "settings.json", {})
