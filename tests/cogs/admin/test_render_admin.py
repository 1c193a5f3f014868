"""What moderators see as embeds, and the numbers that they type."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simcord.components import validate_embeds

from cloning.prompt import BARK
from cloning.worker.protocol import Health, NodeState, Ready
from cogs.admin.render_admin import (
    render_blocked,
    render_defaults_question,
    render_purge_question,
    render_purged,
    render_queue,
    render_settings,
    render_stats,
)
from cogs.admin.settings import CHANNEL_FIELDS, FORMS, READ_FIELDS, whole_number
from errors import InvalidInput
from storage.consent_records import ConsentKind
from storage.records import ChannelOutput, GuildSettings, JobKind, JobState, MemberRecord, Usage
from studio.values import Erased, QueueEntry, Stats
from tests.records import JOB as WAITING

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
JOB = replace(WAITING, member_id=10, order={"text": "Good evening"}, created_at=NOW)
STATS = Stats(
    days=7,
    usage=Usage(3, 20, 1, 185.0, 2.25, 14.0, {10: 5, 11: 9}),
    voices=4,
    queued=2,
    running=1,
    worker=Health(True, Ready("tiny", "hubert", "cpu", (), BARK), None, 0),
)


def test_settings_name_roles_channels_and_numbers() -> None:
    settings = GuildSettings(1, clone_role_ids=frozenset({8}), channel_ids=frozenset({5, 4}), voices_per_member=2)
    fields = {field.name: field.value for field in render_settings(settings).fields}
    assert fields["Who may clone"] == "<@&8>"
    assert fields["Who may speak"] == "everyone"
    assert fields["Where"] == "<#4> <#5>"
    assert fields["Voices"] == "2 per member\n200 in all"
    assert fields["Audio per day"] == "30 min per member\n240 min in all"
    assert "ignored" not in str(fields["Messages that are read aloud"])
    ignoring = render_settings(GuildSettings(1, read_ignored_role_ids=frozenset({3, 4})))
    assert "except those of 2 ignored roles" in str(ignoring.to_dict())


def test_how_members_agree_is_the_owners_default_until_moderators_choose() -> None:
    def shown(settings: GuildSettings) -> str | None:
        embed = render_settings(settings, consent=ConsentKind.SPOKEN)
        return {field.name: field.value for field in embed.fields}["Members agree to a clone"]

    assert shown(GuildSettings(1)) == "by saying a sentence (the default here)"
    assert shown(GuildSettings(1, consent=ConsentKind.CHECKBOX)) == "by ticking a box"


def test_every_setting_is_shown_and_can_be_changed() -> None:
    changeable = {"clone_role_ids", "speak_role_ids", "channel_ids", "default_voice", "consent"} | {
        name for form in FORMS.values() for name in form.numbers
    }
    changeable |= {*CHANNEL_FIELDS, *READ_FIELDS}
    assert changeable == set(GuildSettings.__dataclass_fields__) - {"guild_id"}
    plain = render_settings(GuildSettings(1)).to_dict()
    for name in changeable:
        changed: Any = {name: frozenset({987}) if name.endswith("_ids") else 987}
        if name == "default_voice":
            changed = {name: "v:987"}
        changed |= {"consent": ConsentKind.SPOKEN} if name == "consent" else {}
        changed |= {"channel_output": ChannelOutput.CHANNEL} if name == "channel_output" else {}
        assert render_settings(replace(GuildSettings(1), **changed)).to_dict() != plain, name


def test_a_server_with_many_roles_fits_discord() -> None:
    many = frozenset(range(10**18, 10**18 + 250))
    settings = GuildSettings(1, clone_role_ids=many, speak_role_ids=many, channel_ids=many)
    validate_embeds([render_settings(settings).to_dict()])
    validate_embeds([render_defaults_question(settings).to_dict()])


def test_the_queue_is_numbered_and_hides_private_words() -> None:
    secret = replace(JOB, private=True, order={"text": "Between us"})
    clone = replace(JOB, kind=JobKind.CLONE, order={"name": "Anna"}, state=JobState.RUNNING)
    entries = [QueueEntry(clone, 0), QueueEntry(JOB, 1), QueueEntry(secret, 2), QueueEntry(JOB, None)]
    embed = render_queue(entries, 6, 2, 2, 9)
    assert embed.description is not None
    lines = embed.description.splitlines()
    assert lines[0].startswith("**6.** <@10> · clone “Anna” · running")
    assert "“Good evening” · number 1 in the queue" in lines[1]
    assert "(private)" in lines[2]
    assert "Between us" not in embed.description
    assert "not delivered" in lines[3]
    assert embed.footer.text == "9 jobs · page 2 of 2"
    assert "Nothing is queued" in (render_queue([], 1, 1, 1, 0).description or "")


def test_the_nodes_of_a_cluster_follow_the_queue_without_what_is_the_owners() -> None:
    nodes = [
        NodeState("gpu-*1*", "10.0.0.2", "ready", 4, 3, "suno/bark", "cuda"),
        NodeState("gpu-2", "10.0.0.3", "drained", 0, 1, "suno/bark", "cuda"),
        NodeState("gpu-3", "10.0.0.4", "cannot be used", 0, 0, error="There is no model /srv/models."),
    ]
    (field,) = render_queue([], 1, 1, 1, 0, nodes).fields
    assert (field.value or "").splitlines() == [
        "**gpu-\\*1\\*** · ready · 3 jobs, room for 1 more · cuda",
        "**gpu-2** · drained · 1 job · cuda",
        "**gpu-3** · cannot be used",
    ]
    many = render_queue([], 1, 1, 1, 0, [NodeState("n" * 300, "a", "s" * 20, 1, 0, "m", "d" * 99)] * 99).fields[0]
    assert (many.value or "").endswith("and 91 more")
    assert len(many.value or "") <= 1024


def test_blocked_members_with_who_when_and_why() -> None:
    member = MemberRecord(1, 10, None, NOW, 99, "shouting *loudly*")
    shown = render_blocked([member], 1, 1, 1, 1).description or ""
    assert shown.startswith("**1.** <@10> · by <@99>")
    assert "shouting \\*loudly\\*" in shown
    assert render_blocked([], 1, 1, 1, 0).description == "No one is blocked."


def test_stats_in_words() -> None:
    fields = {field.name: field.value for field in render_stats(STATS).fields}
    assert fields["Audio made"] == "3 min 5 s"
    assert fields["Typical wait"] == "2.2 s"
    assert fields["Queue now"] == "2 queued, 1 running"
    assert fields["Speech worker"] == "tiny on cpu"
    assert fields["Most jobs"] == "<@11>: 9\n<@10>: 5"


@pytest.mark.parametrize(
    ("health", "words"),
    [
        (Health(True, None, None, 0), "loading"),
        (Health(False, None, None, 0), "not running"),
        (
            Health(False, None, "/srv/models is not there", 2),
            "cannot start; see the bot's log",
        ),
        (Health(True, Ready("tiny", "hubert", "cpu", (), BARK), None, 2), "2 restarts"),
        (
            Health(
                True,
                Ready("tiny", "hubert", "cpu", (), BARK),
                None,
                0,
                (NodeState("a", "", "ready", 4, 0, "tiny", "cpu"), NodeState("b", "", "does not answer", 0, 0)),
            ),
            "tiny on 1 of 2 nodes",
        ),
    ],
)
def test_the_worker_in_words(health: Health, words: str) -> None:
    shown = render_stats(replace(STATS, worker=health, usage=Usage(0, 0, 0, 0.0, None, None)))
    assert any(words in (field.value or "") for field in shown.fields if field.name == "Speech worker")
    assert any(field.value == "not known yet" for field in shown.fields)


def test_a_purge_is_described_and_counted() -> None:
    assert "older than 30 days" in (render_purge_question(30, None).description or "")
    assert "older than 1 day," in (render_purge_question(1, None).description or "")
    assert "All finished jobs of this server, with" in (render_purge_question(0, None).description or "")
    assert "<@10>" in (render_purge_question(None, 10).description or "")
    assert render_purged(Erased(0, 5), None) == "Done: 5 jobs deleted."
    assert render_purged(Erased(2, 1), 10) == "Done: 2 voices and 1 job of <@10> deleted."


@given(st.text(max_size=7))
def test_numbers_are_read_or_refused_by_name(typed: str) -> None:
    try:
        number = whole_number(typed, "Voices")
    except InvalidInput as error:
        assert error.message.startswith("Voices: ")
        assert not (typed.strip().isascii() and typed.strip().isdigit())
    else:
        assert number == int(typed)
