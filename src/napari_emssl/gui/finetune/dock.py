"""The dock "EM SSL Fine-tune": show what you want, train, check, apply."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QGridLayout, QLabel, QLineEdit, QPushButton, QTabBar, QWidget

from ...data.images.user_folder import safe_stem
from ...errors import UserError
from ...jobs.settings import ApplySettings, FinetuneSettings
from ...models.tasks import task_of
from ...models.zoo import free_name
from ..apply.request import apply_request, select
from ..apply.start import start_applying
from ..job.dock import PARTICLES, Dock, open_dock
from ..job.job_panel import JobPanel
from ..job.plane_follower import PlaneFollower
from ..job.request import RunOptions
from ..layers.layers import pixel_size_nm
from ..models.picker import ModelPicker, zoo_news
from ..training.page import TrainingPage, TrainingRequest
from ..training.trained import Trained, autosave_path, put_into_zoo
from ..widgets.form import SettingsForm
from ..widgets.form_layout import RowForm, align_labels, folded
from ..widgets.pickers import DevicePicker
from .restore.page import RestorePage
from .segment.page import SegmentPage

if TYPE_CHECKING:
    from napari.layers import Image, Layer
    from napari.viewer import Viewer

_Page = TrainingPage[TrainingRequest]
PAGES: "tuple[Callable[[Viewer], _Page], ...]" = (SegmentPage, RestorePage)
"""The ways of training, in the order of their tabs; called with the viewer."""


class FinetuneDock(Dock):
    """Trains a model on what one of its pages gathers from the layers, and applies it.

    Parameters
    ----------
    napari_viewer
        The viewer the dock belongs to.

    """

    def __init__(self, napari_viewer: "Viewer") -> None:
        super().__init__(napari_viewer)
        self.trained: Trained | None = None
        self._latest: tuple[TrainingRequest, RunOptions] | None = None
        """The training under way, or the last one."""
        self._trained_on: Image | None = None
        self._trained_by: _Page | None = None
        self.follower = PlaneFollower(napari_viewer, self)
        self.follower.moved.connect(self._on_plane)
        self._make_pages()
        self._make_settings()
        self._make_panel()
        self._choose_page(0)
        self.reset_choices()
        self._choose_active()

    def _make_pages(self) -> None:
        self.tabs = QTabBar()
        self.tabs.setExpanding(True)
        self.pages = tuple(page(self.viewer) for page in PAGES)
        self.page = self._running = self.pages[0]
        for row, page in enumerate(self.pages):
            self.tabs.addTab(page.title)
            self.tabs.setTabToolTip(row, page.hint)
            self.column.insertWidget(row, page)
            page.changed.connect(self._on_inputs)
            page.reported.connect(lambda text, trouble: self.panel.say(text, trouble))
            page.made.connect(partial(self._on_made, page))
        self.column.insertWidget(0, self.tabs)
        self.tabs.currentChanged.connect(self._choose_page)

    def _make_settings(self) -> None:
        self.start = ModelPicker(starts=True)
        self.start.currentIndexChanged.connect(lambda _: self.start.pick(self.start.picked()))
        self.start_facts = QLabel(wordWrap=True)
        self.start.described.connect(self.start_facts.setText)
        self.device = DevicePicker()
        self.start.described.connect(lambda _: self._on_start())
        self.device.currentTextChanged.connect(lambda _: self._on_start())
        self.start.pick(self.start.recommended)
        self.basic = SettingsForm(FinetuneSettings(task="segment", max_seconds=45.0), ["max_seconds"])
        self.name = QLineEdit()
        self.name.setToolTip("The model is saved in the zoo under this name.")
        self.name.textEdited.connect(lambda text: self.name.setModified(bool(text)))
        self.add_row("Start from", self.start)
        self.form.addRow(self.start_facts)
        self.add_row("Time budget (s)", self.basic.rows["max_seconds"].widget)
        self.add_row("Save as", self.name)
        where, self._where = QWidget(), RowForm()
        where.setLayout(self._where)
        self._where.add_row("Device", self.device)
        self.more = folded("Advanced settings", where, *(page.advanced for page in self.pages))
        self.column.addWidget(self.more)

    def _make_panel(self) -> None:
        self.panel = JobPanel(self.viewer, "Start", pausable=True, plot=True)
        self.panel.start_requested.connect(self.begin)
        self.panel.preview.connect(lambda images: self._running.show_preview(images))
        self.panel.idle.connect(self._on_idle)
        self.apply_button = QPushButton("Apply to this layer")
        self.apply_button.clicked.connect(lambda: self.apply())
        self.resume_button = QPushButton("Resume training")
        self.resume_button.setToolTip("Continue from the last autosave, with the painting and settings of that run.")
        self.resume_button.clicked.connect(self.resume)
        self.resume_button.hide()
        self.panel.runner.failed.connect(self._on_failure)
        self.more_button = QPushButton("Train more")
        self.more_button.setToolTip("Train the new model further, with everything painted or paired so far.")
        self.more_button.clicked.connect(self.train_more)
        self.panel.extra.addWidget(self.resume_button)
        self.measure_button = QPushButton("Measure particles")
        self.measure_button.setToolTip("Apply the new model to this layer and measure the particles that it finds.")
        self.measure_button.clicked.connect(self.measure)
        self.offers = QWidget()
        offers = QGridLayout(self.offers)
        offers.setContentsMargins(0, 0, 0, 0)
        offers.addWidget(self.more_button, 0, 0)
        offers.addWidget(self.apply_button, 0, 1)
        offers.addWidget(self.measure_button, 1, 0, 1, 2)
        self.offers.hide()
        self.panel.extra.addWidget(self.offers)
        self.column.addWidget(self.panel, 1)

    def _choose_page(self, row: int) -> None:
        """Show one page and its settings."""
        self.page = self.pages[row]
        for page in self.pages:
            page.setVisible(page is self.page)
            page.advanced.setVisible(page is self.page)
        self.page.reset_choices()
        self._on_inputs()
        self._offer(not self.panel.runner.running)

    def showEvent(self, event: QShowEvent) -> None:
        """Let the forms of the pages and of the dock stand below each other as one."""
        pages = [form for page in self.pages for form in (page.form, page.advanced.form)]
        align_labels(self.form, self._where, *pages)
        super().showEvent(event)

    def on_close(self) -> None:
        """End the job, and stop listening to layers."""
        super().on_close()
        for page in self.pages:
            page.on_close()

    def update_choices(self) -> None:
        """Bring everything that lists layers up to date, on the page in view."""
        self.page.reset_choices()
        self._suggest_name()

    @property
    def advice(self) -> str:
        """What to do first on the page in view; none once there was a training."""
        return self.page.advice if self._latest is None else ""

    def forget_layers(self) -> None:
        """Follow no layer that is gone."""
        if not self.panel.runner.running and self._latest and self._latest[0].layer not in self.viewer.layers:
            self.follower.forget()

    def _choose_active(self) -> None:
        """Begin with the image that the user has selected."""
        active = self.viewer.layers.selection.active
        for page in self.pages:
            if active in page.image.choices:
                page.image.value = active
            page.on_image()

    def _on_inputs(self) -> None:
        self.panel.on_inputs(self.advice)
        image = self.page.image.value
        self.start.recommend_for(self.page.learns)
        self.start.describe_for(pixel_size_nm(image) if image is not None else None)
        self._suggest_name()

    def _suggest_name(self) -> None:
        """Suggest a name unless the user has written one."""
        if self.name.isModified() and self.name.text():
            return
        image = self.page.image.value
        self._set_name(f"{safe_stem(image.name, 24)} {datetime.now():%Y-%m-%d %H%M}" if image is not None else "")

    def _set_name(self, name: str) -> None:
        self.name.setText(name)
        self.name.setCursorPosition(0)

    def start_from(self, name: str) -> None:
        """Pick a model of the zoo to start from, one that has only just come included."""
        self.start.refresh()
        self.start.pick(name)

    def show_page(self, title: str) -> _Page:
        """Bring the page with this title to the front, and return it."""
        row = next(row for row, page in enumerate(self.pages) if page.title == title)
        self.tabs.setCurrentIndex(row)
        return self.pages[row]

    def begin(self) -> None:
        """Start a training from the start that is picked, or say what is missing."""
        self._begin(self.start.picked())

    def train_more(self) -> None:
        """Start a training from the model made last: what was painted before and since then counts."""
        if self.trained is not None:
            self._begin(self.trained.name)

    def _begin(self, start_from: str | None) -> None:
        try:
            request, options = self._request(start_from)
        except UserError as error:
            self.panel.show_error(error)
            return
        if self._running is not self.page:
            self._running.remove_preview()
        self._running = self.page
        self._run(request, options)

    def resume(self) -> None:
        """Resume a training that died from its last autosave."""
        if self._latest is not None:
            request, options = self._latest
            self._run(request, options.resumed())

    def _run(self, request: TrainingRequest, options: RunOptions) -> None:
        self._latest = request, options
        self._running.begin_preview(request)
        self.resume_button.hide()
        self.panel.run(
            lambda: request.start(options), lambda model: put_into_zoo(model, options),
            partial(self._on_trained, request.layer),
            title="Starting; the first time this takes a few seconds …", training=True,
        )  # fmt: skip
        self.panel.note(*request.notes)
        self.follower.begin(request.layer, request.source, self.panel.runner.control)

    def _request(self, start_from: str | None) -> tuple[TrainingRequest, RunOptions]:
        """Read what is on screen and in the layers; raises `UserError` with what is missing."""
        self._suggest_name()
        wanted = self.name.text().strip()
        name = free_name(wanted) if wanted else ""
        request = self.page.request(self.settings(), start_from)
        if not name:
            raise UserError("The model has no name. Enter one in 'Save as'.")
        self._set_name(name)
        return request, RunOptions(name, autosave_path(name))

    def settings(self) -> FinetuneSettings:
        """Return the settings as they stand on screen."""
        seconds = self.basic.settings().max_seconds
        return self.page.settings().model_copy(update={"max_seconds": seconds, "device": self.device.currentText()})

    def _on_start(self) -> None:
        for page in self.pages:
            page.on_start(self.start.context_generator(), self.device.currentText())

    def _on_plane(self) -> None:
        """A prediction belongs to its plane: blank it until the next one comes, for good when none will."""
        (self._running.blank_preview if self.panel.runner.running else self._running.remove_preview)()

    def _on_trained(self, layer: "Image", result: Trained, stopped: bool) -> None:
        self.trained, self._trained_on, self._trained_by = result, layer, self._running
        self.panel.record.keep(result.name)
        zoo_news.changed.emit()
        self.name.setModified(False)
        self.apply_button.setToolTip(self._running.apply_hint)
        self.panel.say(result.describe(stopped))

    def _on_made(self, page: _Page, result: Trained, layer: "Image") -> None:
        """Offer a model that a page has made without a training."""
        self.trained, self._trained_on, self._trained_by = result, layer, page
        zoo_news.changed.emit()
        self.panel.say(result.describe(stopped=False))
        self._offer(not self.panel.runner.running)

    def _on_failure(self, error: BaseException) -> None:
        """Offer the last autosave of a training that died."""
        autosave = self._latest[1].autosave if self._latest is not None else None
        if self.panel.training and autosave is not None and autosave.is_file():
            self.resume_button.show()
            self.panel.say(f"{error} Press 'Resume training' to continue from it.", trouble=True)

    def _on_idle(self, idle: bool) -> None:
        for page in self.pages:
            page.on_idle(idle)
        self._offer(idle)

    def _offer(self, idle: bool) -> None:
        """Offer what can be done with the new model, on the page that it was trained by."""
        offered = self.trained is not None and self._trained_by is self.page
        self.offers.setVisible(offered)
        self.offers.setEnabled(idle)
        if self.trained is not None:
            self.measure_button.setVisible(task_of(self.trained.card.task).gives_labels)
        self.panel.start_button.setText("Start again" if offered and self._latest is not None else "Start")
        self.panel.show_run(not idle or self._running is self.page)

    def measure(self) -> None:
        """Apply the new model to the layer it was trained on, and measure what it finds."""
        self.apply(lambda layer: open_dock(self.viewer, PARTICLES).measure_layer(layer))

    def apply(self, shown: "Callable[[Layer], None]" = lambda layer: None) -> None:
        """Apply the new model to the layer it was trained on; `shown` is called with the result."""
        image = self._trained_on if self._trained_on in self.viewer.layers else self._running.image.value
        try:
            settings = ApplySettings(device=self.device.currentText())
            request = apply_request([select(image)], self.trained.name if self.trained else None, settings)
        except UserError as error:
            self.panel.show_error(error)
            return
        start_applying(self.panel, self.viewer, request, self._running.remove_preview, shown)
