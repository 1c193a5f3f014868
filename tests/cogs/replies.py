"""Reading what the bot answered to one press or command."""

import simcord


def answer(shown: simcord.InteractionResult) -> simcord.ResponseMessage:
    """The one message that is left of an answer: the first response, or the follow-up that took its place."""
    messages = [*([] if shown.response is None else [shown.response]), *shown.followups]
    assert len(messages) == 1, messages
    return messages[0]


def refusal(shown: simcord.InteractionResult) -> str:
    """The sentence of a refusal: private, and the only thing that is left."""
    told = answer(shown)
    assert told.ephemeral
    return told.content


def labels(message: simcord.ResponseMessage) -> list[str]:
    """What stands on the buttons of a message."""
    return [button["label"] for row in message.components for button in row["components"]]
