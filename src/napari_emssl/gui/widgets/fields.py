"""Form fields: spin boxes that keep every digit and can be left empty, combo boxes that stay narrow."""

import math
from typing import Any

from qtpy.QtGui import QValidator
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QFormLayout, QSizePolicy, QSpinBox, QWidget

_ALL_DECIMALS = 323


class RowForm(QFormLayout):
    """Rows of a label and a field, close together; the fields take the room."""

    def __init__(self) -> None:
        super().__init__()
        self.setContentsMargins(0, 0, 0, 0)
        self.setVerticalSpacing(4)
        self.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)

    def add_row(self, label: str, widget: QWidget, tooltip: str = "") -> None:
        """Add a row; its tooltip shows over label and field."""
        self.addRow(label, widget)
        if tooltip:
            widget.setToolTip(tooltip)
            self.labelForField(widget).setToolTip(tooltip)


class WheelShy:
    """Leaves the mouse wheel to the scroll area unless the box has the focus."""

    def wheelEvent(self, event: Any) -> None:
        """Turn the wheel only where the user has clicked."""
        if self.hasFocus():  # type: ignore[attr-defined]
            super().wheelEvent(event)  # type: ignore[misc]
        else:
            event.ignore()


class IntegerBox(WheelShy, QSpinBox):
    """A spin box for whole numbers; where `empty` is given, its lowest position shows that word and means None."""

    def __init__(self, low: int, high: int, step: int = 1, empty: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._empty = bool(empty)
        self.setRange(low - 1 if empty else low, high)
        self.setSingleStep(step)
        self.setSpecialValueText(empty)
        self.setKeyboardTracking(False)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def number(self) -> int | None:
        """Return the number, or None where the box is empty."""
        return None if self._empty and self.value() == self.minimum() else int(self.value())

    def set_number(self, number: int | None) -> None:
        """Show a number; None empties the box."""
        self.setValue(self.minimum() if number is None else number)


class NumberBox(WheelShy, QDoubleSpinBox):
    """A spin box for real numbers that shows 2e-4 as it is; steps go 1, 2, 5, 10.

    Qt rounds values to a fixed number of decimals, so all of them are kept and only the text is short.
    """

    def __init__(self, low: float, high: float, empty: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._empty = empty
        self.setDecimals(_ALL_DECIMALS)
        self.setRange(low, high)
        self.setSpecialValueText(empty)
        self.setKeyboardTracking(False)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def number(self) -> float | None:
        """Return the number, or None where the box is empty."""
        return None if self._empty and self.value() == self.minimum() else float(self.value())

    def set_number(self, number: float | None) -> None:
        """Show a number; None empties the box."""
        self.setValue(self.minimum() if number is None else number)

    def textFromValue(self, value: float) -> str:
        """Write the shortest text that reads back as the same number."""
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)

    def valueFromText(self, text: str) -> float:
        """Read a number in plain or scientific notation."""
        try:
            return float(text)
        except ValueError:
            return float(self.minimum())

    def validate(self, text: str, position: int) -> Any:
        """Accept what reads as a number within the range, and the beginning of one while it is typed."""
        if self._empty and self._empty.startswith(text):
            state = QValidator.State.Acceptable if text == self._empty else QValidator.State.Intermediate
            return state, text, position
        try:
            fits = self.minimum() <= float(text) <= self.maximum()
        except ValueError:
            begun = set(text) <= set("0123456789.eE+-")
            return (QValidator.State.Intermediate if begun else QValidator.State.Invalid), text, position
        return (QValidator.State.Acceptable if fits else QValidator.State.Intermediate), text, position

    def stepBy(self, steps: int) -> None:
        """Go up or down the row 1, 2, 5, 10, 20, ..."""
        for _ in range(abs(steps)):
            self.setValue(_neighbour(self.value(), steps > 0))

    def sizeHint(self) -> Any:
        """Ask for room for a dozen characters instead of 323 decimals."""
        hint = super().sizeHint()
        hint.setWidth(self.fontMetrics().horizontalAdvance("0" * 14) + 40)
        return hint

    def minimumSizeHint(self) -> Any:
        """Ask for as little as for a short number."""
        hint = super().minimumSizeHint()
        hint.setWidth(self.fontMetrics().horizontalAdvance("0" * 8) + 40)
        return hint


def _neighbour(value: float, up: bool) -> float:
    """Return the next number of the row 1, 2, 5, 10, ... above or below `value`."""
    if value <= 0:
        return 1e-3 if up else value
    decade = math.floor(math.log10(value))
    row = [float(f"{digit}e{e}") for e in (decade - 1, decade, decade + 1) for digit in (1, 2, 5)]
    if up:
        return min(number for number in row if number > value * (1 + 1e-9))
    return max(number for number in row if number < value * (1 - 1e-9))


class Combo(WheelShy, QComboBox):
    """A combo box that does not widen the dock and ignores a wheel turned over it by accident."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        stay_narrow(self)


def stay_narrow(box: Any) -> None:
    """Long names are cut in the box and whole in its list, instead of making the dock wide."""
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(8)
    box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
