"""Exit codes, and the check behind `bot.py --check`.

The check opens the database as a start would (which upgrades an older one) and looks for the models' files, without
downloading any.
"""

import asyncio
import base64
import importlib
import importlib.util
import re
from collections.abc import Awaitable, Callable
from enum import IntEnum
from pathlib import Path

from cloning.atomic_files import require_temporary_folder
from cloning.cluster.start import is_reachable
from cloning.consent import packages
from errors import BarkeepError, Unavailable
from settings import Settings
from storage.bucket import open_bucket
from storage.database import Storage

Say = Callable[[str], None]
MayRead = Callable[[str], Awaitable[bool]]


class Exit(IntEnum):
    """The exit codes of the process; `bot.py` describes them."""

    FINE = 0
    UNEXPECTED = 1
    SETTINGS = 2
    STORAGE = 3
    MODELS = 4
    TOKEN = 5
    NETWORK = 6
    PORT = 7


class StartError(BarkeepError):
    """An error that keeps the bot from starting, with its exit code."""

    def __init__(self, code: Exit, message: str) -> None:
        super().__init__(message)
        self.code = code


WRONG_SHAPE = (
    "DISCORD_TOKEN does not look like a bot's token, which has three parts separated by dots. Copy it from the "
    "Developer Portal (your application, Bot, Reset Token); the public key and the client secret are something else."
)
NO_INTENT = (
    "READ_MESSAGES=true needs Discord's permission to see what members write. In the Developer Portal (your "
    'application, Bot) switch "Message Content Intent" on, or set READ_MESSAGES=false.'
)
VOICE_LIBRARIES = {"davey": "davey", "nacl.secret": "PyNaCl"}
"""Module -> package, for the libraries that voice channels need beside discord.py."""
NO_RECOGNISER = (
    "CONSENT=spoken needs a speech recogniser, which is not installed. Install it with `make consent`, or set "
    "CONSENT=checkbox."
)
NO_RAY = (
    "EXECUTOR=ray needs Ray, which is not installed. Install it with `make setup EXTRAS=ray`, or set "
    "EXECUTOR=subprocess."
)
UNGUARDED = (
    "RAY_AUTH_TOKEN is not set. Ray listens on all addresses of a machine, even at 127.0.0.1, and runs any code it is "
    "sent. Choose one long random word and set it in .env on every machine of the cluster; Barkeep then starts Ray "
    "with RAY_AUTH_MODE=token."
)
_TOKEN = re.compile(r"([\w-]+)\.[\w-]+\.[\w-]+", re.ASCII)


def looks_like_token(text: str) -> bool:
    """Return whether `text` has the shape of a Discord bot's token: three parts, the first an id in base64."""
    parts = _TOKEN.fullmatch(text)
    if parts is None:
        return False
    try:
        return base64.urlsafe_b64decode(parts[1] + "==").isdigit()
    except ValueError:
        return False


async def check(settings: Settings, say: Say, may_read: MayRead) -> Exit:
    """Report each finding in a line. Returns the code of the first problem, or FINE.

    may_read: asks Discord whether the bot with this token may read messages; called only if READ_MESSAGES is set.
    It raises StartError.
    """
    say(f"Settings: fine. Data is kept in {settings.data_dir.absolute()}.")
    codes = [
        _token(settings, say),
        await _reading(settings, say, may_read),
        await asyncio.to_thread(_voice_channels, say),
        _consent(settings, say),
        await _cluster(settings, say),
        await _files(settings, say) or await _database(settings, say),
        await asyncio.to_thread(_models, settings, say),
    ]
    return next((code for code in codes if code is not Exit.FINE), Exit.FINE)


def _token(settings: Settings, say: Say) -> Exit:
    if settings.discord_token is None:
        say("Token: not set, so the simulator will start.")
        return Exit.FINE
    if not looks_like_token(settings.discord_token.get_secret_value()):
        say(f"Token: {WRONG_SHAPE}")
        return Exit.TOKEN
    say("Token: set.")
    return Exit.FINE


async def _reading(settings: Settings, say: Say, may_read: MayRead) -> Exit:
    token = "" if settings.discord_token is None else settings.discord_token.get_secret_value()
    if not settings.read_messages or not looks_like_token(token):
        return Exit.FINE
    try:
        if not await may_read(token):
            raise StartError(Exit.SETTINGS, NO_INTENT)
    except StartError as error:
        say(f"Messages: {error.message}")
        return error.code
    say("Messages: fine, the bot may read them.")
    return Exit.FINE


