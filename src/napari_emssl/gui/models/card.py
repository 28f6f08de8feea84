"""What a model's card says, as a page to read and to copy."""

from collections.abc import Iterable, Mapping
from html import escape

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QHBoxLayout, QPushButton, QSizePolicy, QTextBrowser, QVBoxLayout, QWidget

from ...formatting import counted, duration
from ...models.card import context_of, more_on_data, objects_of
from ...models.model_file import Card, Stage
from .rows import ZooRow

_TASKS = {
    "reconstruct": "reconstruct: a generator, a start for fine-tuning",
    "segment": "segment: labels for every pixel",
    "denoise": "denoise",
    "remove-background": "remove noise and background",
    "super-resolve": "super-resolve",
}
_NONE = "<p>No model is chosen. Clear the search, or choose all tasks, to see every model.</p>"
_NOT_KEPT = ("start", "generator", "width", "refine", "norm", "task", "device")
"""Settings that the card says elsewhere, or that made no difference."""


class CardView(QWidget):
    """The card of one model; its text can be marked, and copied as a whole."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown = ""
        self.page = QTextBrowser()
        self.page.setOpenExternalLinks(True)
        self.page.setMinimumHeight(150)
        self.page.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.page.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Expanding)
        self.copy_button = QPushButton("Copy card")
        self.copy_button.setToolTip("Copy the whole text, for a report or an issue.")
        self.copy_button.clicked.connect(self.copy)
        below = QHBoxLayout()
        below.addStretch(1)
        below.addWidget(self.copy_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.page, 1)
        layout.addLayout(below)

    def show_row(self, row: ZooRow | None) -> None:
        """Show the card of a model, or that there is none; one that is shown already stays where it was scrolled to."""
        page = _NONE if row is None else page_of(row)
        if page != self._shown:
            self._shown = page
            self.page.setHtml(page)
        self.copy_button.setEnabled(row is not None)

    def copy(self) -> None:
        """Put the text into the clipboard."""
        QApplication.clipboard().setText(self.page.toPlainText())


def page_of(row: ZooRow) -> str:
    """Return all that is known of a model, as HTML without colours of its own."""
    parts = [f"<b>{escape(row.name)}</b>"]
    if row.trouble:
        parts.append(f"<p>{escape(row.trouble)}</p><p>Delete it, or put a good copy in its place.</p>")
    if row.description:
        parts.append(f"<p>{escape(row.description)}</p>")
    parts.append(_table(_facts(row)))
    if row.card is not None:
        parts += [_stage(number, stage) for number, stage in enumerate(row.card.history, start=1)]
        if not row.card.history:
            parts.append("<p>How it was made is not known: its card has no history.</p>")
    return "".join(parts)


def _facts(row: ZooRow) -> dict[str, str]:
    """What a model is."""
    weights = f", weights as {row.card.storage}" if row.card else ""
    facts = {
        "task": _TASKS.get(row.task, row.task),
        "network": row.network,
        "receptive field": f"{row.receptive_field} px" if row.receptive_field else "",
        "parameters": f"{row.parameters:,}".replace(",", " ") if row.parameters else "",
    }
    facts |= _facts_of_card(row.card) if row.card else {}
    if row.remote:
        facts |= {"licence": row.remote.licence, "SHA-256": row.remote.sha256, "addresses": " ".join(row.remote.urls)}
    file = f"{row.bytes / 1e6:.2f} MB{weights}"
    return facts | {"file": f"{file}: {row.path}" if row.path else f"{file}, not on this computer yet"}


def _facts_of_card(card: Card) -> dict[str, str]:
    return {
        "classes": ", ".join(item.name for item in card.classes),
        "context": context_of(card),
        "pixel size": _range_of(card.pixel_size_nm),
        "licence": f"{card.licence} (training data)",
    }


def _range_of(sizes: tuple[float, float] | None) -> str:
    """What a model has seen; whether it is good for other data as well is for the user to find out."""
    if sizes is None:
        return "not known"
    low, high = (f"{size:.3g}" for size in sizes)
    return f"{low} nm in training" if low == high else f"{low} to {high} nm in training"


def _stage(number: int, stage: Stage) -> str:
    """What was done in one stage, and what came of it."""
    took = f", {duration(stage.seconds)}" if stage.seconds else ""
    facts = {
        "result": _numbers(stage.metrics) or "not validated",
        "objects": objects_of(stage),
        "data": str(stage.data.get("summary", "")),
        "more on data": _numbers(more_on_data(stage)),
        "settings": _numbers({name: value for name, value in stage.settings.items() if name not in _NOT_KEPT}),
        "command": stage.command,
        "versions": _numbers(stage.versions),
    }
    heading = f"{number}. {stage.job} from {stage.start or 'random weights'}"
    when = f"{counted(stage.steps, 'step')}{took}" + (f", {stage.date[:16].replace('T', ' ')}" if stage.date else "")
    return f"<p><b>{escape(heading)}</b><br>{escape(when)}</p>{_table(facts)}"


def _numbers(values: Mapping[str, object]) -> str:
    """Write names and values in one line; what is not set is left out."""
    return ", ".join(f"{name.replace('_', ' ')} {_short(value)}" for name, value in values.items() if _told(value))


def _told(value: object) -> bool:
    return value is not None and value != [] and value != ""


def _short(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _table(facts: Mapping[str, str]) -> str:
    """Lay names and values out in two columns; what is empty is left out."""
    return f"<table cellspacing='0' cellpadding='2'>{''.join(_lines(facts.items()))}</table>"


def _lines(facts: Iterable[tuple[str, str]]) -> Iterable[str]:
    return (f"<tr><td><i>{escape(name)}&nbsp;</i></td><td>{escape(text)}</td></tr>" for name, text in facts if text)
