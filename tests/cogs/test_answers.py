"""The answer to a finished job can be made again and again, and says so when there is nothing to give."""

from pathlib import Path

from cogs.answers import answer_to
from cogs.ui.picture import PICTURE
from cogs.ui.voice_buttons import Figures, Hear, Speak
from storage.records import JobKind, JobState
from studio.values import Outcome, Voice
from tests.cogs.ui.test_render import job, voice_record
from tests.fakes import sound_bytes


async def test_speech_can_be_sent_more_than_once(tmp_path: Path) -> None:
    audio = tmp_path / "speech.ogg"
    audio.write_bytes(sound_bytes("OGG"))
    answer = await answer_to(Outcome(job(state=JobState.READY), Voice("v:1", "Zoë"), audio))
    for _ in range(2):
        (file,) = answer.files()
        assert file.filename == "zoe.ogg"
        assert file.fp.read() == sound_bytes("OGG")


async def test_a_recording_that_is_gone_is_a_sentence(tmp_path: Path) -> None:
    for audio in (None, tmp_path / "gone.ogg"):
        answer = await answer_to(Outcome(job(state=JobState.READY), None, audio))
        assert "no longer stored" in answer.content
        assert answer.files() == []
        assert answer.buttons == ()


async def test_a_recording_whose_voice_was_deleted_says_so(tmp_path: Path) -> None:
    audio = tmp_path / "speech.ogg"
    audio.write_bytes(b"OggS")
    answer = await answer_to(Outcome(job(state=JobState.READY, order={"text": "Hello."}), None, audio))
    assert "**A deleted voice**" in answer.content


async def test_a_card_has_a_picture_and_buttons_to_speak_to_listen_and_to_see_figures() -> None:
    clone = job(kind=JobKind.CLONE, state=JobState.READY)
    card = await answer_to(Outcome(clone, Voice("v:5", "Ada", voice_record()), None))
    assert [name for name, _ in card.attachments] == [PICTURE]
    assert [type(button) for button in card.buttons] == [Speak, Hear, Figures]


async def test_an_imported_voice_is_heard_without_a_clip_and_has_no_figures() -> None:
    clone = job(kind=JobKind.CLONE, state=JobState.READY)
    card = await answer_to(Outcome(clone, Voice("v:5", "Ada", voice_record(has_clip=False, report=None)), None))
    assert card.attachments == ()
    assert [type(button) for button in card.buttons] == [Speak, Hear]


async def test_a_voice_deleted_before_its_card_was_shown_is_a_sentence() -> None:
    answer = await answer_to(Outcome(job(kind=JobKind.CLONE, state=JobState.READY), None, None))
    assert "deleted" in answer.content


async def test_failed_and_cancelled_jobs_are_sentences_only() -> None:
    for state in (JobState.FAILED, JobState.CANCELLED):
        answer = await answer_to(Outcome(job(state=state), None, None))
        assert answer.content
        assert answer.embeds() == []
        assert answer.files() == []
