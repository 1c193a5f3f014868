"""Renders replies as text and embeds. Pure functions of values."""

import math
import re
import unicodedata
from datetime import datetime

import discord

from cloning.media.report import LISTENED_SECONDS, QualityReport, report_from_json
from cloning.text.splitting import LANGUAGES
from cloning.watermark.finding import Finding, explained
from storage.consent_records import ConsentRequest, ConsentState
from storage.records import JobKind, JobRecord, JobState, VoiceRecord
from studio.queue.job_payload import words_of
from studio.values import Update, Voice

COLOUR = discord.Colour(0xE0A458)
CONTENT_LIMIT = 2000
LABEL = "AI-generated voice"
_BAR_CELLS = 10
_PHRASE = 60
_STEP = 5
"""Estimates are rounded up to multiples of this many seconds; those of a minute or more are shown in minutes."""
_STATES = {
    JobState.QUEUED: "waiting",
    JobState.RUNNING: "running",
    JobState.READY: "done, not delivered yet",
    JobState.DELIVERED: "delivered",
    JobState.FAILED: "failed",
    JobState.CANCELLED: "cancelled",
}


def safe(text: str, limit: int = CONTENT_LIMIT) -> str:
    """Return `text` escaped for Discord, at most `limit` characters: no markdown, mention, emoji or timestamp."""
    literal = _literal(text)
    kept = text
    while len(literal) > limit:
        kept = kept[: len(kept) - max(1, (len(literal) - limit) // 2)]
        literal = _literal(kept) + "…"
    return literal


def _literal(text: str) -> str:
    escaped = discord.utils.escape_markdown(text, ignore_links=False)
    return discord.utils.escape_mentions(escaped).replace("<", "\\<")


def file_stem(name: str) -> str:
    """Return a voice's name as part of a file name: ASCII letters, digits and dashes."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-") or "voice"


def render_update(update: Update) -> str:
    """Return the progress line of a job, below a label for the first sentence if that is attached."""
    line = _line_of(update)
    return line if update.beginning is None else f"🔊 {LABEL} · the beginning; the rest is on its way\n{line}"


def _line_of(update: Update) -> str:
    if update.channel_id is not None:
        return f"🔊 Ready. It plays in <#{update.channel_id}> when its turn comes."
    if update.retrying:
        return "🔁 The speech worker stopped. Trying again…"
    if update.loading:
        return "⏳ The speech models cannot be loaded right now. Your request keeps its place in the queue."
    if update.stage is not None:
        filled = round(max(0.0, min(1.0, update.fraction)) * _BAR_CELLS)
        bar = "▰" * filled + "▱" * (_BAR_CELLS - filled)
        return f"🎙️ {safe(update.stage, 80).capitalize()} {bar}{_about(update.seconds_left, 'left')}"
    if update.position:
        before = "You are next." if update.position == 1 else f"{update.position - 1} before you."
        return f"⏳ In the queue. {before}{_about(update.seconds_left, 'until it begins')}"
    return "🎙️ Starting…"


def _about(seconds: float | None, what: str) -> str:
    """Return a rounded estimate, or "" without one."""
    if seconds is None:
        return ""
    rounded = math.ceil(seconds / _STEP) * _STEP
    span = f"{rounded} s" if rounded < 60 else f"{round(rounded / 60)} min"
    return f" · about {span} {what}"


def render_speech(job: JobRecord, voice: Voice | None) -> str:
    """Return the text beside the audio: the voice, the AI label, and the words."""
    name = safe(voice.name, 100) if voice is not None else "A deleted voice"
    head = f"🔊 **{name}** · {LABEL} · asked by <@{job.member_id}>"
    if left_out := (job.result or {}).get("left_out"):
        head += f"\n⚠️ The model can't read this and left it out: {safe(' · '.join(left_out), 500)}"
    words = words_of(job)
    return f"{head}\n>>> {safe(words, CONTENT_LIMIT - len(head) - 100)}" if words else head


_MARKS = {"marked": "🤖", "unclear": "❔", "unmarked": "🔎"}


def render_finding(finding: Finding, name: str) -> str:
    """Return the verdict on the mark of a recording. name: of the file."""
    return f"{_MARKS[finding.verdict]} **{safe(name, 100)}**\n{explained(finding)}"


def render_error(job: JobRecord) -> str:
    """Return why a job has no result."""
    work = "cloning" if job.kind is JobKind.CLONE else "speech"
    if job.state is JobState.CANCELLED:
        return f"🛑 The {work} was cancelled."
    reason = job.error_message or "Something went wrong. Please try again."
    return f"⚠️ The {work} failed. {safe(reason, 1500)}"


def render_card(record: VoiceRecord) -> discord.Embed:
    """Return the card of a new voice: its quality with advice, and its owner."""
    description = safe(record.description, 1000)
    report = None if record.report is None else report_from_json(record.report)
    if report is not None:
        description = f"{_verdict(report)}\n{description}".strip()
    embed = discord.Embed(title=f"🎤 {safe(record.name, 200)} is ready", description=description or None, colour=COLOUR)
    embed.add_field(name="Owner", value=f"<@{record.owner_id}>")
    if record.speaker_id is not None and record.speaker_id != record.owner_id:
        embed.add_field(name="Speaker", value=f"<@{record.speaker_id}>")
    embed.add_field(name="Language", value=LANGUAGES.get(record.language, record.language))
    embed.set_footer(text="Speak with it: /say · Let others use it: /voices share")
    return embed


_VERDICTS = {"good": "✅ **Good**", "usable": "👍 **Usable**", "poor": "🔁 **Record again**"}


def _verdict(report: QualityReport) -> str:
    """Return the quality of the recording, with reasons if it is not good."""
    verdict = _VERDICTS.get(report.verdict, f"**{safe(report.verdict, 200)}**")
    if report.verdict == "good":
        return f"{verdict}: the recording was clear."
    reasons = "\n".join(f"• {safe(line, 200)}" for line in report.advice[:5])
    return f"{verdict}, because:\n{reasons}" if reasons else verdict


def render_figures(record: VoiceRecord) -> discord.Embed:
    """Return the measurements of the recording of a voice. The voice must have a report."""
    report = report_from_json(record.report or {})
    embed = discord.Embed(title=f"📏 {safe(record.name, 200)}: its recording", colour=COLOUR)
    listened = "" if report.total_seconds <= LISTENED_SECONDS else f" in the first {LISTENED_SECONDS / 60:g} minutes"
    heard = f"{report.speech_seconds:.1f} s of speech{listened}"
    embed.add_field(name="The recording", value=f"{report.total_seconds:.1f} s, with {heard}")
    embed.add_field(name="Used part", value=f"{report.used_end - report.used_start:.1f} s")
    embed.add_field(
        name="In the used part",
        value=f"loudness {report.loudness_lufs:.0f} LUFS\nnoise {report.noise_db:.0f} dB\n"
        f"clipped {report.clipped_fraction:.1%}",
    )
    if report.advice:
        embed.description = "\n".join(f"• {safe(line, 200)}" for line in report.advice[:5])
    return embed


def render_clip(record: VoiceRecord) -> str:
    """Return the text beside the recording that a voice was made from."""
    speaker = record.owner_id if record.speaker_id is None else record.speaker_id
    return f"🎙️ The recording that **{safe(record.name, 100)}** was made from: <@{speaker}> speaking, not AI."


def render_jobs(jobs: list[tuple[JobRecord, int | None]]) -> discord.Embed:
    """Return a member's jobs, numbered like the buttons below them."""
    embed = discord.Embed(title="Your jobs", colour=COLOUR)
    if not jobs:
        embed.description = "You have no jobs right now. Start with /clone or /say."
        return embed
    embed.description = "\n".join(
        f"**{number}.** {_job_line(job, position)}" for number, (job, position) in enumerate(jobs, 1)
    )
    return embed


def _job_line(job: JobRecord, position: int | None) -> str:
    what = "Clone" if job.kind is JobKind.CLONE else "Speech"
    subject = words_of(job) or str(job.order.get("name", ""))
    place = f", {position} in the queue" if position and job.state is JobState.QUEUED else ""
    quote = f" “{safe(subject, _PHRASE)}”" if subject else ""
    return f"{what}{quote} · {_STATES[job.state]}{place} · {when(job.created_at)}"


def render_question(request: ConsentRequest, message_url: str, requester: str, server: str) -> discord.Embed:
    """Return the consent request to a recording's author. `requester` and `server` are display names."""
    embed = discord.Embed(
        title="May your voice be cloned?",
        description=f"**{safe(requester, 100)}** (<@{request.requester_id}>) would like to clone your voice from "
        f"[your recording]({message_url}) in **{safe(server, 200)}**. It would be kept there, and "
        f"{safe(requester, 100)} could let it say anything, labelled as AI-generated. "
        "A yes covers this recording only, and you can take it back at any time.\n\n"
        "Only you can answer. Without your answer, nothing is cloned.",
        colour=COLOUR,
    )
    embed.add_field(name="Name of the voice", value=safe(str(request.order.get("name", "")), 200) or "not given")
    embed.add_field(name="Expires", value=when(request.expires_at))
    return embed


def render_plain_question(request: ConsentRequest) -> discord.Embed:
    """Return the consent request to an author who no longer has to say a sentence."""
    embed = discord.Embed(
        title="May your voice be cloned?",
        description=f"That server no longer asks for a spoken sentence: a button is enough. With *Allow*, "
        f"<@{request.requester_id}> gets the voice from your recording, and you can take that back at any time.",
        colour=COLOUR,
    )
    embed.add_field(name="Name of the voice", value=safe(str(request.order.get("name", "")), 200) or "not given")
    embed.add_field(name="Expires", value=when(request.expires_at))
    return embed


def render_asked(request: ConsentRequest) -> str:
    """Return the confirmation for the member who asked for the voice."""
    return (
        f"✉️ I asked <@{request.author_id}>. I'll make the voice if they allow it; "
        f"the request expires {when(request.expires_at)}."
    )


def render_verdict(request: ConsentRequest) -> str:
    """Return the sentence that replaces the request once its author has answered."""
    if request.state is ConsentState.ALLOWED:
        return (
            "✅ You allowed it for this recording, and the voice is being made. You can take it back here at any time: "
            "this voice is then deleted."
        )
    if request.state is ConsentState.WITHDRAWN:
        return "↩️ You took it back. The voice and its recording were deleted."
    return "🚫 You said no. Nothing was cloned, and the recording was deleted."


def render_refusal(request: ConsentRequest) -> str:
    """Return the refusal for the member who asked for the voice."""
    return f"🚫 <@{request.author_id}> does not allow a clone of their voice. Nothing was cloned."


def when(moment: datetime) -> str:
    """Return a time that Discord shows relative to each reader's clock, such as "5 minutes ago"."""
    return discord.utils.format_dt(moment, "R")
