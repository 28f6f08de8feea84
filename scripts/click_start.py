"""Open every dock of the installed plugin, paint a particle and click *Start*; exits with 1 where no model is made.

`scripts/check_install` runs it in an environment that holds what users have.
"""

import sys
import time
from collections.abc import Callable

import napari
import numpy as np
from qtpy.QtWidgets import QApplication

from napari_emssl.gui.job.dock import APPLY, FINETUNE, MODELS, PRETRAIN, SIMULATE, open_dock

PARTICLES = "EM SSL Particles"
SECONDS = 300.0


def wait_until(over: Callable[[], bool]) -> None:
    """Let the viewer work until something is over, or too much time has passed."""
    until = time.monotonic() + SECONDS
    while not over() and time.monotonic() < until:
        QApplication.processEvents()
        time.sleep(0.01)


def discs() -> tuple[np.ndarray, np.ndarray]:
    """Return a noisy image of four bright discs, ``(96, 96)``, and their mask."""
    y, x = np.mgrid[:96, :96]
    centres = [(20, 20), (20, 70), (70, 25), (72, 72)]
    mask = np.any([(y - row) ** 2 + (x - column) ** 2 < 11**2 for row, column in centres], axis=0)
    noise = np.random.default_rng(0).normal(50, 10, mask.shape)
    return (mask * 100 + noise).clip(0, 255).astype(np.uint8), mask


def main() -> int:
    """Open the docks, train for seconds, and say what came of it."""
    image, mask = discs()
    viewer = napari.Viewer()
    viewer.add_image(image, name="discs")
    for name in (SIMULATE, PRETRAIN, APPLY, MODELS, PARTICLES):
        open_dock(viewer, name)
    dock = open_dock(viewer, FINETUNE)
    dock.page.add_painting()
    dock.page.painting.value.data[:48] = np.where(mask[:48], 2, 1)
    dock.basic.rows["max_seconds"].widget.setValue(5)
    dock.panel.start_button.click()
    wait_until(lambda: not dock.panel.runner.running)
    sys.stdout.write(dock.panel.message.text + "\n")
    return 0 if dock.trained is not None else 1


if __name__ == "__main__":
    sys.exit(main())
