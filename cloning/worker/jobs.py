"""Run the jobs of the speech worker. A job writes its files, emits each part that is done, and returns its last event.

Runs in the worker's process, in several threads at once.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from cloning import memory
from cloning.checkpoints.known_models import load_voice
from cloning.checkpoints.model_choice import ModelChoice
from cloning.consent.listening import listen
from cloning.media import audio
from cloning.media.audio import Samples
from cloning.media.recordings import READING
from cloning.model_set import LoadedModels
from cloning.pipeline import Part, SpeechPipeline
from cloning.progress import ProgressReporter
from cloning.prompt import VoicePrompt
from cloning.sentences import SayOptions
from cloning.text.splitting import LANGUAGES
from cloning.watermark.checking import check_file
from cloning.watermark.marking import perth
from cloning.worker.protocol import (
    CLIP_FILE,
    PROMPT_FILE,
    SPEECH_FILE,
    Checked,
    CheckRequest,
    Cloned,
    CloneRequest,
    DeviceFailed,
    Listened,
    ListenRequest,
    PartSpoken,
    PromptModels,
    Query,
    Ready,
    Request,
    SpeakRequest,
    Spoken,
    part_file,
)
from errors import InvalidInput

_DEFAULT_MEMORY_MB = 1024
_CPU_FULL = "can't allocate memory"
"""How torch's CPU allocator reports full memory, in a plain RuntimeError."""
_WAITING_SECONDS = 0.2
_recordings = threading.Lock()


def load(configuration: dict[str, Any]) -> SpeechPipeline:
    """Load all models of a configuration from `assembly.worker_configuration`. Raises Unavailable."""
    choice = {**configuration["choice"], "cache": Path(configuration["choice"]["cache"])}
    models = LoadedModels(ModelChoice(**choice))
    _load_all(models)
    if configuration["watermark"]:
        perth()  # if it is missing, fail now and not at the first job
    return SpeechPipeline(
        models,
        decoder_memory_mb=configuration["decoder_memory_mb"] or _DEFAULT_MEMORY_MB,
        watermark=configuration["watermark"],
    )


def ready(pipeline: SpeechPipeline) -> Ready:
    """Return the event that describes the loaded models."""
    models = pipeline.models
    return Ready(
        model=models.choice.model,
        hubert=models.hubert_name,
        device=str(models.device),
        speakers=models.speakers.names,
        prompt_spec=models.engine.spec.prompt,
        digest=models.digest,
        languages=models.engine.spec.languages,
    )


def run(
    pipeline: SpeechPipeline,
    request: Request | Query,
    reporter: ProgressReporter,
    emit: Callable[[PartSpoken], None],
    *,
    takes: int = 1,
    normalise: bool = True,
) -> Cloned | Spoken | Checked | Listened:
    """Run a job; `emit` gets its parts. `takes` and `normalise`: see SayOptions.

    Raises BarkeepError, MemoryError, or DeviceFailed.
    """
    with _translated_errors():
        if isinstance(request, CloneRequest):
            return _clone(pipeline, request, reporter)
        if isinstance(request, CheckRequest):
            return _check(pipeline, request, reporter)
        if isinstance(request, ListenRequest):
            return _listen(pipeline, request, reporter)
        options = SayOptions(request.language, request.temperature, request.seed, takes=takes, normalise=normalise)
        try:
            return _speak(pipeline, request, reporter, emit, options)
        finally:
            memory.release_freed()  # speech leaves 100 to 170 MB in its threads' arenas; takes 3 ms


def _clone(pipeline: SpeechPipeline, request: CloneRequest, reporter: ProgressReporter) -> Cloned:
    with _one_at_a_time(reporter):
        # A killed worker leaves temporary files, so they go into a folder that the bot removes.
        clone = pipeline.clone(request.source, request.language, reporter, scratch=request.output_dir)
    clone.prompt.save(request.output_dir / PROMPT_FILE)
    audio.write(request.output_dir / CLIP_FILE, clone.clip.samples, clone.clip.sample_rate, tags={})
    return Cloned(request.job_id, clone.report, _made_by(pipeline.models, clone.quantizer))


def _check(pipeline: SpeechPipeline, request: CheckRequest, reporter: ProgressReporter) -> Checked:
    with _one_at_a_time(reporter):
        finding = check_file(request.source, memory_mb=pipeline.decoder_memory_mb, scratch=request.source.parent)
        return Checked(request.job_id, finding)


