"""A bot that is killed while it says a line, and the one that starts after it. Run by test_killed.py, as processes.

`python -m tests.cogs.channel.killed FOLDER OUTPUT` says a line and prints what was posted of it, until it is killed;
with `--half` the worker has made the first sentence only. With `--again` it starts on what is left, and prints what
happens then.
"""

import argparse
import asyncio
import json
import sys
from pathlib import Path

from cogs.channel.source import SILENCE
from tests.cogs.channel.conftest import Party, packets_of, tone, until

LINE, NEXT = "A long line.", "Another line."
SOUNDS = {LINE: [tone(0, 20.0), tone(2)], NEXT: [tone(1)]}


def report(**news: object) -> None:
    """Tell the test something."""
    sys.stdout.write(json.dumps(news) + "\n")
    sys.stdout.flush()


async def speak(party: Party, output: str, *, half: bool) -> None:
    """Be in the middle of a line."""
    if half:
        party.executor.breath = asyncio.Event().wait
    await party.sits()
    await party.choose(channel_output=output)
    said = await party.says(party.ann, LINE)
    await until(lambda: len(party.sound) > 20, "the beginning")
    if output == "both" and not half:
        await until(lambda: party.files_of(said), "the file")
    report(files=len(party.files_of(said)))
    await asyncio.Event().wait()


async def come_back(party: Party) -> None:
    """See what is made up for, and that the bot speaks again."""
    await until(lambda: party.bot.studio.channels.scene(party.guild.id) is not None, "the bot in its channel")
    await until(lambda: party.room.connection.ready, "the connection")
    jobs = party.bot.studio.storage.jobs
    for _ in range(1000):
        if not await jobs.unanswered():
            break
        await asyncio.sleep(0.01)
    await party.says(party.ann, NEXT)
    await until(lambda: party.sound[-1:] == packets_of(SOUNDS[NEXT][0])[-1:], "a line after the restart")
    await party.quiet()
    line = {packet for sound in SOUNDS[LINE] for packet in packets_of(sound)}
    messages = party.text.history(viewer=party.ann)
    report(
        channel=party.room.connection.channel_id == party.channel.id,
        files=sum(len(message.attachments) for message in messages if LINE in message.content),
        again=len(line & {packet.opus for packet in party.heard} - {SILENCE}),
        heard=party.sound == packets_of(SOUNDS[NEXT][0]),
    )


async def run(folder: Path, output: str, *, again: bool, half: bool) -> None:
    party = Party(folder)
    party.executor.sounds = SOUNDS
    for member in (party.ann, party.bob):
        party.env.backend.set_voice_state(party.guild.id, member.id, party.channel.id)
    await party.env.start()
    await (come_back(party) if again else speak(party, output, half=half))
    await party.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("output")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--half", action="store_true")
    given = parser.parse_args()
    asyncio.run(run(given.folder, given.output, again=given.again, half=given.half))
