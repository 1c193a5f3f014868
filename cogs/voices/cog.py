"""/voices: the library of a server. The studio decides what a member may see and change."""

import io
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from cogs.clone.modals import ConsentModal
from cogs.files import read_recording, send_privately
from cogs.interactions import actor_of, require_attachments
from cogs.options import (
    CHOICE_LENGTH,
    LANGUAGE_CHOICES,
    deletable_choices,
    exportable_choices,
    managed_choices,
    shareable_choices,
    voice_choices,
)
from cogs.studio_bot import StudioBot
from cogs.ui import confirm, pages
from cogs.ui.base import persistent_view
from cogs.ui.picture import add_waveform
from cogs.ui.render import safe
from cogs.ui.voice_buttons import Listen, buttons_of
from cogs.voices import sharing
from cogs.voices.render_library import (
    render_default,
    render_delete_question,
    render_described,
    render_imported,
    render_shared,
    render_sharing,
    render_voice,
    render_voices,
)
from errors import InvalidInput, NotAllowed
from storage.records import Visibility, voice_key
from studio.names import DESCRIPTION_LENGTH, NAME_LENGTH
from studio.rights import may_share, may_use
from studio.studio import Studio
from studio.values import Actor, CloneOrder
from studio.voice_files import MAX_PROMPT_BYTES

Interaction = discord.Interaction[StudioBot]
VoiceOption = app_commands.Range[str, 1, CHOICE_LENGTH]

_LIST = "voices"
_DELETE = "delete-voice"
_AUDIENCES = [
    app_commands.Choice(name="Only me", value=Visibility.OWNER.value),
    app_commands.Choice(name="Chosen members or roles…", value=Visibility.CHOSEN.value),
    app_commands.Choice(name="Everyone on this server", value=Visibility.EVERYONE.value),
]


async def _page(studio: Studio, actor: Actor, query: str, number: int) -> pages.ListPage:
    page = await studio.library.page(actor, query, number)
    try:
        default = await studio.library.default(actor, None)
    except NotAllowed:  # the member's default is no longer shared: nothing is marked
        default = None
    embed = render_voices(page, query, default, await studio.library.of_server(actor.guild_id))
    items = (Listen(page.entries),) if page.entries else ()
    return pages.ListPage(embed, page.number, page.pages, searchable=True, items=items)


async def _delete(interaction: Interaction, key: str) -> str:
    record = await interaction.client.studio.library.delete(actor_of(interaction), key)
    return f"**{safe(record.name)}** was deleted."


