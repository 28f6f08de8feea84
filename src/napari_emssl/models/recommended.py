"""Which model to start learning a task from, or to segment in context with, and why."""

from contextlib import suppress

from ..errors import UserError
from .model_file import Card
from .tasks import TaskName, task_of
from .zoo import list_models

_RESTORERS = {
    "denoise": "stem-denoise",
    "remove-background": "stem-remove-background",
    "super-resolve": "stem-super-resolve",
}
_WHY = {"segment": "of those that ship, level with the best on small particles and ahead on large ones"}
"""By task; measured in docs/measurements/few-labels.md."""
_WHY_IN_CONTEXT = "it predicts while you paint, and training begins from that prediction"
_WHY_RESTORER = "it already does the task, and training continues from there"
"""For the other tasks; measured in docs/measurements/restoration.md."""


def recommended_start(task: TaskName = "segment") -> str:
    """Return the name of the model to start learning a task from; ``scratch`` if there is none.

    To segment, that is the generator to segment in context with, where there is one; otherwise a shipped model.
    """
    if task_of(task).gives_labels:
        with suppress(UserError):
            return recommended_context_generator()
    entries = [entry for entry in list_models() if entry.origin == "shipped"]
    if _RESTORERS.get(task) in [entry.name for entry in entries]:
        return _RESTORERS[task]
    starts = [entry.name for entry in entries if _restores(entry.card)]
    return starts[0] if starts else "scratch"


def _restores(card: Card) -> bool:
    return task_of(card.task).is_pretext and "restore" in card.network.heads


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


def why_recommended(task: TaskName) -> str:
    """Return why `recommended_start` names the model it does, as part of a sentence."""
    if task_of(task).gives_labels:
        with suppress(UserError):
            recommended_context_generator()
            return _WHY_IN_CONTEXT
    return _WHY.get(task, _WHY_RESTORER)
