"""Drives the simulator's page in headless Chromium, as a person with mouse and keyboard would."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Error, Locator, Page, expect, sync_playwright

SHOTS = Path(__file__).parent.parent.parent / "shots"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)
WIDTH, HEIGHT = 1280, 900
PATIENCE = 30_000
"""Milliseconds that an answer of the page may take on a busy machine."""
PICTURES_ARE_THERE = "[...document.images].every(image => image.complete && image.naturalWidth)"
WORK = 150_000
"""Milliseconds that a job of the speech worker may take there."""
NOTED = """document.addEventListener("playing", ({ target }) => {
    window.played = target.closest("article.channel-message").dataset.messageId;
}, true);
document.addEventListener("click", ({ target }) => {
    window.clicked = target.closest("button")?.innerText ?? "";
}, true)"""
"""Keeps the message that began to play, whose element is replaced when it changes, and the button that was clicked."""
SOUNDS = (
    """[...document.querySelectorAll("article audio")].map((it) => [it.readyState, it.paused, it.error?.message])"""
)
OUTSIDE = """it => {
    const button = it.getBoundingClientRect();
    const seen = document.getElementById("channel-timeline").getBoundingClientRect();
    return Math.trunc(Math.min(0, button.top - seen.top) + Math.max(0, button.bottom - seen.bottom));
}"""
"""By how many pixels a button is above (negative) or below the visible part of the timeline."""


class Tab:
    """One open page."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def shot(self, name: str) -> None:
        """Keep a picture under shots/, outside of git."""
        SHOTS.mkdir(exist_ok=True)
        for _ in range(50):  # a slow picture is no reason to have none
            if self.page.evaluate(PICTURES_ARE_THERE):
                break
            self.page.wait_for_timeout(100)
        self.page.screenshot(path=SHOTS / f"{name}.png")

    def look_as(self, name: str) -> None:
        """Choose through whose eyes the page looks."""
        self.page.get_by_label("Viewing as").select_option(label=name)
        self.ready()

    def ready(self) -> None:
        """Wait until the page takes a new action: it can lose one that is begun while another is pending."""
        expect(self.page.locator("#action-status")).not_to_contain_text("…", timeout=PATIENCE)

    def command(self, name: str, /, *, files: dict[str, Path] | None = None, **options: str) -> None:
        """Type a slash command, fill its options, and send it."""
        self.ready()
        self.page.get_by_placeholder("Message #the-bar").click()
        self.page.keyboard.type(f"/{name}")
        self.page.locator(f'.command-entry:has(strong:text-is("/{name}"))').click()
        for option, path in (files or {}).items():
            self._pill(option).locator("input[type=file]").set_input_files(path)
        for option, value in options.items():
            self._fill(option, value)
        self.page.locator("#send-message").click()

    def write(self, text: str) -> None:
        """Write a message, and see it in the channel."""
        self.ready()
        self.page.get_by_placeholder("Message #the-bar").fill(text)
        self.page.locator("#send-message").click()
        self.last(text)

    def offered(self) -> set[str]:
        """The slash commands in the list that opens with a slash."""
        composer = self.page.get_by_placeholder("Message #the-bar")
        composer.fill("/")
        entries = self.page.locator(".command-entry-title strong")
        entries.first.wait_for()
        names = {name.removeprefix("/") for name in entries.all_inner_texts()}
        composer.fill("")
        return names

    def _pill(self, option: str) -> Locator:
        pill = self.page.locator(f'.command-pill[data-option="{option}"]')
        if not pill.is_visible():
            self.page.locator(".command-ghost").click()
            self.page.locator(f'.command-suggestion[data-value="{option}"]').click()
        return pill

    def _fill(self, option: str, value: str) -> None:
        """Type a value, and take the first suggestion if the option only knows suggestions."""
        field = self._pill(option).locator("input")
        field.fill(value)
        suggestion = self.page.locator(".command-suggestion").filter(has_text=value).first
        if field.get_attribute("role") == "combobox":
            suggestion.click()

    def form(self) -> Locator:
        """The open modal."""
        dialog = self.page.get_by_role("dialog")
        dialog.wait_for()
        return dialog

    def submit(self) -> None:
        """Send the open modal."""
        self.form().get_by_role("button", name="Submit").click()
        self.page.get_by_role("dialog").wait_for(state="detached")

    def last(self, text: str, *, work: bool = False) -> Locator:
        """The newest message that shows `text`; waits for one, longer if a job makes it."""
        found = self.page.locator("article.channel-message").filter(has_text=text).last
        found.wait_for(timeout=WORK if work else PATIENCE)
        return found

    def press(self, message: Locator, label: str) -> None:
        """Press a message's button; again if the page moved under the pointer, as a person would."""
        button = message.locator(f'button:has(.button-label:text-is("{label}"))')
        self.page.evaluate("() => { window.clicked = '' }")
        while label not in self.page.evaluate("() => window.clicked"):
            self._scroll_to(button)
            button.click()
        self.ready()

    def _scroll_to(self, button: Locator) -> None:
        """Turn the wheel until the button is in view: the page follows its newest message until somebody does."""
        while pixels := button.evaluate(OUTSIDE):
            self.page.locator("#channel-timeline").hover(position={"x": 5, "y": 5})
            self.page.mouse.wheel(0, pixels)
            self.page.wait_for_timeout(200)

    def playing(self) -> Locator:
        """The newest message whose recording has begun to play by itself in this tab, also if it has ended."""
        try:
            self.page.wait_for_function("() => window.played", timeout=WORK)
        except Error:
            newest = self.page.locator("article.channel-message").last.inner_text()
            pytest.fail(
                f"Nothing began to play. The newest message: {newest!r}. Recordings: {self.page.evaluate(SOUNDS)}"
            )
        return self.page.locator(f"article.channel-message[data-message-id='{self.page.evaluate('window.played')}']")

    def play(self, message: Locator) -> float:
        """Play a message's recording and see its time move on. Returns its length in seconds."""
        sound = message.locator("audio")
        expect(sound).to_have_js_property("readyState", 4, timeout=PATIENCE)
        sound.evaluate("it => it.addEventListener('timeupdate', () => (it.dataset.moved = it.currentTime > 0))")
        message.get_by_role("button", name="Play").click()
        expect(sound).to_have_attribute("data-moved", "true", timeout=PATIENCE)
        return float(sound.evaluate("it => it.duration"))

    def download(self, message: Locator, path: Path) -> bytes:
        """Download a message's file."""
        with self.page.expect_download() as started:
            message.get_by_role("button", name="Download").click()
        started.value.save_as(path)
        return path.read_bytes()


@contextmanager
def open_tab(url: str, *, microphone: Path | None = None) -> Iterator[Tab]:
    """A fresh browser on the simulator's address, which hears the WAV file `microphone`, else beeps.

    Fails the test with a sentence if there is no Chromium.
    """
    heard = [f"--use-file-for-fake-audio-capture={microphone}%noloop"] if microphone else []
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=_chromium(), args=[*FLAGS, *heard])
        except Error as error:
            pytest.fail(
                f"No Chromium could be started ({error.message.splitlines()[0]}). Run `make test` once: it "
                "installs one, or `apt-get install chromium`, or `.venv/bin/playwright install chromium`."
            )
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.set_default_timeout(PATIENCE)
        page.add_init_script(NOTED)
        page.goto(url)
        page.get_by_placeholder("Message #the-bar").wait_for()
        try:
            yield Tab(page)
        except BaseException:
            Tab(page).shot("failed")
            raise
        finally:
            browser.close()


def _chromium() -> str | None:
    """The machine's own browser, or None for the one that Playwright brought."""
    return shutil.which("chromium") or shutil.which("google-chrome")
