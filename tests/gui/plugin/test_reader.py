"""Files of microscopes become calibrated, lazy layers; what cannot be read is said in a sentence."""

import importlib

import mrcfile
import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from napari.layers import Layer

from napari_emssl.data.images import image, writers
from napari_emssl.errors import UserError
from napari_emssl.gui.plugin.pixel_size import take_pixel_size
from napari_emssl.gui.plugin.reader import get_reader, read_layers
from napari_emssl.gui.plugin.writer import write_image_layer

pytestmark = pytest.mark.usefixtures("plugins")
PLUGIN = "napari-emssl"
STRETCHED = [(65003, 2, 3, "nm", False), (65004, 2, 3, "nm", False), (65009, 12, 1, 2.0, False),
             (65010, 12, 1, 4.0, False)]  # fmt: skip
"""Tags of DigitalMicrograph: units and scales of x and y."""


def layers_of(path):
    """Layers of a TIFF, which napari opens by itself: the plugin does not ask for files that napari reads."""
    return [Layer.create(*data) for data in read_layers(path)]


@pytest.fixture
def mrc(tmp_path):
    """Make an MRC file of an array."""

    def make(array, name="film.mrc", angstrom=2.5):
        with mrcfile.new(tmp_path / name) as file:
            file.set_data(array)
            file.voxel_size = angstrom
        return str(tmp_path / name)

    return make


@pytest.fixture
def stack():
    return np.random.default_rng(0).integers(0, 900, (5, 32, 48)).astype(np.int16)


def test_a_stack_is_opened_lazily_and_calibrated(mrc, stack, monkeypatch):
    read = []
    plane = image.Image.plane
    monkeypatch.setattr(image.Image, "plane", lambda self, i: read.append(i) or plane(self, i))
    (layer,) = ViewerModel().open(mrc(stack), plugin=PLUGIN)
    assert set(read) == {2, 0}  # the contrast, and the plane in view
    assert layer.name == "film"
    assert tuple(layer.scale) == pytest.approx((0.25, 0.25, 0.25))
    assert [str(unit) for unit in layer.units] == ["nanometer"] * 3
    assert layer.axis_labels == ("z", "y", "x")
    np.testing.assert_array_equal(layer.data, stack)
    assert layer.metadata["napari_emssl"]["pixel_size_nm"] == pytest.approx(0.25)


def test_one_hot_pixel_does_not_decide_the_contrast(mrc):
    plane = np.random.default_rng(0).normal(100, 10, (64, 64)).astype(np.float32)
    plane[3, 3] = 1e6
    (layer,) = ViewerModel().open(mrc(plane), plugin=PLUGIN)
    assert layer.data.shape == (64, 64)
    assert layer.contrast_limits[1] < 200


def test_a_file_without_calibration_stays_in_pixels(mrc, stack):
    (layer,) = ViewerModel().open(mrc(stack, angstrom=0), plugin=PLUGIN)
    assert tuple(layer.scale) == (1, 1, 1)
    assert [str(unit) for unit in layer.units] == ["pixel"] * 3


def test_the_only_reader_is_found_without_being_named(mrc, stack):
    assert ViewerModel().open(mrc(stack, name="FILM.MRC"), plugin=None)[0].data.shape == stack.shape


def test_files_are_stacked_where_their_grids_agree(mrc, stack):
    first, second = mrc(stack[0], "a.mrc"), mrc(stack[1], "b.mrc")
    (layer,) = ViewerModel().open([first, second], stack=True, plugin=PLUGIN)
    np.testing.assert_array_equal(layer.data, stack[:2])
    assert tuple(layer.scale) == pytest.approx((1, 0.25, 0.25))
    with pytest.raises(UserError, match="cannot be stacked"):
        read_layers([first, mrc(stack[1], "c.mrc", angstrom=3)])


def test_every_image_of_a_file_becomes_a_layer_with_its_name(tmp_path, stack):
    path = str(tmp_path / "two.ome.tif")
    with tifffile.TiffWriter(path, ome=True) as tif:
        for name, array, size in (("hole", stack[0].astype("u1"), 0.004), ("grid", stack, 0.002)):
            axes = "ZYX" if array.ndim == 3 else "YX"
            metadata = {"Name": name, "axes": axes, "PhysicalSizeX": size, "PhysicalSizeY": size, "PhysicalSizeZ": 0.03}
            tif.write(array, metadata=metadata, photometric="minisblack")
    grid, hole = layers_of(path)
    assert (grid.name, grid.visible, hole.name, hole.visible) == ("two grid", True, "two hole", False)
    np.testing.assert_array_equal(grid.data, stack)
    assert tuple(grid.scale) == pytest.approx((30, 2, 2))
    assert [str(unit) for unit in grid.units] == ["nanometer"] * 3
    assert tuple(hole.scale) == pytest.approx((4, 4))


