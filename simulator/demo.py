"""`make demo`: clones a voice and speaks with it, without a browser, through the real bot and the real speech worker.

A member clones the recording that ships with the repository and has the new voice say a sentence. Each step is printed
with its time; the replies are saved under demo/. The exit status is 0 only if the spoken reply can be decoded and is
finite, not silent, and of plausible length.
"""

import signal

if __name__ == "__main__":  # The imports below take a moment; Ctrl-C ends them without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import numpy as np
from discord import Attachment
from simcord import InteractionResult

import logs
from assembly import create_bot
from cloning.media import recordings
from cogs.client import Barkeep
from errors import BarkeepError, Unavailable
from logs import print_line
from settings import Settings
from simulator.demo_cog import SAMPLE
from simulator.live import LiveEnv
from simulator.notice import model_notice
from simulator.simulated_server import build
from storage.records import JobState

FOLDER = Path("demo")
NAME = "Gilbert"
SENTENCE = "Hello, this is my new voice. What would you like to drink?"
JOB_SECONDS = 1800.0
"""How long a job may take: a big model needs many minutes on a slow machine, and so does its first download."""
STOPPED = 128 + signal.SIGINT
"""The exit status after Ctrl-C, by the convention of shells."""
SILENCE_DBFS = -50.0
"""A recording with a root mean square below this, in decibels of full scale, counts as silent."""
SECONDS_PER_CHARACTER = (0.02, 0.4)
"""The range from very fast to very slow speech; ordinary English takes about 0.07."""
OVER = (JobState.DELIVERED, JobState.FAILED, JobState.CANCELLED)


class Demo:
    """One member in a new server with an empty library. Replies are saved in `folder`."""

    def __init__(self, bot: Barkeep, folder: Path) -> None:
        self.bot = bot
        self.server = build(LiveEnv(bot))
        self.folder = folder

    async def clone(self) -> InteractionResult:
        """Use /clone with the bundled recording and submit the consent form. Returns at the acknowledgement."""
        sample = (SAMPLE.name, await asyncio.to_thread(SAMPLE.read_bytes))
        form = await self.server.member.slash(self.server.channel, "clone", name=NAME, audio=sample)
        return await self.server.member.submit_modal(form, {"consent": True})

    async def say(self) -> InteractionResult:
        """Use /say with the new voice, as autocomplete offers it. Returns at the acknowledgement."""
        choices = await self.server.member.autocomplete(self.server.channel, "say", "voice", NAME)
        if not choices:
            raise Unavailable("/say does not offer the new voice.")
        voice = choices[0]["value"]
        return await self.server.member.slash(self.server.channel, "say", text=SENTENCE, voice=voice)

    async def save(self, result: InteractionResult) -> list[Path]:
        """Wait for the files that answer an interaction and save them. Raises Unavailable if the answer has none."""
        give_up = time.monotonic() + JOB_SECONDS
        while not (attachments := _attachments(result)):
            over = time.monotonic() > give_up or (not result.deferred and await self._idle())
            if over and not _attachments(result):  # the answer may have arrived while the jobs were read
                raise Unavailable(result.response.content if result.response else "The bot did not answer.")
            await asyncio.sleep(0.1)
        paths = []
        for attachment in attachments:
            path = self.folder / attachment.filename
            await asyncio.to_thread(path.write_bytes, await attachment.read())
            paths.append(path)
        return paths

    async def _idle(self) -> bool:
        """Return whether every job is over and answered."""
        jobs = await self.bot.studio.storage.jobs.of_member(self.server.guild.id, self.server.member.id)
        return all(job.state in OVER and job.answered_at is not None for job in jobs)


def _attachments(result: InteractionResult) -> list[Attachment]:
    return list(result.response.attachments) if result.response else []


async def play(settings: Settings, folder: Path) -> Path:
    """Clone a voice, speak with it, save the replies in `folder` and return the spoken recording. Prints each step."""
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    async with _opened(settings, folder) as demo:
        with _step(f"/clone name:{NAME} audio:{SAMPLE.name}, with consent"):
            cloned = await demo.clone()
        with _step("the voice is made and its card arrives"):
            await demo.save(cloned)
        with _step(f"/say voice:{NAME} text:{SENTENCE}"):
            said = await demo.say()
        with _step("the reply arrives"):
            (recording,) = await demo.save(said)
    return recording


@asynccontextmanager
async def _opened(settings: Settings, folder: Path) -> AsyncIterator[Demo]:
    with tempfile.TemporaryDirectory(prefix="barkeep-demo-") as data:
        apart = {"discord_token": None, "database_url": None, "data_dir": Path(data)}
        demo = Demo(create_bot(settings.model_copy(update=apart)), folder)
        try:
            with _step("the bot starts in the simulated server"):
                await demo.server.env.start()
            yield demo
        finally:
            await demo.server.env.shutdown()


def examine(recording: Path, text: str) -> str:
    """Describe a recording of `text` in one line.

    Raises Unavailable if it is not plausible speech, and InvalidInput if it is not audio.
    """
    sound = recordings.read(recording)
    if not np.isfinite(sound.samples).all():
        raise Unavailable(f"{recording} contains values that are not finite.")
    level = 10 * np.log10(max(float(np.mean(np.square(sound.samples, dtype=np.float64))), 1e-12))
    if level < SILENCE_DBFS:
        raise Unavailable(f"{recording} is silent ({level:.0f} dBFS).")
    low, high = (len(text) * each for each in SECONDS_PER_CHARACTER)
    if not low <= sound.seconds <= high:
        raise Unavailable(f"{recording} lasts {sound.seconds:.1f} s; {low:.1f} to {high:.1f} s would be plausible.")
    return f"{recording}: {sound.seconds:.1f} s at {sound.sample_rate} Hz, {level:.0f} dBFS."


@contextmanager
def _step(name: str) -> Iterator[None]:
    """Print how long a step took, or that it failed."""
    started = time.perf_counter()
    try:
        yield
    except BaseException:
        print_line(f"{time.perf_counter() - started:6.1f} s  {name}: failed")
        raise
    print_line(f"{time.perf_counter() - started:6.1f} s  {name}")


def main() -> int:
    """Run the demo with the settings of the environment. Returns the exit status."""
    settings = Settings()
    logs.configure("WARNING", settings.log_format)
    if notice := model_notice(settings.model):
        print_line(notice)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        print_line(examine(asyncio.run(play(settings, FOLDER)), SENTENCE))
    except KeyboardInterrupt:
        print_line("Stopped.")
        return STOPPED
    except BarkeepError as error:
        print_line(error.message)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
