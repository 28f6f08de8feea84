"""What is painted decides at which scale images are looked at."""

import numpy as np
import pytest

from napari_emssl.training.context.object_size import painted_diameter, scale_for


def disc(diameter: float, specks: int = 0, size: int = 640) -> np.ndarray:
    y, x = np.mgrid[:size, :size] - size / 2
    target = np.where(np.hypot(y, x) < diameter / 2, 2, 0).astype(np.uint8)
    target[4 : 4 + 6 * specks : 6, 4] = 3
    return target


@pytest.mark.parametrize(
    ("diameter", "scale"), [(5, 1.0), (100, 1.0), (150, 0.5), (250, 0.5), (300, 0.25), (600, 0.25)]
)
def test_large_objects_are_shrunk_and_specks_do_not_count(diameter: float, scale: float) -> None:
    target = disc(diameter, specks=3 if diameter > 10 else 0)
    assert painted_diameter([target]) == pytest.approx(diameter, rel=0.12)
    assert scale_for("auto", [np.zeros((40, 40), np.uint8), target]) == scale
    assert scale_for("4", [target]) == 0.25
    assert scale_for("0.5", [target]) == 2.0


def test_nothing_painted_keeps_the_scale() -> None:
    assert scale_for("auto", [np.ones((30, 30), np.uint8)]) == 1.0
