"""The library as embeds."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from simcord.components import validate_embeds

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
from storage.records import Visibility, VoiceRecord
from studio.values import Page, Voice
from tests.records import VOICE

RECORD = replace(VOICE, id=12, owner_id=10, speaker_id=10, name="Anna")


def voice(record: VoiceRecord) -> Voice:
    return Voice(f"v:{record.id}", record.name, record=record)


def text_of(embed: object) -> str:
    return str(embed.to_dict())  # type: ignore[attr-defined]  # any embed


def test_a_page_names_voices_owners_languages_and_audiences() -> None:
    shared = replace(RECORD, name="Ben", visibility=Visibility.EVERYONE, description="calm and low")
    speaker = Voice("s:v2/en_speaker_6", "English speaker 6", speaker="v2/en_speaker_6")
    embed = render_voices(Page((voice(RECORD), voice(shared), speaker), 1, 3, 23), "")
    assert embed.description is not None
    lines = embed.description.splitlines()
    assert lines[0] == "**Anna** · German · <@10> · only the owner"
    assert lines[1] == "**Ben** · German · <@10> · everyone"
    assert lines[2] == "> calm and low"
    assert lines[3] == "**English speaker 6** · built into the model"
    assert embed.footer.text == "23 voices · page 1 of 3"


def test_the_voice_that_speaks_for_the_reader_is_marked() -> None:
    other = replace(RECORD, id=RECORD.id + 1, name="Ben")
    embed = render_voices(Page((voice(RECORD), voice(other)), 1, 1, 2), "", voice(other))
    first, second = (embed.description or "").splitlines()
    assert first.startswith("**Anna**")
    assert second.startswith("⭐ **Ben**")
    assert "⭐ speaks when you name no voice" in (embed.footer.text or "")


def test_an_empty_page_says_what_to_do() -> None:
    assert "/clone" in (render_voices(Page((), 1, 1, 0), "").description or "")
    assert "“zoe”" in (render_voices(Page((), 1, 1, 0), "zoe").description or "")


@given(st.text(max_size=40), st.text(min_size=1, max_size=32), st.text(max_size=200))
def test_a_page_fits_discord_whatever_was_typed(query: str, name: str, description: str) -> None:
    records = tuple(voice(replace(RECORD, name=name, description=description)) for _ in range(10))
    validate_embeds([render_voices(Page(records, 1, 2, 20), query).to_dict()])
    validate_embeds([render_voice(records[0]).to_dict()])
    validate_embeds([render_delete_question(replace(RECORD, name=name)).to_dict()])


@given(st.text(min_size=1, max_size=32), st.text(max_size=200))
def test_nothing_typed_can_mention_or_format(name: str, description: str) -> None:
    hostile = replace(RECORD, name=f"*{name}*<@99>@everyone", description=f"<#5>{description}`")
    for shown in (
        render_voices(Page((voice(hostile),), 1, 1, 1), "").description or "",
        render_shared(hostile),
        render_described(hostile),
        render_imported(hostile),
        render_default(voice(hostile), changed=True),
        render_delete_question(hostile).title or "",
    ):
        assert "@everyone" not in shown
        assert "<@99>" not in shown.replace("\\<", "")
        assert "<#5>" not in shown.replace("\\<", "")


def test_a_card_says_who_may_use_the_voice() -> None:
    def audience(record: VoiceRecord) -> str | None:
        return next(field.value for field in render_voice(voice(record)).fields if field.name == "Who may use it")

    assert audience(RECORD) == "Only the owner"
    assert audience(replace(RECORD, visibility=Visibility.EVERYONE)) == "Everyone"
    assert audience(replace(RECORD, visibility=Visibility.CHOSEN)) == "The owner; no one else chosen yet"
    chosen = replace(RECORD, visibility=Visibility.CHOSEN, member_ids=frozenset({7}), role_ids=frozenset({8}))
    assert audience(chosen) == "The owner, <@&8>, <@7>"
    many = replace(RECORD, visibility=Visibility.CHOSEN, member_ids=frozenset(range(50)))
    assert (audience(many) or "").endswith("and 30 more")


def test_a_built_in_speaker_has_a_card_too() -> None:
    embed = render_voice(Voice("s:v2/en_speaker_6", "English speaker 6", speaker="v2/en_speaker_6"))
    assert embed.title == "🎤 English speaker 6"


def test_sharing_explains_the_menus_only_where_they_matter() -> None:
    assert render_sharing(RECORD).fields[0].value == "Only the owner"
    assert "Nothing changes until" in (render_sharing(RECORD).footer.text or "")
    assert render_shared(RECORD).startswith("Only its owner")
    assert render_shared(replace(RECORD, visibility=Visibility.EVERYONE)).startswith("Everyone")


def test_the_servers_voice_and_ones_own_default_are_marked() -> None:
    other = replace(RECORD, id=RECORD.id + 1, name="Otto")
    page = Page((voice(RECORD), voice(other)), 1, 1, 2)
    embed = render_voices(page, "", voice(RECORD), voice(other))
    assert embed.description is not None
    assert [line[:1] for line in embed.description.splitlines() if "**" in line] == ["⭐", "📌"]
    assert embed.footer.text == "2 voices · 📌 the server's default · ⭐ speaks when you name no voice"
    both = render_voices(page, "", voice(other), voice(other)).description
    assert both is not None
    assert "⭐ 📌 **Otto**" in both


def test_the_default_voice_in_words() -> None:
    assert render_default(None, changed=False).startswith("You have no voice")
    assert render_default(voice(RECORD), changed=False) == "**Anna** speaks when you name no voice."
    assert render_default(voice(RECORD), changed=True) == "**Anna** is now your default voice."
