"""A notice about the quality of the bundled model."""

NOTICE = "The bundled model is a small demonstration and makes mistakes. MODEL=suno/bark-small speaks better."


def model_notice(model: str) -> str | None:
    """Return one sentence about the model with this name, or None."""
    return NOTICE if model == "bundled" else None
