"""A form made from settings: one row a field, with its bounds, its default and its sentence as tooltip."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from qtpy.QtWidgets import QCheckBox, QFormLayout, QLineEdit, QWidget

from ...errors import UserError
from ...networks.catalog import generator_names
from .fields import Combo, IntegerBox, NumberBox

_TITLES = {
    "max_seconds": "Time budget (s)",
    "patch": "Patch (px)",
    "autosave_seconds": "Autosave every (s)",
    "a_nm": "Lattice a (nm)",
    "c_nm": "Lattice c (nm)",
    "probe_fwhm_nm": "Probe FWHM (nm)",
}
_UNITS = {"_per_nm2": "e/nm²", "_nm": "nm", "_px": "px", "_deg": "°", "_mrad": "mrad"}
"""Units at the end of names."""
_EMPTY = {"max_seconds": "no limit"}
_DRAWN = "drawn for each image"
_NAMES = {"generator": generator_names()}
"""Fields that hold one of a set of names."""
_LARGEST_INTEGER = 2**31 - 1
_LARGEST_NUMBER = 1e9


@dataclass(frozen=True)
class FieldRow:
    """One field on screen: its widget and how to read and write it."""

    widget: Any
    get: Callable[[], Any]
    set: Callable[[Any], None]


class SettingsForm(QWidget):
    """Rows for some fields of a settings object; all other fields pass through unchanged.

    Parameters
    ----------
    settings
        What the form shows at first.
    fields
        Names of the fields to show, in order; by default all.

    """

    def __init__(self, settings: BaseModel, fields: Sequence[str] = (), parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._settings = settings
        infos = type(settings).model_fields
        self.rows = {name: row_of(name, infos[name]) for name in fields or infos}
        layout = QFormLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        for name, row in self.rows.items():
            row.widget.setToolTip(infos[name].description or "")
            layout.addRow(title_of(name), row.widget)
            layout.labelForField(row.widget).setToolTip(infos[name].description or "")
        self.set_settings(settings)

    def settings(self) -> Any:
        """Return the settings as they stand on screen; raises `UserError` naming a field that does not fit."""
        values = self._settings.model_dump() | {name: row.get() for name, row in self.rows.items()}
        try:
            return type(self._settings).model_validate(values)
        except ValidationError as error:
            raise UserError(_sentence(error)) from error

    def set_settings(self, settings: BaseModel) -> None:
        """Show other settings of the same kind."""
        self._settings = settings
        for name, row in self.rows.items():
            row.set(getattr(settings, name))


def align_labels(*forms: QFormLayout) -> None:
    """Give the labels of several forms one width, so that forms below each other look like one."""
    rows = [form.itemAt(row, QFormLayout.ItemRole.LabelRole) for form in forms for row in range(form.rowCount())]
    labels = [item.widget() for item in rows if item is not None]
    width = max((label.sizeHint().width() for label in labels), default=0)
    for label in labels:
        label.setMinimumWidth(width)


def _sentence(error: ValidationError) -> str:
    """Say what does not fit, and in which field if it is a single one."""
    first = error.errors()[0]
    where = "".join(f"{title_of(str(name))}: " for name in first["loc"][:1])
    return where + first["msg"].removeprefix("Value error, ").rstrip(".") + "."


def title_of(name: str) -> str:
    """Return the label of a field, with its unit."""
    if name in _TITLES:
        return _TITLES[name]
    ending = next((ending for ending in _UNITS if name.endswith(ending)), "")
    words = name.removesuffix(ending).replace("_", " ")
    return words[:1].upper() + words[1:] + (f" ({_UNITS[ending]})" if ending else "")


def row_of(name: str, info: FieldInfo) -> FieldRow:
    """Make the widget that fits a field: its type, its bounds, and whether it may be left empty."""
    kind, optional = _unwrap(info.annotation)
    if kind is bool:
        box = QCheckBox()
        return FieldRow(box, box.isChecked, box.setChecked)
    if get_origin(kind) is Literal:
        return _choice(get_args(kind))
    usual = "drawn" if _DRAWN in (info.description or "") else "automatic"
    empty = _EMPTY.get(name, usual) if optional else ""
    if name in _NAMES:
        return _choice((None, *_NAMES[name]) if optional else _NAMES[name], empty)
    if kind in (int, float):
        return _number(kind, bounds_of(info), empty)
    if kind is str:
        return _text(optional, empty)
    raise TypeError(f"A form cannot show the field '{name}' of type {info.annotation}.")


class Bounds(NamedTuple):
    """What a number may be."""

    low: float
    high: float
    above: bool
    """Whether `low` itself is excluded."""
    step: int


def bounds_of(info: FieldInfo) -> Bounds:
    """Collect the bounds that pydantic keeps in a field's metadata."""
    found = {name: getattr(rule, name) for rule in info.metadata for name in ("ge", "gt", "le", "multiple_of")
             if getattr(rule, name, None) is not None}  # fmt: skip
    low = found.get("ge", found.get("gt", -_LARGEST_NUMBER))
    return Bounds(low, found.get("le", _LARGEST_NUMBER), "gt" in found, int(found.get("multiple_of", 1)))


def _unwrap(annotation: Any) -> tuple[Any, bool]:
    """Split ``int | None`` into ``int`` and True."""
    if get_origin(annotation) in (UnionType, Union):
        kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
        return kinds[0], len(kinds) < len(get_args(annotation))
    return annotation, False


def _number(kind: type, bounds: Bounds, empty: str) -> FieldRow:
    box: Any
    if kind is int:
        high = int(min(bounds.high, _LARGEST_INTEGER))
        box = IntegerBox(int(bounds.low) + bounds.above, high, bounds.step, empty)
    elif empty:
        box = NumberBox(bounds.low if bounds.above else bounds.low - 1, bounds.high, empty)
    else:
        box = NumberBox(bounds.low + (1e-12 if bounds.above else 0), bounds.high)
    return FieldRow(box, box.number, box.set_number)


def _choice(values: tuple[Any, ...], empty: str = "") -> FieldRow:
    box = Combo()
    for value in values:
        box.addItem(empty if value is None else str(value), value)
    return FieldRow(box, box.currentData, lambda value: box.setCurrentIndex(values.index(value)))


def _text(optional: bool, empty: str) -> FieldRow:
    box = QLineEdit()
    box.setPlaceholderText(empty)
    return FieldRow(
        box, lambda: box.text().strip() or (None if optional else ""), lambda value: box.setText(value or "")
    )
