"""The worst answers of a column as one picture, to be looked at."""

from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from .answers import Answer
from .micrographs import Trial
from .painting import Micrograph

_ACROSS, _EDGE_INCHES, _DPI = 3, 4.2, 110
_PAINT, _GROUND, _TRUTH, _FOUND = "#ffd400", "#3a7bff", "#17c964", "#ff2d55"


@dataclass(frozen=True, eq=False)
class _Tile:
    dice: float
    title: str
    trial: Trial
    judged: Micrograph
    answer: Answer


class WorstAnswers:
    """Keeps the worst answers that it is shown, one of each image.

    Parameters
    ----------
    most
        How many.

    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._worst: dict[str, _Tile] = {}

    def add(self, dice: float, title: str, trial: Trial, judged: Micrograph, answer: Answer) -> None:
        """Show an answer.

        Parameters
        ----------
        dice
            Its score.
        title
            Stands above its picture.
        trial, judged, answer
            The painting, the micrograph and what was found on it.

        """
        key = f"{trial.set_name}/{judged.name}"
        if key not in self._worst or dice < self._worst[key].dice:
            self._worst[key] = _Tile(dice, title, trial, judged, answer)
        for extra in sorted(self._worst, key=lambda name: self._worst[name].dice)[self._most :]:
            del self._worst[extra]

    def draw(self, path: Path) -> None:
        """Write the picture, the worst first; nothing if there is no answer."""
        tiles = sorted(self._worst.values(), key=lambda tile: tile.dice)
        if not tiles:
            return
        rows = -(-len(tiles) // _ACROSS)
        size = (_ACROSS * _EDGE_INCHES, rows * (_EDGE_INCHES + 0.5) + 0.4)
        figure, axes = plt.subplots(rows, _ACROSS, figsize=size, squeeze=False, layout="constrained")
        for axis in axes.flat:
            axis.set_axis_off()
        for axis, tile in zip(axes.flat, tiles, strict=False):
            _draw(axis, tile)
        figure.suptitle("green: truth   red: answer   yellow and blue: painted", fontsize=9)
        figure.savefig(path, dpi=_DPI)
        plt.close(figure)


def _draw(axis: Axes, tile: _Tile) -> None:
    low, high = np.percentile(tile.judged.image, (0.5, 99.5))
    axis.imshow(tile.judged.image, cmap="gray", vmin=low, vmax=high)
    if tile.judged is tile.trial.painted:
        target = tile.trial.target
        for mask, colour in ((target > 1, _PAINT), (target == 1, _GROUND)):
            axis.imshow(np.where(mask, 1.0, np.nan), cmap=matplotlib.colors.ListedColormap([colour]), alpha=0.35)
    for core in tile.trial.classes:
        for mask, colour in ((tile.judged.truth == core, _TRUTH), (tile.answer.labels == core - 1, _FOUND)):
            if mask.any() and not mask.all():
                axis.contour(mask, [0.5], colors=colour, linewidths=0.6)
    axis.set_title(tile.title, fontsize=7)
