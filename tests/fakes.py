"""Stand-ins with the real interfaces: a speech worker that is instant and scriptable, a courier that takes notes."""

import asyncio
import io
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from cloning.checkpoints.speakers import ANY_SPEAKER
from cloning.consent.answer import SpokenAnswer
from cloning.media.report import QualityReport
from cloning.prompt import BARK
from cloning.watermark.finding import Finding
from cloning.worker.protocol import (
    CLIP_FILE,
    PROMPT_FILE,
    SPEECH_FILE,
    Cloned,
    CloneRequest,
    Event,
    Failed,
    Health,
    Lost,
    Nodes,
    NodeState,
    PartSpoken,
    Progress,
    PromptModels,
    Ready,
    Request,
    SpeakRequest,
    Spoken,
    part_file,
)
from errors import KINDS
from storage.records import JobRecord
from studio.values import Actor, Delivery, Outcome, Update

MODEL = "tiny"
SPEAKERS = ("v2/en_speaker_0", "v2/en_speaker_6", "v2/de_speaker_1")
REPORT = QualityReport(
    total_seconds=12.0,
    speech_seconds=9.5,
    used_start=1.5,
    used_end=11.0,
    loudness_lufs=-21.5,
    clipped_fraction=0.0,
    noise_db=-48.0,
    verdict="good",
    advice=("The clearest 9.5 seconds were used.",),
    waveform=tuple(0.5 + 0.5 * float(np.sin(n / 3)) for n in range(64)),
)


@cache
def prompt_bytes(seed: int = 0) -> bytes:
    """A valid voice prompt of two seconds, as Suno's code reads it."""
    random = np.random.default_rng(seed)
    fine = random.integers(0, 1024, (8, 150), dtype=np.int64)
    buffer = io.BytesIO()
    np.savez(
        buffer,
        semantic_prompt=random.integers(0, 10_000, 100, dtype=np.int64),
        coarse_prompt=fine[:2],
        fine_prompt=fine,
    )
    return buffer.getvalue()


@cache
def sound_bytes(container: str = "WAV", seconds: float = 1.0) -> bytes:
    """A quiet tone of 24 kHz: "WAV", "FLAC" or "OGG" (Opus)."""
    samples = 0.2 * np.sin(2 * np.pi * 220 * np.arange(int(24_000 * seconds)) / 24_000)
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, 24_000, format=container, subtype="OPUS" if container == "OGG" else None)
    return buffer.getvalue()


