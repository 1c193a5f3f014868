"""Serves simcord's page under Barkeep's name, with a recorder and a few corrections (static/).

`PreviewServer` and its `_static` are private to simcord, as in live.py.
"""

from pathlib import Path
from typing import Any, ClassVar

from aiohttp import web
from simcord.preview._server import PreviewServer

STATIC = Path(__file__).parent / "static"
ADDED = {"/barkeep.js": "application/javascript", "/barkeep.css": "text/css"}
"""Path -> content type of the files in STATIC."""
REPLACED = (
    ("<title>SimCord Preview</title>", "<title>Barkeep</title>"),
    ('<link rel="stylesheet" href="/preview.css">', '{}\n    <link rel="stylesheet" href="/barkeep.css">'),
    ('<script type="module" src="/app.js"></script>', '{}\n    <script type="module" src="/barkeep.js"></script>'),
    ("<strong>SimCord</strong><small>Preview</small>", "<strong>Barkeep</strong><small>Simulator</small>"),
    ('<span class="brand-mark" aria-hidden="true">S</span>', '<span class="brand-mark" aria-hidden="true">B</span>'),
)
"""Text in simcord's index.html -> its replacement; {} stands for the original text."""


class PageServer(PreviewServer):
    """Serves simcord's page with Barkeep's name, script and style."""

    _STATIC_FILES: ClassVar[dict[str, str]] = {**PreviewServer._STATIC_FILES, **{path: path[1:] for path in ADDED}}

    async def _static(self, request: Any) -> web.Response:
        if request.path in ADDED and request.headers.get("Host", "") in self._allowed_hosts():
            return web.Response(
                text=(STATIC / request.path[1:]).read_text("utf-8"),
                content_type=ADDED[request.path],
                headers=self._SECURITY_HEADERS,
            )
        response: web.Response = await super()._static(request)
        if request.path == "/":
            response.text = with_additions(response.text or "")
        return response


def with_additions(html: str) -> str:
    """Return simcord's index.html with Barkeep's changes.

    Raises RuntimeError if simcord's version is not the pinned one.
    """
    for old, new in REPLACED:
        if old not in html:
            raise RuntimeError(f"simcord's page has no {old} any more: adapt simulator/page_server.py to its version")
        html = html.replace(old, new.replace("{}", old))
    return html
