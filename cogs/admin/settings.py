"""The panel of /admin settings: menus for roles and channels, forms for numbers. Choices are saved immediately.

The ids of menus and buttons name what they change, so that they work after a restart. The studio checks the numbers.
"""

import re
from dataclasses import dataclass
from typing import Any

import discord

from cogs.admin.render_admin import OUTPUTS, render_defaults_question, render_settings
from cogs.interactions import actor_of
from cogs.studio_bot import StudioBot
from cogs.ui import confirm
from cogs.ui.base import MAX_CHOSEN, SafeModal, chosen_in_menu, guarded, persistent_view
from cogs.ui.ids import FromId
from errors import InvalidInput
from storage.records import ChannelOutput, GuildSettings
from studio.studio import Studio

DEFAULTS_ACTION = "default-settings"

CHANNEL_FIELDS = ("channel_output", "channel_idle_minutes", "channel_notice")
"""The fields of GuildSettings that the form about voice channels asks for."""
READ_FIELDS = ("read_length", "read_per_minute", "read_names", "read_ignored_role_ids")
"""The fields of GuildSettings that /read changes."""
_DIGITS = 7
_IDLE_DIGITS = 4
_IDLE_MINUTES = "Minutes alone or without a word, then I leave"
_MINUTES = re.compile(r"[0-9]{1,5}(\.[0-9]{1,2})?")
_ROLE_MENUS = {
    "clone_role_ids": "Roles that may clone (none: everyone)",
    "speak_role_ids": "Roles that may speak (none: everyone)",
}
_CHANNEL_TYPES = [
    discord.ChannelType.text,
    discord.ChannelType.news,
    discord.ChannelType.voice,
    discord.ChannelType.stage_voice,
    discord.ChannelType.forum,
    discord.ChannelType.media,
]


@dataclass(frozen=True, slots=True)
class Form:
    """A button's label, and the numbers that its form asks for: field of GuildSettings -> label."""

    label: str
    numbers: dict[str, str]


FORMS = {
    "member": Form(
        "Limits per member…",
        {
            "voices_per_member": "Voices",
            "jobs_per_hour_per_member": "Jobs per hour",
            "seconds_per_day_per_member": "Minutes of generated audio per day",
            "away_days": "Days voices stay usable if their owner left",
        },
    ),
    "server": Form(
        "Limits of the server…",
        {
            "voices_per_guild": "Voices",
            "jobs_per_hour_per_guild": "Jobs per hour",
            "seconds_per_day_per_guild": "Minutes of generated audio per day",
        },
    ),
    "texts": Form(
        "Texts…",
        {"text_length": "Longest text, in characters", "retention_days": "Days for which texts and jobs are kept"},
    ),
}


async def panel(studio: Studio, settings: GuildSettings, existing_ids: frozenset[int] | None) -> dict[str, Any]:
    """Return the embed and the view of the panel: menus with the current choices that still exist, and buttons."""

    def existing(ids: frozenset[int]) -> frozenset[int]:
        return ids if existing_ids is None else ids & existing_ids

    view = persistent_view(
        RolesMenu("clone_role_ids", existing(settings.clone_role_ids)),
        RolesMenu("speak_role_ids", existing(settings.speak_role_ids)),
        ChannelsMenu(existing(settings.channel_ids)),
        *(OpenForm(name) for name in FORMS),
        OpenChannels(),
        AskDefaults(),
    )
    voice = await studio.library.of_server(settings.guild_id)
    return {"embed": render_settings(settings, existing_ids, voice, studio.consent), "view": view}


async def restore_defaults(interaction: discord.Interaction[StudioBot], _target: str) -> str:
    """Reset all settings, after the confirmation."""
    actor = actor_of(interaction)
    fresh = GuildSettings(actor.guild_id)
    numbers = (name for form in FORMS.values() for name in form.numbers)
    names = (*_ROLE_MENUS, "channel_ids", "default_voice", "consent", *numbers, *CHANNEL_FIELDS, *READ_FIELDS)
    await interaction.client.studio.admin.change(actor, **{name: getattr(fresh, name) for name in names})
    return "All settings are back to their defaults. See them with /admin settings."


