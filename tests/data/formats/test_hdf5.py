"""HDF5 sets of nanoparticles: every published shape becomes planes, labels become masks, hot pixels go."""

import json
import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_emssl.data.datasets.pairing import find_pairs
from napari_emssl.data.formats.hdf5 import find_dataset, role_of
from napari_emssl.data.images.hot_pixels import repair
from napari_emssl.data.images.opening import as_image, read_image
from napari_emssl.errors import UserError
from napari_emssl.jobs.settings import FinetuneSettings
from napari_emssl.training.finetuning.finetune import finetune


def store(path: Path, **arrays: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array
    return path


IMAGES = np.random.default_rng(0).random((3, 40, 48), np.float32)
LABELS = (IMAGES > 0.6).astype(np.uint8)


@pytest.mark.parametrize("shape", [(3, 40, 48), (3, 1, 40, 48), (3, 40, 48, 1)])
def test_images_of_every_published_shape(tmp_path: Path, shape: tuple[int, ...]) -> None:
    image = read_image(store(tmp_path / "a.h5", images=IMAGES.reshape(shape)))
    assert (len(image), image.plane_shape, image.dtype) == (3, (40, 48), np.float32)
    again = pickle.loads(pickle.dumps(image))
    for index in range(3):
        np.testing.assert_array_equal(image.plane(index), IMAGES[index])
        np.testing.assert_array_equal(again.plane(index), IMAGES[index])


def test_a_single_plane(tmp_path: Path) -> None:
    image = read_image(store(tmp_path / "a.hdf5", anything=IMAGES[0]))
    np.testing.assert_array_equal(image.plane(0), IMAGES[0])


@pytest.mark.parametrize(
    "target",
    [
        {"labels": LABELS},
        {"labels": LABELS[:, None].astype(np.float64)},
        {"maps": np.stack([1 - LABELS, LABELS], axis=-1).astype(np.float32)},
    ],
    ids=["labels", "float labels", "maps"],
)
def test_targets_are_masks_with_particles_1(tmp_path: Path, target: dict[str, np.ndarray]) -> None:
    image = read_image(store(tmp_path / "t.h5", **target))
    assert image.dtype.kind in "ui"
    np.testing.assert_array_equal(np.stack([image.plane(i) for i in range(3)]), LABELS)


def test_which_data_set_is_read(tmp_path: Path) -> None:
    both = store(tmp_path / "both.h5", extra=IMAGES, images=IMAGES)
    assert (find_dataset(both), role_of(both)) == ("images", "images")
    nested = store(tmp_path / "nested.h5", **{"deep/em": IMAGES, "note": np.zeros(3)})
    assert (find_dataset(nested), role_of(nested)) == ("deep/em", None)
    with pytest.raises(UserError, match=r"2 images .'a', 'b'.*--image"):
        read_image(store(tmp_path / "two.h5", a=IMAGES, b=IMAGES))
    with pytest.raises(UserError, match=r"shape \(3, 40, 48, 5\)"):
        read_image(store(tmp_path / "five.h5", images=np.zeros((3, 40, 48, 5))))
    (tmp_path / "broken.h5").write_bytes(b"no HDF5")
    assert role_of(tmp_path / "broken.h5") is None
    with pytest.raises(UserError, match=r"broken\.h5"):
        read_image(tmp_path / "broken.h5")


@pytest.mark.parametrize("kind", ["external", "group", "virtual", "raw"])
@pytest.mark.parametrize("inside", [True, False])
def test_links_are_followed_inside_the_folder_only(tmp_path: Path, kind: str, inside: bool) -> None:
    folder = tmp_path / "data"
    other = store(folder / "other.h5" if inside else tmp_path / "secret.h5", images=IMAGES)
    name = "other.h5" if inside else "../secret.h5"
    with h5py.File(folder / "a.h5" if inside else folder.mkdir() or folder / "a.h5", "w") as file:
        if kind == "external":
            file["images"] = h5py.ExternalLink(name, "images")
        elif kind == "group":
            file["deep"] = h5py.ExternalLink(name, "/")
        elif kind == "virtual":
            layout = h5py.VirtualLayout(IMAGES.shape, IMAGES.dtype)
            layout[:] = h5py.VirtualSource(name, "images", IMAGES.shape)
            file.create_virtual_dataset("images", layout)
        else:
            (folder / name).write_bytes(IMAGES.tobytes())
            file.create_dataset("images", IMAGES.shape, IMAGES.dtype, external=[(str(folder / name), 0, IMAGES.nbytes)])
    if inside and kind != "group":
        np.testing.assert_array_equal(read_image(folder / "a.h5").plane(2), IMAGES[2])
    else:
        with pytest.raises(UserError, match="no data set" if inside else "not a file in its folder"):
            read_image(folder / "a.h5")
    assert other.exists()


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e12])
def test_labels_that_no_whole_number_stands_for_are_refused(tmp_path: Path, value: float) -> None:
    labels = np.zeros((1, 4, 4))
    labels[0, 0, :3] = 1, 300, -1
    image = read_image(store(tmp_path / "sound.h5", labels=labels))
    np.testing.assert_array_equal(image.plane(0), labels[0])
    labels[0, 0, 0] = value
    with pytest.raises(UserError, match="whole numbers"):
        read_image(store(tmp_path / "l.h5", labels=labels)).plane(0)


