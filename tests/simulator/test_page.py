"""What a newcomer meets: `python bot.py`, the page in a browser, the real worker and the stand-in."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
from playwright.sync_api import expect

from cloning.media import recordings
from simulator.demo_cog import SAMPLE
from simulator.notice import NOTICE
from tests.simulator.browser import WORK, Tab, open_tab

ROOT = Path(__file__).parent.parent.parent
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/#\S+")
STOP_SECONDS = 15.0

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]


@dataclass(frozen=True)
class Simulator:
    """A running `python bot.py`."""

    process: "subprocess.Popen[str]"
    said: list[str]
    url: str

    def stop(self, number: signal.Signals = signal.SIGINT) -> tuple[int, float]:
        """Ask it to stop. Returns the exit status and the seconds that it took."""
        started = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(60), time.monotonic() - started


def start(data: Path, model: str, *program: str, **settings: str) -> Simulator:
    """Start one as `make run` does without a token, and wait for its address. `program`: Python's arguments."""
    environment = {
        **os.environ,
        "DISCORD_TOKEN": "",
        "DATA_DIR": str(data),
        "MODEL": model,
        "OMP_NUM_THREADS": "1",
        **settings,
    }
    process = subprocess.Popen(
        [sys.executable, *(program or ("bot.py",))],
        cwd=ROOT,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=None,
    )
    said: list[str] = []
    assert process.stdout is not None
    for line in process.stdout:
        said.append(line.strip())
        if "Ctrl-C" in line:
            break
    address = ADDRESS.search("\n".join(said))
    if address is None:
        process.kill()
        pytest.fail(f"The simulator told no address: {said}")
    return Simulator(process, said, address[0])


