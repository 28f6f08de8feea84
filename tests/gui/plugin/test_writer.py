"""Saved layers keep their pixel size and open elsewhere: smallest integer type, no axes that are not there."""

import dask.array as da
import numpy as np
import pytest
import tifffile
import zarr
from napari.layers import Image, Labels

from napari_emssl.data.images.opening import read_image
from napari_emssl.errors import UserError
from napari_emssl.gui.plugin.writer import write_image_layer

pytestmark = pytest.mark.usefixtures("plugins")
PLUGIN = "napari-emssl"
NM = {"scale": (1, 0.25, 0.25), "units": ("pixel", "nm", "nm")}


@pytest.fixture
def film():
    return np.random.default_rng(0).normal(50, 9, (3, 32, 40)).astype(np.float32)


@pytest.mark.parametrize("suffix", [".tif", ".zarr"])
def test_images_come_back_with_values_and_pixel_size(film, tmp_path, suffix):
    path = tmp_path / f"film{suffix}"
    assert Image(film, **NM).save(str(path), plugin=PLUGIN) == [str(path)]
    back = read_image(path)
    np.testing.assert_array_equal(np.stack([back.plane(i) for i in range(3)]), film)
    assert back.leading == (3,)
    assert back.pixel_size_nm == pytest.approx(0.25)


def test_imagej_reads_the_calibration(film, tmp_path):
    Image(film[0], scale=(2, 2), units=("angstrom", "angstrom")).save(str(tmp_path / "a.tif"), plugin=PLUGIN)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.is_imagej
        assert file.imagej_metadata["unit"] == "nm"
        assert file.series[0].axes == "YX"
    assert read_image(tmp_path / "a.tif").pixel_size_nm == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("least", "greatest", "dtype"),
    [(0, 3, "uint8"), (0, 255, "uint8"), (0, 256, "uint16"), (0, 70_000, "uint32"), (-1, 3, "int8")],
)
@pytest.mark.parametrize("suffix", [".tif", ".zarr"])
def test_labels_take_the_smallest_integer_type(least, greatest, dtype, suffix, tmp_path):
    labels = np.zeros((2, 24, 24), np.int64)
    labels[1, 3, 4], labels[0, 5, 6] = greatest, least
    path = tmp_path / f"labels{suffix}"
    Labels(labels, **NM).save(str(path), plugin=PLUGIN)
    stored = zarr.open(path)["0"] if suffix == ".zarr" else tifffile.imread(path)
    assert stored.dtype == dtype
    np.testing.assert_array_equal(stored[:], labels)
    assert read_image(path).pixel_size_nm == pytest.approx(0.25)


def test_axes_of_length_one_are_left_out(film, tmp_path):
    Image(film[None, :1], scale=(1, 1, 0.25, 0.25), units=("s", "pixel", "nm", "nm")).save(
        str(tmp_path / "a.zarr"), plugin=PLUGIN
    )
    assert zarr.open(tmp_path / "a.zarr")["0"].shape == (32, 40)
    grid = {"scale": (0.2, 1, 30, 1, 4, 5), "units": ("s", "pixel", "nm", "pixel", "nm", "nm")}
    names = {"axis_labels": ("t", "c", "z", "n", "y", "x")}
    Image(np.stack([film, film])[:, None, :, None], **grid, **names).save(str(tmp_path / "b.zarr"), plugin=PLUGIN)
    back = read_image(tmp_path / "b.zarr")
    np.testing.assert_array_equal(back.plane(4), film[1])
    assert [tuple(axis) for axis in back.axes] == [("t", pytest.approx(0.2)), ("z", pytest.approx(30))]
    assert back.pixel == pytest.approx((4, 5))


def test_lazy_layers_are_written_plane_by_plane(film, tmp_path):
    most = []

    def block(block_id):
        most.append(block_id[0])
        return film[block_id[0]][None]

    lazy = da.map_blocks(block, chunks=((1,) * 3, (32,), (40,)), dtype=np.float32, meta=np.empty((0, 0, 0), np.float32))
    layer = Image(lazy, contrast_limits=(0, 1), **NM)
    most.clear()
    layer.save(str(tmp_path / "a.zarr"), plugin=PLUGIN)
    assert most == [0, 1, 2]
    np.testing.assert_array_equal(zarr.open(tmp_path / "a.zarr")["0"][:], film)


def test_a_multiscale_layer_is_written_at_its_finest_level(film, tmp_path):
    Image([film[0], film[0, ::2, ::2]], multiscale=True).save(str(tmp_path / "a.tif"), plugin=PLUGIN)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), film[0])


def test_what_cannot_keep_a_pixel_size_is_said(film, tmp_path):
    with pytest.raises(UserError, match="colour image"):
        write_image_layer(str(tmp_path / "a.tif"), np.zeros((8, 8, 3), np.uint8), {"rgb": True, "name": "photo"})
    with pytest.raises(UserError, match="cannot be written"):
        write_image_layer(str(tmp_path / "a.tif"), np.zeros((2, 2, 2, 8, 8), np.uint8), {})
    assert not list(tmp_path.iterdir())
    stretched = {"scale": (0.2, 0.4), "units": ("nm", "nm")}
    write_image_layer(str(tmp_path / "b.tif"), film[0], stretched)
    assert read_image(tmp_path / "b.tif").pixel == pytest.approx((0.2, 0.4))
    assert read_image(tmp_path / "b.tif").pixel_size_nm is None


def test_only_a_zarr_is_replaced(film, tmp_path):
    folder = tmp_path / "mine.zarr"
    folder.mkdir()
    (folder / "notes.txt").write_text("precious")
    with pytest.raises(UserError, match="folder with other things"):
        write_image_layer(str(folder), film[0], {})
    assert (folder / "notes.txt").read_text() == "precious"
    write_image_layer(str(tmp_path / "a.zarr"), film[0], {})
    write_image_layer(str(tmp_path / "a.zarr"), film[1], {})
    np.testing.assert_array_equal(zarr.open(tmp_path / "a.zarr")["0"][:], film[1])


def test_napari_writes_as_before_where_this_plugin_is_not_asked_for(film, tmp_path):
    assert Image(film[0]).save(str(tmp_path / "a.tif")) == [str(tmp_path / "a.tif")]
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert "nm" not in str(file.imagej_metadata)
