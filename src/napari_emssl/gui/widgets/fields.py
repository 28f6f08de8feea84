"""Fields that magicgui and superqt do not have, and settings that make theirs fit into a narrow dock."""

import math
from collections.abc import Mapping

from qtpy.QtCore import QEvent, QObject, QSize, Qt
from qtpy.QtGui import QResizeEvent, QValidator
from qtpy.QtWidgets import (
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QDoubleSpinBox,
    QSizePolicy,
    QSpinBox,
    QWidget,
)
from superqt import QLabeledDoubleSlider, QSearchableComboBox

from .long_names import end_long_names

_ALL_DECIMALS = 323
_SHARE_STEP, _SHARE_PAGE, _SHARE_DECIMALS = 0.01, 0.1, 2


class _WheelGuard(QObject):
    """Ignores the wheel over a widget without the focus, so that a dock can be scrolled past its fields.

    Qt's boxes and sliders take every turn of the wheel above them, and magicgui and superqt change nothing about that:
    tests `test_the_wheel_changes_no_field_*`.
    """

    def eventFilter(self, watched: QWidget, event: QEvent) -> bool:
        """Pass the event on to the scroll area."""
        if event.type() != QEvent.Type.Wheel or watched.hasFocus():
            return False
        event.ignore()
        return True


_GUARD = _WheelGuard()
"""One for all widgets; a filter of Qt does not keep its object alive."""


def guard_wheel(widget: QWidget) -> None:
    """Let the mouse wheel change a field only after a click into it; turning the wheel does not give it the focus."""
    for part in (widget, *widget.findChildren(QAbstractSlider)):
        part.installEventFilter(_GUARD)
        if part.focusPolicy() == Qt.FocusPolicy.WheelFocus:
            part.setFocusPolicy(Qt.FocusPolicy.StrongFocus)


def fit_into_dock(widget: QWidget) -> None:
    """Let a field take the available width, and ignore the wheel until it is clicked."""
    guard_wheel(widget)
    if isinstance(widget, QComboBox):
        stay_narrow(widget)
    elif isinstance(widget, QAbstractSpinBox):
        widget.setKeyboardTracking(False)
        widget.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)


def stay_narrow(box: QComboBox) -> None:
    """Cut long names in the box, but not in its list, instead of making the dock wide; its tooltip tells all of one."""
    end_long_names(box)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(8)
    box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)


def combo_box(choices: Mapping[str, object], hints: Mapping[str, str] | None = None) -> QComboBox:
    """Return a combo box for a dock.

    Parameters
    ----------
    choices
        The data of each entry, by its text.
    hints
        Tooltips of entries in the open list, by their text.

    """
    box = QComboBox()
    for row, (text, value) in enumerate(choices.items()):
        box.addItem(text, value)
        box.setItemData(row, (hints or {}).get(text), Qt.ItemDataRole.ToolTipRole)
    fit_into_dock(box)
    return box


class SearchBox(QSearchableComboBox):
    """A combo box in which an entry is found by typing a part of its text.

    Text that names no entry is replaced by the picked entry when the box loses the focus; superqt keeps it, as if it
    were picked (test `test_a_searchable_box_of_superqt_*`).
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.lineEdit().textEdited.connect(self._dress_list)
        self.lineEdit().editingFinished.connect(self._settle)
        self.currentIndexChanged.connect(self._show_beginning)
        fit_into_dock(self)

    def _settle(self) -> None:
        if self.currentText() != self.itemText(self.currentIndex()):
            typed = self.currentText().strip().casefold()
            found = [row for row in range(self.count()) if typed and typed in self.itemText(row).casefold()]
            self.setCurrentIndex(found[0] if len(found) == 1 else self.currentIndex())
            self.setEditText(self.itemText(self.currentIndex()))
        self._show_beginning()

    def _dress_list(self, _: str = "") -> None:
        """Give the list of what was found the theme of the viewer: Qt shows it outside of any window."""
        top: QWidget = self
        while top.parentWidget() is not None:
            top = top.parentWidget()
        found = self.completer().popup()
        if found.styleSheet() != top.styleSheet():
            found.setStyleSheet(top.styleSheet())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Qt scrolls to the end of a name that no longer fits."""
        super().resizeEvent(event)
        if not self.lineEdit().hasFocus():
            self._show_beginning()

    def _show_beginning(self, _: int = 0) -> None:
        """Cut a long name at its end."""
        self.lineEdit().setCursorPosition(0)


