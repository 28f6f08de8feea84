"""Particles to measure."""

import numpy as np
import pytest
from particle_masks import disc


@pytest.fixture
def three():
    """A mask of three discs of 12, 30 and 20 px, the last one cut off by the border."""
    mask = np.zeros((80, 120), np.uint8)
    for y, x, diameter in ((40, 30, 12), (40, 70, 30), (2, 100, 20)):
        mask[disc(mask.shape, y, x, diameter)] = 1
    return mask
