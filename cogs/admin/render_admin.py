"""Renders settings, the queue, blocked members and statistics for moderators. Pure functions of values."""

from collections.abc import Sequence
from dataclasses import dataclass

import discord

from cloning.worker.protocol import NodeState
from cogs.ui.render import COLOUR, safe, when
from cogs.voices.render_library import count, place
from storage.consent_records import ConsentKind
from storage.records import ChannelOutput, GuildSettings, JobKind, JobRecord, MemberRecord
from studio.queue.job_payload import words_of
from studio.rights import consent_of
from studio.values import Erased, QueueEntry, Stats, Voice

OUTPUTS = {
    ChannelOutput.BOTH: "heard there, and posted as a file",
    ChannelOutput.CHANNEL: "only heard there",
    ChannelOutput.FILE: "only posted as a file",
}
"""How a line is answered -> its words."""

CONSENTS = {
    ConsentKind.CHECKBOX: "by ticking a box",
    ConsentKind.SPOKEN: "by saying a sentence",
}
"""How members agree to a clone -> its words."""

_MENTIONS_LISTED = 25
_PHRASE = 60
_TOP_MEMBERS = 5
_NODES = 8


@dataclass(frozen=True, slots=True)
class _Kind:
    """The words for roles or channels: a mention, the noun, and the texts for none chosen and for all deleted."""

    mention: str
    noun: str
    all: str
    nothing: str


_ROLE = _Kind("<@&{}>", "role", "everyone", "Only moderators")
_CHANNEL = _Kind("<#{}>", "channel", "every channel", "Nowhere, except for moderators,")
_LOST = {
    "clone_role_ids": "the roles that may clone voices, so only moderators can do it now",
    "speak_role_ids": "the roles that may speak with voices, so only moderators can do it now",
    "channel_ids": "the channels for voices, so members cannot use voices anywhere now",
}
"""Setting of roles or channels -> what was deleted, and what follows."""


def render_lost_choices(names: Sequence[str], server: str) -> str:
    """Return the notice to moderators that all roles or channels of these settings were deleted."""
    lost = "\n".join(f"• {_LOST[name]}" for name in names)
    return f"⚠️ On **{safe(server, 200)}**, all of these were deleted:\n{lost}.\nChoose again with /admin settings."


def render_settings(
    settings: GuildSettings,
    existing_ids: frozenset[int] | None = None,
    voice: Voice | None = None,
    consent: ConsentKind = ConsentKind.CHECKBOX,
) -> discord.Embed:
    """Return the overview of a server's settings.

    existing_ids: the roles and channels of the server, if they are known. voice: the default voice, if it can be used.
    consent: the owner's default.
    """
    embed = discord.Embed(title="Settings of this server", colour=COLOUR)
    embed.add_field(name="Who may clone", value=_chosen(settings.clone_role_ids, existing_ids, _ROLE))
    embed.add_field(name="Who may speak", value=_chosen(settings.speak_role_ids, existing_ids, _ROLE))
    embed.add_field(name="Members agree to a clone", value=_agreeing(settings, consent))
    embed.add_field(name="Where", value=_chosen(settings.channel_ids, existing_ids, _CHANNEL))
    embed.add_field(name="Voices", value=f"{settings.voices_per_member} per member\n{settings.voices_per_guild} in all")
    embed.add_field(
        name="Jobs per hour",
        value=f"{settings.jobs_per_hour_per_member} per member\n{settings.jobs_per_hour_per_guild} in all",
    )
    embed.add_field(
        name="Audio per day",
        value=f"{_duration(settings.seconds_per_day_per_member)} per member\n"
        f"{_duration(settings.seconds_per_day_per_guild)} in all",
    )
    embed.add_field(name="Longest text", value=f"{settings.text_length} characters")
    embed.add_field(name="Texts and jobs are kept", value=f"{settings.retention_days} days")
    embed.add_field(name="Voices whose owner left", value=_after_leaving(settings.away_days))
    embed.add_field(name="Default voice", value=_default_voice(settings, voice))
    embed.add_field(name="Lines asked for in my voice channel", value=f"are {OUTPUTS[settings.channel_output]}")
    embed.add_field(
        name="I leave a voice channel",
        value=f"after {count(settings.channel_idle_minutes, 'minute')} alone or without a word",
    )
    embed.add_field(
        name="When I join a voice channel",
        value="I say that my voices are generated" if settings.channel_notice else "I say nothing",
    )
    embed.add_field(name="Messages that are read aloud", value=_reading(settings))
    embed.set_footer(text="Choices are saved immediately. Moderators are exempt from role and channel limits.")
    return embed


