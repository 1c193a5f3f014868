"""Helpers for the answers of commands, buttons and messages."""

import discord

NOBODY = discord.AllowedMentions.none()
"""Mentions in the text notify nobody."""
UNKNOWN_MESSAGE = 10008
"""Discord's code for a message that was deleted or, if it was private, dismissed."""


async def say_privately(
    interaction: discord.Interaction,
    sentence: str,
    view: discord.ui.View = discord.utils.MISSING,
    *,
    embed: discord.Embed = discord.utils.MISSING,
    sign: str = "⚠️",
) -> None:
    """Answer with a sentence, a view and an embed that only the member sees, also after a public answer.

    The first follow-up to a public "thinking" message is always public. So that message is edited to a bare sign first,
    and deleted after the private answer.
    """
    text = discord.utils.escape_mentions(sentence)[:2000]
    if not interaction.response.is_done():
        await interaction.response.send_message(text, view=view, embed=embed, ephemeral=True)
        return
    if interaction.response.type is not discord.InteractionResponseType.deferred_channel_message:
        await interaction.followup.send(text, view=view, embed=embed, ephemeral=True)
        return
    try:
        waiting = await interaction.edit_original_response(content=sign)
    except discord.NotFound as error:
        if error.code != UNKNOWN_MESSAGE:
            raise
        await interaction.followup.send(text, view=view, embed=embed, ephemeral=True)
        return
    if waiting.flags.ephemeral:
        await waiting.edit(content=text, view=view, embed=embed)
        return
    await interaction.followup.send(text, view=view, embed=embed, ephemeral=True)
    await interaction.delete_original_response()


async def replace_question(
    interaction: discord.Interaction, sentence: str, view: discord.ui.View | None = None
) -> None:
    """Replace a question, in the message of the interaction, by a sentence about what was done.

    If the message was dismissed or deleted meanwhile, the sentence follows privately.
    """
    try:
        await interaction.edit_original_response(content=sentence, embed=None, view=view, allowed_mentions=NOBODY)
    except discord.NotFound as error:
        if error.code != UNKNOWN_MESSAGE:
            raise
        shown = discord.utils.MISSING if view is None else view
        await interaction.followup.send(sentence, view=shown, ephemeral=True, allowed_mentions=NOBODY)
