import pytest

from napari_emssl.gui.apply_widget import ApplyWidget
from napari_emssl.gui.docks import APPLY, FINETUNE, open_dock
from napari_emssl.jobs import child

pytestmark = pytest.mark.gui


def test_a_dock_is_opened_once_and_brought_to_the_front(make_napari_viewer_proxy, monkeypatch):
    monkeypatch.setattr(child, "warm_up", lambda *modules: None)
    viewer = make_napari_viewer_proxy()
    widget = open_dock(viewer, APPLY)
    assert isinstance(widget, ApplyWidget)
    other = open_dock(viewer, FINETUNE)
    dock = widget.parentWidget()
    dock.hide()
    assert open_dock(viewer, APPLY) is widget
    assert dock.isVisibleTo(dock.parentWidget())
    viewer.window.remove_dock_widget(widget)
    assert open_dock(viewer, APPLY) is not widget
    assert open_dock(viewer, FINETUNE) is other
