"""Starting an apply job in a panel and showing its results; used by the docks."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer

from ...formatting import counted
from ...inference.apply_task import ApplyResult
from ..job.job_panel import JobPanel
from ..job.request import RunOptions
from ..layers.turns import LayerTurns
from .request import ApplyRequest, Selection, check_fits
from .result_layer import LayerArray, show_result

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer


@dataclass(frozen=True)
class Applied:
    """The result of one selection."""

    selection: Selection
    array: "LayerArray | None"
    """In the shape of the layer it becomes; None where there is nothing to show."""
    outcome: ApplyResult

    @property
    def complete(self) -> bool:
        """Whether all planes were computed, and there is something to show."""
        return self.array is not None and self.outcome.done == self.outcome.planes

    def describe(self, layer: "Layer | None", where: str) -> str:
        """Say what there is now; `where` names the folder of results on disk."""
        done, planes, failure = self.outcome.done, self.outcome.planes, self.outcome.failure
        if layer is None:
            return f"Nothing was computed for {self.selection.title}."
        if self.complete:
            return f"Done; the result is in layer '{layer.name}'{where}."
        ending = "Ended early" if failure else "Stopped"
        rest = " Apply again to resume from there." if where else " The other planes are 0."
        return f"{ending}; {counted(done, 'plane')} of {planes} are in layer '{layer.name}'{where}.{rest}"


def start_applying(
    panel: JobPanel,
    viewer: "Viewer",
    request: ApplyRequest,
    done: Callable[[], None] = lambda: None,
    shown: "Callable[[Layer], None]" = lambda layer: None,
) -> None:
    """Run the job in the panel; when it ends, show the layers.

    Parameters
    ----------
    panel
        Shows the job.
    viewer
        Gets the layers.
    request
        What is applied to what.
    done
        Called before the first layer is shown.
    shown
        Called with each layer.

    Raises
    ------
    UserError
        When the results do not fit their destination.

    """
    check_fits(request)
    panel.run(
        lambda: request.start(RunOptions()),
        lambda outcomes: [_applied(*each) for each in zip(request.selections, outcomes, strict=True)],
        lambda results, _stopped: _ResultShow(panel, viewer, request, results, done, shown).begin(),
        title=f"Applying the model to {request.title} …",
    )


def _applied(selection: Selection, outcome: ApplyResult) -> Applied:
    """Bring a result into the shape of its layer; one on disk is opened."""
    array = outcome.result if outcome.done else None
    if isinstance(array, Path):
        import zarr

        array = zarr.open_array(array / "0", mode="r")
    return Applied(selection, array, outcome)


class _ResultShow:
    """Shows results one by one: adding a layer takes napari about 0.1 s, and the viewer stays responsive in between."""

    def __init__(
        self, panel: JobPanel, viewer: "Viewer", request: ApplyRequest, results: list[Applied],
        done: Callable[[], None], shown: "Callable[[Layer], None]",
    ) -> None:  # fmt: skip
        self._panel, self._viewer, self._request, self._left = panel, viewer, request, list(results)
        self._done, self._shown = done, shown
        destination = request.destination
        self._where = f" and in '{destination.folder}'" if destination.place == "disk" else ""
        self._complete = 0
        self._lines: dict[bool, list[str]] = {True: [], False: []}
        """What was said of results, those that are complete and the others."""
        self._turns = LayerTurns(viewer)

    def begin(self) -> None:
        """Show the first result, and the others after it; nothing of a run whose dock was closed."""
        if self._panel.runner.control.closed:
            return
        self._done()
        self._turns.when_settled(lambda: self._next())  # a bound method alone would not keep its object alive

    def _told(self) -> list[str]:
        """Say what there is by now: of many complete results how many they are, of others each by itself."""
        if self._complete < 2:
            return [*self._lines[True], *self._lines[False]]
        named = f"'… | {self._request.card.name}'"
        many = f"Done; {self._complete} results are in layers that are named {named}{self._where}."
        return [many, *self._lines[False]]

    def _next(self) -> None:
        result = self._left.pop(0)
        layer = None
        if result.array is not None:
            layer = show_result(self._viewer, self._request.card, self._request.model, result.selection, result.array)
        if result.complete:
            self._complete += 1
        if not result.complete or self._complete == 1:
            self._lines[result.complete].append(result.describe(layer, self._where))
        self._panel.say("\n".join(self._told()))
        if layer is not None:
            self._shown(layer)
        if self._left:
            QTimer.singleShot(0, lambda: self._turns.when_settled(lambda: self._next()))