def _agreeing(settings: GuildSettings, default: ConsentKind) -> str:
    words = CONSENTS[consent_of(settings, default)]
    return f"{words} (the default here)" if settings.consent is None else words


def _after_leaving(days: int) -> str:
    return f"stay usable for {count(days, 'more day')}" if days else "are no longer usable by others"


def _reading(settings: GuildSettings) -> str:
    names = "with their author's name" if settings.read_names else "without names"
    ignored = len(settings.read_ignored_role_ids)
    roles = f", except those of {count(ignored, 'ignored role')}" if ignored else ""
    return (
        f"their first {settings.read_length} characters, {settings.read_per_minute} a minute from each member, "
        f"{names}{roles}; change this with /read rules and /read ignore"
    )


def _default_voice(settings: GuildSettings, voice: Voice | None) -> str:
    if voice is not None:
        return safe(voice.name, 100)
    if settings.default_voice is None:
        return "none"
    return "⚠️ no longer shared with everyone, or not in the loaded model: choose with /admin default"


def render_default_voice(voice: Voice | None) -> str:
    """Return which voice speaks for members without one."""
    if voice is None:
        return (
            "This server has no default voice. Members without their own voice speak with the only voice that is "
            "shared with them, or with a built-in speaker."
        )
    return f"**{safe(voice.name, 100)}** speaks for members who have no voice of their own and chose none."


def _chosen(ids: frozenset[int], existing_ids: frozenset[int] | None, kind: _Kind) -> str:
    if not ids:
        return kind.all
    there = ids if existing_ids is None else ids & existing_ids
    lines = [_mentions([kind.mention.format(each) for each in sorted(there)])] if there else []
    if gone := len(ids) - len(there):
        lines.append(f"⚠️ {count(gone, kind.noun)} deleted")
    if not there:
        lines.append(f"**{kind.nothing} until you choose again below.**")
    return "\n".join(lines)


def _mentions(mentions: Sequence[str]) -> str:
    more = len(mentions) - _MENTIONS_LISTED
    return " ".join(mentions[:_MENTIONS_LISTED]) + (f" and {more} more" if more > 0 else "")


def render_queue(
    entries: Sequence[QueueEntry],
    first: int,
    number: int,
    pages: int,
    total: int,
    nodes: Sequence[NodeState] = (),
) -> discord.Embed:
    """Return one page of the queue; lines are numbered from `first`, like the buttons below them.

    nodes: the speech workers of a cluster, which follow the jobs.
    """
    embed = discord.Embed(title="Queue of this server", colour=COLOUR)
    embed.description = (
        "\n".join(f"**{line}.** {_queue_line(entry)}" for line, entry in enumerate(entries, first))
        or "Nothing is queued or running."
    )
    if nodes:
        shown = "\n".join(_node_line(node) for node in nodes[:_NODES])
        more = f"\nand {len(nodes) - _NODES} more" if len(nodes) > _NODES else ""
        embed.add_field(name="Speech nodes, for all servers", value=shown + more, inline=False)
    embed.set_footer(text=place(total, "job", number, pages))
    return embed


def _node_line(node: NodeState) -> str:
    """Return a line about a speech node, without its address and error, which are only for the owner."""
    name = safe(node.name, 40)
    if not node.model:
        return f"**{name}** · {node.state}"
    jobs = count(node.running, "job")
    room = f"{jobs}, room for {max(0, node.capacity - node.running)} more" if node.capacity else jobs
    return f"**{name}** · {node.state} · {room} · {safe(node.device, 20)}"


def _queue_line(entry: QueueEntry) -> str:
    job = entry.job
    work = "clone" if job.kind is JobKind.CLONE else "speech"
    return f"<@{job.member_id}> · {work}{_subject(job)} · {_state(entry.position)} · {when(job.created_at)}"


def _subject(job: JobRecord) -> str:
    """Return the name of a clone or the words of speech; private jobs show neither."""
    subject = str(job.order.get("name", "")) if job.kind is JobKind.CLONE else words_of(job)
    if job.private:
        return " (private)"
    return f" “{safe(subject, _PHRASE)}”" if subject else ""


