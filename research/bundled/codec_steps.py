"""Train and measure the codec step by step: teacher, codes, decoder, adversarial phase, encoder, codes of prompts.

    python -m research codec STEP [--work DIR] [--profile cpu|cuda] [--device cpu|cuda]

A stopped step continues where it was. The losses are in `teacher`, `codec_training`, `adversarial` and `finetuning`.
The step `finetune` needs the fine model's codes, which `research.bundled.build` makes.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import torch
import typer
from torch import Tensor, nn

from cloning.checkpoints.weights import load_into, load_state
from research.bundled.adversarial import AdversarialJob
from research.bundled.clip_buffer import ClipBuffer, load_buffer
from research.bundled.codec import (
    ADVERSARIAL,
    BEFORE_FINETUNING,
    DECODER,
    ENCODER,
    FINETUNE,
    OUTPUT_LEVEL,
    TEACHER,
    load_decoder,
    new_decoder,
    new_encoder,
    unit_variance,
)
from research.bundled.codec_quality import decoded, held_out, measure
from research.bundled.codec_training import DecoderJob, EncoderJob
from research.bundled.codes import Codes, encode_clip, write_codes
from research.bundled.finetuning import FinetuneJob
from research.bundled.phones import SEMANTIC_SIZE
from research.bundled.teacher import Teacher, TeacherJob, load_teacher
from training.loop import Schedule, train

CORPUS, CODEC = "corpus", "codec"
"""Folders in the recipe's working folder."""
PROMPTS = "prompts"
"""The folder in CODEC with the encoder's codes of the corpus."""
PREDICTED = "predicted"
"""The folder in CODEC with the fine model's codes of the corpus."""

_BEST = "best.safetensors"
_VALID_HOURS = 0.5
_CLIPS_MEASURED = 20
_CLIPS_VALIDATED = 12


@dataclass(frozen=True)
class CodecProfile:
    """Schedules, batch sizes and hours of audio."""

    hours: float
    """Hours of audio in memory, 115 MB each."""
    teacher_batch: int
    teacher: Schedule
    decoder_batch: int
    decoder: Schedule
    adversarial_batch: int
    adversarial: Schedule
    encoder_batch: int
    encoder: Schedule
    finetune_batch: int
    finetune: Schedule


_TEACHER = Schedule(
    steps=6_000, warmup=100, learning_rate=2e-3, weight_decay=0.0, betas=(0.9, 0.98), precision="bfloat16"
)
_SEANET = Schedule(
    steps=16_000,
    warmup=200,
    learning_rate=1e-3,
    weight_decay=0.0,
    betas=(0.8, 0.98),
    clip_norm=3.0,
    validate_every=250,
    save_every=100,
    precision="bfloat16",
    ema=0.999,
)

_ADVERSARIAL = replace(
    _SEANET, learning_rate=3e-4, final_rate=0.1, betas=(0.8, 0.99), validate_every=500, precision="float32"
)

_FINETUNE = replace(_SEANET, learning_rate=5e-4, warmup=100)

CODEC_PROFILES = {
    "cpu": CodecProfile(
        hours=12.0,
        teacher_batch=16,
        teacher=_TEACHER,
        decoder_batch=8,
        decoder=_SEANET,
        adversarial_batch=8,
        adversarial=replace(_ADVERSARIAL, steps=12_000),
        encoder_batch=8,
        encoder=replace(_SEANET, steps=2_400),
        finetune_batch=8,
        finetune=replace(_FINETUNE, steps=7_000),
    ),
    "cuda": CodecProfile(
        hours=60.0,
        teacher_batch=128,
        teacher=_TEACHER,
        decoder_batch=64,
        decoder=replace(_SEANET, warmup=500, steps=30_000, save_every=500),
        adversarial_batch=32,
        adversarial=replace(_ADVERSARIAL, warmup=500, steps=60_000, save_every=500),
        encoder_batch=64,
        encoder=replace(_SEANET, warmup=500, steps=15_000, save_every=500),
        finetune_batch=64,
        finetune=replace(_FINETUNE, steps=12_000, save_every=500),
    ),
}


class CodecStep(StrEnum):
    """The steps, in order."""

    TEACHER = "teacher"
    CODES = "codes"
    DECODER = "decoder"
    ADVERSARIAL = "adversarial"
    ENCODER = "encoder"
    PROMPTS = "prompts"
    FINETUNE = "finetune"
    MEASURE = "measure"


def codec_command(
    step: CodecStep,
    work: Annotated[Path, typer.Option(help="The recipe's working folder.")] = Path(".training/bundled"),
    profile: Annotated[Literal["cpu", "cuda"], typer.Option(help="The size of the recipe.")] = "cpu",
    device: Annotated[str, typer.Option(help="The torch device.")] = "cpu",
) -> None:
    """Train one part of the bundled model's codec, resume it, or measure the codec's sound."""
    run_codec_step(step, work, CODEC_PROFILES[profile], torch.device(device))


