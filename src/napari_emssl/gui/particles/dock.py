"""The dock "EM SSL Particles": sizes and shapes of segmented particles, live."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QFileDialog, QPushButton

from ...errors import UserError
from ...formatting import counted
from ...models.tasks import TASKS
from ...particles.table import ParticleTable, concatenate
from ..job.dock import Column, hbox
from ..layers.calibration import pixel_of
from ..layers.layers import LayerSnapshot, own_notes, placement, plane_in_view, snapshot_of
from ..layers.turns import LayerTurns
from ..plugin.pixel_size import set_pixel_size
from ..threads.newest import NewestWins
from ..widgets.fields import combo_box
from ..widgets.message import MessageLabel
from ..widgets.pickers import layer_picker
from ..widgets.theme import theme_colours
from .form import ParticleForm
from .histogram import SizeHistogram
from .layer import ParticleLayer, is_particle_layer
from .request import Cuts, FoundPlane, MeasureRequest
from .table import ParticleView

if TYPE_CHECKING:
    from napari.layers import Labels, Layer
    from napari.utils.events import Event
    from napari.viewer import Viewer

_EDITS, _PLACES = ("data", "paint", "labels_update"), ("scale", "units", "translate", "rotate", "shear", "affine")
_CALM_MS, _REDRAW_MS = 60, 150
_HINT = (
    "Press Measure. After that the table follows every change, and a click on a row or a particle selects the other."
)


class ParticlesDock(Column):
    """Measures the particles of a Labels layer and keeps table, histogram and layer up to date.

    Parameters
    ----------
    napari_viewer
        The viewer the dock belongs to.

    """

    def __init__(self, napari_viewer: "Viewer") -> None:
        super().__init__(napari_viewer)
        self.measurer: NewestWins[tuple[MeasureRequest, Cuts], FoundPlane] = NewestWins(_measure, _CALM_MS, self)
        self.output = ParticleLayer(napari_viewer)
        self._turns = LayerTurns(napari_viewer)
        self._live: Labels | None = None
        self._cuts: Cuts = {}
        self._request: MeasureRequest | None = None
        self._tables: list[ParticleTable] = []
        self.table: ParticleTable | None = None
        self._redraw = QTimer(self, singleShot=True, interval=_REDRAW_MS)
        self._redraw.timeout.connect(self._show_all)
        self._make_inputs()
        self._make_outputs()
        self._connect()
        self.reset_choices()
        if napari_viewer.layers.selection.active in self.labels.choices:
            self.labels.value = napari_viewer.layers.selection.active

    def _make_inputs(self) -> None:
        self.labels = layer_picker(self.viewer, "Labels", leave_out=is_particle_layer)
        self.image = layer_picker(self.viewer, "Image", none="none", leave_out=is_particle_layer)
        self.scope = combo_box({"plane in view": False, "whole layer": True})
        self.measure_button = QPushButton("Measure")
        self.measure_button.setToolTip("Measure now; after that the table follows every change.")
        self.add_row("Labels", self.labels.native, "A mask, or particles that are already numbered.")
        self.add_row("Intensity", self.image.native, "Image for the mean intensity of each particle.")
        self.add_row("Measure", hbox(self.scope, self.measure_button), "A stack is measured plane by plane.")
        self.form_of_settings = ParticleForm(self.form, self.body)

    def _make_outputs(self) -> None:
        self.message, self.histogram, self.view = MessageLabel(), SizeHistogram(), ParticleView()
        self.histogram.set_colours(*theme_colours(self.viewer))
        self.export_button = QPushButton("Export CSV …")
        self.column.addWidget(self.message)
        for widget, share in ((self.histogram, 2), (self.view, 3), (self.export_button, 0)):
            self.column.addWidget(widget, share)
            widget.hide()
        self.column.addStretch(1)
        self.message.show_text(_HINT)

    def _connect(self) -> None:
        self.measure_button.clicked.connect(self.begin)
        self.export_button.clicked.connect(self._ask_where)
        self.form_of_settings.changed.connect(self._ask)
        self.form_of_settings.size_wanted.connect(self._set_pixel_size)
        self.scope.currentIndexChanged.connect(self._ask)
        self.labels.changed.connect(self._on_labels)
        self.image.changed.connect(self._ask)
        self.measurer.answered.connect(lambda found: self._turns.when_settled(lambda: self._on_found(found)))
        self.measurer.failed.connect(self._on_failure)
        self.measurer.busy_changed.connect(self._on_busy)
        self.view.picked.connect(self._go_to)
        self.viewer.dims.events.current_step.connect(self._on_dims)
        self.viewer.events.theme.connect(self._follow_theme)
        self.viewer.mouse_drag_callbacks.append(self._on_mouse)

    def update_choices(self) -> None:
        """Bring everything that lists layers up to date."""
        self.labels.reset_choices()
        self.image.reset_choices()
        self._show_unit()

    def forget_layers(self) -> None:
        """Follow no layer that is gone."""
        if self._live is not None and self._live not in self.viewer.layers:
            self._follow(None)

    def measure_layer(self, layer: "Labels") -> None:
        """Pick a layer and measure it."""
        self.labels.value = layer
        self.begin()

    def begin(self) -> None:
        """Measure what is chosen, and from now on follow every change."""
        if self.labels.value is None:
            self.message.show_text("There is no labels layer. Segment an image first, or paint one.", trouble=True)
            return
        self._follow(self.labels.value)
        self._ask()

    def on_close(self) -> None:
        """Disconnect from the viewer, since the dock is gone."""
        self._follow(None)
        self.measurer.close()
        self._redraw.stop()
        self.viewer.dims.events.current_step.disconnect(self._on_dims)
        self.viewer.events.theme.disconnect(self._follow_theme)
        if self._on_mouse in self.viewer.mouse_drag_callbacks:
            self.viewer.mouse_drag_callbacks.remove(self._on_mouse)

    def _follow(self, layer: "Labels | None") -> None:
        """Follow the changes of this layer only, or of none."""
        if layer is self._live:
            return
        for names, answer in ((_EDITS, self._on_edit), (_PLACES, self._ask)):
            for name in names:
                if self._live is not None and hasattr(self._live.events, name):
                    getattr(self._live.events, name).disconnect(answer)
                if layer is not None and hasattr(layer.events, name):
                    getattr(layer.events, name).connect(answer)
        self._live = layer
        self._cuts = {}

    def _on_labels(self, _layer: "Layer | None" = None) -> None:
        """Another layer is chosen: wait for the button."""
        self._follow(None)
        self._show_unit()

    def _on_edit(self, _event: "Event | None" = None) -> None:
        self._cuts = {}
        self._ask()

    def _on_dims(self, _event: "Event | None" = None) -> None:
        if self._live is None or self._request is None or self.scope.currentData():
            return
        if self._indices(snapshot_of(self._live)) != self._request.indices:
            self._ask()

    def _show_unit(self) -> None:
        pixel = pixel_of(placement(self.labels.value)) if self.labels.value is not None else None
        self.form_of_settings.show_unit(*((pixel.edge, pixel.description) if pixel else (None,)))

    def _ask(self, _event: object = None) -> None:
        """Measure again, if the dock is live."""
        self._show_unit()
        if self._live is None:
            return
        try:
            self._request = self._make_request(self._live)
        except UserError as error:
            self._give_up(error)
            return
        self.output.begin(self._live, self._request.labels)
        self.measurer.ask_when_calm(self._question)

    def _question(self) -> tuple[MeasureRequest, Cuts] | None:
        return None if self._request is None else (self._request, self._cuts)

    def _give_up(self, error: UserError) -> None:
        """Keep what is shown, and say why nothing new is measured."""
        self._request = None
        self.measurer.drop()
        self._redraw.stop()
        self.message.show_text(str(error), trouble=True)

    def _make_request(self, layer: "Labels") -> MeasureRequest:
        labels = snapshot_of(layer)
        image = None if self.image.value is None else snapshot_of(self.image.value)
        if image is not None and image.shape != labels.shape[len(labels.shape) - len(image.shape) :]:
            raise UserError(
                f"'{image.name}' has the shape {image.shape}, '{labels.name}' {labels.shape}: they do not fit. "
                "Choose another image for the intensity, or none."
            )
        size = self.form_of_settings.pixel_size_nm(labels.pixel_size_nm)
        made_by = TASKS.get(own_notes(layer).get("task", ""))
        mask = True if made_by and made_by.gives_labels else None
        return MeasureRequest(labels, image, self._indices(labels), self.form_of_settings.settings(), size, mask)

    def _indices(self, source: LayerSnapshot) -> tuple[tuple[int, ...], ...]:
        return tuple(source.indices()) if self.scope.currentData() else (plane_in_view(self._live, self.viewer),)

    def _on_found(self, found: FoundPlane) -> None:
        """Show a plane at once; table and histogram follow, a few times a second."""
        if found.request is not self._request or self._live is None:
            return
        if found.done == 1:
            self._tables = []
        try:
            self.output.put(found.request.labels, found.index, found.particles.instances, first=found.done == 1)
        except UserError as error:
            self._give_up(error)
            return
        self._tables.append(found.particles.table)
        if len(found.request.indices) > 1:
            self.message.show_text(f"Measured plane {found.done} of {len(found.request.indices)} …")
        if not self._redraw.isActive():
            self._redraw.start()

    def _on_failure(self, error: Exception) -> None:
        known = isinstance(error, UserError)
        self.message.show_text(str(error) if known else f"Measuring failed: {error!r}.", trouble=True)

    def _on_busy(self, busy: bool) -> None:
        self.measure_button.setText("Measuring …" if busy else "Measure")
        if not busy and self._redraw.isActive():
            self._redraw.stop()
            self._show_all()

    def _show_all(self) -> None:
        """Bring table, histogram, features and summary up to date."""
        if not self._tables or self._request is None:
            return
        self.table = table = concatenate(self._tables)
        summary = table.summaries()[0]
        for widget in (self.histogram, self.view, self.export_button):
            widget.show()
        self.column.setStretch(self.column.count() - 1, 0)
        self.view.show_table(table, stack=len(self._request.indices) > 1)
        self.histogram.show_sizes(table.diameters(summary.unit), summary)
        self.output.describe(table)
        if len(self._tables) == len(self._request.indices):
            self.message.show_text(table.describe())

    def _go_to(self, row: int) -> None:
        """Show the particle of a row."""
        if self.table is None or self._request is None:
            return
        plane, label, x, y = (self.table.columns[name][row] for name in ("plane", "label", "x", "y"))
        leading = self._request.labels.leading
        index = tuple(int(i) for i in np.unravel_index(plane, leading)) if leading else ()
        self.output.go_to(int(label), index, float(y), float(x))

    def _on_mouse(self, viewer: "Viewer", event: "Event") -> Iterator[None]:
        """Choose the row of the particle that was clicked, unless the mouse was dragged."""
        moved = False
        yield
        while event.type == "mouse_move":
            moved = True
            yield
        if not moved and self.table is not None:
            self._choose(self.output.label_at(event.position))

    def _choose(self, label: int) -> None:
        """Mark the row of a particle; 0 is none."""
        if self.table is None or self.output.layer is None:
            return
        rows = np.flatnonzero(self.table.columns["label"] == label)
        if len(rows):
            self.output.layer.selected_label = label
            self.view.choose(int(rows[0]))

    def _set_pixel_size(self, size: float) -> None:
        if self.labels.value is None:
            return
        try:
            names = set_pixel_size(self.viewer, self.labels.value, size)
        except UserError as error:
            self.message.show_text(str(error), trouble=True)
            return
        self.form_of_settings.pixel_size.set_number(None)
        self.message.show_text(f"Set {size:g} nm on {', '.join(repr(name) for name in names)}.")

    def _ask_where(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Export the table", "particles.csv", "Tables (*.csv)")
        if path:
            self.export(Path(path))

    def export(self, path: Path) -> None:
        """Write the table to a CSV file; one that is there is replaced, the file dialog has asked."""
        if self.table is None:
            return
        try:
            self.table.write_csv(path.with_suffix(path.suffix or ".csv"), overwrite=True)
        except UserError as error:
            self.message.show_text(str(error), trouble=True)
            return
        written = f"Wrote {counted(len(self.table), 'particle')} to '{path.name}'."
        self.message.show_text(f"{self.table.describe()}\n{written}")

    def _follow_theme(self, _event: "Event | None" = None) -> None:
        self.histogram.set_colours(*theme_colours(self.viewer))


def _measure(question: tuple[MeasureRequest, Cuts]) -> Iterator[FoundPlane]:
    """Measure the planes of a request, in the thread."""
    request, cuts = question
    return request.measure(cuts)
