"""Starting an apply job and showing its result; used by both docks."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from ..jobs import child
from ..jobs.settings import ApplySettings
from ..models.file import Card
from ..models.zoo import find_model, load_card
from .job_panel import JobPanel
from .requests import ApplyRequest
from .results import show_result


@dataclass(frozen=True)
class Applied:
    """The result of an apply job and the card of its model."""

    array: NDArray[Any]
    card: Card


def start_applying(
    panel: JobPanel,
    viewer: Any,
    request: ApplyRequest,
    settings: ApplySettings,
    done: Callable[[], None] = lambda: None,
) -> None:
    """Run the job in the panel; when it ends, show the layer and call `done`."""

    def finish(array: NDArray[Any]) -> Applied:
        shape = request.source.shape if request.index is None else request.source.shape[-2:]
        return Applied(array.reshape(shape), load_card(request.model))

    def show(result: Applied, stopped: bool) -> None:
        done()
        layer = show_result(viewer, request, result.array, result.card)
        word = "stopped; what is done so far is" if stopped else "done; the result is"
        panel.say(f"Applying {word} in layer '{layer.name}'.")

    panel.run(
        lambda: child.run("apply", str(find_model(request.model)), request.image(), settings),
        finish,
        show,
        title=f"Applying the model to {request.title} …",
    )
