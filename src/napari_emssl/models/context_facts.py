"""What a model in context remembers, in words."""

from ..formatting import counted
from .model_file import Card


def context_of(card: Card) -> str:
    """Say what a model in context remembers and how large it sees images; empty for any other model."""
    spec = card.network
    if not spec.painted:
        return ""
    each = zip(spec.painted, card.classes, strict=True)
    pixels = ", ".join(f"{counted(count, 'pixel')} of {item.name}" for count, item in each)
    planes = next((stage.data["planes"] for stage in reversed(card.history) if "planes" in stage.data), None)
    where = f", painted on {counted(planes, 'plane')}" if isinstance(planes, int) else ""
    return f"{pixels}{where}; {_seen_at(spec.scale)}"


def _seen_at(scale: float) -> str:
    if scale == 1:
        return "sees images as they are"
    return f"sees images shrunk {1 / scale:g} times" if scale < 1 else f"sees images enlarged {scale:g} times"
