"""Image files of all kinds are read, and what cannot be read is named."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from image_arrays import random_array, stacked

from napari_emssl.data.images.image import notes_of
from napari_emssl.data.images.opening import find_images, read_image
from napari_emssl.data.images.readers import HEADER_READERS, READERS, header_reader_of, reader_of
from napari_emssl.errors import UserError


def test_every_reader_is_where_the_table_says() -> None:
    assert all(callable(reader_of(suffix)) for suffix in READERS)
    assert all(callable(header_reader_of(suffix)) for suffix in HEADER_READERS)
    assert header_reader_of(".npy") is None
    assert {*HEADER_READERS} <= {*READERS}


def test_pictures_in_all_modes(tmp_path: Path) -> None:
    pillow = pytest.importorskip("PIL.Image")
    base = random_array((8, 9))
    same = np.stack([base] * 3, -1)
    modes = {
        "L": base, "RGB": same, "RGBA": np.concatenate([same, 255 - same[..., :1]], -1),
        "LA": np.stack([base, 255 - base], -1),
    }  # fmt: skip
    for mode, array in modes.items():
        pillow.fromarray(array).save(tmp_path / f"{mode}.png")
        np.testing.assert_array_equal(read_image(tmp_path / f"{mode}.png").plane(0), base)
    pillow.fromarray(base > 50).save(tmp_path / "1.png")
    np.testing.assert_array_equal(read_image(tmp_path / "1.png").plane(0), base > 50)
    pillow.fromarray(base).save(tmp_path / "L.bmp")
    np.testing.assert_array_equal(read_image(tmp_path / "L.bmp").plane(0), base)
    pillow.fromarray(same).save(tmp_path / "c.jpg", quality=100)
    assert abs(read_image(tmp_path / "c.jpg").plane(0).astype(int) - base).mean() < 3


def test_palettes_grey_is_mapped_coloured_gives_indices(tmp_path: Path) -> None:
    pillow = pytest.importorskip("PIL.Image")
    indices = np.array([[0, 1], [2, 1]], np.uint8)
    for name, palette, expected in [
        ("grey", [9, 9, 9, 100, 100, 100, 200, 200, 200], [[9, 100], [200, 100]]),
        ("colour", [0, 0, 0, 255, 0, 0, 0, 255, 0], indices),
    ]:
        picture = pillow.new("P", (2, 2))
        picture.putdata(indices.ravel().tolist())
        picture.putpalette(palette)
        picture.save(tmp_path / f"{name}.png")
        np.testing.assert_array_equal(read_image(tmp_path / f"{name}.png").plane(0), expected)


def palette_of_greys(**colours: tuple[int, int, int]) -> list[int]:
    """A palette of 256 greys from bright to dark, some replaced by colours."""
    palette = np.repeat(np.arange(255, -1, -1), 3).reshape(256, 3)
    for entry, colour in colours.items():
        palette[int(entry[1:])] = colour
    return palette.ravel().tolist()


def test_masks_of_one_palette_agree_whatever_they_show_and_micrographs_are_grey(tmp_path: Path) -> None:
    pillow = pytest.importorskip("PIL.Image")

    def saved(values: np.ndarray, palette: list[int], suffix: str = ".png") -> Path:
        picture = pillow.fromarray(values.astype(np.uint8), "L").convert("L")
        picture.putpalette(palette)
        picture.save(tmp_path / f"p{suffix}")
        return tmp_path / f"p{suffix}"

    classes = [0, 0, 0, 255, 255, 255, 255, 0, 0]  # the file that shows class 1 alone uses greys alone
    for shown in ([0, 1], [0, 2], [0, 1, 2]):
        np.testing.assert_array_equal(np.unique(read_image(saved(np.array([shown]), classes)).plane(0)), shown)
    ramp = np.arange(200, dtype=np.uint8).reshape(10, 20)
    np.testing.assert_array_equal(read_image(saved(ramp, palette_of_greys())).plane(0), 255 - ramp)
    with_bar = read_image(saved(ramp, palette_of_greys(e7=(255, 0, 0))))
    assert with_bar.plane(0).ravel()[:9].tolist() == [255, 254, 253, 252, 251, 250, 249, 76, 247]
    assert "some colours" in with_bar.notes[0]
    colours = np.random.default_rng(0).integers(0, 255, 768).tolist()
    for suffix in (".png", ".tif"):
        numbers = read_image(saved(ramp, colours, suffix))
        np.testing.assert_array_equal(numbers.plane(0), ramp)
        assert "its values are their numbers" in numbers.notes[0]
    other = replace(numbers, path=Path("q"), notes=(numbers.notes[0].replace(str(numbers.path), "q"),))
    assert notes_of([numbers, other]) == [f"{numbers.notes[0]} The same holds for 1 more."]


def test_npy_is_mapped_and_never_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", random_array((3, 4, 5), ">f4"))
    image = read_image(tmp_path / "a.npy")
    assert isinstance(image.planes, np.memmap)
    assert image.plane(1).dtype == np.dtype("=f4")
    np.save(tmp_path / "o.npy", np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(UserError, match="never loaded"):
        read_image(tmp_path / "o.npy")


@pytest.mark.parametrize(("angstrom", "nm"), [(0.0, None), (2.5, 0.25)])
@pytest.mark.parametrize("shape", [(6, 7), (3, 6, 7)])
def test_mrc(tmp_path: Path, shape: tuple[int, ...], angstrom: float, nm: float | None) -> None:
    mrcfile = pytest.importorskip("mrcfile")
    array = random_array(shape, "f4")
    with mrcfile.new(tmp_path / "a.mrc", data=array) as mrc:
        mrc.voxel_size = angstrom
    image = read_image(tmp_path / "a.mrc")
    np.testing.assert_array_equal(stacked(image), array)
    assert image.pixel_size_nm == (nm if nm is None else pytest.approx(nm))


def test_bare_zarr_array_and_group_of_two_arrays(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    array = random_array((2, 5, 6), "f4")
    zarr.create_array(tmp_path / "bare.zarr", shape=array.shape, dtype=array.dtype)[...] = array
    np.testing.assert_array_equal(stacked(read_image(tmp_path / "bare.zarr")), array)
    group = zarr.create_group(tmp_path / "two.zarr")
    for name in "ab":
        group.create_array(name, shape=(2, 2), dtype="u1")
    with pytest.raises(UserError, match=r"2 images .'a', 'b'"):
        read_image(tmp_path / "two.zarr")
    np.testing.assert_array_equal(read_image(tmp_path / "two.zarr" / "a").plane(0), 0)


@pytest.mark.parametrize(
    "name", ["a.tif", "a.png", "a.jpg", "a.npy", "a.mrc", "a.dm3", "a.dm4", "a.emd", "a.ser", "a.zarr"]
)
def test_damaged_file_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "a.zarr":
        path.mkdir()
    else:
        path.write_bytes(b"this is not an image " * 100)
    with pytest.raises(UserError, match=r"a\.") as caught:
        read_image(path)
    assert str(path) in str(caught.value)


def test_paths_that_are_no_image(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("no image")
    for path, words in [(tmp_path / "b.tif", "does not exist"), (tmp_path / "a.txt", "TIFF"), (tmp_path, "folder")]:
        with pytest.raises(UserError, match=words):
            read_image(path)


def test_missing_package_is_hinted_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name, hint in [("rsciio", "a.dm3", r"napari-emssl\[em\]"), ("mrcfile", "a.mrc", "pip install mrcfile")]:
        for loaded in [key for key in sys.modules if key.partition(".")[0] == module]:
            monkeypatch.delitem(sys.modules, loaded)
        monkeypatch.setitem(sys.modules, module, None)
        (tmp_path / name).write_bytes(b"x")
        with pytest.raises(UserError, match=hint):
            read_image(tmp_path / name)


def test_every_shared_image_is_read(shared_data: Path) -> None:
    files = [path for path in find_images(shared_data) if path.parent.name != "readers"]
    for path in files[::7]:
        image = read_image(path)
        assert image.plane(0).shape == image.plane_shape
        assert image.plane(0).dtype in (np.uint8, np.uint16)


def test_files_of_microscope_makers(shared_data: Path) -> None:
    pytest.importorskip("rsciio")
    expected = {
        "MoS2_1024.dm3": (1, (1024, 1024), 0.0126953125),
        "test_STEM_image.dm3": (1, (68, 68), 0.248538),
        "test_dm_image_um_unit.dm3": (1, (68, 68), 168.6747),
        "test_diffraction_pattern.dm3": (1, (87, 87), None),
        "64x64x5_TEM_preview_1.ser": (5, (64, 64), 6.281834),
        "128x128x5-diffraction_preview_1.ser": (5, (128, 128), None),
        "fei_example_tem_stack.emd": (2, (3, 3), 0.00817288),
        "HAADFscan.mrc": (1, (16, 16), 5.679131),
    }
    for name, (count, shape, nm) in expected.items():
        image = read_image(shared_data / "readers" / name)
        assert (len(image), image.plane(0).shape) == (count, shape)
        assert image.pixel_size_nm == (nm if nm is None else pytest.approx(nm, rel=1e-5))


def test_spectrum_is_refused(shared_data: Path) -> None:
    pytest.importorskip("rsciio")
    with pytest.raises(UserError, match="spectrum"):
        read_image(shared_data / "readers" / "test-6.dm4")
