"""Published data sets are recognised, their images found and grouped by source, and targets paired by task."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

from napari_emssl.data.datasets.layouts import LAYOUTS, find_layout
from napari_emssl.data.datasets.pairing import find_task_pairs
from napari_emssl.data.datasets.sources import open_sources
from napari_emssl.errors import UserError

TILE = np.random.default_rng(0).integers(0, 255, (16, 16), np.uint8)


def tiff(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, TILE)
    return path


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Pillow.fromarray(TILE).save(path)
    return path


def hdf5(path: Path, **arrays: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array
    return path


@pytest.fixture
def cem(tmp_path: Path) -> Path:
    root = tmp_path / "tiles"
    for name in ("10.1038_a/x_1.tiff", "10.1038_a/x_2.tiff", "vol/heart-LOC-2d-1.tiff", "vol/heart-LOC-2d-2.tiff"):
        tiff(root / name)
    tiff(root / "vol" / "liver-LOC-2d-1.tiff")
    return root


@pytest.fixture
def tem(tmp_path: Path) -> Path:
    root = tmp_path / "TEM-ImageNet-v1.3"
    for folder in ("image", "noNoise", "noBackgroundnoNoise", "circularMask"):
        for number in (1, 2, 5):
            picture(root / folder / f"{number:05d}.png")
    return root


def test_cem500k_is_grouped_by_volume_and_by_folder(cem: Path) -> None:
    found = open_sources([cem])
    assert found.layouts == ["cem500k"]
    assert dict(zip(found.names, found.origins, strict=True)) == {
        "10.1038_a/x_1.tiff": "10.1038_a",
        "10.1038_a/x_2.tiff": "10.1038_a",
        "vol/heart-LOC-2d-1.tiff": "heart",
        "vol/heart-LOC-2d-2.tiff": "heart",
        "vol/liver-LOC-2d-1.tiff": "liver",
    }


def test_cem500k_is_known_by_its_folder_too(tmp_path: Path) -> None:
    for name in ("cem500k", "CEM1.5M", "EMPIAR-10592", "plain"):
        tiff(tmp_path / name / "a" / "1.tiff")
    layouts = {name: open_sources([tmp_path / name]).layouts[0] for name in ("cem500k", "CEM1.5M", "EMPIAR-10592")}
    assert set(layouts.values()) == {"cem500k"}
    assert open_sources([tmp_path / "plain"]).layouts == ["folder"]


def test_of_tem_imagenet_only_the_noisy_images_are_learnt_from(tem: Path) -> None:
    found = open_sources([tem])
    assert found.layouts == ["tem-imagenet"]
    assert found.names == [f"image/{number:05d}.png" for number in (1, 2, 5)]
    assert len(open_sources([tem], "folder")) == 12
    assert open_sources([tem.parent]).names == [f"{tem.name}/{name}" for name in found.names]


def test_tem_imagenet_pairs_by_task(tem: Path) -> None:
    for task, folder in (
        ("denoise", "noNoise"),
        ("remove-background", "noBackgroundnoNoise"),
        ("segment", "circularMask"),
    ):
        pairs = find_task_pairs(tem, task).pairs
        assert [(a.parent.name, b.parent.name) for a, b in pairs] == [("image", folder)] * 3
        assert all(image.name == target.name for image, target in pairs)
    with pytest.raises(UserError, match="denoise, remove-background, segment"):
        find_task_pairs(tem, "super-resolve")


@pytest.mark.parametrize(("layout", "target"), [("au-hdf5", "labels"), ("au5nm", "maps")])
def test_of_the_au_sets_each_plane_is_an_image(tmp_path: Path, layout: str, target: str) -> None:
    root = tmp_path / "au"
    images = np.random.default_rng(0).random((4, 16, 16, 1), np.float32)
    hdf5(root / "5nm_Images.h5", images=images)
    hdf5(root / "5nm_Labels.h5", **{target: (images > 0.5).astype(np.uint8)})
    found = open_sources([root])
    assert found.layouts == [layout]
    assert found.names == [f"5nm_Images.h5#{plane}" for plane in range(4)] == found.origins
    np.testing.assert_array_equal(found.store.read(2), images[2, ..., 0])
    assert len(find_task_pairs(root, "segment").pairs) == 1


def test_hot_pixels_are_repaired_where_asked_for(tmp_path: Path) -> None:
    images = np.full((2, 16, 16), 100, np.float32)
    images[1, 4, 4], images[1, 0, 0] = 5000, -7
    root = hdf5(tmp_path / "au" / "X_Images.h5", images=images).parent
    raw, clean = open_sources([root]), open_sources([root], hot_pixels=1500)
    assert raw.store.read(1).max() == 5000
    assert (clean.store.read(1).max(), clean.store.read(1).min()) == (100, 0)
    np.testing.assert_array_equal(clean.store.read(1, 3, 6), clean.store.read(1)[3:6])


def test_a_layout_can_be_forced_and_must_fit(cem: Path, tem: Path) -> None:
    assert open_sources([cem], "folder").layouts == ["folder"]
    assert find_layout(tem, ["image/1.png"], "cem500k") is LAYOUTS["cem500k"]
    for layout in ("tem-imagenet", "au-hdf5", "au5nm"):
        with pytest.raises(UserError, match=f"{layout}. Leave out --layout"):
            open_sources([cem], layout)


def test_names_of_several_folders_never_collide(tmp_path: Path) -> None:
    for folder in ("a/train", "b/train", "c"):
        tiff(tmp_path / folder / "1.tif")
    names = open_sources([tmp_path / "a" / "train", tmp_path / "b" / "train", tmp_path / "c"]).names
    assert names == ["0-train/1.tif", "1-train/1.tif", "c/1.tif"]
    with pytest.raises(UserError, match="given twice"):
        open_sources([tmp_path / "c", tmp_path / "a" / ".." / "c"])
    with pytest.raises(UserError, match="lies in"):
        open_sources([tmp_path, tmp_path / "c" / "1.tif"])


def test_planes_are_numbered_image_after_image(tmp_path: Path) -> None:
    stack = np.random.default_rng(0).integers(0, 255, (3, 16, 20), np.uint8)
    tifffile.imwrite(tmp_path / "b.tif", stack, photometric="minisblack")
    tifffile.imwrite(tmp_path / "c.tif", stack[:2], compression="zlib", photometric="minisblack")
    tiff(tmp_path / "a.tif")
    (tmp_path / "d.tif").write_bytes(b"II*\x00")
    found = open_sources([tmp_path, stack[0]])
    assert found.counts.tolist() == [1, 3, 2, 1]
    assert found.planes_of([3, 1]).tolist() == [6, 1, 2, 3]
    assert [found.store.shapes[n].tolist() for n in (0, 1, 4)] == [[16, 16], [16, 20], [16, 20]]
    for number, plane in enumerate([TILE, *stack, *stack[:2], stack[0]]):
        np.testing.assert_array_equal(found.store.read(number), plane)
        np.testing.assert_array_equal(found.store.read(number, 3, 9), plane[3:9])
    assert len(found.skipped) == 1
    assert "d.tif" in found.skipped[0]


def test_nothing_to_learn_from_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no image in the folder"):
        open_sources([tmp_path])
    with pytest.raises(UserError, match="does not exist"):
        open_sources([tmp_path / "nope"])
    (tmp_path / "notes.txt").touch()
    with pytest.raises(UserError, match="not in a known image format"):
        open_sources([tmp_path / "notes.txt"])
    (tmp_path / "bad.tif").write_bytes(b"II*\x00")
    with pytest.raises(UserError, match=r"bad\.tif"):
        open_sources([tmp_path])
