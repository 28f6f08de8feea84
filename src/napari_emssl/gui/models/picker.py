"""Pickers of models and generators that follow the zoo as it changes."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from qtpy.QtCore import QFileSystemWatcher, QModelIndex, QObject, Qt, QTimer, Signal
from qtpy.QtWidgets import QStyledItemDelegate, QStyleOptionViewItem, QWidget

from ...errors import UserError
from ...models.recommended import recommended_context_generator, recommended_start, why_recommended
from ...models.tasks import TaskName, task_of
from ...models.zoo import ZooEntry, list_models, own_folder
from ..widgets.fields import SearchBox
from .facts import StartFacts, facts_of

_CALM_MS = 150

_FACTS, _SHORT = (int(Qt.ItemDataRole.UserRole) + n for n in (1, 2))
"""Roles of the line about a model in the list, and of the one below the box."""

SCRATCH, _IN_CONTEXT = "scratch", "in context"


class ZooNews(QObject):
    """Notifies every dock that lists models when the zoo has changed."""

    changed = Signal()


zoo_news = ZooNews()


class ZooWatch(QObject):
    """Notifies of files added to or removed from your own models, whether by another dock, the terminal or the user.

    Parameters
    ----------
    parent
        The watch ends with it.

    """

    changed = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._calm = QTimer(self)  # a file that is written and renamed is one change, not three
        self._calm.setSingleShot(True)
        self._calm.setInterval(_CALM_MS)
        self._calm.timeout.connect(self.changed)
        self._watcher = QFileSystemWatcher(self)
        self._watcher.directoryChanged.connect(lambda _: self._calm.start())
        self.begin()

    def begin(self) -> None:
        """Watch the folder, which is made if need be; where it cannot be made, the list is read when it is opened."""
        with suppress(OSError):
            own_folder().mkdir(parents=True, exist_ok=True)
            if str(own_folder()) not in self._watcher.directories():
                self._watcher.addPath(str(own_folder()))


class _WithFacts(QStyledItemDelegate):
    """Writes behind each name in the open list what distinguishes the models; the closed box shows the name alone."""

    def initStyleOption(self, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        super().initStyleOption(option, index)
        facts = index.data(_FACTS)
        option.text = f"{option.text}   {facts}" if facts else option.text


class ModelPicker(SearchBox):
    """Models of the zoo, found by typing a part of their name; own models appear as soon as they are made.

    Parameters
    ----------
    starts
        True lists everything a training can start from, and ``scratch``; False only what can be applied.
    parent
        Owner in the sense of Qt.

    Signals
    -------
    described(str)
        A line about the model that is picked: whether it is recommended, reach, what it has learnt from.

    """

    described = Signal(str)

    def __init__(self, starts: bool, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._starts = starts
        self._known: list[StartFacts] = []
        """The zoo as it was read last."""
        self._recommended: dict[str, str] = {}
        """What it recommends for a task, as far as it was asked."""
        self._files: list[str] = []
        self._is_chosen = False
        """Whether somebody picked the model; until then it is the own one that was made last, of those to apply."""
        self._pixel_size_nm: float | None = None
        self._task: TaskName = "segment"
        self.lineEdit().setPlaceholderText("no model yet")
        self.setItemDelegate(_WithFacts(self))
        self.activated.connect(lambda _: self.pick(self.picked()))
        self.refresh()
        zoo_news.changed.connect(self.refresh)
        self._watch = ZooWatch(self)
        self._watch.changed.connect(self._on_files)

    def refresh(self) -> None:
        """Read the zoo again; what is picked stays picked."""
        entries = [entry for entry in list_models() if self._lists(entry)]
        self._known = [facts_of(entry) for entry in entries]
        self._recommended = {}
        self._fill()
        newest = "" if self._starts or self._is_chosen else _newest_own(entries)
        if newest:
            self._show(newest)

    def _fill(self) -> None:
        """List what is known, ordered by relevance for the current task and image."""
        picked = self.picked()
        self.blockSignals(True)
        self.clear()
        recommended, size = self.recommended if self._starts else "", self._pixel_size_nm
        for known in self._known:
            name = known.card.name
            facts = replace(known, recommended=why_recommended(self._task)) if name == recommended else known
            self._add(name, name, facts.lines(size), facts.line(size), facts.short_line(size))
        for file in self._files:
            self._add(file.replace("\\", "/").rpartition("/")[2], file, [file])
        if self._starts:
            self._add(
                SCRATCH, SCRATCH, ["Begin without pretraining: for comparison."], "random weights", "random weights"
            )
        self.blockSignals(False)
        self._is_chosen &= self.findData(picked) >= 0
        self._show(picked)

    def _lists(self, entry: ZooEntry) -> bool:
        """Whether a model belongs in the list."""
        return self._starts or not task_of(entry.card.task).is_pretext

    def _on_files(self) -> None:
        """Read the zoo again, unless a model is being chosen: the list must not move under the pointer."""
        typed = self.currentText() != self.itemText(self.currentIndex())
        if not typed and not self.view().isVisible():
            self.refresh()

    def showPopup(self) -> None:
        """Open the list as the zoo is now."""
        self._watch.begin()
        self.refresh()
        self.view().setMinimumWidth(
            self.view().sizeHintForColumn(0) + self.view().verticalScrollBar().sizeHint().width()
        )
        super().showPopup()

    def describe_for(self, pixel_size_nm: float | None) -> None:
        """Show the reach of the models in images with this pixel size."""
        if pixel_size_nm != self._pixel_size_nm:
            self._pixel_size_nm = pixel_size_nm
            self._fill()

    def recommend_for(self, task: TaskName) -> None:
        """Recommend a start for this task, and pick it unless the user has picked one that was not recommended."""
        if task == self._task:
            return
        untouched = self.picked() == self.recommended
        self._task = task
        self._fill()
        if untouched:
            self._show(self.recommended)

    @property
    def recommended(self) -> str:
        """The recommended start for the task."""
        if self._task not in self._recommended:
            self._recommended[self._task] = recommended_start(self._task)
        return self._recommended[self._task]

    def context_generator(self) -> str | None:
        """Return the generator to segment in context with: the picked one, else the recommended one, or None."""
        networks = {known.card.name: known.card.network for known in self._known}
        picked = networks.get(self.picked() or "")
        if picked is not None and picked.vector_channels and not picked.painted:
            return self.picked()
        if _IN_CONTEXT not in self._recommended:
            self._recommended[_IN_CONTEXT] = ""
            with suppress(UserError):
                self._recommended[_IN_CONTEXT] = recommended_context_generator()
        return self._recommended[_IN_CONTEXT] or None

    def _add(self, text: str, value: str, tooltip: Sequence[str], facts: str = "", short: str = "") -> None:
        self.addItem(text, value)
        self.setItemData(self.count() - 1, "\n".join(tooltip), Qt.ItemDataRole.ToolTipRole)
        self.setItemData(self.count() - 1, facts, _FACTS)
        self.setItemData(self.count() - 1, short, _SHORT)

    def picked(self) -> str | None:
        """Return the name or path of the picked model."""
        value = self.currentData()
        return None if value is None else str(value)

    def pick(self, model: str | None) -> None:
        """Pick a model by name or path, which stays picked; the first one when it is not there."""
        self._is_chosen = model is not None and self.findData(model) >= 0
        self._show(model)

    def _show(self, model: str | None) -> None:
        row = self.findData(model) if model is not None else 0
        self.setCurrentIndex(max(row, 0) if self.count() else -1)
        self.setToolTip(str(self.itemData(self.currentIndex(), Qt.ItemDataRole.ToolTipRole) or ""))
        self.described.emit(str(self.itemData(self.currentIndex(), _SHORT) or ""))

    def add_file(self, path: str) -> None:
        """List a model file outside the zoo and pick it."""
        if path not in self._files:
            self._files.append(path)
        self.refresh()
        self.pick(path)


def _newest_own(entries: Sequence[ZooEntry]) -> str:
    """Return the name of the own model whose file is the newest; empty where there is none."""
    made = [(_written(entry), entry.name) for entry in entries if entry.origin == "own"]
    return max(made)[1] if made else ""


def _written(entry: ZooEntry) -> float:
    try:
        return entry.path.stat().st_mtime
    except OSError:  # it was deleted a moment ago
        return 0.0


class GeneratorPicker(ModelPicker):
    """What pretraining can start from: the generators of the zoo, and random weights."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(True, parent)

    def _lists(self, entry: ZooEntry) -> bool:
        return task_of(entry.card.task).is_pretext
