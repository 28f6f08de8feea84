"""Which model to start learning a task from, or to segment in context with, and why."""

from ..errors import UserError
from .tasks import task_of
from .zoo import list_models

_RESTORERS = {
    "denoise": "stem-denoise",
    "remove-background": "stem-remove-background",
    "super-resolve": "stem-super-resolve",
}
_WHY = {"segment": "of those that ship, level with the best on small particles and ahead on large ones"}
"""By task; measured in docs/measurements/few-labels.md."""
_WHY_RESTORER = "it already does the task, and training continues from there"
"""For the other tasks; measured in docs/measurements/restoration.md."""


def recommended_start(task: str = "segment") -> str:
    """Return the name of the shipped model to start learning a task from; ``scratch`` if there is none."""
    entries = [entry for entry in list_models() if entry.origin == "shipped"]
    if _RESTORERS.get(task) in [entry.name for entry in entries]:
        return _RESTORERS[task]
    starts = [entry.name for entry in entries if task_of(entry.card.task).is_pretext]
    return starts[0] if starts else "scratch"


def recommended_context_generator() -> str:
    """Return the name of the generator to segment in context with: a shipped one, or the newest of the user's own.

    Raises
    ------
    UserError
        When no generator gives its pixels vectors.

    """
    generators = (entry for entry in list_models() if task_of(entry.card.task).is_pretext)
    found = [entry.name for entry in generators if entry.card.network.vector_channels]
    if not found:
        raise UserError("No generator here can segment in context. Pretrain one with 'pretrain --pretext episodes'.")
    return found[0]


def why_recommended(task: str) -> str:
    """Return why `recommended_start` names the model it does, as part of a sentence."""
    return _WHY.get(task, _WHY_RESTORER)
