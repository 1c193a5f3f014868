"""Tables, pictures and raw figures."""

import json
from pathlib import Path

import pytest
from PIL import Image

from research.evaluate.figures import FIGURES
from research.evaluate.goals import ClonedVoices, goals
from research.evaluate.report import PICTURE, RAW, TABLE, Results, write_report
from research.evaluate.trial import Cell
from tests.research.evaluate.cells import a_cell, a_speaker

GOOD = [a_cell("ann", {"ann": 0.9, "bob": 0.4}), a_cell("bob", {"ann": 0.4, "bob": 0.9})]
BAD = [Cell("codebook", "ann", "two words", 0, failed="The model made no sound.", wrong=2, words=2)]


@pytest.fixture
def written(tmp_path: Path) -> Path:
    speakers = {name: a_speaker(name, place) for place, name in enumerate(("ann", "bob"))}
    rows = goals([], [], ClonedVoices(GOOD, speakers), None, None)
    results = Results({"model": "bundled"}, {"quantizer": GOOD, "codebook": BAD}, rows, "quantizer")
    write_report(tmp_path / "new", results)
    return tmp_path / "new"


def test_the_table_has_a_row_for_each_method_and_goal(written: Path) -> None:
    page = (written / TABLE).read_text(encoding="utf-8")
    assert "- model: bundled" in page
    tables = [line.split("|")[1:-1] for line in page.splitlines() if line.startswith("|")]
    methods = [[text.strip() for text in row] for row in tables if len(row) == len(FIGURES) + 3]
    assert [row[0] for row in methods] == ["method", "---", "quantizer", "codebook"]
    assert methods[2][4] == "100.0 % (100.0–100.0)"
    assert methods[3][-2:] == ["1", "1"]
    assert "- The model made no sound." in page
    assert ["codebook", "-100.0 points (-100.0 to -100.0)"] in [[text.strip() for text in row][:2] for row in tables]
    assert sum(len(row) == 5 for row in tables) == 2 + 9


def test_the_picture_is_one(written: Path) -> None:
    with Image.open(written / PICTURE) as picture:
        assert picture.format == "PNG"
        assert picture.width > 1000


def test_raw_figures_are_json(written: Path) -> None:
    raw = json.loads((written / RAW).read_text(encoding="utf-8"))
    assert raw["methods"]["quantizer"]["word error"]["value"] == 0
    assert raw["methods"]["codebook"]["DNSMOS"] is None
    assert len(raw["cells"]) == 3
    known = {"aim", "required", "no", "reported", "not measured", "needs 10 voices"}
    assert {goal["met"] for goal in raw["goals"]} <= known
