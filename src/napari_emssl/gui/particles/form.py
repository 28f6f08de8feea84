"""What can be chosen in the particles dock: separation, limits, calibration; every change is announced."""

from typing import Any

from qtpy.QtCore import QObject, Qt, Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QFormLayout, QLabel, QPushButton, QWidget
from superqt import QLabeledDoubleSlider

from ...jobs.settings import MeasureSettings
from ..job.dock import hbox
from ..widgets.fields import NumberBox
from ..widgets.form import SettingsForm, bounds_of

_LARGEST_PX_NM = 1e5
_LIMITS = ("min_diameter", "max_diameter")
_OTHERS = ("exclude_border", "labels")
_SHORT = {"exclude_border": "Leave out at border", "labels": "Labels are"}


class ParticleForm(QObject):
    """Rows for `MeasureSettings`, with a slider for the separation.

    Parameters
    ----------
    layout
        The form the rows are added to.
    parent
        Owns what is made here.

    Signals
    -------
    changed()
        A value is another one now.
    size_wanted(float)
        The pixel size, in nm, is to be written into the layers.

    """

    changed = Signal()
    size_wanted = Signal(float)

    def __init__(self, layout: QFormLayout, parent: QWidget) -> None:
        super().__init__(parent)
        self._fields = SettingsForm(MeasureSettings(), [*_LIMITS, *_OTHERS], parent)
        self._fields.hide()
        self.rows = self._fields.rows
        self._make_slider()
        self._make_pixel_size()
        self._lay_out(layout)
        for row in self.rows.values():
            _signal_of(row.widget).connect(lambda *_: self.changed.emit())
        self.show_unit(None)

    def _make_slider(self) -> None:
        field = MeasureSettings.model_fields["split"]
        bounds = bounds_of(field)
        self.split = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
        self.split.setRange(bounds.low, bounds.high)
        self.split.setSingleStep(0.01)
        self.split.setDecimals(2)
        self.split.setValue(MeasureSettings().split)
        self.split.setToolTip(str(field.description))
        self.split.valueChanged.connect(lambda _: self.changed.emit())

    def _make_pixel_size(self) -> None:
        self.pixel_size = NumberBox(0.0, _LARGEST_PX_NM, "auto")
        self.pixel_size.set_number(None)
        self.pixel_size.setToolTip("Pixel size in nm to measure with; by default that of the labels layer.")
        self.pixel_size.valueChanged.connect(self._on_pixel_size)
        self.write = QPushButton("Set on layers")
        self.write.setToolTip("Write this pixel size into the labels layer and all layers on the same grid.")
        self.write.clicked.connect(lambda: self.size_wanted.emit(self.pixel_size.value()))
        self.write.setEnabled(False)
        self.calibration = QLabel()
        self.calibration.setWordWrap(True)

    def _lay_out(self, layout: QFormLayout) -> None:
        layout.addRow("Separation", self.split)
        low, high = (self.rows[name].widget for name in _LIMITS)
        self._limits = QLabel()
        to = QLabel("to")
        row = hbox(low, to, high)
        row.layout().setStretch(2, 1)
        layout.addRow(self._limits, row)
        for name in _OTHERS:
            layout.addRow(_SHORT[name], self.rows[name].widget)
        layout.addRow("Pixel size (nm)", hbox(self.pixel_size, self.write))
        layout.addRow(self.calibration)
        high.setSpecialValueText("any")

    def settings(self) -> MeasureSettings:
        """Return the settings as they stand on screen; raises `UserError` naming a field that does not fit."""
        fields: MeasureSettings = self._fields.settings()
        return fields.model_copy(update={"split": round(self.split.value(), 4)})

    def pixel_size_nm(self, of_layer: float | None) -> float | None:
        """Return the pixel size to measure with: the one typed, or else that of the layer."""
        return self.pixel_size.number() or of_layer

    def show_unit(self, of_layer: float | None) -> None:
        """Say what the layer knows of its pixel size, and in which unit the limits are."""
        known = f"The layer has pixels of {of_layer:.4g} nm." if of_layer else "The layer has no pixel size."
        typed = self.pixel_size.number()
        self.calibration.setText(f"{known} {typed:.4g} nm is used." if typed else known)
        self._limits.setText(f"Diameter ({'nm' if self.pixel_size_nm(of_layer) else 'px'})")

    def _on_pixel_size(self) -> None:
        self.write.setEnabled(self.pixel_size.number() is not None)
        self.changed.emit()


def _signal_of(widget: Any) -> Any:
    """Return the signal by which a field tells that it has changed."""
    if isinstance(widget, QCheckBox):
        return widget.toggled
    return widget.currentIndexChanged if isinstance(widget, QComboBox) else widget.valueChanged