def _listen(pipeline: SpeechPipeline, request: ListenRequest, reporter: ProgressReporter) -> Listened:
    with _one_at_a_time(reporter):
        heard = listen(
            request.source,
            request.answer,
            request.sentence,
            reporter,
            memory_mb=pipeline.decoder_memory_mb,
            scratch=request.answer.parent,
        )
        return Listened(request.job_id, heard)


def _speak(
    pipeline: SpeechPipeline,
    request: SpeakRequest,
    reporter: ProgressReporter,
    emit: Callable[[PartSpoken], None],
    options: SayOptions,
) -> Spoken:
    def hear(part: Part) -> None:
        if part.of > 1:  # a single part equals the whole speech
            _write(request, part_file(part.number), part.samples, part.sample_rate)
            emit(PartSpoken(request.job_id, part.number, part.of, part.seconds, part.pause))

    voice = _stored_voice(pipeline.models, request)
    is_refreshed = voice is None and request.clip is not None
    if voice is None:
        voice = _made_voice(pipeline, request, reporter)
    speech = pipeline.say(request.text, voice, options, reporter, hear)
    tags = {**request.tags, "seed": str(speech.seed)}
    _write(replace(request, tags=tags), SPEECH_FILE, speech.samples, speech.sample_rate)
    models = pipeline.models
    speaker = None if request.speaker is None else models.speakers.find(request.speaker)
    spoken = Spoken(
        request.job_id, speech.seconds, speech.seed, speech.sentences, left_out=speech.left_out, speaker=speaker
    )
    if not is_refreshed:
        return spoken
    _, quantizer = models.quantizer(request.clip_language)
    return replace(spoken, refreshed=_made_by(models, quantizer))


def _made_by(models: LoadedModels, quantizer: str) -> PromptModels:
    return PromptModels(models.choice.model, models.hubert_name, quantizer, models.digest)


def _write(request: SpeakRequest, name: str, samples: Samples, rate: int) -> None:
    audio.write(request.output_dir / name, samples, rate, tags=request.tags, max_bytes=request.max_bytes)


def _stored_voice(models: LoadedModels, request: SpeakRequest) -> VoicePrompt | None:
    """Load the stored prompt; None if there is none, or if it is for other models and must be made from its clip.

    Raises InvalidInput for a prompt without a clip that these models cannot use.
    """
    if request.prompt is None:
        return None
    is_ours = request.prompt_model in (None, models.choice.model)
    if request.prompt_digest is not None and (request.clip is not None or not is_ours):
        is_ours = request.prompt_digest == models.digest
    if is_ours:
        try:
            return load_voice(request.prompt, models.engine.spec.prompt)
        except InvalidInput:
            if request.clip is None:
                raise
    if request.clip is None:
        raise InvalidInput(
            "This voice was imported for other speech models than those in use now. "
            "Import a voice file made for these, or clone it from a recording."
        )
    return None


def _made_voice(pipeline: SpeechPipeline, request: SpeakRequest, reporter: ProgressReporter) -> VoicePrompt | None:
    """Make the prompt from its clip and save it for the sender, or load the speaker's; None for a random voice."""
    if request.clip is not None:
        prompt = pipeline.reclone(audio.read_clip(request.clip), request.clip_language, reporter)
        prompt.save(request.output_dir / PROMPT_FILE)
        return prompt
    if request.speaker is not None:
        return pipeline.models.speakers.load(request.speaker)
    return None


@contextmanager
def _one_at_a_time(reporter: ProgressReporter) -> Iterator[None]:
    """Process one recording at a time, since each may take hundreds of MB. Raises Cancelled while it waits."""
    while not _recordings.acquire(timeout=_WAITING_SECONDS):
        reporter.report(READING, 0.0)
    try:
        yield
    finally:
        memory.release_freed()
        _recordings.release()


def _load_all(models: LoadedModels) -> None:
    """Load everything that the first job needs, except quantizers of other languages."""
    _ = models.digest, models.engine, models.hubert, models.speakers, models.quantizer(next(iter(LANGUAGES)))
    memory.use_large_pages()


@contextmanager
def _translated_errors() -> Iterator[None]:
    """Translate torch's errors: MemoryError if memory is full, DeviceFailed if the device needs a new process."""
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError) or _CPU_FULL in str(error):
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            raise MemoryError(str(error)) from error
        if isinstance(error, torch.AcceleratorError):
            raise DeviceFailed(str(error)) from error
        raise
