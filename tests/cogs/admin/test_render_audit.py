"""The audit log in words."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simcord.components import validate_embeds

from cogs.admin.render_audit import SENTENCES, SETTINGS, render_audit
from storage.records import AuditEntry, GuildSettings
from studio.values import Page

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
STUDIO = Path(__file__).parents[3] / "studio"
WRITTEN = re.compile(
    r'"((?:settings|member|pronunciation|reading|job|speech|channel|voice|consent|privacy)\.[a-z]+|purge)"'
)


def line(action: str, target: str = "", detail: str = "") -> str:
    """How one entry by member 99 is shown, without its time."""
    page = Page((AuditEntry(1, 1, 99, action, target, detail, NOW),), 1, 1, 1)
    return (render_audit(page).description or "").partition("<@99> ")[2]


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (
            ("settings.change", "clone_role_ids", "everybody to 7, 8"),
            "changed **who may clone** from everyone to <@&7> <@&8>",
        ),
        (
            ("settings.change", "channel_ids", "5 to everybody"),
            "changed **where voices may be used** from <#5> to every channel",
        ),
        (("settings.change", "voices_per_member", "5 to 20"), "changed **voices per member** from 5 to 20"),
        (("member.block", "10"), "blocked <@10>"),
        (("member.block", "10", "shouting"), "blocked <@10>: shouting"),
        (("job.cancel", "a1b2", "of 10"), "cancelled a job of <@10>"),
        (("job.cancel", "a1b2", "of 99"), "cancelled a job of their own"),
        (("reading.start", "7"), "started reading aloud in <#7>"),
        (("reading.ignore", "10"), "stopped reading aloud for <@10>"),
        (("pronunciation.add", "SQL", "sequel"), "set **SQL** to be pronounced “sequel”"),
        (("pronunciation.remove", "SQL"), "removed a word from the dictionary: **SQL**"),
        (("pronunciation.import", "12"), "imported a dictionary; words: **12**"),
        (("channel.join", "5"), "asked me into <#5>"),
        (("voice.rename", "Old", "now New"), "renamed the voice **Old**, now New"),
        (("voice.share", "Ann", "chosen"), "let chosen members and roles use the voice **Ann**"),
        (("consent.allow", "10", "Ann"), "allowed <@10> to clone their voice: Ann"),
        (
            ("consent.fail", "", "voice"),
            "sent a recording that does not count as spoken consent: it is not the voice of the clip",
        ),
        (("voice.clone", "Ann", "own voice, by a box"), "began to clone the voice **Ann** (own voice, by a box)"),
        (("privacy.forget", "10"), "deleted all data of <@10>"),
        (("privacy.forget",), "deleted all data about themselves"),
        (("purge", "5 jobs", "older than 30 days"), "deleted 5 jobs older than 30 days"),
        (("something.new", "a", "b"), "something.new · a · b"),
    ],
)
def test_each_line_is_a_sentence(entry: tuple[str, ...], words: str) -> None:
    assert line(*entry) == words


def test_every_action_that_the_studio_writes_and_every_setting_has_words() -> None:
    written = {found for path in STUDIO.rglob("*.py") for found in WRITTEN.findall(path.read_text("utf-8"))}
    assert written == set(SENTENCES)
    assert set(SETTINGS) == set(GuildSettings.__dataclass_fields__) - {"guild_id"}


@given(st.sampled_from([*SENTENCES, "unknown"]), st.text(max_size=300), st.text(max_size=300))
def test_what_people_typed_is_shown_literally_and_fits(action: str, target: str, detail: str) -> None:
    entries = tuple(AuditEntry(n, 1, 10, action, f"<@1>{target}", f"<@1>{detail}", NOW) for n in range(10))
    embed = render_audit(Page(entries, 1, 4, 40))
    validate_embeds([embed.to_dict()])
    assert "<@1>" not in (embed.description or "").replace("\\<", "")
    assert embed.footer.text == "40 lines · page 1 of 4"


def test_a_change_of_many_roles_fits() -> None:
    ids = ", ".join(str(10**18 + n) for n in range(25))
    entries = (AuditEntry(1, 1, 10**18, "settings.change", "speak_role_ids", f"{ids} to {ids}", NOW),) * 10
    embed = render_audit(Page(entries, 1, 1, 10))
    validate_embeds([embed.to_dict()])
    assert "and 21 more" in (embed.description or "")
