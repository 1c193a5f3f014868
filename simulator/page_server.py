"""Serves simcord's page under Barkeep's name, with a recorder and a few corrections (static/).

`PreviewServer` and its `_static` are private to simcord, as in live.py.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from aiohttp import web
from simcord.preview import Preview
from simcord.preview._server import PreviewServer

STATIC = Path(__file__).parent / "static"
ADDED = {"/barkeep.js": "application/javascript", "/voice.js": "application/javascript", "/barkeep.css": "text/css"}
"""Path -> content type of the files in STATIC."""
REPLACED = (
    ("<title>SimCord Preview</title>", "<title>Barkeep</title>"),
    ('<link rel="stylesheet" href="/preview.css">', '{}\n    <link rel="stylesheet" href="/barkeep.css">'),
    (
        '<script type="module" src="/app.js"></script>',
        '<script type="module" src="/barkeep.js"></script><script type="module" src="/voice.js"></script>\n    {}',
    ),
    ("<strong>SimCord</strong><small>Preview</small>", "<strong>Barkeep</strong><small>Simulator</small>"),
    ('<span class="brand-mark" aria-hidden="true">S</span>', '<span class="brand-mark" aria-hidden="true">B</span>'),
)
"""Text in simcord's index.html -> its replacement; {} stands for the original text."""


VOICE_STATE, VOICE_SOUND = "/voice/state", "/voice/sound"


@dataclass(frozen=True, slots=True)
class VoiceView:
    """The voice channel for a page: its state as JSON, and what is heard there as WebM without an end."""

    state: Callable[[], dict[str, Any]]
    listen: Callable[[], AsyncGenerator[bytes, None]]


class PageServer(PreviewServer):
    """Serves simcord's page with Barkeep's name, scripts and style, and with `voice` also the voice channel."""

    _STATIC_FILES: ClassVar[dict[str, str]] = {
        **PreviewServer._STATIC_FILES,
        **{path: path[1:] for path in (*ADDED, VOICE_STATE, VOICE_SOUND)},
    }

    def __init__(self, preview: Preview, port: int, voice: VoiceView | None) -> None:
        super().__init__(preview, port)
        self._voice = voice

    async def _static(self, request: Any) -> web.StreamResponse:
        if request.path in (VOICE_STATE, VOICE_SOUND):
            if self._voice is None:
                raise web.HTTPNotFound()
            answer = self._sound if request.path == VOICE_SOUND else self._shown
            return await answer(request, self._voice)
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

    async def _shown(self, request: Any, voice: VoiceView) -> web.StreamResponse:
        if not self._authorized(request):
            raise web.HTTPUnauthorized()
        return web.json_response(voice.state(), headers=self._SECURITY_HEADERS)

    async def _sound(self, request: Any, voice: VoiceView) -> web.StreamResponse:
        """Stream for as long as somebody listens."""
        if not self._authorized(request):
            raise web.HTTPUnauthorized()
        response = web.StreamResponse(headers={**self._SECURITY_HEADERS, "Content-Type": "audio/webm"})
        await response.prepare(request)
        async with aclosing(voice.listen()) as sound:
            async for chunk in sound:
                try:
                    await response.write(chunk)
                except ConnectionError:
                    break
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
