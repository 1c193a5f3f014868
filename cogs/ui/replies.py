"""What the answers of commands, buttons and messages share."""

import discord

NOBODY = discord.AllowedMentions.none()
"""Names in the text notify nobody."""


async def say_privately(
    interaction: discord.Interaction,
    sentence: str,
    view: discord.ui.View = discord.utils.MISSING,
    *,
    embed: discord.Embed = discord.utils.MISSING,
    sign: str = "⚠️",
) -> None:
    """Answer with a sentence, a view and an embed that only the member sees, whatever was answered before.

    The first follow-up of a public "thinking" message is always public. So that message is edited to a bare sign first,
    and deleted after the private answer.
    """
    text = discord.utils.escape_mentions(sentence)[:2000]
    if not interaction.response.is_done():
        await interaction.response.send_message(text, view=view, embed=embed, ephemeral=True)
        return
    if interaction.response.type is not discord.InteractionResponseType.deferred_channel_message:
        await interaction.followup.send(text, view=view, embed=embed, ephemeral=True)
        return
    waiting = await interaction.edit_original_response(content=sign)
    if waiting.flags.ephemeral:
        await waiting.edit(content=text, view=view, embed=embed)
        return
    await interaction.followup.send(text, view=view, embed=embed, ephemeral=True)
    await interaction.delete_original_response()
