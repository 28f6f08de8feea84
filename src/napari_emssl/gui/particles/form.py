"""What can be chosen in the particles dock: separation, limits, calibration; every change is announced."""

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QLabel, QPushButton, QWidget

from ...jobs.settings import MeasureSettings
from ..job.dock import hbox
from ..widgets.fields import NumberBox
from ..widgets.form import SettingsForm
from ..widgets.form_layout import RowForm

_LARGEST_PX_NM = 1e5
_LIMITS = ("min_diameter", "max_diameter")
_OTHERS = {"exclude_border": "Exclude at border", "min_pixels": "Minimum area (px)", "labels": "Labels are"}


class ParticleForm(QObject):
    """Rows for `MeasureSettings`.

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

    def __init__(self, layout: RowForm, parent: QWidget) -> None:
        super().__init__(parent)
        self._fields = SettingsForm(MeasureSettings(), ["split", *_LIMITS, *_OTHERS], parent)
        self._fields.hide()
        self.rows = self._fields.rows
        self.split = self.rows["split"].widget
        self._make_pixel_size()
        self._lay_out(layout)
        self._fields.changed.connect(self.changed)
        self.show_unit(None)

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

    def _lay_out(self, layout: RowForm) -> None:
        layout.add_row("Separation", self.split, self.split.toolTip())
        low, high = (self.rows[name].widget for name in _LIMITS)
        self._limits = QLabel()
        row = hbox(low, QLabel("to"), high)
        row.layout().setStretch(2, 1)
        layout.addRow(self._limits, row)
        for name, title in _OTHERS.items():
            layout.add_row(title, self.rows[name].widget, self.rows[name].widget.toolTip())
        layout.addRow("Pixel size (nm)", hbox(self.pixel_size, self.write))
        layout.addRow(self.calibration)

    def settings(self) -> MeasureSettings:
        """Return the settings as they stand on screen; raises `UserError` naming a field that does not fit."""
        return self._fields.settings()

    def pixel_size_nm(self, of_layer: float | None) -> float | None:
        """Return the pixel size to measure with: the one typed, or else that of the layer."""
        return self.pixel_size.number() or of_layer

    def show_unit(self, of_layer: float | None, known: str = "") -> None:
        """Say what the layer knows of its pixel size, and in which unit the limits are.

        Parameters
        ----------
        of_layer
            The pixel size in nm; None where there is none, or pixels are not square.
        known
            A remark on the layer; empty where there is no layer.
        """
        typed = self.pixel_size.number()
        used = f"{typed:.4g} nm is used." if typed else "" if of_layer else "Enter one above to get sizes in nm."
        self.calibration.setText(f"The layer {known}. {used}".rstrip() if known else "")
        self.calibration.setVisible(bool(known))
        self._limits.setText(f"Diameter ({'nm' if self.pixel_size_nm(of_layer) else 'px'})")

    def _on_pixel_size(self) -> None:
        self.write.setEnabled(self.pixel_size.number() is not None)
        self.changed.emit()
