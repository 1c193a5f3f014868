"""Describe a voice file: its tokens, its length, and the models that can speak with it."""

from typing import Any

from rich.console import Console
from rich.table import Table

from cloning.checkpoints.known_models import models_of, prompt_specs, reason_against
from cloning.prompt import PromptSpec, VoicePrompt

_PARTS = ("semantic", "coarse", "fine")


def inspection(prompt: VoicePrompt, model: str, spec: PromptSpec) -> dict[str, Any]:
    """Describe `prompt` as a JSON-compatible dict. `model`: the name of the model in use; `spec`: its voices' shape.

    Seconds and rates (per second) are those of that model, or else of one that the voice fits; None if it fits none.
    """
    reason, fits = reason_against(prompt, spec), models_of(prompt)
    fitting = spec if reason is None else prompt_specs()[fits[0]] if fits else None
    return {
        **{part: _part(prompt, part, fitting) for part in _PARTS},
        "frames_per_semantic_token": round(prompt.coarse.shape[1] / prompt.semantic.size, 3),
        "rates": None if fitting is None else {"semantic": fitting.semantic_rate, "frames": fitting.frame_rate},
        "coarse_matches_fine": prompt.coarse_matches_fine,
        "fits": fits,
        "model": model,
        "reason": reason,
    }


def _part(prompt: VoicePrompt, part: str, spec: PromptSpec | None) -> dict[str, Any]:
    tokens = getattr(prompt, part)
    seconds = None
    if spec is not None:
        seconds = round(tokens.shape[-1] / (spec.semantic_rate if part == "semantic" else spec.frame_rate), 2)
    return {
        "shape": list(tokens.shape),
        "seconds": seconds,
        "lowest": int(tokens.min()),
        "highest": int(tokens.max()),
    }


def show(facts: dict[str, Any], title: str) -> None:
    """Print the result of `inspection` to standard output."""
    table = Table(title=title)
    for heading in ("tokens", "shape", "seconds", "lowest", "highest"):
        table.add_column(heading)
    for name in _PARTS:
        part = facts[name]
        seconds = "?" if part["seconds"] is None else str(part["seconds"])
        table.add_row(name, str(tuple(part["shape"])), seconds, str(part["lowest"]), str(part["highest"]))
    console = Console()
    console.print(table)
    books = facts["coarse"]["shape"][0]
    console.print(f"coarse == fine[:{books}]: {'yes' if facts['coarse_matches_fine'] else 'no'}")
    console.print(f"{facts['frames_per_semantic_token']} frames for each semantic token")
    console.print(f"models that it fits: {', '.join(facts['fits']) or 'no named model'}")
    if facts["reason"] is not None:
        console.print(f"It does not fit {facts['model']}. {facts['reason']}")
