import pytest
import small_jobs

from napari_emssl.gui.apply.dock import ApplyDock
from napari_emssl.gui.finetune.dock import FinetuneDock
from napari_emssl.gui.job.dock import APPLY, FINETUNE, MODELS, Column, open_dock
from napari_emssl.models.zoo import add_model

pytestmark = pytest.mark.gui


def test_a_dock_is_opened_once_and_brought_to_the_front(viewer, no_warm_up):
    widget = open_dock(viewer, APPLY)
    assert isinstance(widget, ApplyDock)
    other = open_dock(viewer, FINETUNE)
    dock = widget.parentWidget()
    dock.hide()
    assert open_dock(viewer, APPLY) is widget
    assert dock.isVisibleTo(dock.parentWidget())
    viewer.window.remove_dock_widget(widget)
    assert open_dock(viewer, APPLY) is not widget
    assert open_dock(viewer, FINETUNE) is other


def test_a_dock_of_the_menu_is_found_and_one_opened_here_is_found_by_the_menu(viewer, no_warm_up, plugins):
    titles = {name: f"{name} (EM SSL for electron micrographs)" for name in (APPLY, FINETUNE)}
    from_menu = FinetuneDock(viewer)
    viewer.window.add_dock_widget(from_menu, name=titles[FINETUNE])  # as napari's menu does
    assert open_dock(viewer, FINETUNE) is from_menu
    apply = open_dock(viewer, APPLY)
    assert apply.parent().name == titles[APPLY]
    assert titles[APPLY] in viewer.window.dock_widgets
    by_function = viewer.window.add_plugin_dock_widget("napari-emssl", MODELS)[1]
    assert open_dock(viewer, MODELS) is by_function


def test_a_dock_that_is_opened_picks_a_model_that_has_only_just_come(viewer, no_warm_up):
    apply, finetune = open_dock(viewer, APPLY), open_dock(viewer, FINETUNE)
    for name in ("new", "newer"):
        add_model(small_jobs.model(name))
        apply.use_model(name)
        finetune.start_from(name)
        assert (apply.model.picked(), finetune.start.picked()) == (name, name)


def test_tabs_are_told_apart_by_their_first_letters(viewer, no_warm_up, qtbot):
    docks = [open_dock(viewer, name) for name in (APPLY, FINETUNE)]
    qtbot.waitUntil(lambda: [dock.parent().windowTitle() for dock in docks] == ["Apply model", "Fine-tune"])


def test_lines_keep_their_width_when_the_scroll_bar_comes(qtbot, viewer):
    column = Column(viewer)
    qtbot.addWidget(column)
    column.resize(400, 300)
    column.show()
    before = column.viewport().width()
    column.body.setMinimumHeight(2000)
    qtbot.waitUntil(column.verticalScrollBar().isVisible)
    assert column.viewport().width() == before
