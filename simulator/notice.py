"""What to expect of the bundled model, for people who are about to listen to it."""

NOTICE = "The bundled model is a small one, for demonstration: it stumbles. MODEL=suno/bark-small speaks better."


def model_notice(model: str) -> str | None:
    """One sentence about the model with this name, or None if there is nothing to say."""
    return NOTICE if model == "bundled" else None
