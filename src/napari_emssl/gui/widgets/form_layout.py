"""Layout of labelled fields in a dock: rows, labels of one width, and sections that are folded away."""

from qtpy.QtCore import Qt
from qtpy.QtGui import QIcon, QPixmap
from qtpy.QtWidgets import QFormLayout, QWidget
from superqt import QCollapsible

_FOLD_SPACING_PX = 4
_ARROWS = {False: "▸", True: "▾"}


class RowForm(QFormLayout):
    """Rows of a label and a field, close together; the fields take the remaining width."""

    def __init__(self) -> None:
        super().__init__()
        self.setContentsMargins(0, 0, 0, 0)
        self.setVerticalSpacing(4)
        self.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)

    def add_row(self, label: str, widget: QWidget, tooltip: str = "") -> None:
        """Add a row.

        Parameters
        ----------
        label
            Text on the left.
        widget
            The field.
        tooltip
            Sentence shown over label and field; where there is none, the field keeps its own.

        """
        self.addRow(label, widget)
        if tooltip:
            widget.setToolTip(tooltip)
            self.labelForField(widget).setToolTip(tooltip)


def align_labels(*forms: QFormLayout) -> None:
    """Give the labels of several forms one width, so that forms below each other look like one."""
    rows = [form.itemAt(row, QFormLayout.ItemRole.LabelRole) for form in forms for row in range(form.rowCount())]
    labels = [item.widget() for item in rows if item is not None]
    width = max((label.sizeHint().width() for label in labels), default=0)
    for label in labels:
        label.setMinimumWidth(width)


def folded(title: str, *contents: QWidget) -> QCollapsible:
    """Fold widgets away below a title; they appear at once, as an animation would move everything below them.

    The arrow is a part of the title: superqt draws its icon once, in a colour that a dark theme swallows.
    """
    nothing = QPixmap(1, 1)
    nothing.fill(Qt.GlobalColor.transparent)
    icon = QIcon(nothing)  # an empty one is false to PySide6, and superqt takes that for none
    fold = QCollapsible(title, expandedIcon=icon, collapsedIcon=icon)
    fold.toggleButton().setIconSize(nothing.size())
    fold.setDuration(0)
    fold.layout().setContentsMargins(0, 0, 0, 0)
    fold.layout().setSpacing(_FOLD_SPACING_PX)
    inside = fold.content().layout()
    inside.setContentsMargins(0, 0, 0, 0)
    inside.setSpacing(_FOLD_SPACING_PX)
    for content in contents:
        fold.addWidget(content)
    fold.toggled.connect(lambda opened: fold.setText(f"{_ARROWS[opened]} {title}"))
    fold.collapse(animate=False)
    return fold
