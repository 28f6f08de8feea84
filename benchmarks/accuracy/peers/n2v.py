"""What CAREamics does, in its environment: N2V as its documentation has it, and prediction in tiles.

Patches of 64 px, eight a batch, flips and turns, Adam, validation on eight patches after each epoch, the last weights:
https://careamics.github.io. Only the number of epochs is replaced by the time.
"""

import statistics
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from careamics import CAREamist
from careamics.config import create_advanced_n2v_config
from lightning.pytorch import Callback

from .cost import multiply_adds
from .stopwatch import Stopwatch

PATCH, BATCH, ENDLESS = [64, 64], 8, 10**6
TILE = (256, 256)
torch.set_num_threads(1)


class Marks(Callback):
    """Writes a checkpoint when so many processor seconds have been used, and ends the training at the last one."""

    def __init__(self, seconds: list[float], watch: Stopwatch) -> None:
        self.left, self.watch = sorted(seconds), watch
        self.reached: list[dict[str, float]] = []

    def on_train_batch_end(self, trainer, *_) -> None:
        """Look at the watch."""
        if trainer.should_stop or self.watch.seconds < self.left[0]:
            return
        seconds = self.left.pop(0)
        self.reached.append({"seconds": seconds, "used": self.watch.seconds, "steps": trainer.global_step})
        trainer.should_stop = not self.left
        with self.watch.halted():
            trainer.save_checkpoint(f"{seconds:g}.ckpt")


def program(request: Mapping[str, object], callbacks: list[Callback], **more: object) -> CAREamist:
    """Return CAREamics with its own settings but for the options that were asked for."""
    config = create_advanced_n2v_config(
        "beside", "array", "YX", PATCH, BATCH,
        num_workers=0, seed=request["seed"] + 1, **request["options"], **more,
    )  # fmt: skip
    return CAREamist(config, work_dir=Path.cwd(), callbacks=callbacks, enable_progress_bar=False)


def denoise(request: Mapping[str, object]) -> list[dict[str, float]]:
    """Learn from ``noisy.npy``; writes ``found-SECONDS.npy`` for each budget."""
    noisy = np.load("noisy.npy")
    watch = Stopwatch()
    marks = Marks(request["seconds"], watch)
    careamist = program(request, [marks], num_epochs=ENDLESS)
    careamist.train(train_data=noisy)
    for mark in marks.reached:
        name = f"{mark['seconds']:g}"
        found, _ = careamist.predict(noisy, num_workers=0, checkpoint=Path(f"{name}.ckpt").absolute())
        np.save(f"found-{name}.npy", np.asarray(found[0]).reshape(noisy.shape))
    return marks.reached


def predict(request: Mapping[str, object]) -> dict[str, float]:
    """Predict ``plane.npy`` so many times, in tiles or whole, after one time that is not counted."""
    plane = np.load("plane.npy")
    careamist = program(request, [], num_epochs=1, num_steps=1)
    careamist.train(train_data=plane[:512, :512])
    tiles = {"tile_size": TILE, "tile_overlap": (48, 48)} if request["tiled"] else {}
    times = []
    for _ in range(request["repeats"] + 1):
        watch = Stopwatch()
        careamist.predict(plane, batch_size=1, num_workers=0, **tiles)
        times.append(watch.seconds)
    return {"used": statistics.median(times[1:]), "multiply_adds": multiply_adds(careamist.model.model)}