class Voices(commands.GroupCog, group_name="voices", group_description="The voices of this server"):
    """Lists voices, manages the member's own, imports and exports. All replies are private."""

    def __init__(self, bot: StudioBot) -> None:
        self.bot = bot
        self.lists = {_LIST: _page}
        self.actions = {_DELETE: _delete}

    @app_commands.command(name="list", description="The voices that you can use here")
    @app_commands.describe(search="A name, or part of one")
    async def list_(
        self, interaction: Interaction, search: app_commands.Range[str, 1, pages.QUERY_LENGTH] | None = None
    ) -> None:
        """Show the first page."""
        await pages.open_list(interaction, _LIST, (search or "").strip())

    @app_commands.command(name="info", description="Everything about one voice")
    @app_commands.describe(voice="Which voice")
    @app_commands.autocomplete(voice=voice_choices)
    async def info(self, interaction: Interaction, voice: VoiceOption) -> None:
        """Show the voice's card, with a waveform if the bot may attach files."""
        actor = actor_of(interaction)
        await interaction.response.defer(ephemeral=True, thinking=True)
        found = await self.bot.studio.library.info(actor, voice)
        embed, record = render_voice(found), found.record
        files: list[discord.File] = []
        if record is not None and interaction.app_permissions.attach_files:
            attached = await add_waveform(embed, record)
            files = [discord.File(io.BytesIO(data), filename=name) for name, data in attached]
        buttons = buttons_of(record) if record is not None and may_use(actor, record) else ()
        await interaction.followup.send(embed=embed, files=files, view=persistent_view(*buttons), ephemeral=True)

    @app_commands.command(name="default", description="Choose the voice that /say uses when you name none")
    @app_commands.describe(voice="Your default from now on; leave it out to see the current one")
    @app_commands.autocomplete(voice=voice_choices)
    async def default(self, interaction: Interaction, voice: VoiceOption | None = None) -> None:
        """Set or show the default."""
        actor = actor_of(interaction)
        await interaction.response.defer(ephemeral=True, thinking=True)
        chosen = await self.bot.studio.library.default(actor, voice)
        await interaction.followup.send(render_default(chosen, changed=voice is not None), ephemeral=True)

    @app_commands.command(name="rename", description="Give a voice of yours another name")
    @app_commands.describe(voice="Which voice", name="Its new name")
    @app_commands.autocomplete(voice=managed_choices)
    async def rename(
        self, interaction: Interaction, voice: VoiceOption, name: app_commands.Range[str, 1, NAME_LENGTH]
    ) -> None:
        """Rename the voice; its jobs and shares stay."""
        actor = actor_of(interaction)
        await interaction.response.defer(ephemeral=True, thinking=True)
        record = await self.bot.studio.library.rename(actor, voice, name)
        await interaction.followup.send(f"The voice is now called **{safe(record.name)}**.", ephemeral=True)

    @app_commands.command(name="describe", description="Describe a voice of yours in a few words")
    @app_commands.describe(voice="Which voice", description="The new description; leave it out to remove the old one")
    @app_commands.autocomplete(voice=managed_choices)
    async def describe(
        self,
        interaction: Interaction,
        voice: VoiceOption,
        description: app_commands.Range[str, 0, DESCRIPTION_LENGTH] = "",
    ) -> None:
        """Change the description, which the list and the card show."""
        actor = actor_of(interaction)
        await interaction.response.defer(ephemeral=True, thinking=True)
        record = await self.bot.studio.library.describe(actor, voice, description)
        await interaction.followup.send(render_described(record), ephemeral=True)

    @app_commands.command(name="delete", description="Delete a voice of yours, or one made from your speech")
    @app_commands.describe(voice="Which voice")
    @app_commands.autocomplete(voice=deletable_choices)
    async def delete(self, interaction: Interaction, voice: VoiceOption) -> None:
        """Ask for confirmation."""
        actor = actor_of(interaction)
        await interaction.response.defer(ephemeral=True, thinking=True)
        record = await self.bot.studio.library.deletable(actor, voice)
        await confirm.ask(interaction, render_delete_question(record), "Delete it", _DELETE, voice_key(record.id))

    @app_commands.command(name="share", description="Decide who may speak with a voice of yours")
    @app_commands.describe(voice="Which voice", audience="Who may use it, besides you")
    @app_commands.choices(audience=_AUDIENCES)
    @app_commands.autocomplete(voice=shareable_choices)
    async def share(self, interaction: Interaction, voice: VoiceOption, audience: str) -> None:
        """Share immediately, or show menus to choose members and roles."""
        actor, library = actor_of(interaction), self.bot.studio.library
        await interaction.response.defer(ephemeral=True, thinking=True)
        visibility = Visibility(audience)
        if visibility is Visibility.CHOSEN:
            record = await library.record(actor, voice)
            may_share(actor, record, Visibility.CHOSEN)
            view = sharing.sharing_view(record, actor.existing_ids)
            await interaction.followup.send(embed=render_sharing(record), view=view, ephemeral=True)
            return
        record = await library.share(actor, voice, visibility, (), ())
        await interaction.followup.send(render_shared(record), ephemeral=True)

    @app_commands.command(name="export", description="Get a voice of yours as a Bark voice file (.npz)")
    @app_commands.describe(voice="Which voice")
    @app_commands.autocomplete(voice=exportable_choices)
    async def export(self, interaction: Interaction, voice: VoiceOption) -> None:
        """Send the prompt as a file."""
        actor = actor_of(interaction)
        require_attachments(interaction)
        await interaction.response.defer(ephemeral=True, thinking=True)
        name, data = await self.bot.studio.voice_files.export(actor, voice)
        await send_privately(
            interaction, "Your voice in Bark's own format, for the model that it was made with.", name, data
        )

    @app_commands.command(name="import", description="Add a voice from a Bark voice file (.npz)")
    @app_commands.describe(
        file="A voice prompt, as /voices export or Bark itself writes it",
        name="What the voice will be called",
        language="The language it speaks; English if you leave it out",
        description="A few words about the voice",
    )
    @app_commands.choices(language=LANGUAGE_CHOICES)
    async def import_(
        self,
        interaction: Interaction,
        file: discord.Attachment,
        name: app_commands.Range[str, 1, NAME_LENGTH],
        language: str = "en",
        description: app_commands.Range[str, 0, DESCRIPTION_LENGTH] = "",
    ) -> None:
        """Check what needs no database and show the consent form. Then check the rest and read the file."""
        actor = actor_of(interaction)
        if not 0 < file.size <= MAX_PROMPT_BYTES:
            raise InvalidInput("That file is empty or too large. A voice file (.npz) is well under a megabyte.")
        order = CloneOrder(name, language, description, speaker_id=actor.member_id)
        self.bot.studio.clones.check_order(order, file.size)

        async def proceed(answer: discord.Interaction[Any], order: CloneOrder) -> None:
            await self._import(answer, file, order)

        await interaction.response.send_modal(ConsentModal(order, proceed))

    async def _import(self, interaction: Interaction, file: discord.Attachment, order: CloneOrder) -> None:
        actor = actor_of(interaction)
        await interaction.response.defer(ephemeral=True, thinking=True)
        since = await self.bot.studio.clones.check(actor, order, file.size)
        data = await read_recording(file)
        record = await self.bot.studio.voice_files.import_(
            actor,
            order.name,
            data,
            attested=True,
            language=order.language,
            description=order.description,
            since=since,
        )
        await interaction.followup.send(render_imported(record), ephemeral=True)
