"""The rules of who may do what, and which names are valid. Pure functions that return or raise.

Rights come from the actor as they are now; Discord's own permissions are not trusted.
"""

import re
import unicodedata

from errors import InvalidInput, NotAllowed
from storage.consent_records import ConsentKind
from storage.records import GuildSettings, MemberRecord, Viewer, Visibility, VoiceRecord, VoiceState
from studio.invisible_characters import is_invisible
from studio.values import Actor

NAME_LENGTH = 32
"""The longest name of a voice, in characters after NFKC."""
DESCRIPTION_LENGTH = 200
"""The longest description of a voice, in characters after NFKC."""

_SPACES = re.compile(r"\s+")
_MENTION = re.compile(r"<(?:@|#|/|id:|t:)|@(?:everyone|here)\b")
_CUSTOM_EMOJI = re.compile(r"<a?:\w+:\d+>")
_MARKDOWN = frozenset("*_~`|\\<>#[]@")
_PUNCTUATION = frozenset(" -'’.,!?&+()")
_KEYCAP = "\u20e3"
_MARKS_IN_A_ROW = 3


def may_act(_actor: Actor, _settings: GuildSettings, member: MemberRecord) -> None:
    """Raise NotAllowed for a blocked member, who can only see, export and delete their data."""
    _not_blocked(member)


def may_clone(actor: Actor, settings: GuildSettings, member: MemberRecord) -> None:
    """Raise NotAllowed unless the actor may clone voices here."""
    _not_blocked(member)
    _in_channel(actor, settings)
    _has_role(actor, settings.clone_role_ids, "Cloning voices")


def may_speak(actor: Actor, settings: GuildSettings, member: MemberRecord) -> None:
    """Raise NotAllowed unless the actor may generate speech here."""
    _not_blocked(member)
    _in_channel(actor, settings)
    _has_role(actor, settings.speak_role_ids, "Speaking")


def may_use(actor: Actor, voice: VoiceRecord) -> bool:
    """Return whether the actor may speak with the voice, hear its recording, and find it in lists.

    Moderators have no special right here: only the owner speaks with a private voice.
    """
    if voice.guild_id != actor.guild_id:
        return False
    if actor.member_id == voice.owner_id:
        return True
    if voice.visibility is Visibility.CHOSEN:
        return actor.member_id in voice.member_ids or not actor.role_ids.isdisjoint(voice.role_ids)
    return voice.visibility is Visibility.EVERYONE


def is_for_everyone(voice: VoiceRecord) -> bool:
    """Return whether every member may speak with the voice now."""
    return voice.visibility is Visibility.EVERYONE and voice.state is VoiceState.READY


def may_know(actor: Actor, voice: VoiceRecord) -> bool:
    """Return whether the actor may see the voice's card: everybody who may use it, its speaker, and moderators."""
    if voice.guild_id != actor.guild_id:
        return False
    return actor.is_moderator or actor.member_id == voice.speaker_id or may_use(actor, voice)


def may_manage(actor: Actor, voice: VoiceRecord) -> None:
    """Raise NotAllowed unless the actor may rename and describe the voice."""
    if not actor.is_moderator and actor.member_id != voice.owner_id:
        raise NotAllowed("Only the voice's owner or a moderator can do that.")


def may_share(actor: Actor, voice: VoiceRecord, visibility: Visibility) -> None:
    """Raise NotAllowed unless the actor may set who uses the voice. Moderators may only make it private again."""
    if actor.member_id == voice.owner_id:
        return
    if not actor.is_moderator:
        raise NotAllowed("Only the voice's owner can share it.")
    if visibility is not Visibility.OWNER:
        raise NotAllowed("Only the voice's owner can let others use it. As a moderator you can make it private again.")


def may_take_away(actor: Actor, voice: VoiceRecord) -> None:
    """Raise NotAllowed unless the actor may export the voice as a file.

    Only the owner may, if no other person is known to be the speaker: other speakers agreed to a voice that stays here,
    where they can have it deleted.
    """
    if actor.member_id != voice.owner_id:
        raise NotAllowed("Only the voice's owner can export it as a file.")
    if voice.speaker_id not in (None, actor.member_id):
        raise NotAllowed("This is someone else's voice. They agreed to a voice on this server, not to a file.")


def may_delete(actor: Actor, voice: VoiceRecord) -> None:
    """Raise NotAllowed unless the actor may delete the voice. Its speaker may, also if another member owns it."""
    if not actor.is_moderator and actor.member_id not in (voice.owner_id, voice.speaker_id):
        raise NotAllowed("Only the voice's owner, the person whose voice it is, or a moderator can delete it.")


def must_moderate(actor: Actor) -> None:
    """Raise NotAllowed unless the actor is a moderator."""
    if not actor.is_moderator:
        raise NotAllowed("Only moderators of this server can do that.")