def _voice_channels(say: Say) -> Exit:
    """Report missing libraries. They are not an error, because everything else works without them."""
    missing = [package for module, package in VOICE_LIBRARIES.items() if not _can_import(module)]
    if missing:
        names = " and ".join(missing)
        say(
            f"Voice channels: /join does not work without {names}; everything else does. Install what is missing with "
            '`pip install "discord.py[voice]"`.'
        )
    else:
        say("Voice channels: fine, the libraries are installed.")
    return Exit.FINE


def _consent(settings: Settings, say: Say) -> Exit:
    if packages.languages():
        say("Spoken consent: fine, the recogniser is installed.")
        return Exit.FINE
    if settings.consent == "spoken":
        say(f"Spoken consent: {NO_RECOGNISER}")
        return Exit.SETTINGS
    say("Spoken consent: not installed, so moderators cannot choose it. Install it with `make consent`.")
    return Exit.FINE


async def _cluster(settings: Settings, say: Say) -> Exit:
    """Check that Ray is installed, that a token protects the cluster, and that its head can be reached."""
    if settings.executor != "ray":
        return Exit.FINE
    if importlib.util.find_spec("ray") is None:
        say(f"Cluster: {NO_RAY}")
        return Exit.SETTINGS
    if settings.ray_auth_token is None:
        say(f"Cluster: {UNGUARDED}")
        return Exit.SETTINGS
    if not await is_reachable(settings.ray_address):
        say(
            f"Cluster: nothing answers at {settings.ray_address}, so jobs will wait. Start `python cluster.py head` on "
            "that machine."
        )
        return Exit.NETWORK
    say(f"Cluster: fine, something listens at {settings.ray_address}. `python cluster.py nodes` lists the nodes.")
    return Exit.FINE


def _can_import(module: str) -> bool:
    try:
        importlib.import_module(module)
    except ImportError:
        return False
    return True


async def _files(settings: Settings, say: Say) -> Exit:
    try:
        bucket = open_bucket(settings.files, settings.bucket_options)
        if bucket is not None:
            await bucket.check()
            say(f"Files: fine, in {bucket.url}.")
    except BarkeepError as error:
        say(f"Files: {error.message}")
        return Exit.STORAGE
    return Exit.FINE


async def _database(settings: Settings, say: Say) -> Exit:
    name = settings.database.partition(":")[0].partition("+")[0]
    try:
        bucket = open_bucket(settings.files, settings.bucket_options)
        storage = await Storage.open(settings.database, settings.data_dir, bucket=bucket)
        guilds = len(await storage.guilds.all_ids())
        await storage.close()
    except BarkeepError as error:
        say(f"Database ({name}): {error.message}")
        return Exit.STORAGE
    say(f"Database ({name}): fine, {guilds} {'server' if guilds == 1 else 'servers'} known.")
    return Exit.FINE


def _models(settings: Settings, say: Say) -> Exit:
    if settings.executor == "ray":  # The speech nodes have models and GPUs; this machine may have neither.
        say(f"Models ({settings.model}): each speech node has its own; `python cluster.py nodes` lists errors.")
        return Exit.FINE
    try:
        require_temporary_folder()
        say(f"Models ({settings.model}): {_found_models(settings)}")
    except Unavailable as error:
        say(f"Models ({settings.model}): {error.message}")
        return Exit.MODELS
    return Exit.FINE


def _found_models(settings: Settings) -> str:
    """Return the models' paths and device, in words. Raises Unavailable if the models cannot be used."""
    from cloning.checkpoints import (
        downloads,
        model_choice,  # these import torch, which the bot's process does not need
    )
    from cloning.methods import quantizer_network

    def quantizer(choice: model_choice.ModelChoice) -> Path:
        path = model_choice.resolve_quantizer(choice, "en")
        quantizer_network.read_info(path)
        return path

    choice = model_choice.ModelChoice(
        model=settings.model,
        hubert=settings.hubert,
        quantizer=settings.quantizer,
        device=settings.device,
        cache=settings.model_cache,
        offline=True,
    )
    resolvers = (model_choice.resolve_bark, model_choice.resolve_hubert, quantizer)
    paths: list[str] = []
    device = model_choice.pick_device(choice.device)
    for resolve in resolvers:
        try:
            paths.append(str(resolve(choice)))
        except Unavailable as error:
            if settings.offline or downloads.SWITCHED_OFF not in error.message:
                raise
    if len(paths) < len(resolvers):
        return f"not complete in {choice.cache}; the first start downloads the rest."
    return f"found {', '.join(paths)}; they will run on {device}."