class FakeExecutor:
    """Implements `cloning.worker.protocol.Executor` in the test's own event loop; its files are small and real.

    `fail_next`, `lose_next` and `hold` script the jobs to come; `requests` are all that were submitted. Speech has
    `sentences`, the first of which is told of before the rest. `sounds`: Ogg Opus files, one for each sentence of a
    text, which are told of one by one; `pause` is the silence between them, and `breath` is awaited there.
    """

    def __init__(
        self,
        *,
        capacity: int = 1,
        model: str = MODEL,
        speakers: tuple[str, ...] = SPEAKERS,
        wait: Callable[[Awaitable[Any]], Awaitable[Any]] = lambda awaitable: awaitable,
    ) -> None:
        self.requests: list[Request] = []
        self.cancelled: list[str] = []
        self.model = model
        self.delay = 0.0
        self.ready: Ready | None = Ready(model, "tiny-hubert", "cpu", speakers, BARK, f"weights of {model}")
        self.closed = False
        self.sentences = 1
        self.sounds: dict[str, list[bytes]] = {}
        self.pause = 0.0
        self.breath: Callable[[], Awaitable[Any]] = lambda: asyncio.sleep(0)
        self.error: str | None = None
        self.silent = False
        """Whether nothing is told of a job before its end."""
        self.checked: list[bytes] = []
        self.finding = Finding("marked", 0.99, ((0.0, 4.0),), 4.0, 4.0)
        self.heard = SpokenAnswer(
            "", words=5, of=5, statement=1.0, length=1.0, likeness=0.9, weakest=0.8, is_generated=False
        )
        self.listened: list[tuple[bytes, bytes, str]] = []
        """The clip, the answer and the sentence of each spoken consent."""
        self.consent_languages: tuple[str, ...] = ("en",)
        self.deadly = ""
        """A text that kills the worker, and whatever else it holds."""
        self._capacity = capacity
        self._wait = wait
        self._queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self._errors: deque[tuple[str, str]] = deque()
        self._gate: asyncio.Event | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._dying: set[asyncio.Task[None]] = set()

    def fail_next(self, kind: str = "InvalidInput", message: str = "No speech was found in the recording.") -> None:
        """The next attempt ends with Failed(kind, message)."""
        self._errors.append((kind, message))

    def lose_next(self, times: int = 1) -> None:
        """The next `times` attempts end as if the worker had been killed."""
        self._errors.extend([("Lost", "The worker was killed by signal 9.")] * times)

    def hold(self) -> Callable[[], None]:
        """Jobs submitted from now on wait until the function that is returned was called."""
        gate = self._gate = asyncio.Event()

        def release() -> None:
            self._gate = None
            gate.set()

        return release

    @property
    def capacity(self) -> int:
        return self._capacity

    @property
    def digest(self) -> str:
        """Of the weights in use: those of `ready`, while there is one."""
        return f"weights of {self.model}" if self.ready is None else self.ready.digest

    async def start(self) -> None:
        if self.ready is not None:
            self._queue.put_nowait(self.ready)

    async def submit(self, request: Request) -> None:
        self.requests.append(request)
        error = self._errors.popleft() if self._errors else None
        task = asyncio.create_task(self._work(request, error, self._gate))
        self._tasks[request.job_id] = task
        task.add_done_callback(lambda ended: self._forget(request.job_id, ended))

    async def events(self) -> AsyncIterator[Event]:
        while (event := await self._wait(self._queue.get())) is not None:
            yield event

    async def check(self, source: Path) -> Finding:
        self.checked.append(await asyncio.to_thread(source.read_bytes))
        if (gate := self._gate) is not None:
            await self._wait(gate.wait())
        if self._errors:
            kind, message = self._errors.popleft()
            raise KINDS[kind](message)
        return self.finding

    async def listen(self, source: Path, answer: Path, sentence: str) -> SpokenAnswer:
        sounds = [await asyncio.to_thread(path.read_bytes) for path in (source, answer)]
        self.listened.append((sounds[0], sounds[1], sentence))
        if (gate := self._gate) is not None:
            await self._wait(gate.wait())
        if self._errors:
            kind, message = self._errors.popleft()
            raise KINDS[kind](message)
        return self.heard

    async def cancel(self, job_id: str) -> None:
        self.cancelled.append(job_id)
        if (task := self._tasks.get(job_id)) is not None:
            task.cancel()

    def tell(self, event: Event) -> None:
        """The worker reports one more event."""
        self._queue.put_nowait(event)

    def grow(self, capacity: int) -> None:
        """A node of a cluster has joined: there is room for more jobs."""
        self._capacity = capacity
        self.tell(Nodes((NodeState("n", "127.0.0.1", "ready", capacity, 0),)))

    def end_events(self) -> None:
        """The stream of events breaks off once."""
        self._queue.put_nowait(None)

    def health(self) -> Health:
        return Health(alive=not self.closed, ready=self.ready, error=self.error, restarts=0)

    async def close(self) -> None:
        self.closed = True
        for task in list(self._tasks.values()):
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        self._queue.put_nowait(None)

    def _forget(self, job_id: str, ended: asyncio.Task[None]) -> None:
        if ended in self._dying:
            self._dying.discard(ended)
            return
        self._tasks.pop(job_id, None)
        if ended.cancelled() and not self.closed:
            self._queue.put_nowait(Failed(job_id, "Cancelled", "The work was cancelled."))

    async def _work(self, request: Request, error: tuple[str, str] | None, gate: asyncio.Event | None) -> None:
        for stage in ("reading", "speaking") if isinstance(request, SpeakRequest) else ("listening", "codec"):
            if not self.silent:
                self._queue.put_nowait(Progress(request.job_id, stage, 0.5))
        if isinstance(request, SpeakRequest) and request.text == self.deadly:
            await asyncio.sleep(0.05)
            self._die()
            return
        if isinstance(request, SpeakRequest) and request.text in self.sounds:
            await self._speak(request, self.sounds[request.text])
        elif isinstance(request, SpeakRequest) and self.sentences > 1:
            (request.output_dir / part_file(0)).write_bytes(sound_bytes("OGG", 0.5))
            self._queue.put_nowait(PartSpoken(request.job_id, 0, self.sentences, 0.5))
        if gate is not None:
            await self._wait(gate.wait())
        if self.delay:
            await self._wait(asyncio.sleep(self.delay))
        self._queue.put_nowait(self._error(request, error) if error else self._result(request))

    async def _speak(self, request: SpeakRequest, sounds: list[bytes]) -> None:
        """Tell of each sentence; the only one of a text is the whole."""
        for number, sound in enumerate(sounds if len(sounds) > 1 else ()):
            if number:
                await self._wait(self.breath())
            (request.output_dir / part_file(number)).write_bytes(sound)
            pause = self.pause if number + 1 < len(sounds) else 0.0
            self._queue.put_nowait(PartSpoken(request.job_id, number, len(sounds), 0.5, pause))

    def _die(self) -> None:
        """Lose every job in hand."""
        for job_id, task in list(self._tasks.items()):
            del self._tasks[job_id]
            self._queue.put_nowait(Lost(job_id, "The worker was killed by signal 9."))
            if task is not asyncio.current_task():
                self._dying.add(task)
                task.cancel()

    @staticmethod
    def _error(request: Request, error: tuple[str, str]) -> Event:
        kind, message = error
        return Lost(request.job_id, message) if kind == "Lost" else Failed(request.job_id, kind, message)

    def _result(self, request: Request) -> Event:
        if isinstance(request, CloneRequest):
            if not request.source.read_bytes():
                return Failed(request.job_id, "InvalidInput", "The file is empty.")
            (request.output_dir / PROMPT_FILE).write_bytes(prompt_bytes())
            (request.output_dir / CLIP_FILE).write_bytes(sound_bytes("FLAC"))
            return Cloned(request.job_id, REPORT, self._made_by("tiny-quantizer"))
        is_ours = request.prompt_digest == self.digest if request.prompt is not None else request.clip is None
        if not is_ours and request.clip is None:
            return Failed(request.job_id, "InvalidInput", "This voice was imported for other speech models.")
        if not is_ours:
            (request.output_dir / PROMPT_FILE).write_bytes(prompt_bytes(1))
        sounds = self.sounds.get(request.text, [sound_bytes("OGG")])
        (request.output_dir / SPEECH_FILE).write_bytes(sounds[-1])
        seed = 7 if request.seed is None else request.seed
        speaker = SPEAKERS[0] if request.speaker == ANY_SPEAKER else request.speaker
        spoken = Spoken(request.job_id, 1.0, seed, self.sentences, speaker=speaker)
        if is_ours:
            return spoken
        return replace(spoken, refreshed=self._made_by(f"quantizer-{request.clip_language}"))

    def _made_by(self, quantizer: str) -> PromptModels:
        return PromptModels(self.model, "tiny-hubert", quantizer, self.digest)


