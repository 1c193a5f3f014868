"""Builds the bot from its parts."""

import importlib.util
from datetime import timedelta

from checkup import NO_RAY, NO_RECOGNISER, UNGUARDED, Exit, StartError
from cloning.cluster.executor import cluster_executor
from cloning.consent import packages
from cloning.worker.executor import SubprocessExecutor, worker_command
from cloning.worker.protocol import Executor
from cogs.client import Barkeep
from errors import BarkeepError
from settings import Settings
from storage.bucket import open_bucket
from storage.consent_records import ConsentKind
from storage.database import Storage
from storage.shards import ALL, Shards
from studio.studio import Studio
from studio.values import Courier


def create_bot(settings: Settings) -> Barkeep:
    """Return the bot. Its storage is opened and its speech worker started at login, not before."""

    consent = ConsentKind(settings.consent)
    shards = ALL
    if settings.shards is not None and settings.shard_count is not None:
        shards = Shards(settings.shards, settings.shard_count)

    async def open_studio(courier: Courier) -> Studio:
        if consent is ConsentKind.SPOKEN and not packages.languages():
            raise StartError(Exit.SETTINGS, NO_RECOGNISER)
        if settings.executor == "ray" and importlib.util.find_spec("ray") is None:
            raise StartError(Exit.SETTINGS, NO_RAY)
        if settings.executor == "ray" and settings.ray_auth_token is None:
            raise StartError(Exit.SETTINGS, UNGUARDED)
        try:
            bucket = open_bucket(settings.files, settings.bucket_options)
            storage = await Storage.open(
                settings.database, settings.data_dir, reserves=True, shards=shards, bucket=bucket
            )
        except BarkeepError as error:
            raise StartError(Exit.STORAGE, error.message) from error
        patience = timedelta(seconds=settings.worker_patience)
        return Studio(storage, create_executor(settings), courier, patience=patience, consent=consent)

    if settings.discord_token is None:  # The simulator does not store commands and cannot remove the bot.
        return Barkeep(open_studio, read_messages=settings.read_messages)
    return Barkeep(
        open_studio,
        read_messages=settings.read_messages,
        claims_data=True,
        shard_count=settings.shard_count,
        shard_ids=settings.shards,
    )


def create_executor(settings: Settings) -> Executor:
    """Return the executor of speech jobs, on this machine or on a cluster. It is not started yet."""
    configuration = worker_configuration(settings)
    if settings.executor == "ray":
        return cluster_executor(
            configuration,
            address=settings.ray_address,
            device=settings.device,
            token=None if settings.ray_auth_token is None else settings.ray_auth_token.get_secret_value(),
            capacity=settings.batch,
            job_timeout=settings.job_timeout,
        )
    return SubprocessExecutor(worker_command(configuration), job_timeout=settings.job_timeout, capacity=settings.batch)


def worker_configuration(settings: Settings) -> dict[str, object]:
    """Return the worker's configuration: models and speech. Paths stay relative to the bot's folder."""
    return {
        "choice": {
            "model": settings.model,
            "hubert": settings.hubert,
            "quantizer": settings.quantizer,
            "device": settings.device,
            "dtype": settings.dtype,
            "batch": settings.batch,
            "preset": settings.preset,
            "cache": str(settings.model_cache),
            "offline": settings.offline,
        },
        "decoder_memory_mb": settings.worker_memory_mb,
        "takes": settings.takes,
        "normalise": settings.normalise,
        "watermark": settings.watermark == "on",
    }
