"""The result of a model as a layer whose planes are computed, in a process of their own, when they are viewed."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray
from qtpy.QtCore import QCoreApplication, QObject

from ... import worker_jobs
from ...errors import UserError
from ...jobs.events import Preview, Started
from ...jobs.worker import client
from ...models.results import result_dtype, result_shape
from ...models.zoo import find_model
from ..layers.lazy_array import LazyPlanes
from ..threads.background import start_thread
from .request import ApplyRequest, Selection
from .result_layer import show_result

if TYPE_CHECKING:
    from napari.viewer import Viewer


class OnDemandPredictor:
    """Computes planes of one image in a child process, which is started when needed and ended when not.

    Used by one thread at a time; `release` may be called from any.
    """

    def __init__(self, request: ApplyRequest, selection: Selection) -> None:
        self._source, self._card, self._settings = selection.source, request.card, request.settings
        self._file = str(find_model(request.model))
        self._job: client.WorkerJob[None] | None = None
        self.device = ""

    def plane(self, index: tuple[int, ...]) -> NDArray[Any]:
        """Return the result of the plane at an index; raises `UserError` naming it."""
        try:
            return self._ask(self._source.plane(index))
        except Exception as error:
            self.release()
            where = f"'{self._source.name}'" + (f", plane {list(index)}" if index else "")
            raise UserError(f"{where} could not be computed: {error}") from error

    def _ask(self, plane: NDArray[Any]) -> NDArray[Any]:
        job = self._job = self._job or self._new_job()
        job.show(plane)
        for event in job:
            if isinstance(event, Started):
                self.device = event.device
            if isinstance(event, Preview):
                return event.images["prediction"]
        raise UserError("The process that computes it has ended. Apply again to try once more.")

    def _new_job(self) -> client.WorkerJob[None]:
        scaling, (height, width) = self._card.scaling, self._source.shape[-2:]
        levels = scaling.fit(self._source.image().planes) if scaling.per == "stack" else None
        return client.run(worker_jobs.on_demand, self._file, (height, width), self._settings, levels)

    def release(self) -> None:
        """End the process; it comes back when it is needed."""
        job, self._job = self._job, None
        if job is not None:
            start_thread(job.close)


_ALIVE: set["LazyResult"] = set()
"""Nothing else refers to them: they live until their layer is gone, or shows something else."""


class LazyResult(QObject):
    """A layer whose results are computed when they are viewed; lives as long as the layer shows them."""

    def __init__(
        self, viewer: "Viewer", request: ApplyRequest, selection: Selection, say: Callable[[str, bool], None]
    ) -> None:
        super().__init__()
        self._viewer, self._say = viewer, say
        card = request.card
        predictor = self._predictor = OnDemandPredictor(request, selection)
        self._planes = LazyPlanes(
            result_shape(selection.source.shape, card), result_dtype(card), predictor.plane,
            changed=self._refresh, failed=self._show_failure, release=predictor.release,
        )  # fmt: skip
        self._planes.awake = False
        self.layer = show_result(viewer, request.card, request.model, selection, self._planes)
        self._planes.awake = True
        self.layer.refresh()
        viewer.layers.events.removed.connect(self._on_change)
        self.layer.events.data.connect(self._on_change)
        _ALIVE.add(self)
        app = QCoreApplication.instance()
        if app is not None:
            app.aboutToQuit.connect(self.close)

    def _refresh(self) -> None:
        if self._current():
            self.layer.refresh()
            where = f" on {self._predictor.device}" if self._predictor.device else ""
            self._say(f"'{self.layer.name}' is computed for the plane in view{where}; move the slider for more.", False)

    def _show_failure(self, error: Exception) -> None:
        if self._current():
            self._say(str(error), True)

    def _current(self) -> bool:
        """Whether the layer still shows these planes: another run may have put others there."""
        return self.layer in self._viewer.layers and self.layer.data is self._planes

    def _on_change(self, event: Any = None) -> None:
        if not self._current():
            self.close()

    def close(self) -> None:
        """Stop computing."""
        if self in _ALIVE:
            _ALIVE.discard(self)
            self._planes.close()
            self._viewer.layers.events.removed.disconnect(self._on_change)
            self.layer.events.data.disconnect(self._on_change)