async def _change(interaction: discord.Interaction[StudioBot], **changes: Any) -> None:
    """Save the changes and update the panel. Raises the studio's errors."""
    await interaction.response.defer()
    actor, studio = actor_of(interaction), interaction.client.studio
    settings = await studio.admin.change(actor, **changes)
    await interaction.edit_original_response(**await panel(studio, settings, actor.existing_ids))


class RolesMenu(
    FromId,
    discord.ui.DynamicItem[discord.ui.RoleSelect[Any]],
    template=r"settings:(?P<field>clone_role_ids|speak_role_ids)",
):
    """Chooses who may clone, or who may speak."""

    def __init__(self, field: str, chosen: frozenset[int] = frozenset()) -> None:
        super().__init__(
            discord.ui.RoleSelect(
                custom_id=f"settings:{field}",
                placeholder=_ROLE_MENUS[field],
                min_values=0,
                max_values=MAX_CHOSEN,
                default_values=chosen_in_menu(chosen, discord.SelectDefaultValueType.role),
            )
        )
        self.field = field

    @guarded
    async def callback(self, interaction: discord.Interaction[StudioBot]) -> None:
        """Save the roles."""
        await _change(interaction, **{self.field: frozenset(role.id for role in self.item.values)})


class ChannelsMenu(FromId, discord.ui.DynamicItem[discord.ui.ChannelSelect[Any]], template="settings:channel_ids"):
    """Chooses where voices may be used."""

    def __init__(self, chosen: frozenset[int] = frozenset()) -> None:
        super().__init__(
            discord.ui.ChannelSelect(
                custom_id="settings:channel_ids",
                placeholder="Channels for voices (none: every channel)",
                channel_types=_CHANNEL_TYPES,
                min_values=0,
                max_values=MAX_CHOSEN,
                default_values=chosen_in_menu(chosen, discord.SelectDefaultValueType.channel),
            )
        )

    @guarded
    async def callback(self, interaction: discord.Interaction[StudioBot]) -> None:
        """Save the channels."""
        await _change(interaction, channel_ids=frozenset(channel.id for channel in self.item.values))


class OpenForm(
    FromId,
    discord.ui.DynamicItem[discord.ui.Button[Any]],
    template=r"settings-form:(?P<form>member|server|texts)",
):
    """Opens one of the forms."""

    def __init__(self, form: str) -> None:
        super().__init__(discord.ui.Button(label=FORMS[form].label, custom_id=f"settings-form:{form}", row=3))
        self.form = FORMS[form]

    @guarded
    async def callback(self, interaction: discord.Interaction[StudioBot]) -> None:
        """Open the form with the current numbers."""
        settings = await interaction.client.studio.admin.settings(actor_of(interaction))
        await interaction.response.send_modal(NumbersModal(self.form, settings))


class OpenChannels(FromId, discord.ui.DynamicItem[discord.ui.Button[Any]], template="settings-channels"):
    """Opens the form about voice channels."""

    def __init__(self) -> None:
        super().__init__(discord.ui.Button(label="Voice channels…", custom_id="settings-channels", row=3))

    @guarded
    async def callback(self, interaction: discord.Interaction[StudioBot]) -> None:
        """Open the form with the current choices."""
        settings = await interaction.client.studio.admin.settings(actor_of(interaction))
        await interaction.response.send_modal(ChannelsModal(settings))


