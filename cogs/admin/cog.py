"""/admin: settings and lists for moderators. Shown to members with Manage Server; checked here and by the studio."""

from collections.abc import Sequence
from typing import TypeVar

import discord
from discord import app_commands
from discord.ext import commands

from cogs.admin import audit_filter
from cogs.admin import buttons as admin_buttons
from cogs.admin import settings as admin_settings
from cogs.admin.audit_filter import KINDS
from cogs.admin.buttons import BLOCKED_LIST, QUEUE_LIST, REMOVE_ACTION
from cogs.admin.render_admin import (
    CONSENTS,
    render_blocked,
    render_default_voice,
    render_purge_question,
    render_purged,
    render_queue,
    render_stats,
)
from cogs.admin.render_audit import render_audit
from cogs.interactions import actor_of, moderators
from cogs.options import MAX_CHOICES, voice_choices
from cogs.studio_bot import StudioBot
from cogs.ui import confirm, ids, pages
from cogs.ui.render import safe
from cogs.voices.render_library import render_voices
from errors import InvalidInput
from storage.records import JobState
from studio.admin import MAX_DAYS, NO_VOICE, REASON_LENGTH
from studio.names import NAME_LENGTH
from studio.studio import Studio
from studio.values import Actor, nearest_page

T = TypeVar("T")

Interaction = discord.Interaction[StudioBot]

_VOICES_LIST = "admin-voices"
_AUDIT_LIST = "audit"
_PURGE = "purge"
_LINES = 5
"""Lines per page of lists with a button for each line: the buttons fit one row."""


async def _voices_page(studio: Studio, actor: Actor, query: str, number: int) -> pages.ListPage:
    page = await studio.admin.voices(actor, query, number)
    items = (admin_buttons.RemoveVoice(page.entries),) if page.entries else ()
    server_voice = await studio.library.of_server(actor.guild_id)
    return pages.ListPage(
        render_voices(page, query, server_voice=server_voice), page.number, page.pages, searchable=True, items=items
    )


async def _queue_page(studio: Studio, actor: Actor, _query: str, number: int) -> pages.ListPage:
    entries = await studio.admin.queue(actor)
    shown, first, number, count = _cut(entries, number)
    buttons = tuple(
        admin_buttons.CancelQueuedJob(entry.job.id, number, f"Cancel {line}")
        for line, entry in enumerate(shown, first)
        if entry.job.state in (JobState.QUEUED, JobState.RUNNING)
    )
    return pages.ListPage(
        render_queue(shown, first, number, count, len(entries), studio.admin.nodes(actor)), number, count, items=buttons
    )


async def _blocked_page(studio: Studio, actor: Actor, _query: str, number: int) -> pages.ListPage:
    members = await studio.admin.blocked(actor)
    shown, first, number, count = _cut(members, number)
    buttons = tuple(
        admin_buttons.Unblock(member.member_id, number, f"Unblock {line}") for line, member in enumerate(shown, first)
    )
    return pages.ListPage(render_blocked(shown, first, number, count, len(members)), number, count, items=buttons)


async def _audit_page(studio: Studio, actor: Actor, query: str, number: int) -> pages.ListPage:
    wanted = audit_filter.read(query)
    page = await studio.admin.audit(actor, number, wanted)
    return pages.ListPage(render_audit(page, wanted), page.number, page.pages)


def _cut(lines: Sequence[T], number: int) -> tuple[Sequence[T], int, int, int]:
    """Return the lines of a page, the number of its first line, the nearest existing page, and the number of pages."""
    number, count = nearest_page(number, len(lines), _LINES)
    start = (number - 1) * _LINES
    return lines[start : start + _LINES], start + 1, number, count


async def _remove(interaction: Interaction, key: str) -> str:
    record = await interaction.client.studio.admin.remove_voice(actor_of(interaction), key)
    return f"**{safe(record.name)}** was removed."


async def _purge(interaction: Interaction, target: str) -> str:
    admin, actor = interaction.client.studio.admin, actor_of(interaction)
    kind, _, value = target.partition("=")
    if kind == "days":
        return render_purged(await admin.purge(actor, older_than_days=ids.whole(value)), None)
    member_id = ids.whole(value)
    return render_purged(await admin.purge(actor, member_id=member_id), member_id)


async def default_choices(interaction: Interaction, current: str) -> list[app_commands.Choice[str]]:
    """Return "No default voice", then the voices that the moderator may use. Never raises."""
    none = [app_commands.Choice(name="No default voice", value=NO_VOICE)]
    return [*none, *await voice_choices(interaction, current)][:MAX_CHOICES]


