"""Starting an apply job and showing its results; used by the docks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qtpy.QtCore import QTimer

from ... import worker_jobs
from ...formatting import counted
from ...inference.plan import ApplyResult, ApplyTask
from ...jobs.settings import ApplySettings
from ...jobs.worker import client
from ...models.model_file import Card
from ...models.zoo import find_model, load_card
from ..job.job_panel import JobPanel
from .destination import Destination, check_fits, grid_of
from .request import ApplyRequest
from .result_layer import show_result


@dataclass(frozen=True)
class Applied:
    """What became of one request."""

    request: ApplyRequest
    array: Any
    """In the shape of the layer it becomes; None where there is nothing to show."""
    card: Card
    outcome: ApplyResult

    def sentence(self, layer: Any, where: str) -> str:
        """Say what there is now."""
        done, planes, failure = self.outcome.done, self.outcome.planes, self.outcome.failure
        if done == planes:
            return f"Done; the result is in layer '{layer.name}'{where}."
        if layer is None:
            return f"Nothing was done of {self.request.title}."
        ending = "Ended early" if failure else "Stopped"
        rest = " Apply again to go on from there." if where else " The other planes are 0."
        return f"{ending}; {counted(done, 'plane')} of {planes} are in layer '{layer.name}'{where}.{rest}"


def start_applying(
    panel: JobPanel,
    viewer: Any,
    requests: ApplyRequest | Sequence[ApplyRequest],
    settings: ApplySettings,
    done: Callable[[], None] = lambda: None,
    destination: Destination = Destination(),  # noqa: B008
) -> None:
    """Run the job in the panel; when it ends, show the layers and call `done`.

    Raises
    ------
    UserError
        When there is no such model, or the results do not fit where they shall go.

    """
    asked = [requests] if isinstance(requests, ApplyRequest) else list(requests)
    card = load_card(asked[0].model)
    check_fits(asked, card, destination, settings.test_time_augmentation)
    title = asked[0].title if len(asked) == 1 else f"{len(asked)} layers"
    panel.run(
        lambda: client.run(
            worker_jobs.apply_images, str(find_model(asked[0].model)), _orders(asked, card, destination), settings
        ),
        lambda outcomes: [_applied(*each, card) for each in zip(asked, outcomes, strict=True)],
        lambda results, stopped: _Shown(panel, viewer, results, done, destination).begin(),
        title=f"Applying the model to {title} …",
    )


def _orders(requests: Sequence[ApplyRequest], card: Card, destination: Destination) -> list[ApplyTask]:
    """What the job is asked for; lazy images may be looked into, so this is for the worker thread."""
    return [
        ApplyTask(each.image(), destination.path(each, card), destination.overwrite, grid_of(each, card))
        for each in requests
    ]


def _applied(request: ApplyRequest, outcome: ApplyResult, card: Card) -> Applied:
    """Bring a result into the shape of its layer; one on disk is opened."""
    array = outcome.result if outcome.done else None
    if isinstance(array, Path):
        import zarr

        array = zarr.open_array(array / "0", mode="r")
    return Applied(request, array, card, outcome)


class _Shown:
    """Shows results one by one: adding a layer takes napari about 0.1 s, and the viewer shall live in between."""

    def __init__(
        self, panel: JobPanel, viewer: Any, results: list[Applied], done: Callable[[], None], destination: Destination
    ) -> None:
        self._panel, self._viewer, self._left, self._done = panel, viewer, list(results), done
        self._where = f" and in '{destination.folder}'" if destination.place == "disk" else ""
        self._sentences: list[str] = []

    def begin(self) -> None:
        """Show the first result, and the others after it; nothing of a run whose dock was closed."""
        if self._panel.runner.handle.closed:
            return
        self._done()
        self._next()

    def _next(self) -> None:
        result = self._left.pop(0)
        layer = None
        if result.array is not None:
            layer = show_result(self._viewer, result.request, result.array, result.card)
        self._sentences.append(result.sentence(layer, self._where))
        self._panel.say("\n".join(self._sentences))
        if self._left:
            QTimer.singleShot(0, lambda: self._next())  # a bound method alone would not keep its object alive