def run_codec_step(step: CodecStep, work: Path, profile: CodecProfile, device: torch.device) -> None:
    """Run or resume one step in the folder `work`; a finished training is not repeated.

    Raises InvalidInput or Unavailable if its input is missing, NotLearning when a gate fails, Cancelled when it is
    stopped.
    """
    if step is CodecStep.TEACHER:
        _train_teacher(work, profile, device)
    elif step is CodecStep.CODES:
        encode = partial(encode_clip, encode=_teacher(work, device).encode, device=device)
        write_codes(work / CORPUS, work / CODEC, encode)
    elif step is CodecStep.DECODER:
        _train_decoder(work, profile, device)
    elif step is CodecStep.ADVERSARIAL:
        _train_adversarially(work, profile, device)
    elif step is CodecStep.ENCODER:
        _train_encoder(work, profile, device)
    elif step is CodecStep.PROMPTS:
        _encode_prompts(work, device)
    elif step is CodecStep.FINETUNE:
        _finetune_decoder(work, profile, device)
    else:
        _measure(work)


def _train_teacher(work: Path, profile: CodecProfile, device: torch.device) -> None:
    train_buffer, valid_buffer = _buffers(work, profile, device)
    torch.manual_seed(profile.teacher.seed)
    teacher = Teacher(SEMANTIC_SIZE).to(device)
    job = TeacherJob(teacher, train_buffer, valid_buffer, profile.teacher_batch, warmup=2 * profile.teacher.warmup)
    train(job, profile.teacher, work / CODEC / TEACHER, device=device)


def _train_decoder(work: Path, profile: CodecProfile, device: torch.device) -> None:
    teacher, buffers = _teacher(work, device), _buffers(work, profile, device)
    torch.manual_seed(profile.decoder.seed)
    job = DecoderJob(new_decoder().to(device), teacher, *buffers, profile.decoder_batch)
    unit_variance(job.module, job.example(), level=OUTPUT_LEVEL)
    train(job, profile.decoder, work / CODEC / DECODER, device=device)


def _train_adversarially(work: Path, profile: CodecProfile, device: torch.device) -> None:
    teacher, buffers = _teacher(work, device), _buffers(work, profile, device)
    decoding = DecoderJob(new_decoder().to(device), teacher, *buffers, profile.adversarial_batch)
    weights = work / CODEC / DECODER / _BEST
    load_into(decoding.module, load_state(weights), weights)
    clips, meter = held_out(work / CORPUS, _CLIPS_VALIDATED, "valid"), _teacher(work, torch.device("cpu"))

    def listen(decoder: nn.Module) -> tuple[float, float]:
        quality = decoded(clips, meter, decoder)
        return quality.words_wrong, quality.overall

    torch.manual_seed(profile.adversarial.seed)
    train(AdversarialJob(decoding, listen), profile.adversarial, work / CODEC / ADVERSARIAL, device=device)


def _train_encoder(work: Path, profile: CodecProfile, device: torch.device) -> None:
    teacher, buffers = _teacher(work, device), _buffers(work, profile, device)
    torch.manual_seed(profile.encoder.seed)
    job = EncoderJob(new_encoder().to(device), teacher, *buffers, profile.encoder_batch)
    unit_variance(job.module, job.example(), level=job.level)
    train(job, profile.encoder, work / CODEC / ENCODER, device=device)


def _encode_prompts(work: Path, device: torch.device) -> None:
    """Write the codes of the codec's own encoder, which voice prompts contain in use; the teacher's codes differ."""
    quantizer, encoder = _teacher(work, device).quantizer, new_encoder().to(device).eval()
    weights = work / CODEC / ENCODER / _BEST
    load_into(encoder, load_state(weights), weights)

    @torch.inference_mode()
    def encode(samples: Tensor) -> Tensor:
        return quantizer.encode(encoder(samples[:, None]).transpose(1, 2))

    write_codes(work / CORPUS, work / CODEC / PROMPTS, partial(encode_clip, encode=encode, device=device))


def _finetune_decoder(work: Path, profile: CodecProfile, device: torch.device) -> None:
    predicted = _buffers(work, profile, device, Codes(work / CODEC / PREDICTED))
    teacher, buffers = _teacher(work, device), _buffers(work, profile, device)
    torch.manual_seed(profile.finetune.seed)
    job = FinetuneJob(new_decoder().to(device), teacher, *buffers, *predicted, profile.finetune_batch)
    load_decoder(job.module, work / CODEC, BEFORE_FINETUNING)
    train(job, profile.finetune, work / CODEC / FINETUNE, device=device)


def _measure(work: Path) -> None:
    """Print the quality of held-out clips: uncoded, and coded with the parts trained so far."""
    folder = work / CODEC
    teacher = _teacher(work, torch.device("cpu"))
    decoder, encoder = new_decoder(), new_encoder() if (folder / ENCODER / _BEST).is_file() else None
    load_decoder(decoder.eval(), folder)
    if encoder is not None:
        load_into(encoder.eval(), load_state(folder / ENCODER / _BEST), folder / ENCODER / _BEST)
    for quality in measure(held_out(work / CORPUS, _CLIPS_MEASURED), teacher, decoder, encoder):
        print(quality, flush=True)


def _teacher(work: Path, device: torch.device) -> Teacher:
    return load_teacher(work / CODEC / TEACHER / _BEST, device)


def _buffers(
    work: Path, profile: CodecProfile, device: torch.device, codes: Codes | None = None
) -> tuple[ClipBuffer, ClipBuffer]:
    """Return the training and the validation clips, with `codes` if given; see `load_buffer`."""
    load = partial(load_buffer, work / CORPUS, device=device, codes=codes)
    return load("train", profile.hours), load("valid", _VALID_HOURS)
