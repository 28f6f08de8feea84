"""Pictures for people: panels of images, curves as PNG and CSV. Drawn with matplotlib, imported when needed."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .events import Progress

_INK = "#333333"


def write_panel(path: Path, images: Mapping[str, NDArray[Any]], title: str = "") -> Path:
    """Write images ``(h, w)`` side by side, each under its name, as one PNG; integer images are shown as labels."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.2 * len(images), 3.2 + 0.35), dpi=120, layout="constrained")
    for axes, (name, image) in zip(figure.subplots(1, len(images), squeeze=False)[0], images.items(), strict=True):
        _show(axes, image)
        axes.set_title(name, fontsize=10, color=_INK)
    if title:
        figure.suptitle(title, fontsize=10, color=_INK)
    return _save(figure, path)


def write_overlay(
    path: Path, image: NDArray[Any], found: NDArray[Any], truth: NDArray[Any], painted: NDArray[Any]
) -> Path:
    """Write one PNG of image, painting, prediction and truth: ``(h, w)`` each, masks as outlines on the image."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12.8, 3.6), dpi=120, layout="constrained")
    layers = {"image": None, "painted": painted, "found": found, "truth": truth}
    for axes, (name, mask) in zip(figure.subplots(1, 4), layers.items(), strict=True):
        _show(axes, np.asarray(image, np.float32))
        if mask is not None and mask.any():
            axes.contour(mask > 0, [0.5], colors=["#ff7f0e" if name != "truth" else "#17becf"], linewidths=0.9)
        axes.set_title(name, fontsize=10, color=_INK)
    return _save(figure, path)


def write_curves(png: Path, table: Path, records: Sequence[Progress]) -> None:
    """Write losses and validation results against the step as a PNG, and as a CSV with one row an event."""
    from matplotlib.figure import Figure

    losses, metrics = _series(records, "losses"), _series(records, "metrics")
    figure = Figure(figsize=(9, 3.6), dpi=120, layout="constrained")
    for axes, series, title in zip(figure.subplots(1, 2), (losses, metrics), ("training", "validation"), strict=True):
        _draw(axes, series)
        axes.set(title=title, xlabel="step")
    _save(figure, png)
    _write_table(table, records, list(losses), list(metrics))


def _draw(axes: Any, series: Mapping[str, tuple[list[int], list[float]]]) -> None:
    """Draw each curve faintly and its moving average clearly; losses on a log scale, shares (Dice) on a linear one."""
    axes.spines[["top", "right"]].set_visible(False)
    for name, (steps, values) in series.items():
        span = max(1, len(values) // 40)
        smooth = np.convolve(values, np.ones(span) / span, mode="valid")
        (line,) = axes.plot(steps[span // 2 :][: len(smooth)], smooth, label=name, linewidth=1.4)
        axes.plot(steps, values, color=line.get_color(), alpha=0.25, linewidth=0.7)
    if series:
        axes.legend(fontsize=8, frameon=False)
    if series and all(min(values) > 0 for _, values in series.values()):
        axes.set_yscale("log")


def _series(records: Sequence[Progress], kind: str) -> dict[str, tuple[list[int], list[float]]]:
    """Collect (steps, values) by name of ``losses`` or ``metrics``."""
    found: dict[str, tuple[list[int], list[float]]] = {}
    for record in records:
        for name, value in getattr(record, kind).items():
            steps, values = found.setdefault(name, ([], []))
            steps.append(record.step)
            values.append(value)
    return found


def _write_table(path: Path, records: Sequence[Progress], losses: list[str], metrics: list[str]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["step", "seconds", *losses, *(f"validation {name}" for name in metrics)])
        for record in records:
            values = [record.losses.get(name, "") for name in losses] + [
                record.metrics.get(name, "") for name in metrics
            ]
            writer.writerow([record.step, round(record.seconds, 3), *values])


def _show(axes: Any, image: NDArray[Any]) -> None:
    axes.set_axis_off()
    if image.dtype.kind in "iub":
        axes.imshow(image, cmap="viridis", interpolation="nearest")
        return
    low, high = np.percentile(image, (0.5, 99.5))
    axes.imshow(image, cmap="gray", vmin=low, vmax=max(high, low + 1e-6))


def _save(figure: Any, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    return path
