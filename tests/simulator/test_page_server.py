"""simcord's page with Barkeep's name on it."""

from pathlib import Path

import pytest
from simcord import preview

from simulator.page_server import with_additions

INDEX = (Path(preview.__file__).parent / "static" / "index.html").read_text("utf-8")


def test_the_page_has_barkeeps_name_and_loads_what_it_adds() -> None:
    page = with_additions(INDEX)
    assert "SimCord Preview</title>" not in page
    assert "<strong>SimCord" not in page
    assert page.index("/barkeep.js") < page.index("/app.js"), "a press right after the first look would be missed"
    assert page.index("/preview.css") < page.index("/barkeep.css")


def test_another_page_than_that_of_the_pinned_version_is_noticed() -> None:
    with pytest.raises(RuntimeError, match="adapt simulator/page_server"):
        with_additions(INDEX.replace("/app.js", "/main.js"))