@moderators()
class Admin(
    commands.GroupCog, group_name="admin", group_description="For moderators: settings, voices, members, usage"
):
    """The commands of moderators. All replies are private."""

    def __init__(self, bot: StudioBot) -> None:
        self.bot = bot
        self.lists = {
            _VOICES_LIST: _voices_page,
            QUEUE_LIST: _queue_page,
            BLOCKED_LIST: _blocked_page,
            _AUDIT_LIST: _audit_page,
        }
        self.actions = {
            REMOVE_ACTION: _remove,
            _PURGE: _purge,
            admin_settings.DEFAULTS_ACTION: admin_settings.restore_defaults,
        }

    @app_commands.command(name="settings", description="Who may clone and speak, where, how much, and for how long")
    @app_commands.describe(consent="How members agree to a clone of their voice; leave it out to see all settings")
    @app_commands.choices(
        consent=[
            app_commands.Choice(name=f"{kind.value}: {words}", value=kind.value) for kind, words in CONSENTS.items()
        ]
    )
    async def settings(self, interaction: Interaction, consent: str | None = None) -> None:
        """Show all settings with menus and forms to change them. If `consent` is given, change that first."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        actor = actor_of(interaction)
        if consent is None:
            settings = await self.bot.studio.admin.settings(actor)
        else:
            settings = await self.bot.studio.admin.change(actor, consent=consent)
        panel = await admin_settings.panel(self.bot.studio, settings, actor.existing_ids)
        await interaction.followup.send(**panel, ephemeral=True)

    @app_commands.command(name="default", description="The voice that speaks for members who have none of their own")
    @app_commands.describe(voice="A voice that everyone can use; leave it out to see the current one")
    @app_commands.autocomplete(voice=default_choices)
    async def default(self, interaction: Interaction, voice: app_commands.Range[str, 1, 100] | None = None) -> None:
        """Set, clear or show the default voice."""
        actor = actor_of(interaction)
        await interaction.response.defer(ephemeral=True, thinking=True)
        chosen = await self.bot.studio.admin.default_voice(actor, voice)
        await interaction.followup.send(render_default_voice(chosen), ephemeral=True)

    @app_commands.command(name="voices", description="All voices of this server, private ones too; remove any")
    @app_commands.describe(search="A name, or part of one")
    async def voices(
        self, interaction: Interaction, search: app_commands.Range[str, 1, pages.QUERY_LENGTH] | None = None
    ) -> None:
        """Show the first page."""
        await pages.open_list(interaction, _VOICES_LIST, (search or "").strip())

    @app_commands.command(name="block", description="Keep a member from using voices; their jobs are cancelled")
    @app_commands.describe(member="Who", reason="Why, for the other moderators")
    async def block(
        self,
        interaction: Interaction,
        member: discord.User,
        reason: app_commands.Range[str, 0, REASON_LENGTH] = "",
    ) -> None:
        """Block the member. Their voices stay; /admin voices removes them."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        await self.bot.studio.admin.block(actor_of(interaction), member.id, reason)
        await interaction.followup.send(f"{member.mention} can no longer use voices here.", ephemeral=True)

    @app_commands.command(name="unblock", description="Let a member use voices again, or see who is blocked")
    @app_commands.describe(member="Who; leave it out to see all blocked members")
    async def unblock(self, interaction: Interaction, member: discord.User | None = None) -> None:
        """Unblock a member, or list the blocked ones with buttons, so that members who left can be unblocked too."""
        if member is None:
            await pages.open_list(interaction, BLOCKED_LIST)
            return
        await interaction.response.defer(ephemeral=True, thinking=True)
        await self.bot.studio.admin.unblock(actor_of(interaction), member.id)
        await interaction.followup.send(f"{member.mention} can use voices again.", ephemeral=True)

    @app_commands.command(name="queue", description="Queued and running jobs on this server, with buttons to cancel")
    async def queue(self, interaction: Interaction) -> None:
        """Show the first page."""
        await pages.open_list(interaction, QUEUE_LIST)

    @app_commands.command(name="audit", description="Who did what with voices and settings, newest first")
    @app_commands.describe(
        kind="Only events of this kind",
        member="Only what this member did, or what was done to them",
        voice="Only events about this voice",
    )
    @app_commands.choices(kind=[app_commands.Choice(name=name, value=key) for key, (name, _) in KINDS.items()])
    async def audit(
        self,
        interaction: Interaction,
        kind: str | None = None,
        member: discord.User | None = None,
        voice: app_commands.Range[str, 1, NAME_LENGTH] | None = None,
    ) -> None:
        """Show the first page."""
        query = audit_filter.written(kind, None if member is None else member.id, voice)
        await pages.open_list(interaction, _AUDIT_LIST, query)

    @app_commands.command(name="stats", description="How much this server uses its voices, and how long members wait")
    @app_commands.describe(days="How many days back; a week if you leave it out")
    async def stats(self, interaction: Interaction, days: app_commands.Range[int, 1, 90] = 7) -> None:
        """Show counts and medians."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        stats = await self.bot.studio.admin.stats(actor_of(interaction), days)
        await interaction.followup.send(embed=render_stats(stats), ephemeral=True)

    @app_commands.command(name="purge", description="Delete old jobs with their texts, or all of a member's data")
    @app_commands.describe(
        older_than_days="Jobs and their texts that are older than this",
        member="Everything this member keeps here: voices, clips, jobs",
    )
    async def purge(
        self,
        interaction: Interaction,
        older_than_days: app_commands.Range[int, 0, MAX_DAYS] | None = None,
        member: discord.User | None = None,
    ) -> None:
        """Ask for confirmation, then delete."""
        if older_than_days is not None and member is None:
            target = f"days={older_than_days}"
        elif member is not None and older_than_days is None:
            target = f"member={member.id}"
        else:
            raise InvalidInput("Choose either a number of days or a member.")
        question = render_purge_question(older_than_days, member.id if member is not None else None)
        await confirm.ask(interaction, question, "Delete for good", _PURGE, target)
