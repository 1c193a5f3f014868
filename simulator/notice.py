"""Whether the bundled model speaks or makes noise, read from its card. It knows no weights."""

from pathlib import Path

CARD = Path(__file__).parent.parent / "models" / "README.md"
"""The card of the bundled model; like any model card it begins with tags between two lines of dashes."""
UNTRAINED = "random-weights"
NOTICE = "The bundled model has random weights: voices sound like noise until a trained one takes its place."


def noise_notice(model: str, card: Path = CARD) -> str | None:
    """One sentence for people who are about to listen to `model`, or None if it is a trained one."""
    if model != "bundled":
        return None
    _, _, rest = card.read_text("utf-8").partition("---\n")
    tags, _, _ = rest.partition("---\n")
    return NOTICE if UNTRAINED in tags.split() else None
