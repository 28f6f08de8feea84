"""What a simulated image shows: the fields most people set in view, all others folded away by what they are about."""

from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QFormLayout, QPushButton, QVBoxLayout, QWidget
from superqt import QCollapsible

from ...simulation.stem.materials import MATERIALS, PROTOTYPES
from ...simulation.stem.settings import STEMSettings
from ..job.dock import hbox
from ..layers.layers import pixel_size_nm
from ..widgets.fields import Combo
from ..widgets.form import FieldRow, SettingsForm, align_labels, bounds_of, title_of
from ..widgets.pickers import layer_picker

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
    said(str, bool)
        A sentence for the user, and whether it is about trouble.

    """

    said = Signal(str, bool)

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self._fields = SettingsForm(STEMSettings(), parent=self)
        self._fields.hide()
        self.rows = self._fields.rows
        self.crystal = CrystalBox()
        self.rows["crystal"] = FieldRow(self.crystal, self.crystal.crystal, self.crystal.set_crystal)
        self._make_buttons(viewer)
        self.basic = _form()
        self.groups: dict[str, QCollapsible] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(self.basic)
        self._fill_basic()
        for title, names in GROUPS.items():
            column.addWidget(self._group(title, names))

    def _make_buttons(self, viewer: Any) -> None:
        self.cif_button = QPushButton("CIF …")
        self.cif_button.setToolTip("Take the crystal from a CIF file.")
        self.cif_button.clicked.connect(self._ask_for_cif)
        self.like = layer_picker(viewer, "Image")
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
        inside = QWidget()
        form = _form()
        inside.setLayout(form)
        for name in names:
            _add(form, name, self.rows[name].widget)
        align_labels(form)
        group = QCollapsible(title)
        group.setDuration(0)
        group.layout().setContentsMargins(0, 0, 0, 0)
        group.setContent(inside)
        group.collapse(animate=False)
        self.groups[title] = group
        return group

    def reset_choices(self, event: Any = None) -> None:
        """Read the viewer's layers anew."""
        self.like.reset_choices(event)

    def settings(self) -> STEMSettings:
        """Return the settings as they stand on screen; raises `UserError` naming a field that does not fit."""
        settings: STEMSettings = self._fields.settings()
        return settings

    def set_settings(self, settings: STEMSettings) -> None:
        """Show these settings."""
        self._fields.set_settings(settings)

    def _ask_for_cif(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Open a crystal", "", "Crystals (*.cif)")
        if path:
            self.crystal.set_crystal(path)

    def take_pixel_size(self) -> None:
        """Take the pixel size of the picked layer over, or say why that cannot be."""
        layer = self.like.value
        if layer is None:
            self.said.emit("There is no image layer whose pixel size could be taken.", True)
            return
        size, bounds = pixel_size_nm(layer), bounds_of(STEMSettings.model_fields["pixel_size_nm"])
        if size is None:
            self.said.emit(f"'{layer.name}' has no pixel size in a unit of length. Set it by hand.", True)
        elif not bounds.low <= size <= bounds.high:
            reach = f"from {bounds.low:g} to {bounds.high:g} nm can be simulated"
            self.said.emit(f"'{layer.name}' has pixels of {size:.4g} nm, but only pixels {reach}.", True)
        else:
            self.rows["pixel_size_nm"].set(float(f"{size:.6g}"))
            self.said.emit(f"Images will have the pixel size of '{layer.name}', {size:.4g} nm.", False)


class CrystalBox(Combo):
    """Crystals by name; what is written in it may be a kind of structure, and a CIF file goes by its name."""

    def __init__(self) -> None:
        super().__init__()
        self.setEditable(True)
        self.setInsertPolicy(Combo.InsertPolicy.NoInsert)
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


def _form() -> QFormLayout:
    form = QFormLayout()
    form.setContentsMargins(0, 0, 0, 0)
    form.setVerticalSpacing(4)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
    return form


def _add(form: QFormLayout, name: str, widget: QWidget) -> None:
    form.addRow(title_of(name), widget)
    form.labelForField(widget).setToolTip(str(STEMSettings.model_fields[name].description))
