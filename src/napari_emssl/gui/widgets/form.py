"""A form made from settings: one row for each field, with its bounds, its default and its description as tooltip."""

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Any, Generic, Literal, NamedTuple, Protocol, TypeVar, Union, get_args, get_origin

from magicgui.widgets import create_widget
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget

from ...errors import UserError
from ...networks.catalog import generator_names
from .fields import NumberBox, SearchBox, fit_into_dock, optional_whole_box, share_slider
from .form_layout import RowForm

_TITLES = {
    "max_seconds": "Time budget (s)",
    "patch": "Patch (px)",
    "tile": "Tile (px)",
    "halo": "Halo (px)",
    "autosave_seconds": "Autosave every (s)",
    "a_nm": "Lattice a (nm)",
    "c_nm": "Lattice c (nm)",
    "convergence_mrad": "Half angle (mrad)",
    "probe_fwhm_nm": "Probe FWHM (nm)",
}
_UNITS = {"_per_nm2": "e/nm²", "_nm": "nm", "_px": "px", "_deg": "°", "_mrad": "mrad"}
"""Units at the end of names."""
_EMPTY = {"max_diameter": "any", "max_seconds": "no limit"}
_DRAWN = "drawn for each image"
_NAMES = {"generator": generator_names()}
"""Fields that hold one of a set of names."""
_SHARES = ("learning_rate_decay", "mask_least", "split", "test", "validation")
"""Fields that are set with a slider where they are numbers from 0 to at most 1."""
_LARGEST_BOX_INTEGER = 2**31 - 1
"""Qt's own spin box counts in 32 bits."""
_LARGEST_INTEGER = 2**64
"""magicgui compares as floating point numbers, which hold this power of two and not the number before it."""
_LARGEST_NUMBER = sys.float_info.max

S = TypeVar("S", bound=BaseModel)


class _Changes(Protocol):
    """The signal of a field's changes, of Qt or of psygnal."""

    def connect(self, slot: Callable[[], None]) -> object:
        """Call `slot` after each change."""


@dataclass(frozen=True)
class FieldRow:
    """One field on screen: its widget, how to read and write it, and the signal of its changes."""

    widget: QWidget
    get: Callable[[], Any]
    set: Callable[[Any], object]
    changed: _Changes


