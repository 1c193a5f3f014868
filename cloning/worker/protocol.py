"""The messages between the bot and the speech worker. Plain values: no torch, no Discord, no SQL.

Requests and events are frozen dataclasses, sent as one JSON object per line. Files are passed by path: the worker reads
its input and writes its results into `output_dir`, which the sender creates and owns.
"""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, get_args

from pydantic import TypeAdapter

from cloning.consent.answer import SpokenAnswer
from cloning.media.report import QualityReport
from cloning.prompt import PromptSpec
from cloning.watermark.finding import Finding
from errors import InvalidInput

PROMPT_FILE = "prompt.npz"
CLIP_FILE = "clip.flac"
SPEECH_FILE = "speech.ogg"


def part_file(number: int) -> str:
    """Return the file name of sentence `number` (from 0) of a speech with several sentences."""
    return f"part-{number}.ogg"


@dataclass(frozen=True, slots=True)
class CloneRequest:
    """Make a voice from `source`; writes PROMPT_FILE and CLIP_FILE into `output_dir`.

    `alone`: nothing else runs beside this job, because a worker died while it ran it.
    """

    job_id: str
    source: Path
    output_dir: Path
    language: str = "en"
    alone: bool = False


@dataclass(frozen=True, slots=True)
class SpeakRequest:
    """Speak `text`; writes SPEECH_FILE into `output_dir`, and before it each of several sentences as a `part_file`.

    The voice is a stored prompt (`prompt`), a built-in speaker of the checkpoint (`speaker`, e.g. "v2/en_speaker_6", or
    ANY_SPEAKER), or neither: a random voice. `prompt_model` and `prompt_digest` name the model that the prompt is for
    (old prompts have no digest). If another model is loaded, or there is no prompt, the prompt is first made from
    `clip`, whose language is `clip_language`, and also written to PROMPT_FILE in `output_dir`. `alone` as in
    CloneRequest.
    """

    job_id: str
    text: str
    output_dir: Path
    prompt: Path | None = None
    prompt_model: str | None = None
    prompt_digest: str | None = None
    speaker: str | None = None
    clip: Path | None = None
    clip_language: str = "en"
    language: str = "en"
    temperature: float | None = None
    seed: int | None = None
    max_bytes: int | None = None
    tags: dict[str, str] = field(default_factory=dict)
    alone: bool = False


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """Check the media file `source` for the watermark. Temporary files may be written to its folder."""

    job_id: str
    source: Path


@dataclass(frozen=True, slots=True)
class ListenRequest:
    """Listen to the media file `answer`, which should say `sentence` in the voice of the media file `source`.

    Temporary files may be written to the folder of `answer`.
    """

    job_id: str
    source: Path
    answer: Path
    sentence: str


Request = CloneRequest | SpeakRequest
"""The requests that are queued as jobs."""
Query = CheckRequest | ListenRequest
"""The requests that run beside the jobs: the caller waits for the result, and nothing is stored."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """Stop a job that was sent earlier; it ends with Failed(kind="Cancelled"). Unknown ids are ignored."""

    job_id: str


@dataclass(frozen=True, slots=True)
class Ready:
    """The worker has loaded its models."""

    model: str
    hubert: str
    device: str
    speakers: tuple[str, ...]
    prompt_spec: PromptSpec
    """The shape of voices for these models."""
    digest: str = ""
    """Distinguishes these weights from others of the same name."""
    languages: tuple[str, ...] = ()
    """The languages that the model reads, ISO 639-1; () if it does not name them."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A job is in `stage`, a name that members see, e.g. "semantic tokens". `fraction` of it is done, 0..1."""

    job_id: str
    stage: str
    fraction: float


@dataclass(frozen=True, slots=True)
class PromptModels:
    """The models that made a prompt. `digest`: as in Ready."""

    model: str
    hubert: str
    quantizer: str
    digest: str


@dataclass(frozen=True, slots=True)
class Cloned:
    """A CloneRequest is done; its files are in the output directory."""

    job_id: str
    report: QualityReport
    models: PromptModels


@dataclass(frozen=True, slots=True)
class PartSpoken:
    """Sentence `number` (from 0) of `of` of a SpeakRequest is ready, in order, in the file `part_file(number)`.

    `pause`: seconds of silence between it and the next one.
    """

    job_id: str
    number: int
    of: int
    seconds: float
    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class Spoken:
    """A SpeakRequest is done. `refreshed`: the models that made the prompt again; None if it was used as stored.

    `left_out`: passages of the text that the model does not read. `speaker`: the built-in speaker whose voice was used.
    """

    job_id: str
    seconds: float
    seed: int
    sentences: int
    refreshed: PromptModels | None = None
    left_out: tuple[str, ...] = ()
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """A CheckRequest is done."""

    job_id: str
    finding: Finding


