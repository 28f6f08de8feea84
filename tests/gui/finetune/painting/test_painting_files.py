import json
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest
from napari.layers import Image, Labels

from napari_emssl.data.images.opening import read_image
from napari_emssl.data.images.user_folder import safe_stem, unused_path
from napari_emssl.gui.finetune.painting import painting_files
from napari_emssl.gui.finetune.painting.painting_files import painting_paths, save_paintings
from napari_emssl.gui.finetune.segment.request import segment_request
from napari_emssl.jobs.settings import FinetuneSettings

NOW = datetime(2026, 2, 3, 4, 5, 6)


@pytest.fixture
def request_of_two_planes():
    painting = np.zeros((4, 32, 40), int)
    painting[1, 5:10, 5:10], painting[3, 20:24, 8:12] = 1, 300
    image = Image(np.zeros((4, 32, 40)), name="Au/film #1", scale=(1, 0.5, 0.5), units=("s", "nm", "nm"))
    return segment_request([(image, Labels(painting))], FinetuneSettings(task="segment")), painting


def test_painting_is_kept_on_the_grid_of_its_image(request_of_two_planes, home):
    request, painting = request_of_two_planes
    (path,) = painting_paths(request.images, NOW)
    save_paintings(request.images, [path], request.classes, request.unpainted)
    assert path == home / "paintings" / "au-film-1-2026-02-03-040506.tif"
    saved = read_image(path)
    np.testing.assert_array_equal(np.asarray(saved.planes), painting)
    assert saved.pixel_size_nm == pytest.approx(0.5)
    record = json.loads(path.with_suffix(".json").read_text())
    assert record["labels"] == {
        "1": {"name": "label 1", "role": "class"}, "300": {"name": "label 300", "role": "class"},
    }  # fmt: skip
    assert (record["image"], record["painted_planes"], record["scale"]) == ("Au/film #1", [[1], [3]], [1, 0.5, 0.5])
    assert painting_paths(request.images, NOW) != (path,)


def test_two_images_of_one_name_are_kept_apart(request_of_two_planes):
    request, _ = request_of_two_planes
    both = replace(request, images=request.images * 2)
    save_paintings(both.images, painting_paths(both.images, NOW), both.classes, both.unpainted)
    assert len(set(painting_paths(both.images, NOW))) == 2
    assert len(list((painting_paths(both.images, NOW)[0].parent).glob("*.tif"))) == 2


def test_large_paintings_are_kept_as_their_painted_planes(request_of_two_planes, monkeypatch):
    monkeypatch.setattr(painting_files, "_WHOLE_BYTES", 100)
    request, painting = request_of_two_planes
    (path,) = painting_paths(request.images, NOW)
    save_paintings(request.images, [path], request.classes, request.unpainted)
    np.testing.assert_array_equal(np.asarray(read_image(path).planes), painting[[1, 3]])


def test_names():
    assert safe_stem("  Ärger & Söhne: 100% (v2).dm4 ") == "rger-s-hne-100-v2-dm4"
    assert safe_stem("图像") == "image"
    assert len(safe_stem("a" * 100, 24)) == 24


def test_unused_name(tmp_path):
    (tmp_path / "a.x").touch()
    (tmp_path / "a-2.x").touch()
    assert unused_path(tmp_path, "a", ".x").name == "a-3.x"
