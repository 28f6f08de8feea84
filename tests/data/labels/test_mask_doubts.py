"""What is odd about masks is said, and nothing of the others."""

import numpy as np

from napari_emssl.data.labels.mask_doubts import mask_doubts


def masks(*values: tuple[int, ...]) -> list[np.ndarray]:
    return [np.array([of_one], np.uint8) for of_one in values]


def test_what_may_mean_something_else_is_said() -> None:
    assert "others with 255" in mask_doubts(masks((0, 1), (0, 255)), [1, 255])[0]
    assert "--zero unpainted" in mask_doubts(masks((1, 2), (1, 1)), [1, 2])[0]
    for plain, classes in (
        (masks((0, 1), (0, 1)), [1]),
        (masks((0, 255), (0, 0)), [255]),
        (masks((0, 1), (0, 2)), [1, 2]),
        (masks((0, 1, 255), (0, 1, 255)), [1, 255]),
        (masks((1, 2), (0, 2)), [1, 2]),
    ):
        assert mask_doubts(plain, classes) == []
