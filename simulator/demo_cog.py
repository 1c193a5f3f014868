"""`/demo`: stands in for the menus of Discord's client that the simulator's page does not have.

The page has no menus on messages and takes no files in its composer. These two commands let the simulated people do
both. The interactions that follow are real, and Barkeep's own cogs answer them.
"""

from pathlib import Path

import discord
from discord import app_commands
from discord.ext import commands
from simcord import MemberActor

from errors import NotFound
from simulator.page import show_modal
from simulator.simulated_server import SimulatedServer

SAMPLE = Path(__file__).parent / "media" / "sample.flac"
"""The recording that ships with the repository."""
CHOICES = 25
"""The most choices that Discord shows."""
LABEL = 100
"""The length limit of a choice, in characters."""

Interaction = discord.Interaction[commands.AutoShardedBot]


@app_commands.guild_only()
class DemoCog(commands.GroupCog, name="demo", description="Only in the simulator: what Discord's own menus do"):
    """Lets the simulated people post recordings and open the menus of messages."""

    def __init__(self, server: SimulatedServer) -> None:
        self.server = server

    @app_commands.command(description="Somebody posts a recording in this channel")
    @app_commands.describe(
        who="Who posts it (default: you)", audio="The recording (default: one that ships with Barkeep)"
    )
    async def post(
        self, interaction: Interaction, who: discord.Member | None = None, audio: discord.Attachment | None = None
    ) -> None:
        """Send a message with audio as one of the server's people."""
        person = self._person(who or interaction.user)
        file = (audio.filename, await audio.read()) if audio else (SAMPLE.name, SAMPLE.read_bytes())
        await interaction.response.send_message(f"{person.user.global_name} posts {file[0]}.", ephemeral=True)
        await person.send(self.server.channel, "Listen to this:", attachments=[file])

    @app_commands.command(description="Open a message's Apps menu and choose one of Barkeep's entries")
    @app_commands.describe(entry="The entry of the menu", message="The message whose menu you open")
    async def menu(self, interaction: Interaction, entry: str, message: str) -> None:
        """Use a message menu as the person who asks; a form it answers with opens on their page."""
        if entry not in _entries(interaction.client):
            raise NotFound("No message menu has that entry. Choose one of those offered.")
        person = self._person(interaction.user)
        target = next((sent for sent in self._messages(person) if str(sent.id) == message), None)
        if target is None:
            raise NotFound("That message no longer exists. Choose one of those offered.")
        await interaction.response.send_message(f"Opening “{entry}” on a message.", ephemeral=True)
        show_modal(self.server.env, await person.context_menu(self.server.channel, entry, target))

    @app_commands.command(description="Sit down in the voice channel")
    @app_commands.describe(who="Who sits down (default: you)")
    async def sit(self, interaction: Interaction, who: discord.Member | None = None) -> None:
        """Join the voice channel as one of the server's people."""
        person = self._person(who or interaction.user)
        await interaction.response.send_message(f"{person.user.global_name} sits down.", ephemeral=True)
        await person.join_voice(self.server.lounge)

    @app_commands.command(description="Leave the voice channel")
    @app_commands.describe(who="Who leaves (default: you)")
    async def stand(self, interaction: Interaction, who: discord.Member | None = None) -> None:
        """Leave the voice channel as one of the server's people."""
        person = self._person(who or interaction.user)
        await interaction.response.send_message(f"{person.user.global_name} leaves.", ephemeral=True)
        await person.leave_voice()

    @menu.autocomplete("entry")
    async def offer_entries(self, interaction: Interaction, typed: str) -> list[app_commands.Choice[str]]:
        """Return the bot's message menus."""
        found = [entry for entry in _entries(interaction.client) if typed.casefold() in entry.casefold()]
        return [app_commands.Choice(name=entry, value=entry) for entry in found]

    @menu.autocomplete("message")
    async def offer_messages(self, interaction: Interaction, typed: str) -> list[app_commands.Choice[str]]:
        """Return the latest messages of the channel, newest first."""
        sent = reversed(self._messages(self._person(interaction.user)))
        choices = [app_commands.Choice(name=_label(message), value=str(message.id)) for message in sent]
        return [choice for choice in choices if typed.casefold() in choice.name.casefold()][:CHOICES]

    def _person(self, user: discord.User | discord.Member) -> MemberActor:
        try:
            return self.server.actor(user.id)
        except KeyError:
            raise NotFound("Only Ada, Ben and Mira can do that here.") from None

    def _messages(self, person: MemberActor) -> list[discord.Message]:
        """Return the messages that this person sees in the channel, ephemeral ones excluded, oldest first."""
        return [sent for sent in self.server.channel.history(viewer=person) if not sent.flags.ephemeral]


def _entries(bot: commands.AutoShardedBot) -> list[str]:
    return [menu.name for menu in bot.tree.get_commands(type=discord.AppCommandType.message)]


def _label(message: discord.Message) -> str:
    files = " ".join(f"🔊 {file.filename}" for file in message.attachments)
    return f"{message.author.display_name}: {message.content} {files}".strip()[:LABEL]
