"""The voice channel in the page, as a person at the browser hears it: the real worker, real packets, a real player."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.simulator.browser import PATIENCE, WORK, Tab, open_tab
from tests.simulator.test_page import Simulator, start

WITHOUT_LIBRARIES = "import sys; sys.modules.update(nacl=None, davey=None); import bot; sys.exit(bot.main([]))"
QUIET, LOUD = 0.001, 0.01
"""Peaks of the sound that the player gives out: silence is below the one, speech above the other."""
METER = """() => {
    const context = new AudioContext();
    const meter = context.createAnalyser();
    context.createMediaElementSource(document.querySelector(".voice-audio")).connect(meter);
    meter.connect(context.destination);
    const samples = new Float32Array(meter.fftSize);
    window.peak = 0;
    setInterval(() => {
        meter.getFloatTimeDomainData(samples);
        for (const sample of samples) window.peak = Math.max(window.peak, Math.abs(sample));
    }, 20);
    const lines = document.querySelector(".voice-lines");
    window.seen = [];
    new MutationObserver(() => window.seen.push(lines.textContent)).observe(lines, { childList: true });
}"""
"""Measures what the page's player gives out, and notes what the bar has shown."""

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]


@pytest.fixture
def simulator(stand_in: Path, tmp_path: Path) -> Iterator[Simulator]:
    running = start(tmp_path, str(stand_in), READ_MESSAGES="true")
    yield running
    running.stop(signal.SIGTERM)


def comes(tab: Tab, name: str) -> None:
    """Somebody sits down, and the bot comes to them."""
    tab.look_as(name)
    tab.command("demo sit")
    tab.last("sits down")
    tab.command("join")
    tab.last("Use /say, and I speak there")


def listens(tab: Tab) -> None:
    """Press "Listen", and wait until the stream plays."""
    tab.page.get_by_role("button", name="Listen").click()
    tab.page.evaluate(METER)
    waits(tab, "document.querySelector('.voice-audio').currentTime > 0.5", PATIENCE)


def waits(tab: Tab, expression: str, milliseconds: int) -> None:
    """Wait until an expression of JavaScript is true. Playwright's own waiting is against the page's policy."""
    for _ in range(milliseconds // 100):
        if tab.page.evaluate(expression):
            return
        tab.page.wait_for_timeout(100)
    raise AssertionError(f"waited in vain for {expression}; the bar has shown {tab.page.evaluate('window.seen')}")


def heard(tab: Tab) -> float:
    """The loudest that came out of the player so far."""
    return float(tab.page.evaluate("window.peak"))


def test_listen_plays_what_the_channel_hears(simulator: Simulator) -> None:
    with open_tab(simulator.url) as tab:
        comes(tab, "Ada")
        bar = tab.page.get_by_role("region", name="Voice channel")
        expect(bar).to_contain_text("Ada, Barkeep 🤖")
        listens(tab)
        assert heard(tab) < QUIET, "there is sound before anything was said"
        tab.command("say", text="One. Two. Three.")
        waits(tab, f"window.peak > {LOUD}", WORK)
        waits(tab, "window.seen.some((line) => line.includes('now') && line.includes('One. Two. Three.'))", WORK)
        tab.shot("listen")
        tab.page.get_by_role("button", name="Stop listening").click()
        expect(tab.page.get_by_role("button", name="Listen")).to_have_attribute("aria-pressed", "false")
        tab.command("leave")
        tab.last("I left")
        expect(bar).not_to_contain_text("🤖")


def test_messages_are_heard_from_start_to_stop(simulator: Simulator) -> None:
    with open_tab(simulator.url) as tab:
        comes(tab, "Mira (moderator)")
        listens(tab)
        tab.command("read start", channel="the-bar")
        tab.last("is read aloud now")
        tab.write("The kettle is on.")
        waits(tab, f"window.peak > {LOUD}", WORK)
        assert any("The kettle is on." in line for line in tab.page.evaluate("window.seen"))
        tab.shot("reading")
        tab.command("read stop")
        tab.last("no longer read")
        tab.write("This stays silent.")
        tab.command("say", text="After that.")
        waits(tab, "window.seen.some((line) => line.includes('After that.'))", WORK)
        assert not any("silent." in line for line in tab.page.evaluate("window.seen"))


def test_without_the_voice_libraries_the_page_works_and_says_what_is_missing(stand_in: Path, tmp_path: Path) -> None:
    running = start(tmp_path, str(stand_in), "-c", WITHOUT_LIBRARIES)
    try:
        with open_tab(running.url) as tab:
            tab.command("demo sit")
            tab.last("sits down")
            tab.command("join")
            assert 'pip install "discord.py[voice]"' in tab.last("two libraries are missing").inner_text()
            tab.command("say", text="Hello there.")
            assert tab.play(tab.last("AI-generated", work=True)) > 0.2
        assert running.stop(signal.SIGTERM)[0] == 0
    finally:
        running.process.kill()
