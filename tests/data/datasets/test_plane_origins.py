"""Every plane of an HDF5 set is an image; patches of one frame belong together; stacks stay what they are."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

from napari_emssl.data.datasets.plane_origins import plane_origins, planes_are_images
from napari_emssl.data.images.opening import as_image, read_image
from napari_emssl.data.splits.copies import COPIES, key_of_copies, turn_plane
from napari_emssl.data.splits.division import SplitRules, divide
from napari_emssl.errors import UserError

PLANES = np.random.default_rng(0).random((4, 8, 8), np.float32)


def stored(path: Path, **arrays: np.ndarray) -> Path:
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array
    return path


def test_planes_of_a_set_are_images_and_frames_keep_patches_together(tmp_path: Path) -> None:
    alone = plane_origins([read_image(stored(tmp_path / "a.h5", images=PLANES))])
    assert len({entry.origin for entry in alone}) == 4
    assert [entry.name for entry in alone] == [f"a.h5#{n}" for n in range(4)]
    framed = plane_origins([read_image(stored(tmp_path / "b.h5", images=PLANES, frames=np.array([7, 7, 9, 9])))])
    assert [entry.origin.rpartition("#")[2] for entry in framed] == ["frame 7", "frame 7", "frame 9", "frame 9"]


def test_a_stack_is_one_image(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "film.tif", PLANES, photometric="minisblack")
    other = read_image(stored(tmp_path / "volume.h5", anything=PLANES))
    film = read_image(tmp_path / "film.tif")
    assert not planes_are_images(film)
    assert not planes_are_images(other)
    assert len({entry.origin for entry in plane_origins([film, other])}) == 2
    assert {entry.origin for entry in plane_origins([as_image(PLANES), as_image(PLANES)])} == {"0", "1"}


def test_frames_must_be_as_many_as_planes(tmp_path: Path) -> None:
    image = read_image(stored(tmp_path / "a.h5", images=PLANES, frames=np.arange(3)))
    with pytest.raises(UserError, match="4 planes, but 3"):
        plane_origins([image])


def test_parts_are_named_below_the_folder_that_all_share(tmp_path: Path) -> None:
    images = []
    for name in ("test-set/train/1.tif", "test-set/val/1.tif"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(tmp_path / name, PLANES[0])
        images.append(read_image(tmp_path / name))
    assert [entry.part for entry in plane_origins(images)] == ["training", "validation"]
    assert [entry.part for entry in plane_origins(images, by_names=False)] == [None, None]


@pytest.mark.parametrize("shape", [(20, 20), (20, 31)])
def test_flips_and_turns_of_one_image_are_of_one_origin(shape: tuple[int, int]) -> None:
    images = np.random.default_rng(0).normal(size=(12, *shape))
    keys = [key_of_copies(image) for image in images]
    assert len(set(keys)) == 12
    for image, key in zip(images, keys, strict=True):
        assert {key_of_copies(np.ascontiguousarray(turn_plane(image, code))) for code in range(COPIES)} == {key}


def test_a_set_that_was_enlarged_by_copies_is_split_by_image(tmp_path: Path) -> None:
    images = np.random.default_rng(0).random((6, 16, 16), np.float32)
    copies = np.stack([turn_plane(image, code) for image in images for code in range(COPIES)])
    order = np.random.default_rng(1).permutation(len(copies))
    entries = plane_origins([read_image(stored(tmp_path / "a.h5", images=copies[order]))])
    split = divide(entries, SplitRules(0.25, 0.2, "frame", 0)).split
    sides = [set((order // COPIES)[part]) for part in (split.training, split.validation, split.test)]
    assert len(set.union(*sides)) == sum(map(len, sides)) == 6
