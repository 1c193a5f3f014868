"""A job and a voice, for tests that look at a few of their fields: `dataclasses.replace` sets these."""

from datetime import UTC, datetime

from storage.records import JobKind, JobRecord, JobState, Visibility, VoiceRecord, VoiceState

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
JOB = JobRecord(
    id="job-1",
    kind=JobKind.SPEECH,
    state=JobState.QUEUED,
    guild_id=1,
    channel_id=2,
    member_id=3,
    order={"text": "Good evening."},
    private=False,
    voice_id=None,
    interaction_id=None,
    interaction_token=None,
    token_expires_at=None,
    attempts=0,
    lease_owner=None,
    lease_until=None,
    created_at=NOW,
    started_at=None,
    finished_at=None,
    answered_at=None,
    result=None,
    error_kind=None,
    error_message=None,
    message_id=None,
)
"""A line of speech that waits."""
VOICE = VoiceRecord(
    id=5,
    guild_id=1,
    owner_id=3,
    speaker_id=3,
    name="Ada",
    language="de",
    description="",
    state=VoiceState.READY,
    visibility=Visibility.OWNER,
    member_ids=frozenset(),
    role_ids=frozenset(),
    model="tiny",
    hubert="tiny-hubert",
    quantizer="tiny-quantizer",
    report=None,
    has_clip=True,
    created_at=NOW,
)
"""A voice whose owner is heard in it."""
