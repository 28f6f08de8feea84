"""Results of this program are known for what they are, and are no images for the next run."""

from pathlib import Path

import numpy as np
import pytest
from random_models import random_model

from napari_emssl.data.datasets.pairing import find_pairs
from napari_emssl.data.datasets.sources import open_sources
from napari_emssl.data.formats.axes import PlaneAxis
from napari_emssl.data.images.own_results import MadeBy, made_by, results_below
from napari_emssl.data.images.writers import write_image
from napari_emssl.models.results import made_by_model

MAKER = MadeBy("Gold é", "0" * 32)
NOISE = np.random.default_rng(0).random((3, 20, 24))


@pytest.mark.parametrize("name", ["a.tif", "a.tiff", "a.zarr"])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64, np.int32])
@pytest.mark.parametrize("axes", [(PlaneAxis("t", 1.5), PlaneAxis("z", 2.0)), (PlaneAxis("z", 2.0), PlaneAxis("t", 1))])
def test_what_is_written_is_read(tmp_path: Path, name: str, dtype: type, axes: tuple[PlaneAxis, ...]) -> None:
    array = np.stack([(NOISE * 100).astype(dtype)] * 50)
    written = made_by(write_image(tmp_path / name, array, 0.5, axes=axes, made_by=MAKER))
    assert written == MadeBy(r"Gold \xe9", MAKER.work)
    assert made_by(write_image(tmp_path / f"other {name}", array, 0.5)) is None


def test_the_work_is_that_of_weights_card_and_settings() -> None:
    model = random_model(task="segment")
    work = made_by_model(model, False).work
    assert made_by_model(model.renamed("another name"), False).work == work
    assert made_by_model(model, True).work != work
    assert made_by_model(random_model(task="denoise"), False).work != work
    name, array = next(iter(model.weights.items()))
    assert made_by_model(type(model)(model.card, {**model.weights, name: array + 1}), False).work != work


def test_results_among_images_are_told_from_a_folder_of_results(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", (NOISE[0] * 255).astype(np.uint8))
    clean = write_image(tmp_path / "clean" / "a.tif", NOISE[0], made_by=MAKER)
    mask = write_image(tmp_path / "clean" / "masks" / "a.tif", NOISE[0], made_by=MAKER)
    assert results_below(tmp_path) == [clean, mask]
    assert results_below(tmp_path / "clean") == results_below(clean) == []
    assert results_below(tmp_path / "clean", tmp_path / "clean" / "masks") == [mask]


def test_nothing_is_learnt_from_results_among_images(tmp_path: Path) -> None:
    write_image(tmp_path / "images" / "a.png", (NOISE[0] * 255).astype(np.uint8))
    result = write_image(tmp_path / "images" / "masks" / "a.tif", NOISE[0], made_by=MAKER)
    write_image(tmp_path / "targets" / "a.png", (NOISE[0] > 0.5).astype(np.uint8))
    found = open_sources([tmp_path / "images"])
    assert found.names == ["a.png"]
    assert "1 result of this program will be left out, the first: masks/a.tif" in found.notes[0]
    assert open_sources([tmp_path / "images" / "masks"]).names == ["a.tif"]
    pairing = find_pairs(tmp_path / "images", tmp_path / "targets")
    assert [image.name for image, _ in pairing.pairs] == ["a.png"]
    assert pairing.unpaired_images == (result,)