@dataclass(frozen=True, slots=True)
class Listened:
    """A ListenRequest is done."""

    job_id: str
    heard: SpokenAnswer


@dataclass(frozen=True, slots=True)
class Failed:
    """A job failed. `kind` is a key of errors.KINDS, or "Unknown", with a reference id of the log as the `message`.

    From the worker to its executor, an empty `job_id` means that the worker could not start; `message` says why.
    """

    job_id: str
    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class Lost:
    """The worker died, hung or ran out of memory while it ran this job. The job may be tried again."""

    job_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The worker is alive; sent every few seconds, from a separate thread."""


@dataclass(frozen=True, slots=True)
class NodeState:
    """A speech worker of a cluster. `state` is for people, e.g. "ready"; `error` says why it cannot be used.

    `capacity`: the number of jobs that it takes at once now; 0 while it is not ready or is drained. `running`: the
    number of this bot process's jobs that it runs. `model` and `device` are empty until it has loaded its models.
    """

    name: str
    address: str
    state: str
    capacity: int
    running: int
    model: str = ""
    device: str = ""
    restarts: int = 0
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Nodes:
    """The speech workers of a cluster have changed. Only a worker that passes its jobs on to others sends this."""

    nodes: tuple[NodeState, ...]


Event = Ready | Progress | PartSpoken | Cloned | Spoken | Checked | Listened | Failed | Lost | Heartbeat | Nodes
Message = Request | Query | Cancel | Event
"""All messages that `encode` and `decode` take."""


@dataclass(frozen=True, slots=True)
class Health:
    """`alive`: the worker process runs. `ready`: its models, None until they are loaded. `error`: why it cannot start.

    `nodes`: the speech workers of a cluster; () for a single worker.
    """

    alive: bool
    ready: Ready | None
    error: str | None
    restarts: int
    nodes: tuple[NodeState, ...] = ()


class DeviceFailed(Exception):
    """The worker's process can no longer use its device, whatever the input; a new process can."""


class Executor(Protocol):
    """Runs speech jobs in another process. Narrow, so that it can also run them on other machines."""

    @property
    def capacity(self) -> int:
        """The number of jobs that run at once."""

    async def start(self) -> None:
        """Start loading the models; return at once."""

    async def submit(self, request: Request) -> None:
        """Queue a job. Its events follow; the last is Cloned, Spoken, Failed or Lost."""

    def events(self) -> AsyncIterator[Event]:
        """Yield all events in order, to one listener. Ends after close()."""

    async def cancel(self, job_id: str) -> None:
        """Stop a job; it ends with Failed(kind="Cancelled"). Unknown ids are ignored."""

    async def check(self, source: Path) -> Finding:
        """Check a media file for the watermark, beside the jobs and without events.

        Raises InvalidInput for an unusable file or one that makes the worker die, and Unavailable if the worker is not
        ready in time or dies for another reason.
        """

    @property
    def consent_languages(self) -> tuple[str, ...]:
        """The languages in which `listen` recognises words, ISO 639-1; () if the recogniser is not installed."""

    async def listen(self, source: Path, answer: Path, sentence: str) -> SpokenAnswer:
        """Listen to a spoken consent (see ListenRequest), beside the jobs and without events.

        Raises InvalidInput for a file without usable speech, and Unavailable as `check` does or if the recogniser is
        not installed.
        """

    def health(self) -> Health:
        """Return the state of the worker."""

    async def close(self) -> None:
        """Stop the worker within a few seconds, even during a job."""


_ADAPTERS: dict[str, TypeAdapter[Any]] = {kind.__name__: TypeAdapter(kind) for kind in get_args(Message)}


def encode(message: Message) -> str:
    """Return one line of JSON, without the line break."""
    kind = type(message).__name__
    return json.dumps({"type": kind, **_ADAPTERS[kind].dump_python(message, mode="json")})


def decode(line: str) -> Message:
    """Return the message in one line of JSON. Raises InvalidInput for anything that `encode` did not write."""
    try:
        body = json.loads(line)
        message: Message = _ADAPTERS[body.pop("type")].validate_python(body)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidInput(f"The speech worker sent a line that cannot be read ({type(error).__name__}).") from error
    return message