def test_any_data_set_can_be_named(tmp_path: Path) -> None:
    path = store(tmp_path / "two.h5", **{"a": IMAGES, "deep/b": IMAGES + 1})
    np.testing.assert_array_equal(read_image(path, "deep/b").plane(0), IMAGES[0] + 1)


def test_one_grey_image_with_a_last_axis_of_one(tmp_path: Path) -> None:
    image = read_image(store(tmp_path / "a.h5", images=IMAGES[0][..., None]))
    np.testing.assert_array_equal(image.plane(0), IMAGES[0])


def test_files_of_one_folder_pair_up(tmp_path: Path) -> None:
    for size in ("10nm", "20nm"):
        store(tmp_path / "au" / f"{size}_Images.h5", images=IMAGES)
        store(tmp_path / "au" / f"{size}_Labels.h5", labels=LABELS)
    pairs = find_pairs(tmp_path / "au", tmp_path / "au").pairs
    assert [(a.name, b.name) for a, b in pairs] == [
        (f"{size}_Images.h5", f"{size}_Labels.h5") for size in ("10nm", "20nm")
    ]
    one = store(tmp_path / "v1" / "em.h5", images=IMAGES), store(tmp_path / "v1" / "drawn.h5", maps=LABELS[..., None])
    assert find_pairs(tmp_path / "v1", tmp_path / "v1").pairs == (one,)


def test_fine_tuning_from_two_files(tmp_path: Path) -> None:
    images = store(tmp_path / "X_Images.h5", images=IMAGES[..., None])
    targets = store(tmp_path / "X_Labels.h5", labels=LABELS)
    settings = FinetuneSettings(
        steps=1, batch_size=1, patch=32, device="cpu", precision="fp32", generator="unet-2-44", validation=0
    )
    model = finetune(str(images), str(targets), settings, start="scratch").result()
    assert [one.target_value for one in model.card.classes] == [None, 1]


def test_negative_and_hot_pixels_are_repaired() -> None:
    plane = np.full((5, 6), 100, np.int16)
    plane[2, 2], plane[0, 0], plane[4, 5], plane[2, 3] = 2000, 1700, -50, 140
    clean = repair(plane, 1500)
    assert plane[2, 2] == 2000
    assert clean.dtype == np.int16
    assert clean[4, 5] == 0
    assert clean[2, 2] == 105  # (7 * 100 + 140) / 8
    assert clean[0, 0] == 152  # at the border the mean of all, 4545 / 30, when the brightest one has been replaced
    assert clean[2, 3] == 140


def test_of_hot_neighbours_the_brightest_goes_first_and_what_is_still_hot_once_more() -> None:
    plane = np.full((5, 6), 8.0)
    plane[2, 2], plane[2, 3] = 9008.0, 5008.0
    clean = repair(plane, 500)
    first = (7 * 8 + 5008) / 8  # 633: hot still
    second = (7 * 8 + first) / 8
    assert clean[2, 3] == second
    assert clean[2, 2] == (7 * 8 + second) / 8


@given(arrays(np.float32, st.tuples(st.integers(1, 6), st.integers(1, 6)), elements=st.floats(-10, 1e4, width=32)))
def test_repair_leaves_nothing_negative_and_alone_what_is_not_hot(plane: np.ndarray) -> None:
    clean = repair(plane, 50.0)
    assert clean.shape == plane.shape
    assert clean.min() >= 0
    zeroed = np.maximum(plane, 0)
    same = zeroed <= np.median(zeroed) + 50
    if same.all():  # otherwise the median falls, and a second look may find more
        np.testing.assert_array_equal(clean, zeroed)
    assert clean.max() <= zeroed.max()