def _state(position: int | None) -> str:
    if position is None:
        return "done, not delivered yet"
    return "running" if position == 0 else f"number {position} in the queue"


def render_blocked(members: Sequence[MemberRecord], first: int, number: int, pages: int, total: int) -> discord.Embed:
    """Return one page of the blocked members; lines are numbered from `first`, like the buttons below them."""
    embed = discord.Embed(title="Blocked members", colour=COLOUR)
    embed.description = (
        "\n".join(f"**{line}.** {_blocked_line(member)}" for line, member in enumerate(members, first))
        or "No one is blocked."
    )
    embed.set_footer(text=place(total, "member", number, pages))
    return embed


def _blocked_line(member: MemberRecord) -> str:
    line = f"<@{member.member_id}>"
    if member.blocked_by is not None:
        line += f" · by <@{member.blocked_by}>"
    if member.blocked_at is not None:
        line += f" · {when(member.blocked_at)}"
    return f"{line} · {safe(member.block_reason, 200)}" if member.block_reason else line


def render_stats(stats: Stats) -> discord.Embed:
    """Return usage and latency over some days, and the state of the worker."""
    usage = stats.usage
    embed = discord.Embed(title=f"The last {stats.days} days" if stats.days > 1 else "The last day", colour=COLOUR)
    embed.add_field(name="Clone jobs", value=str(usage.clones))
    embed.add_field(name="Speech jobs", value=str(usage.speeches))
    embed.add_field(name="Failed jobs", value=str(usage.failed))
    embed.add_field(name="Audio made", value=_duration(usage.audio_seconds))
    embed.add_field(name="Typical wait", value=_typical(usage.wait_seconds_median))
    embed.add_field(name="Typical work", value=_typical(usage.work_seconds_median))
    embed.add_field(name="Voices now", value=str(stats.voices))
    embed.add_field(name="Queue now", value=f"{stats.queued} queued, {stats.running} running")
    embed.add_field(name="Speech worker", value=_worker(stats))
    busiest = sorted(usage.by_member.items(), key=lambda item: (-item[1], item[0]))[:_TOP_MEMBERS]
    if busiest:
        lines = "\n".join(f"<@{member_id}>: {jobs}" for member_id, jobs in busiest)
        embed.add_field(name="Most jobs", value=lines, inline=False)
    return embed


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"


def _typical(seconds: float | None) -> str:
    return "not known yet" if seconds is None else f"{seconds:.1f} s"


def _worker(stats: Stats) -> str:
    health = stats.worker
    if health.error is not None:
        return "cannot start; see the bot's log"
    if health.ready is None:
        return "loading its models" if health.alive else "not running"
    if health.nodes:
        ready = sum(bool(node.model) for node in health.nodes)
        return f"{safe(health.ready.model, 200)} on {ready} of {count(len(health.nodes), 'node')}"
    restarts = f", {count(health.restarts, 'restart')}" if health.restarts else ""
    return f"{safe(health.ready.model, 200)} on {safe(health.ready.device, 50)}{restarts}"


def render_defaults_question(fresh: GuildSettings) -> discord.Embed:
    """Return the question before a reset, with the settings that it would restore."""
    embed = render_settings(fresh)
    embed.title, embed.colour = "Back to these settings?", discord.Colour.red()
    embed.set_footer(text="Voices, jobs and blocks stay as they are.")
    return embed


def render_purge_question(older_than_days: int | None, member_id: int | None) -> discord.Embed:
    """Return the question before a purge: jobs older than some days, or all data of one member."""
    if member_id is None:
        age = f" that are older than {count(older_than_days, 'day')}" if older_than_days else ""
        what = f"All finished jobs of this server{age}, with their texts and undelivered recordings. Voices stay."
    else:
        what = (
            f"All data of <@{member_id}> here: their voices, other voices made from their speech, clips, "
            "jobs with their texts, and their consent. A block stays."
        )
    description = f"{what}\nWhat was already posted stays in its channel. This cannot be undone."
    return discord.Embed(title="Delete this for good?", description=description, colour=discord.Colour.red())


def render_purged(erased: Erased, member_id: int | None) -> str:
    """Return what a purge deleted: some jobs, or all data of one member."""
    jobs = count(erased.jobs, "job")
    if member_id is None:
        return f"Done: {jobs} deleted."
    return f"Done: {count(erased.voices, 'voice')} and {jobs} of <@{member_id}> deleted."