class SettingsForm(QWidget, Generic[S]):
    """Rows for some fields of a settings object; all other fields pass through unchanged.

    Parameters
    ----------
    settings
        What the form shows at first.
    fields
        Names of the fields to show, in order; by default all.
    parent
        Owns the form.

    Signals
    -------
    changed()
        A field shows another value.

    """

    changed = Signal()

    def __init__(self, settings: S, fields: Sequence[str] = (), parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._settings = settings
        infos = type(settings).model_fields
        self.rows = {name: field_row(name, infos[name]) for name in fields or infos}
        self.form = RowForm()
        self.setLayout(self.form)
        for name, row in self.rows.items():
            self.form.add_row(field_title(name), row.widget, infos[name].description or "")
        self.set_settings(settings)
        for row in self.rows.values():
            row.changed.connect(lambda: self.changed.emit())

    def settings(self) -> S:
        """Return the settings as they stand on screen; raises `UserError` naming a field that does not fit."""
        values = self._settings.model_dump() | {name: row.get() for name, row in self.rows.items()}
        try:
            return type(self._settings).model_validate(values)
        except ValidationError as error:
            raise UserError(_describe(error)) from error

    def set_settings(self, settings: S) -> None:
        """Show other settings of the same kind."""
        self._settings = settings
        for name, row in self.rows.items():
            row.set(getattr(settings, name))


def _describe(error: ValidationError) -> str:
    """Say what does not fit, and in which field if it is a single one."""
    first = error.errors()[0]
    where = "".join(f"{field_title(str(name))}: " for name in first["loc"][:1])
    return where + first["msg"].removeprefix("Value error, ").rstrip(".") + "."


def field_title(name: str) -> str:
    """Return the label of a field, with its unit."""
    if name in _TITLES:
        return _TITLES[name]
    ending = next((ending for ending in _UNITS if name.endswith(ending)), "")
    words = name.removesuffix(ending).replace("_", " ")
    return words[:1].upper() + words[1:] + (f" ({_UNITS[ending]})" if ending else "")


def field_row(name: str, info: FieldInfo) -> FieldRow:
    """Make the widget that fits a field: its type, its bounds, and whether it may be left empty.

    It is the one of magicgui wherever that can show every value of the field; the other functions say why it cannot.
    """
    kind, optional = _unwrap(info.annotation)
    usual = "drawn" if _DRAWN in (info.description or "") else "automatic"
    empty = _EMPTY.get(name, usual) if optional else ""
    if name in _NAMES:
        return _name(_NAMES[name], empty)
    if kind is float:
        return _share(bounds_of(info)) if name in _SHARES and not optional else _number(bounds_of(info), empty)
    if kind is int and optional:
        return _optional_whole(bounds_of(info), empty)
    if not optional and (kind in (bool, int, str) or get_origin(kind) is Literal):
        return _of_magicgui(kind, bounds_of(info))
    raise TypeError(f"A form cannot show the field '{name}' of type {info.annotation}.")


class Bounds(NamedTuple):
    """What a number may be; an end without a bound is infinite."""

    low: float
    high: float
    above: bool
    """Whether `low` itself is excluded."""
    step: int


def bounds_of(info: FieldInfo) -> Bounds:
    """Collect the bounds that pydantic keeps in a field's metadata."""
    found = {name: getattr(rule, name) for rule in info.metadata for name in ("ge", "gt", "le", "multiple_of")
             if getattr(rule, name, None) is not None}  # fmt: skip
    low = found.get("ge", found.get("gt", -math.inf))
    return Bounds(low, found.get("le", math.inf), "gt" in found, int(found.get("multiple_of", 1)))


def _unwrap(annotation: object) -> tuple[object, bool]:
    """Split ``int | None`` into ``int`` and True."""
    if get_origin(annotation) in (UnionType, Union):
        kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
        return kinds[0], len(kinds) < len(get_args(annotation))
    return annotation, False


def _of_magicgui(kind: object, bounds: Bounds) -> FieldRow:
    """Take the widget that magicgui makes of a type; a whole number may be as large as any seed."""
    field = create_widget(annotation=kind, options=_whole(bounds) if kind is int else {})
    fit_into_dock(field.native)
    get = (lambda: field.value.strip()) if kind is str else field.get_value
    return FieldRow(field.native, get, lambda value: setattr(field, "value", value), field.changed)


def _whole(bounds: Bounds) -> dict[str, int | None]:
    """Range and step of a whole number; where any number will do, its step adapts to its size."""
    high = int(min(bounds.high, _LARGEST_INTEGER))
    return {"min": int(bounds.low) + bounds.above, "max": high, "step": bounds.step if bounds.step > 1 else None}


def _optional_whole(bounds: Bounds, empty: str) -> FieldRow:
    low, high = int(bounds.low) + bounds.above, int(min(bounds.high, _LARGEST_BOX_INTEGER))
    box = optional_whole_box(low, high, bounds.step, empty)

    def get() -> int | None:
        return int(box.value()) if box.value() >= low else None

    return FieldRow(box, get, lambda n: box.setValue(box.minimum() if n is None else n), box.valueChanged)


def _number(bounds: Bounds, empty: str) -> FieldRow:
    high = min(bounds.high, _LARGEST_NUMBER)
    if empty:
        box = NumberBox(bounds.low if bounds.above else bounds.low - 1, high, empty)
    else:
        box = NumberBox(bounds.low + (1e-12 if bounds.above else 0), high)
    return FieldRow(box, box.number, box.set_number, box.valueChanged)


def _share(bounds: Bounds) -> FieldRow:
    slider = share_slider(bounds.low, bounds.high)
    return FieldRow(slider, slider.value, slider.setValue, slider.valueChanged)


def _name(names: Sequence[str], empty: str) -> FieldRow:
    """Let one of many names be searched for: magicgui has no such box."""
    box = SearchBox()
    values = [*([None] if empty else []), *names]
    for value in values:
        box.addItem(empty if value is None else value, value)
    return FieldRow(box, box.currentData, lambda name: box.setCurrentIndex(values.index(name)), box.currentIndexChanged)