@pytest.mark.parametrize("shape", [(1, 1, 1, 4, 5), (3, 1, 4, 5, 1), (1, 3, 4, 5), (1, 4, 1, 5)])
def test_axes_of_length_one_do_not_count(tmp_path: Path, shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(0).random(shape, np.float32)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["data"] = values
    image = read_image(tmp_path / "a.h5")
    wanted = values.reshape(-1, 4, 5)
    np.testing.assert_array_equal(np.stack([image.plane(i) for i in range(len(image))]), wanted)


@pytest.mark.parametrize("named_by", ["ilastik", "HDF5"])
def test_axes_that_are_named_in_another_order_are_refused(tmp_path: Path, named_by: str) -> None:
    for order, shape in (("yxc", (8, 9, 2)), ("cyx", (2, 8, 9)), ("tzyxc", (1, 1, 8, 9, 1)), ("xy", (9, 8))):
        path = tmp_path / f"{order}.h5"
        with h5py.File(path, "w") as file:
            data = file.create_dataset("exported_data", data=np.zeros(shape, np.uint8))
            if named_by == "ilastik":
                data.attrs["axistags"] = json.dumps({"axes": [{"key": letter} for letter in order]})
            else:
                for dim, letter in zip(data.dims, order, strict=True):
                    dim.label = letter
        if order in ("cyx", "tzyxc"):
            assert read_image(path).plane_shape == (8, 9)
        else:
            with pytest.raises(UserError, match=rf"order {', '.join(order)}.*y and x as the last"):
                read_image(path)


def test_maps_under_any_name_are_masks_and_other_pairs_of_values_are_refused(tmp_path: Path) -> None:
    maps = np.stack([1 - LABELS, LABELS], axis=-1)
    for name, values in {"a": maps, "b": maps[:1].astype(np.float32)}.items():
        image = read_image(store(tmp_path / f"{name}.h5", anything=values))
        np.testing.assert_array_equal(image.plane(0), LABELS[0])
    for name in ("images", "anything"):
        path = store(tmp_path / f"{name}.h5", **{name: np.stack([IMAGES, IMAGES[:, ::-1]], axis=-1)})
        with pytest.raises(UserError, match=rf"'{name}'.*two values per pixel"):
            read_image(path)


@pytest.mark.parametrize("shape", [(40, 48, 3), (40, 48, 4), (2, 40, 48, 3), (1, 40, 48, 1, 3)])
def test_colours_become_grey(tmp_path: Path, shape: tuple[int, ...]) -> None:
    grey = np.random.default_rng(0).integers(0, 255, (*shape[:-1], 1), np.uint8)
    image = read_image(store(tmp_path / "a.h5", images=np.broadcast_to(grey, shape)))
    planes = np.stack([image.plane(i) for i in range(len(image))])
    np.testing.assert_array_equal(planes, grey.reshape(-1, 40, 48))


@pytest.mark.parametrize("kind", ["h5", "npy", "zarr", "array"])
@pytest.mark.parametrize("channels", [2, 3, 4])
def test_a_last_axis_of_channels_is_never_taken_for_columns(tmp_path: Path, kind: str, channels: int) -> None:
    values = np.zeros((40, 48, channels), np.uint16)
    path = tmp_path / f"a.{kind}"
    if kind == "h5":
        store(path, images=values)
    elif kind == "npy":
        np.save(path, values)
    elif kind == "zarr":
        zarr.save_array(path, values)
    with pytest.raises(UserError, match=rf"{channels} values per pixel"):
        as_image(values if kind == "array" else path)


def test_pixel_sizes_that_programs_share(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "imagej.h5", "w") as file:
        file["data"] = IMAGES
        file["data"].attrs["element_size_um"] = [0.05, 0.002, 0.002]
    with h5py.File(tmp_path / "nexus.h5", "w") as file:
        group = file.create_group("entry/data")
        group.attrs["axes"] = ["frame", "y", "x"]
        group["signal"] = IMAGES
        for name, length in (("y", 40), ("x", 48)):
            group[name] = np.arange(length) * 0.002
            group[name].attrs["units"] = "um"
    with h5py.File(tmp_path / "damaged.h5", "w") as file:
        file["data"] = IMAGES
        file["data"].attrs["element_size_um"] = "?"
    sizes = [read_image(tmp_path / f"{name}.h5").pixel_size_nm for name in ("imagej", "nexus", "damaged")]
    assert sizes == [pytest.approx(2), pytest.approx(2), None]