@dataclass
class Delivered:
    """An answer that arrived: the outcome, and the sound as it was when it arrived."""

    outcome: Outcome
    audio: bytes | None


class FakeCourier:
    """Implements `studio.values.Courier`. `errors` are raised by the next deliveries, one each.

    `reachable = False`: nobody can be reached. `left`: who is not in the server; `roles`: those of a member.
    """

    def __init__(self) -> None:
        self.updates: list[tuple[str, Update]] = []
        self.delivered: list[Delivered] = []
        self.errors: deque[Exception] = deque()
        self.reachable = True
        self.lasts: list[bool] = []
        self.left: set[int] = set()
        self.silent = False
        """Whether the platform does not say who is there."""
        self.roles: dict[int, set[int]] = {}

    async def actor(self, guild_id: int, channel_id: int, member_id: int) -> Actor | None:
        if member_id in self.left:
            return None
        return Actor(guild_id, member_id, channel_id, frozenset(self.roles.get(member_id, ())), is_moderator=False)

    async def has_left(self, guild_id: int, member_id: int) -> bool | None:
        return None if self.silent else member_id in self.left

    def update(self, job: JobRecord, update: Update) -> None:
        self.updates.append((job.id, update))

    async def deliver(self, outcome: Outcome, *, last: bool = False) -> Delivery | None:
        self.lasts.append(last)
        if self.errors:
            raise self.errors.popleft()
        if not self.reachable:
            return None
        audio = None if outcome.audio is None else await asyncio.to_thread(outcome.audio.read_bytes)
        self.delivered.append(Delivered(outcome, audio))
        return Delivery("interaction", 1000 + len(self.delivered))

    def of(self, job_id: str) -> list[Delivered]:
        """The answers to one job: never more than one."""
        return [answer for answer in self.delivered if answer.outcome.job.id == job_id]
