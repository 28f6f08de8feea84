"""What a simulated image shows: the fields that most people set, and all others folded away in groups."""

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QPushButton, QVBoxLayout, QWidget
from superqt import QCollapsible, QSearchableComboBox

from ...simulation.stem.materials import MATERIALS, PROTOTYPES
from ...simulation.stem.settings import STEMSettings
from ..job.dock import hbox
from ..layers.calibration import pixel_of
from ..layers.layers import placement
from ..widgets.fields import fit_into_dock
from ..widgets.form import FieldRow, SettingsForm, bounds_of, field_title
from ..widgets.form_layout import RowForm, folded
from ..widgets.pickers import layer_picker

if TYPE_CHECKING:
    from napari.utils.events import Event
    from napari.viewer import Viewer

_LIKE_CHARACTERS = 4
"""The least that is shown of the name of a layer beside a wide button."""
BASIC = ("crystal", "specimen", "thickness_nm", "pixel_size_nm", "dose_per_nm2", "size_px")
GROUPS = {
    "Crystal": (
        "zone_axis", "elements", "a_nm", "c_nm", "layers", "diameter_nm", "tilt_deg", "vacancies", "disorder_nm",
        "z_exponent",
    ),
    "Probe": (
        "probe_fwhm_nm", "probe_ellipticity", "probe_tails", "defocus_nm", "focal_spread_nm", "convergence_mrad",
    ),
    "Surroundings": ("background", "carbon_nm"),
    "Scan and detector": (
        "flicker", "gain_spread", "read_noise", "lag", "smoothing_px", "hot_pixels", "line_jitter_nm", "drift_nm",
        "flyback_nm",
    ),
    "Masks": ("mask_radius_nm", "mask_least"),
}  # fmt: skip
"""Fields that are folded away, by title."""


class SimulateForm(QWidget):
    """Fields for `STEMSettings`.

    Signals
    -------
    reported(str, bool)
        A sentence for the user, and whether something is wrong.

    """

    reported = Signal(str, bool)

    def __init__(self, viewer: "Viewer") -> None:
        super().__init__()
        self._fields = SettingsForm(STEMSettings(), parent=self)
        self._fields.hide()
        self.rows = self._fields.rows
        self.crystal = CrystalBox()
        self.rows["crystal"] = FieldRow(
            self.crystal, self.crystal.crystal, self.crystal.set_crystal, self.crystal.currentTextChanged
        )
        self._make_buttons(viewer)
        self.basic = RowForm()
        self.forms = [self.basic]
        self.groups: dict[str, QCollapsible] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(self.basic)
        self._fill_basic()
        for title, names in GROUPS.items():
            column.addWidget(self._group(title, names))

    def _make_buttons(self, viewer: "Viewer") -> None:
        self.cif_button = QPushButton("CIF …")
        self.cif_button.setToolTip("Read the crystal from a CIF file.")
        self.cif_button.clicked.connect(self._ask_for_cif)
        self.like = layer_picker(viewer, "Image")
        self.like.native.setMinimumContentsLength(_LIKE_CHARACTERS)
        self.take_button = QPushButton("Take pixel size")
        self.take_button.setToolTip("Simulate with the pixel size of this layer, so that models learn its scale.")
        self.take_button.clicked.connect(self.take_pixel_size)

    def _fill_basic(self) -> None:
        for name in BASIC:
            widget = self.rows[name].widget
            _add(self.basic, name, hbox(widget, self.cif_button) if name == "crystal" else widget)
            if name == "pixel_size_nm":
                self.basic.addRow("As in layer", hbox(self.like.native, self.take_button))

    def _group(self, title: str, names: tuple[str, ...]) -> QCollapsible:
        """Fold some fields away."""
        inside, form = QWidget(), RowForm()
        inside.setLayout(form)
        for name in names:
            _add(form, name, self.rows[name].widget)
        self.forms.append(form)
        self.groups[title] = folded(title, inside)
        return self.groups[title]

    def reset_choices(self, event: "Event | None" = None) -> None:
        """Read the viewer's layers again."""
        self.like.reset_choices(event)

    def settings(self) -> STEMSettings:
        """Return the settings as they stand on screen; raises `UserError` naming a field that does not fit."""
        return self._fields.settings()

    def set_settings(self, settings: STEMSettings) -> None:
        """Show these settings."""
        self._fields.set_settings(settings)

    def _ask_for_cif(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Open a crystal", "", "Crystals (*.cif)")
        if path:
            self.crystal.set_crystal(path)

    def take_pixel_size(self) -> None:
        """Use the pixel size of the picked layer, or say why that is not possible."""
        layer = self.like.value
        if layer is None:
            self.reported.emit("There is no image layer whose pixel size could be used.", True)
            return
        pixel, bounds = pixel_of(placement(layer)), bounds_of(STEMSettings.model_fields["pixel_size_nm"])
        size = pixel.edge
        if size is None:
            self.reported.emit(f"'{layer.name}' {pixel.description}. Set it by hand.", True)
        elif not bounds.low <= size <= bounds.high:
            reach = f"from {bounds.low:g} to {bounds.high:g} nm can be simulated"
            self.reported.emit(f"'{layer.name}' has pixels of {size:.4g} nm, but only pixels {reach}.", True)
        else:
            self.rows["pixel_size_nm"].set(float(f"{size:.6g}"))
            self.reported.emit(f"Images will have the pixel size of '{layer.name}', {size:.4g} nm.", False)


class CrystalBox(QSearchableComboBox):
    """Crystals by name; a kind of structure may be typed in, and a CIF file is shown by its file name."""

    def __init__(self) -> None:
        super().__init__()
        fit_into_dock(self)
        self.addItem("varied")
        self.addItems(MATERIALS)
        self.insertSeparator(self.count())
        self.addItems(PROTOTYPES)
        self.setToolTip(str(STEMSettings.model_fields["crystal"].description))

    def crystal(self) -> str:
        """Return the name, or the path of the CIF file."""
        row = self.findText(self.currentText())
        return str((self.itemData(row) if row >= 0 else None) or self.currentText().strip())

    def set_crystal(self, crystal: str) -> None:
        """Show a name, or of a path the last part."""
        text = Path(crystal).name if crystal.lower().endswith(".cif") else crystal
        if text != crystal:
            row = self.findText(text)
            if row < 0:
                self.addItem(text)
                row = self.count() - 1
            self.setItemData(row, crystal)
        self.setCurrentText(text)


def _add(form: RowForm, name: str, widget: QWidget) -> None:
    form.addRow(field_title(name), widget)
    form.labelForField(widget).setToolTip(str(STEMSettings.model_fields[name].description))
