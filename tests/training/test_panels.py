"""Pictures: readable files of the right size that show what was found."""

from pathlib import Path

import numpy as np
import pytest

from napari_emssl.data.images.opening import read_image
from napari_emssl.training.panels import write_overlay, write_panel


def test_panel_is_as_wide_as_its_images(tmp_path: Path) -> None:
    image = np.random.default_rng(0).random((32, 32))
    one, three = (
        read_image(write_panel(tmp_path / f"{n}.png", {str(k): image for k in range(n)})).plane_shape for n in (1, 3)
    )
    assert three[1] == pytest.approx(3 * one[1], rel=0.02)


def test_an_offset_from_the_clean_image_is_seen(tmp_path: Path) -> None:
    clean = np.random.default_rng(0).random((32, 32))
    panels = {"restored": clean + 0.5, "clean": clean}
    both = read_image(write_panel(tmp_path / "a.png", panels)).plane(0)
    alone = read_image(write_panel(tmp_path / "b.png", {"restored": clean + 0.5, "other": clean})).plane(0)
    left = (slice(100, -60), slice(60, both.shape[1] // 2 - 60))
    assert both[left].mean() > alone[left].mean() + 40


def test_overlay_draws_what_was_found_and_what_is_true(tmp_path: Path) -> None:
    image, empty = np.random.default_rng(0).random((64, 64)), np.zeros((64, 64), np.uint8)
    mask = empty.copy()
    mask[20:40, 20:40] = 1
    bare = read_image(write_overlay(tmp_path / "a.png", image, empty, empty, empty)).plane(0)
    drawn = read_image(write_overlay(tmp_path / "b.png", image, mask, mask, empty)).plane(0)
    half = bare.shape[1] // 2
    assert not np.array_equal(bare[:, half:], drawn[:, half:])
    assert np.array_equal(bare[:, : half // 2], drawn[:, : half // 2])