def consent_of(settings: GuildSettings, default: ConsentKind) -> ConsentKind:
    """Return how members of a server agree to a clone; `default`: the owner's choice, where moderators made none."""
    return default if settings.consent is None else settings.consent


def are_gone(chosen_ids: frozenset[int], existing_ids: frozenset[int] | None) -> bool:
    """Return whether roles or channels were chosen and none of them exists. False if it is unknown which exist."""
    return bool(chosen_ids) and existing_ids is not None and chosen_ids.isdisjoint(existing_ids)


def viewer_of(actor: Actor) -> Viewer:
    """Return the actor as the viewer of a list of voices."""
    return Viewer(actor.member_id, actor.role_ids)


def clean_name(name: str) -> str:
    """Return a name in its stored form: NFKC, single spaces, 1 to 32 characters, letters, digits and some punctuation.

    Raises InvalidInput with the reason. A stored name cannot mention, format, hide characters or look like a voice's
    key.
    """
    if _CUSTOM_EMOJI.search(name):
        raise InvalidInput("A voice's name can't have emoji in it. Use letters and digits.")
    if _MENTION.search(name):
        raise InvalidInput("A voice's name can't mention anyone. Write the name without @, # or <>.")
    cleaned = _SPACES.sub(" ", unicodedata.normalize("NFKC", name)).strip()
    if not cleaned:
        raise InvalidInput("Give the voice a name of 1 to 32 characters.")
    if len(cleaned) > NAME_LENGTH:
        raise InvalidInput(f"That name has {len(cleaned)} characters. Choose one of at most {NAME_LENGTH}.")
    for character in cleaned:
        _check_character(character)
    if not any(unicodedata.category(character)[0] in "LN" for character in cleaned):
        raise InvalidInput("A voice's name needs at least one letter or digit.")
    if _marks_in_a_row(cleaned) > _MARKS_IN_A_ROW:
        raise InvalidInput("That name stacks too many accents. Use fewer.")
    return cleaned


def clean_description(description: str) -> str:
    """Return a description in its stored form: NFKC, single spaces, no invisible characters; may be empty.

    Raises InvalidInput when it is longer than 200 characters.
    """
    cleaned = one_line(description)
    if len(cleaned) > DESCRIPTION_LENGTH:
        raise InvalidInput(
            f"That description has {len(cleaned)} characters. Shorten it to at most {DESCRIPTION_LENGTH}."
        )
    return cleaned


def one_line(text: str) -> str:
    """Return a text in one line: NFKC, single spaces, without characters that a database cannot store."""
    visible = "".join(
        character if unicodedata.category(character)[0] != "C" or character in "\n\t" else " "
        for character in unicodedata.normalize("NFKC", text)
    )
    return _SPACES.sub(" ", visible).strip()


def _not_blocked(member: MemberRecord) -> None:
    if member.blocked_at is not None:
        raise NotAllowed("A moderator has blocked you from using voices on this server.")


def _in_channel(actor: Actor, settings: GuildSettings) -> None:
    here = {actor.channel_id, actor.parent_id}
    if actor.is_moderator or not settings.channel_ids or not settings.channel_ids.isdisjoint(here):
        return
    if are_gone(settings.channel_ids, actor.existing_ids):
        raise NotAllowed(
            "Voices can't be used in any channel right now, because the chosen channels were deleted. "
            "Ask a moderator to choose again with /admin settings."
        )
    raise NotAllowed("Voices can't be used in this channel. Try one of the channels the moderators chose for them.")


def _has_role(actor: Actor, role_ids: frozenset[int], what: str) -> None:
    if actor.is_moderator or not role_ids or not actor.role_ids.isdisjoint(role_ids):
        return
    if are_gone(role_ids, actor.existing_ids):
        raise NotAllowed(
            f"{what} is limited to roles that were deleted, so only moderators can do it right now. "
            "Ask a moderator to choose again with /admin settings."
        )
    raise NotAllowed(f"{what} is limited to certain roles on this server. Ask a moderator for one of them.")


def _check_character(character: str) -> None:
    category = unicodedata.category(character)
    if character in _MARKDOWN:
        raise InvalidInput(
            f"A voice's name can't contain {character}. Use letters, digits, spaces and - ' . , ! ? & +."
        )
    if is_invisible(character):
        raise InvalidInput("That name has invisible characters in it. Type it again without them.")
    if category[0] == "S" and character not in _PUNCTUATION:
        raise InvalidInput("A voice's name can't have emoji or symbols in it. Use letters and digits.")
    if character == _KEYCAP or (category[0] not in "LMN" and character not in _PUNCTUATION):
        raise InvalidInput("That name has unusual punctuation. Use letters, digits, spaces and - ' . , ! ? & +.")


def _marks_in_a_row(text: str) -> int:
    longest = run = 0
    for character in text:
        run = run + 1 if unicodedata.category(character)[0] == "M" else 0
        longest = max(longest, run)
    return longest