@pytest.fixture(scope="module")
def simulator(stand_in: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """One for all tests: starting takes a while."""
    running = start(tmp_path_factory.mktemp("data"), str(stand_in))
    yield running
    status, seconds = running.stop(signal.SIGTERM)
    assert (status, seconds < STOP_SECONDS) == (0, True), f"status {status} after {seconds:.1f} s"


def clone(tab: Tab, name: str) -> None:
    """Clone the recording that ships, with consent where it is asked for, and wait for the card."""
    tab.command("clone", name=name, files={"audio": SAMPLE})
    tab.ready()
    if tab.page.get_by_role("dialog").is_visible():
        tab.form().get_by_role("checkbox").check()
        tab.submit()
    tab.last(f"{name} is ready", work=True)
    tab.ready()


def test_it_says_one_address(simulator: Simulator) -> None:
    text = "\n".join(simulator.said)
    assert len(ADDRESS.findall(text)) == 1
    assert NOTICE not in text


def test_a_newcomer_hears_a_voice_by_one_press(simulator: Simulator) -> None:
    with open_tab(simulator.url) as tab:
        assert tab.page.title() == "Barkeep"
        greeting = tab.last("Welcome to The Snug!")
        tab.shot("greeting")
        tab.press(greeting, "Hear a voice")
        assert "AI-generated" in tab.playing().inner_text()


def test_a_newcomer_clones_the_sample_by_one_press(simulator: Simulator) -> None:
    with open_tab(simulator.url) as tab:
        tab.look_as("Ben")
        tab.press(tab.last("Welcome to The Snug!"), "Clone a sample")
        tab.form().get_by_role("checkbox").check()
        tab.submit()
        card = tab.last("Gilbert is ready", work=True)
        tab.page.wait_for_timeout(1000)
        card_ends, composer_begins = (
            box["y"] + (box["height"] if it is card else 0)
            for it in (card, tab.page.locator("#channel-composer"))
            if (box := it.bounding_box()) is not None
        )
        assert card_ends < composer_begins + 1, "the page did not follow the card"  # it scrolls by whole pixels


def test_ten_seconds_from_the_microphone_become_a_voice(simulator: Simulator, tmp_path: Path) -> None:
    speech = tmp_path / "speech.wav"
    sound = recordings.read(SAMPLE)
    soundfile.write(speech, sound.samples, sound.sample_rate, subtype="PCM_16")
    with open_tab(simulator.url, microphone=speech) as tab:
        tab.look_as("Mira (moderator)")
        tab.press(tab.last("Welcome to The Snug!"), "Record my voice")
        tab.shot("recorder")
        tab.page.get_by_text("recording.webm").wait_for(timeout=WORK)
        tab.shot("recorded")
        expect(tab.page.locator('.command-pill[data-option="name"] input')).to_have_value("Mira")
        tab.page.locator("#send-message").click()
        tab.form().get_by_role("checkbox").check()
        tab.submit()
        tab.last("Mira is ready", work=True)


def test_a_recording_can_be_cancelled(simulator: Simulator) -> None:
    with open_tab(simulator.url) as tab:
        tab.page.get_by_role("button", name="Record", exact=False).last.click()
        tab.page.locator(".recorder").get_by_role("button", name="Cancel").click()
        expect(tab.page.locator(".recorder")).to_have_count(0)
        expect(tab.page.locator(".command-pill")).to_have_count(0)


def test_voices_are_offered_before_a_letter_is_typed(simulator: Simulator) -> None:
    with open_tab(simulator.url) as tab:
        tab.press(tab.last("Welcome to The Snug!"), "Hear a voice")
        tab.playing()  # the built-in voices are known once the models are loaded
        tab.page.get_by_placeholder("Message #the-bar").click()
        tab.page.keyboard.type("/voices info")
        tab.page.locator('.command-entry:has(strong:text-is("/voices info"))').click()
        tab.page.locator(".command-suggestion").first.wait_for()


def test_a_voice_from_its_recording_to_its_end(simulator: Simulator, tmp_path: Path) -> None:
    with open_tab(simulator.url) as tab:
        clone(tab, "Ada")
        card = tab.last("Ada is ready")
        tab.shot("card")
        tab.press(card, "Hear it")
        assert tab.play(tab.last("The recording that Ada was made from")) > 1.0
        assert tab.play(tab.last("Hello! This is how I sound.", work=True)) > 0.2
        tab.shot("heard")

        tab.command("say", text="Hello there, this is me.", voice="Ada")
        reply = tab.last("Hello there, this is me.", work=True)
        assert tab.play(reply) > 0.5
        tab.shot("reply")

        tab.command("voices list")
        assert "Ada" in tab.last("Voices of this server").inner_text()
        tab.shot("list")

        tab.command("voices export", voice="Ada")
        exported = tab.download(tab.last(".npz"), tmp_path / "ada.npz")
        assert exported
        with np.load(tmp_path / "ada.npz", allow_pickle=False) as prompt:
            assert set(prompt.files) >= {"semantic_prompt", "coarse_prompt", "fine_prompt"}

        tab.command("voices delete", voice="Ada")
        tab.press(tab.last("Delete it"), "Delete it")
        tab.last("was deleted")
        tab.command("voices list", search="Ada")
        tab.last("No voice matches")


def test_somebody_elses_message_is_cloned_after_their_yes(simulator: Simulator) -> None:
    with open_tab(simulator.url) as tab:
        tab.command("demo menu", entry="Clone this voice", message="This is how I sound")
        tab.form().get_by_label("Name of the voice").fill("Benjamin")
        tab.submit()
        tab.look_as("Ben")
        tab.shot("consent")
        tab.press(tab.last("Allow"), "Allow")
        tab.last("Benjamin is ready", work=True)


SEEN = {
    "help": "/voices import adds",
    "jobs": "Your jobs",
    "voices list": "Voices of this server",
    "privacy show": "What I store about you",
    "privacy export": "my-voice-data.zip",
}
SEEN_BY_MODERATORS = {
    "admin settings": "Settings of this server",
    "admin voices": "Voices of this server",
    "admin queue": "Queue of this server",
    "admin audit": "Audit log of this server",
    "admin stats": "Speech jobs",
    "admin unblock": "Blocked members",
}


def test_every_command_that_looks_at_something(simulator: Simulator) -> None:
    with open_tab(simulator.url) as tab:
        assert not {name for name in tab.offered() if name.startswith("admin")}
        for command, text in SEEN.items():
            tab.command(command)
            tab.last(text)
        tab.command("check", files={"audio": SAMPLE})
        tab.last("No mark of generated speech was found", work=True)
        tab.look_as("Mira (moderator)")
        assert tab.offered() >= {*SEEN, *SEEN_BY_MODERATORS, "clone", "say", "voices share", "privacy forget"}
        for command, text in SEEN_BY_MODERATORS.items():
            tab.command(command)
            tab.last(text)
            tab.shot(command.replace(" ", "-"))
        assert not tab.page.locator("#inspector-count").is_visible()


def test_a_form_of_the_settings(simulator: Simulator) -> None:
    with open_tab(simulator.url) as tab:
        tab.look_as("Mira (moderator)")
        tab.command("admin settings")
        tab.press(tab.last("Settings of this server"), "Limits per member…")
        tab.form().get_by_role("textbox", name="Voices *").fill("7")
        tab.submit()
        tab.last("7 per member")


def test_ending_the_session_in_the_page_ends_the_process(tmp_path: Path) -> None:
    running = start(tmp_path, "bundled")
    try:
        assert NOTICE in running.said
        with open_tab(running.url) as tab:
            assert NOTICE in tab.last("Welcome to The Snug!").inner_text()
            tab.page.get_by_text("More", exact=True).click()
            tab.page.get_by_role("button", name="End preview session").click()
            assert running.process.wait(10) == 0
    finally:
        running.process.kill()


def test_ctrl_c_in_the_middle_of_a_job_loses_nothing(stand_in: Path, tmp_path: Path) -> None:
    running = start(tmp_path, str(stand_in))
    try:
        with open_tab(running.url) as tab:
            clone(tab, "Ada")
            tab.command("say", text="It was a dark night. " * 40, voice="Ada")
            tab.last("▱", work=True)  # the bar of a job at work
            status, seconds = running.stop(signal.SIGINT)
    finally:
        running.process.kill()
    assert (status, seconds < STOP_SECONDS) == (0, True), f"status {status} after {seconds:.1f} s"
    again = start(tmp_path, str(stand_in))
    try:
        with open_tab(again.url) as tab:
            answer = tab.last("AI-generated", work=True)
            assert tab.play(answer) > 1.0
            tab.shot("resumed")
    finally:
        again.process.kill()


def test_a_question_that_was_open_is_put_again_after_a_restart(stand_in: Path, tmp_path: Path) -> None:
    running = start(tmp_path, str(stand_in))
    try:
        with open_tab(running.url) as tab:
            tab.command("demo menu", entry="Clone this voice", message="This is how I sound")
            tab.form().get_by_label("Name of the voice").fill("Benjamin")
            tab.submit()
            tab.last("May your voice be cloned?")
        running.stop(signal.SIGINT)
    finally:
        running.process.kill()
    again = start(tmp_path, str(stand_in))
    try:
        with open_tab(again.url) as tab:
            tab.look_as("Ben")
            tab.press(tab.last("May your voice be cloned?"), "Allow")
            tab.last("Benjamin is ready", work=True)
    finally:
        again.process.kill()