class ChannelsModal(SafeModal):
    """Takes the settings of voice channels and saves all or none of them."""

    def __init__(self, settings: GuildSettings) -> None:
        super().__init__(title="Voice channels")
        self._output = discord.ui.Select[Any](
            custom_id="channel_output",
            options=[
                discord.SelectOption(
                    label=words.capitalize(), value=output.value, default=output is settings.channel_output
                )
                for output, words in OUTPUTS.items()
            ],
        )
        self._minutes = discord.ui.TextInput[Any](
            custom_id="channel_idle_minutes",
            default=str(settings.channel_idle_minutes),
            min_length=1,
            max_length=_IDLE_DIGITS,
        )
        self._notice = discord.ui.Checkbox[Any](custom_id="channel_notice", default=settings.channel_notice)
        self.add_item(discord.ui.Label(text="Lines that are asked for in my voice channel", component=self._output))
        self.add_item(discord.ui.Label(text=_IDLE_MINUTES, component=self._minutes))
        self.add_item(
            discord.ui.Label(
                text="Spoken notice",
                description="When I join, I say that my voices are generated.",
                component=self._notice,
            )
        )

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        """Parse the number first, so that an invalid one changes nothing."""
        await _change(
            interaction,
            channel_idle_minutes=whole_number(self._minutes.value, _IDLE_MINUTES),
            channel_output=ChannelOutput(self._output.values[0]),
            channel_notice=self._notice.value,
        )


class NumbersModal(SafeModal):
    """Takes numbers and saves all or none of them. Seconds are shown and typed as minutes."""

    def __init__(self, form: Form, settings: GuildSettings) -> None:
        super().__init__(title=form.label.rstrip("…"))
        self._labels = form.numbers
        self._inputs = {
            field: discord.ui.TextInput[Any](
                custom_id=field, default=_written(field, getattr(settings, field)), min_length=1, max_length=_DIGITS
            )
            for field in form.numbers
        }
        for field, label in form.numbers.items():
            self.add_item(discord.ui.Label(text=label, component=self._inputs[field]))

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        """Parse all numbers first, so that an invalid one changes nothing."""
        changes = {field: _read(field, entry.value, self._labels[field]) for field, entry in self._inputs.items()}
        await _change(interaction, **changes)


def _written(field: str, value: int) -> str:
    return minutes_of(value) if field.startswith("seconds_") else str(value)


def _read(field: str, typed: str, label: str) -> int:
    return seconds_in(typed, label) if field.startswith("seconds_") else whole_number(typed, label)


def whole_number(typed: str, label: str) -> int:
    """Parse a whole number of 0 or more. Raises InvalidInput, naming the field."""
    cleaned = typed.strip()
    if not (cleaned.isascii() and cleaned.isdigit()):
        raise InvalidInput(f"{label}: please type a whole number, such as 10. Nothing was changed.")
    return int(cleaned)


def minutes_of(seconds: int) -> str:
    """Return seconds as minutes with at most two decimals, which `seconds_in` parses back exactly: 90 is "1.5"."""
    return f"{seconds / 60:.2f}".rstrip("0").rstrip(".")


def seconds_in(typed: str, label: str) -> int:
    """Parse minutes to seconds. Raises InvalidInput, naming the field."""
    cleaned = typed.strip().replace(",", ".")
    if not _MINUTES.fullmatch(cleaned):
        raise InvalidInput(f"{label}: please type minutes, such as 30 or 1.5. Nothing was changed.")
    return round(float(cleaned) * 60)


class AskDefaults(FromId, discord.ui.DynamicItem[discord.ui.Button[Any]], template="settings-defaults"):
    """Resets all settings, after a confirmation."""

    def __init__(self) -> None:
        super().__init__(discord.ui.Button(label="Back to defaults…", custom_id="settings-defaults", row=3))

    @guarded
    async def callback(self, interaction: discord.Interaction[StudioBot]) -> None:
        """Ask for confirmation; moderators only."""
        fresh = GuildSettings(actor_of(interaction).guild_id)
        await interaction.client.studio.admin.settings(actor_of(interaction))
        await confirm.ask(interaction, render_defaults_question(fresh), "Back to defaults", DEFAULTS_ACTION)


SETTINGS_ITEMS = (RolesMenu, ChannelsMenu, OpenForm, OpenChannels, AskDefaults)
"""The dynamic items to register with the bot."""