def test_time_and_channels_keep_their_kind(tmp_path, stack):
    film = stack[:4].reshape(2, 2, 32, 48)
    metadata = {"axes": "TCYX", "finterval": 0.4, "unit": "um"}
    tifffile.imwrite(tmp_path / "a.tif", film.astype("u2"), imagej=True, metadata=metadata, resolution=(500, 500))
    (layer,) = layers_of(str(tmp_path / "a.tif"))
    assert layer.axis_labels == ("t", "c", "y", "x")
    assert [str(unit) for unit in layer.units] == ["second", "pixel", "nanometer", "nanometer"]
    assert tuple(layer.scale) == pytest.approx((0.4, 1, 2, 2))
    write_image_layer(str(tmp_path / "b.tif"), *layer.as_layer_data_tuple()[:2])
    with tifffile.TiffFile(tmp_path / "b.tif") as tif:
        assert (tif.series[0].axes, tif.imagej_metadata["finterval"]) == ("TCYX", pytest.approx(0.4))


def test_pixels_that_are_not_square_lie_as_they_are(tmp_path, stack, monkeypatch):
    said = []
    monkeypatch.setattr("napari.utils.notifications.show_warning", said.append)
    tifffile.imwrite(tmp_path / "a.tif", stack[0], imagej=False, metadata=None, extratags=STRETCHED)
    (layer,) = layers_of(str(tmp_path / "a.tif"))
    assert tuple(layer.scale) == pytest.approx((4, 2))
    assert "not square" in said[0]


def test_files_of_microscope_makers(shared_data):
    pytest.importorskip("rsciio")
    viewer = ViewerModel()
    for name, shape, nm in (
        ("MoS2_1024.dm3", (1024, 1024), 0.0126953125),
        ("64x64x5_TEM_preview_1.ser", (5, 64, 64), 6.281834),
        ("fei_example_tem_stack.emd", (2, 3, 3), 0.00817288),
        ("HAADFscan.mrc", (16, 16), 5.679131),
        ("test_diffraction_pattern.dm3", (87, 87), 1),
    ):
        (layer,) = viewer.open(str(shared_data / "readers" / name), plugin=PLUGIN)
        assert layer.data.shape == shape
        assert layer.scale[-1] == pytest.approx(nm, rel=1e-5)
        assert str(layer.units[-1]) == ("pixel" if nm == 1 else "nanometer")
        assert np.asarray(layer.data).std() > 0


def test_a_spectrum_is_refused_in_a_sentence(shared_data):
    pytest.importorskip("rsciio")
    with pytest.raises(UserError, match="no image but a spectrum"):
        get_reader("a")(str(shared_data / "readers" / "test-6.dm4"))


@pytest.mark.parametrize("suffix", ["dm3", "dm4"])
def test_a_missing_optional_package_is_named_with_the_way_to_get_it(suffix, tmp_path, monkeypatch):
    file = tmp_path / f"a.{suffix}"
    file.write_bytes(b"x")
    real = importlib.import_module

    def without(name, *more):
        if name.startswith("rsciio"):
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)
        return real(name, *more)

    monkeypatch.setattr(importlib, "import_module", without)
    with pytest.raises(UserError, match=r'pip install "napari-emssl\[em\]"'):
        read_layers(str(file))


@pytest.mark.gui
def test_what_cannot_be_read_is_said_in_the_viewer(make_napari_viewer, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr("napari.utils.notifications.show_error", said.append)
    viewer = make_napari_viewer()
    file = tmp_path / "broken.mrc"
    file.write_bytes(b"not an MRC file")
    assert viewer.open(str(file), plugin=PLUGIN) == []
    assert len(said) == 1
    assert "broken.mrc cannot be read" in said[0]


@pytest.mark.gui
def test_pixel_size_of_a_file_that_napari_opened_itself(make_napari_viewer, tmp_path, monkeypatch):
    said = []
    for kind in ("info", "error"):
        monkeypatch.setattr(
            f"napari.utils.notifications.show_{kind}", lambda text, kind=kind: said.append((kind, text))
        )
    viewer = make_napari_viewer()
    take_pixel_size()
    file = writers.write_image(tmp_path / "a.tif", np.zeros((32, 32), np.uint8), 0.4)
    (layer,) = viewer.open(str(file), plugin="napari")
    labels = viewer.add_labels(np.zeros((32, 32), np.uint8), name="painting")
    viewer.layers.selection.active = layer
    assert tuple(layer.scale) == (1, 1)
    take_pixel_size()
    assert tuple(layer.scale) == tuple(labels.scale) == pytest.approx((0.4, 0.4))
    assert [str(unit) for unit in labels.units] == ["nanometer"] * 2
    bare = writers.write_image(tmp_path / "b.tif", np.zeros((32, 32), np.uint8))
    viewer.layers.selection.active = viewer.open(str(bare), plugin="napari")[0]
    take_pixel_size()
    assert [kind for kind, _ in said] == ["error", "info", "error"]
    assert "0.4 nm" in said[1][1]
    assert "has no pixel size" in said[2][1]
