"""Menus that choose who may use a voice. Their ids contain the voice, so they work after a restart."""

from typing import Any

import discord

from cogs.interactions import actor_of
from cogs.studio_bot import StudioBot
from cogs.ui import ids
from cogs.ui.base import MAX_CHOSEN, chosen_in_menu, guarded, persistent_view
from cogs.ui.ids import FromId
from cogs.voices.render_library import render_sharing
from storage.records import Visibility, VoiceRecord, voice_key


def sharing_view(record: VoiceRecord, existing_ids: frozenset[int] | None) -> discord.ui.View:
    """Return menus of members and roles with the current choice, without deleted roles."""
    roles = record.role_ids if existing_ids is None else record.role_ids & existing_ids
    return persistent_view(ShareWithMembers(record.id, record.member_ids), ShareWithRoles(record.id, roles))


class ShareWithMembers(
    FromId, discord.ui.DynamicItem[discord.ui.UserSelect[Any]], template=f"share-members:{ids.snowflake('voice')}"
):
    """Chooses the members who may use a voice, besides the chosen roles."""

    def __init__(self, voice: int, chosen: frozenset[int] = frozenset()) -> None:
        super().__init__(
            discord.ui.UserSelect(
                custom_id=f"share-members:{voice}",
                placeholder="Members who may use it",
                min_values=0,
                max_values=MAX_CHOSEN,
                default_values=chosen_in_menu(chosen, discord.SelectDefaultValueType.user),
            )
        )
        self.voice_id = voice

    @guarded
    async def callback(self, interaction: discord.Interaction[StudioBot]) -> None:
        """Save the members and keep the roles. Bots are left out."""
        members = frozenset(user.id for user in self.item.values if not user.bot)
        await _share(interaction, self.voice_id, members=members)


class ShareWithRoles(
    FromId, discord.ui.DynamicItem[discord.ui.RoleSelect[Any]], template=f"share-roles:{ids.snowflake('voice')}"
):
    """Chooses the roles that may use a voice, besides the chosen members."""

    def __init__(self, voice: int, chosen: frozenset[int] = frozenset()) -> None:
        super().__init__(
            discord.ui.RoleSelect(
                custom_id=f"share-roles:{voice}",
                placeholder="Roles whose members may use it",
                min_values=0,
                max_values=MAX_CHOSEN,
                default_values=chosen_in_menu(chosen, discord.SelectDefaultValueType.role),
            )
        )
        self.voice_id = voice

    @guarded
    async def callback(self, interaction: discord.Interaction[StudioBot]) -> None:
        """Save the roles and keep the members."""
        await _share(interaction, self.voice_id, roles=frozenset(role.id for role in self.item.values))


async def _share(
    interaction: discord.Interaction[StudioBot],
    voice_id: int,
    *,
    members: frozenset[int] | None = None,
    roles: frozenset[int] | None = None,
) -> None:
    """Save one of the two choices, keep the other, and update the menus. Raises the studio's errors."""
    await interaction.response.defer()
    library, actor, key = interaction.client.studio.library, actor_of(interaction), voice_key(voice_id)
    shared = await library.share(actor, key, Visibility.CHOSEN, members, roles)
    view = sharing_view(shared, actor.existing_ids)
    await interaction.edit_original_response(embed=render_sharing(shared), view=view)


SHARING_ITEMS = (ShareWithMembers, ShareWithRoles)
"""The dynamic items to register with the bot."""