def share_slider(low: float, high: float) -> QLabeledDoubleSlider:
    """Return a slider for a share between 0 and 1; dragging moves it by hundredths, its label takes any value."""
    slider = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
    slider.setRange(low, high)
    slider.setSingleStep(_SHARE_STEP)
    slider.setPageStep(_SHARE_PAGE)
    slider.setDecimals(_SHARE_DECIMALS)
    slider.sliderMoved.connect(lambda value: slider.setValue(round(value, _SHARE_DECIMALS)))
    guard_wheel(slider)
    return slider


def optional_whole_box(low: int, high: int, step: int, empty: str) -> QSpinBox:
    """Return a spin box for a whole number or none.

    Parameters
    ----------
    low, high
        The range of the number.
    step
        Step of the arrows; where it is 1, it adapts to the size of the number.
    empty
        Word that stands for no number, one step below `low`.

    Notes
    -----
    magicgui's spin box refuses None (test `test_spin_boxes_of_magicgui_*`), and superqt's has no word to show instead.
    """
    box = QSpinBox()
    box.setRange(low - step, high)
    box.setSingleStep(step)
    box.setSpecialValueText(empty)
    box.setCorrectionMode(QAbstractSpinBox.CorrectionMode.CorrectToNearestValue)
    if step == 1:
        box.setStepType(QAbstractSpinBox.StepType.AdaptiveDecimalStepType)
    fit_into_dock(box)
    return box


class NumberBox(QDoubleSpinBox):
    """A spin box for real numbers that shows 2e-4 as it is and can be empty; steps go 1, 2, 5, 10.

    magicgui's spin box rounds to the decimals of its step: with an adaptive step 2e-4 becomes 0.0, and with a step so
    small that every digit is kept it is written 0.000200000000. It refuses None, too (tests
    `test_spin_boxes_of_magicgui_*`). So all decimals are kept here and only the text is short.

    Parameters
    ----------
    low, high
        The range; where the box may be empty, `low` itself stands for that.
    empty
        Word shown where there is no number; empty where there always is one.

    """

    def __init__(self, low: float, high: float, empty: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._empty = empty
        self.setDecimals(_ALL_DECIMALS)
        self.setRange(low, high)
        self.setSpecialValueText(empty)
        fit_into_dock(self)

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
        """Read a number in plain or scientific notation, whose decimal sign may be a comma."""
        try:
            return float(_with_point(text))
        except ValueError:
            return float(self.minimum())

    def validate(self, text: str, position: int) -> tuple[QValidator.State, str, int]:
        """Accept what reads as a number within the range, and the beginning of one while it is typed."""
        if self._empty and self._empty.startswith(text):
            state = QValidator.State.Acceptable if text == self._empty else QValidator.State.Intermediate
            return state, text, position
        try:
            fits = self.minimum() <= float(_with_point(text)) <= self.maximum()
        except ValueError:
            begun = set(text) <= set("0123456789.,eE+-")
            return (QValidator.State.Intermediate if begun else QValidator.State.Invalid), text, position
        return (QValidator.State.Acceptable if fits else QValidator.State.Intermediate), text, position

    def stepBy(self, steps: int) -> None:
        """Go up or down the row 1, 2, 5, 10, 20, ..."""
        for _ in range(abs(steps)):
            self.setValue(_neighbour(self.value(), steps > 0))

    def sizeHint(self) -> QSize:
        """Ask for room for a dozen characters instead of 323 decimals."""
        hint = super().sizeHint()
        hint.setWidth(self.fontMetrics().horizontalAdvance("0" * 14) + 40)
        return hint

    def minimumSizeHint(self) -> QSize:
        """Ask for as little as for a short number."""
        hint = super().minimumSizeHint()
        hint.setWidth(self.fontMetrics().horizontalAdvance("0" * 8) + 40)
        return hint


def _with_point(text: str) -> str:
    """A number as Python reads it: keyboards of half the world have a comma for its decimal sign."""
    return text.replace(",", ".", 1)


def _neighbour(value: float, up: bool) -> float:
    """Return the next number of the row 1, 2, 5, 10, ... above or below `value`."""
    if value <= 0:
        return 1e-3 if up else value
    decade = math.floor(math.log10(value))
    row = [float(f"{digit}e{e}") for e in (decade - 1, decade, decade + 1) for digit in (1, 2, 5)]
    if up:
        return min(number for number in row if number > value * (1 + 1e-9))
    return max(number for number in row if number < value * (1 - 1e-9))
