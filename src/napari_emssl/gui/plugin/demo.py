"""``python -m napari_emssl.gui.plugin.demo``: the viewer, the sample stack, three painted particles and the dock."""

from typing import TYPE_CHECKING

from ..job.dock import FINETUNE, open_dock

if TYPE_CHECKING:
    from napari.viewer import Viewer
    from qtpy.QtWidgets import QWidget


def open_demo(viewer: "Viewer") -> "QWidget":
    """Put the painted sample stack and the dock into a viewer; return the dock's widget."""
    from napari.layers import Layer

    from .samples import painted_nanoparticles

    for data, options, kind in painted_nanoparticles():
        viewer.add_layer(Layer.create(data, options, kind))
    viewer.dims.set_current_step(0, 0)
    widget = open_dock(viewer, FINETUNE)
    painting = viewer.layers[-1]
    viewer.layers.selection.active = painting
    widget.reset_choices()
    widget.panel.say(
        "The other particles are found from the painted ones. Paint more, keep the result, or press Start to fine-tune."
    )
    return widget


def main() -> None:
    """Open the demo and stay until the window is closed."""
    import napari

    open_demo(napari.Viewer(title="napari-emssl demo"))
    napari.run()


if __name__ == "__main__":
    main()
