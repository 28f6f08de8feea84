"""One dock opens another: the one that is open already is brought to the front."""

from typing import Any

PLUGIN = "napari-emssl"
APPLY, FINETUNE = "EM SSL Apply model", "EM SSL Fine-tune"
MODELS, PRETRAIN = "EM SSL Models", "EM SSL Pretrain"
SIMULATE = "EM SSL Simulate"


def open_dock(viewer: Any, name: str) -> Any:
    """Return the widget of the dock `name` of this plugin, in view: opened, or found and raised.

    Parameters
    ----------
    viewer
        The viewer with the docks.
    name
        The dock's name as the plugin's menu shows it, one of the names above.

    """
    dock, widget = viewer.window.add_plugin_dock_widget(PLUGIN, name, tabify=True)
    dock.show()
    dock.raise_()
    return widget
