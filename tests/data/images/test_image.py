"""Reading and writing image files."""

import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_emssl.data.images import image
from napari_emssl.data.images.image import as_image, create_zarr, find_images, grey, read_image, replacing, write_image
from napari_emssl.errors import UserError

DTYPES = ["u1", "u2", "u4", "i1", "i2", "i4", "f2", "f4", "f8", "?", ">u2", ">f4"]
SHAPES = [(5, 7), (1, 1), (3, 50), (3, 5, 7), (2, 3, 5, 7)]


def stacked(image: image.Image) -> np.ndarray:
    """All planes in the image's own shape."""
    every = np.stack([image.plane(i) for i in range(len(image))])
    return every.reshape(image.leading + image.plane_shape)


def random_array(shape: tuple[int, ...], dtype: str = "u1") -> np.ndarray:
    return (np.random.default_rng(0).random(shape) * 100).astype(dtype)


@pytest.mark.parametrize(("suffix", "shapes"), [(".tif", SHAPES), (".zarr", SHAPES[::3])])
@pytest.mark.parametrize("dtype", DTYPES)
def test_written_image_is_read_back(tmp_path: Path, dtype: str, suffix: str, shapes: list[tuple[int, ...]]) -> None:
    if suffix == ".zarr":
        pytest.importorskip("zarr")
    for shape in shapes:
        check_round_trip(tmp_path / f"{len(list(tmp_path.iterdir()))}{suffix}", shape, dtype)


def check_round_trip(path: Path, shape: tuple[int, ...], dtype: str) -> None:
    array = random_array(shape, dtype)
    image = read_image(write_image(path, array, 0.25))
    assert stacked(image).shape == shape
    np.testing.assert_array_equal(stacked(image), array)
    assert image.pixel_size_nm == pytest.approx(0.25)
    assert image.name == path.stem


@given(array=hnp.arrays(st.sampled_from([np.uint8, np.uint16, np.int32, np.float32]), hnp.array_shapes(min_dims=2)))
@settings(max_examples=40, deadline=None)
def test_any_array_survives_tiff_but_for_axes_of_length_one(tmp_path_factory: pytest.TempPathFactory, array) -> None:
    path = tmp_path_factory.mktemp("any") / "a.tif"
    image = read_image(write_image(path, array))
    assert image.dtype.newbyteorder("=") == array.dtype
    np.testing.assert_array_equal(stacked(image).ravel(), array.ravel())


@pytest.mark.parametrize("pixel_size_nm", [0.00123, 0.0126953125, 0.5, 3.7, 1234.5])
@pytest.mark.parametrize("dtype", ["u1", "i4"])
def test_pixel_size_survives_tiff(tmp_path: Path, pixel_size_nm: float, dtype: str) -> None:
    path = write_image(tmp_path / "a.tif", random_array((4, 4), dtype), pixel_size_nm)
    assert read_image(path).pixel_size_nm == pytest.approx(pixel_size_nm, rel=1e-6)


def test_tiff_of_common_types_is_imagej_without_fake_axes(tmp_path: Path) -> None:
    for dtype, shape, axes in [("u1", (4, 5), "YX"), ("u2", (3, 4, 5), "ZYX"), ("f4", (2, 3, 4, 5), "TZYX")]:
        path = write_image(tmp_path / "a.tif", random_array(shape, dtype), 2.0, overwrite=True)
        with tifffile.TiffFile(path) as tif:
            assert tif.is_imagej
            assert tif.imagej_metadata["unit"] == "nm"
            assert (tif.series[0].axes, tif.series[0].shape, tif.series[0].dtype) == (axes, shape, np.dtype(dtype))


@pytest.mark.parametrize("dtype", ["u1", "u2", "?", ">u2"])
def test_png_round_trip(tmp_path: Path, dtype: str) -> None:
    array = random_array((6, 9), dtype)
    np.testing.assert_array_equal(read_image(write_image(tmp_path / "a.png", array)).plane(0), array)


def test_64_bit_integers_are_stored_small_or_exactly(tmp_path: Path) -> None:
    for value, dtype in [(7, "i4"), (2**32 - 1, "u4"), (2**40, "f8")]:
        path = write_image(tmp_path / "a.tif", np.array([[0, value]], np.int64), overwrite=True)
        assert read_image(path).plane(0).dtype == dtype
        assert read_image(path).plane(0)[0, 1] == value


def test_dask_arrays_are_written_plane_by_plane(tmp_path: Path) -> None:
    da = pytest.importorskip("dask.array")
    array = random_array((4, 30, 40))
    lazy = da.from_array(array, chunks=(1, 30, 40))
    for suffix in (".tif", ".zarr"):
        np.testing.assert_array_equal(stacked(read_image(write_image(tmp_path / f"a{suffix}", lazy))), array)


def test_unwritable_arrays_are_refused(tmp_path: Path) -> None:
    for name, array in [
        ("a.png", np.zeros((2, 3, 3), np.uint8)),
        ("a.png", np.zeros((3, 3), np.float32)),
        ("a.jpg", np.zeros((3, 3), np.uint8)),
        ("a.tif", np.zeros((3, 3), complex)),
        ("a.tif", np.zeros((0, 3))),
        ("a.tif", np.zeros((1, 1, 1, 3, 3))),
    ]:
        with pytest.raises(UserError):
            write_image(tmp_path / name, array)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a.tif", "a.zarr"])
def test_existing_image_stays_unless_overwriting_is_asked_for(tmp_path: Path, name: str) -> None:
    first, second = random_array((4, 4)), random_array((5, 5))
    write_image(tmp_path / name, first)
    with pytest.raises(UserError, match="exists already"):
        write_image(tmp_path / name, second)
    np.testing.assert_array_equal(read_image(tmp_path / name).plane(0), first)
    write_image(tmp_path / name, second, overwrite=True)
    np.testing.assert_array_equal(read_image(tmp_path / name).plane(0), second)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_full_disk_leaves_the_previous_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_image(tmp_path / "a.tif", random_array((4, 4)))
    before = path.read_bytes()

    def full(name: Path, *args: object, **kwargs: object) -> None:
        Path(name).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tifffile, "imwrite", full)
    with pytest.raises(UserError, match="No space left"):
        write_image(path, random_array((5, 5)), overwrite=True)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_failed_writing_removes_the_temporary_file(tmp_path: Path) -> None:
    def fail() -> None:
        with replacing(tmp_path / "a.bin") as temporary:
            temporary.write_bytes(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not list(tmp_path.iterdir())


def test_zarr_can_be_written_plane_by_plane_and_is_ome(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    array = random_array((3, 20, 30), "u2")
    store = create_zarr(tmp_path / "a.zarr", array.shape, array.dtype, 0.7)
    for i, plane in enumerate(array):
        store[i] = plane
    ome = zarr.open(tmp_path / "a.zarr", mode="r").attrs["ome"]
    assert ome["version"] == "0.5"
    assert [axis["name"] for axis in ome["multiscales"][0]["axes"]] == ["z", "y", "x"]
    image = read_image(tmp_path / "a.zarr")
    np.testing.assert_array_equal(stacked(image), array)
    assert image.pixel_size_nm == pytest.approx(0.7)
    with pytest.raises(UserError, match="exists already"):
        create_zarr(tmp_path / "a.zarr", (2, 2), "u1")


def test_bare_zarr_array_and_group_of_two_arrays(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    array = random_array((2, 5, 6), "f4")
    zarr.create_array(tmp_path / "bare.zarr", shape=array.shape, dtype=array.dtype)[...] = array
    np.testing.assert_array_equal(stacked(read_image(tmp_path / "bare.zarr")), array)
    group = zarr.create_group(tmp_path / "two.zarr")
    for name in "ab":
        group.create_array(name, shape=(2, 2), dtype="u1")
    with pytest.raises(UserError, match="2 arrays"):
        read_image(tmp_path / "two.zarr")
    np.testing.assert_array_equal(read_image(tmp_path / "two.zarr" / "a").plane(0), 0)


def test_ome_zarr_of_version_0_4_with_five_axes_and_micrometres(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    array = random_array((1, 1, 3, 5, 6), "u1")
    group = zarr.create_group(tmp_path / "a.zarr", zarr_format=2)
    group.create_array("0", shape=array.shape, dtype=array.dtype)[...] = array
    axes = [{"name": n, "type": "space", "unit": "micrometer"} for n in "tczyx"]
    scale = {"type": "scale", "scale": [1, 1, 1, 0.002, 0.002]}
    group.attrs["multiscales"] = [{"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": [scale]}]}]
    image = read_image(tmp_path / "a.zarr")
    assert image.leading == (3,)
    assert image.pixel_size_nm == pytest.approx(2.0)
    np.testing.assert_array_equal(stacked(image), array[0, 0])


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_tiff_stacks_stay_on_disk(tmp_path: Path, compression: str | None) -> None:
    array = random_array((6, 40, 50))
    tifffile.imwrite(tmp_path / "a.tif", array, compression=compression, photometric="minisblack")
    image = read_image(tmp_path / "a.tif")
    assert isinstance(image.planes, np.memmap) or not isinstance(image.planes, np.ndarray)
    np.testing.assert_array_equal(stacked(image), array)
    np.testing.assert_array_equal(image.plane(-1), array[-1])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(image)).plane(2), array[2])
    with pytest.raises(IndexError):
        image.plane(6)


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("leading", [(), (4,)])
def test_colour_tiff_is_read_as_grey(tmp_path: Path, leading: tuple[int, ...], planar: str, compression) -> None:
    colour = random_array((*leading, 20, 30, 3))
    stored = colour if planar == "contig" else np.moveaxis(colour, -1, len(leading))
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", planarconfig=planar, compression=compression)
    image = read_image(tmp_path / "a.tif")
    assert (image.leading, image.plane_shape) == (leading, (20, 30))
    np.testing.assert_array_equal(stacked(image), grey(colour))


@pytest.mark.parametrize("imagej", [True, False])
def test_stack_of_three_planes_is_not_colour(tmp_path: Path, imagej: bool) -> None:
    array = random_array((3, 20, 30))
    tifffile.imwrite(tmp_path / "a.tif", array, imagej=imagej, photometric="minisblack")
    np.testing.assert_array_equal(stacked(read_image(tmp_path / "a.tif")), array)


def test_spectrum_image_in_tiff_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", random_array((20, 30, 7)), photometric="minisblack", planarconfig="contig")
    with pytest.raises(UserError, match="7 values per pixel"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize(
    ("unit", "per_pixel", "nm"),
    [("nm", 0.5, 0.5), ("micron", 0.001, 1.0), ("um", 0.001, 1.0), ("\\u00B5m", 0.001, 1.0), ("pm", 20, 0.02),
     ("A", 2.0, 0.2), ("\\u00C5", 2.0, 0.2), ("inch", 0.01, None), ("cm", 0.01, None), ("pixel", 1, None),
     ("", 1, None), ("nm", 1e9, None)],
)  # fmt: skip
def test_imagej_units(tmp_path: Path, unit: str, per_pixel: float, nm: float | None) -> None:
    resolution = (1 / per_pixel, 1 / per_pixel)
    tifffile.imwrite(
        tmp_path / "a.tif", random_array((4, 4)), imagej=True, resolution=resolution, metadata={"unit": unit}
    )
    assert read_image(tmp_path / "a.tif").pixel_size_nm == (nm if nm is None else pytest.approx(nm))


def test_printing_resolution_and_stretched_pixels_are_no_pixel_size(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "dpi.tif", random_array((4, 4)), resolution=(300, 300), resolutionunit="inch")
    tifffile.imwrite(tmp_path / "xy.tif", random_array((4, 4)), imagej=True, resolution=(1, 2), metadata={"unit": "nm"})
    assert read_image(tmp_path / "dpi.tif").pixel_size_nm is None
    assert read_image(tmp_path / "xy.tif").pixel_size_nm is None


def test_ome_tiff_pixel_size(tmp_path: Path) -> None:
    sizes = {"PhysicalSizeX": 0.003, "PhysicalSizeY": 0.003}
    tifffile.imwrite(
        tmp_path / "a.ome.tif",
        random_array((2, 4, 4)),
        ome=True,
        photometric="minisblack",
        metadata={"axes": "ZYX", **sizes},
    )
    image = read_image(tmp_path / "a.ome.tif")
    assert (image.name, image.leading) == ("a", (2,))
    assert image.pixel_size_nm == pytest.approx(3.0)


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


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("pages", [1, 6])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
def test_truncated_tiff_never_passes_for_a_whole_one(tmp_path: Path, compression, pages: int, share: float) -> None:
    rng = np.random.default_rng(0)
    array = rng.integers(0, 255, (pages, 40, 50), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", array, compression=compression, photometric="minisblack")
    whole = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(UserError, match=r"a\.tif"):
        stacked(read_image(tmp_path / "a.tif"))


def test_page_damaged_in_the_middle_is_named(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 255, (5, 40, 50), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", array, compression="zlib", photometric="minisblack")
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        offset = tif.pages[3].dataoffsets[0]
    content = bytearray((tmp_path / "a.tif").read_bytes())
    content[offset : offset + 200] = bytes(200)
    (tmp_path / "a.tif").write_bytes(content)
    image = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(image.plane(2), array[2])
    with pytest.raises(UserError, match=r"Plane 3 of .*a\.tif"):
        image.plane(3)


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


def test_find_images_sorts_naturally_and_ignores_junk(tmp_path: Path) -> None:
    for name in ["img10.tif", "img2.tif", "sub/B.PNG", "sub/notes.txt", "Thumbs.db", ".hidden.png", "._img2.tif",
                 ".git/a.png", "__MACOSX/a.png", "s.zarr/c/0.png"]:  # fmt: skip
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()
    names = [path.relative_to(tmp_path).as_posix() for path in find_images([tmp_path])]
    assert names == ["img2.tif", "img10.tif", "s.zarr", "sub/B.PNG"]
    assert find_images([tmp_path / "img2.tif", tmp_path, tmp_path / "sub"]) == find_images(tmp_path)


def test_find_images_survives_links_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    assert find_images(tmp_path) == [tmp_path / "a.png"]


def test_find_images_names_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.txt").touch()
    for name, words in [("none", "does not exist"), ("empty", "no image .*TIFF"), ("a.txt", "no known image format")]:
        with pytest.raises(UserError, match=words) as caught:
            find_images([tmp_path / name])
        assert str(tmp_path / name) in str(caught.value)


@given(
    array=hnp.arrays(
        st.sampled_from([np.uint8, np.uint16, np.int64, np.float32, np.bool_]), hnp.array_shapes(min_dims=2, max_dims=5)
    )
)
@settings(max_examples=60, deadline=None)
def test_arrays_keep_their_planes(array: np.ndarray) -> None:
    image = as_image(array, "a")
    colour = array.dtype == np.uint8 and array.ndim > 2 and array.shape[-1] in (3, 4)
    expected = grey(array) if colour else array
    assert image.leading + image.plane_shape == expected.shape
    np.testing.assert_array_equal(stacked(image), expected)
    assert all(image.plane(i).flags.c_contiguous for i in range(len(image)))


def test_lazy_arrays_are_taken_as_they_are() -> None:
    da = pytest.importorskip("dask.array")
    array = random_array((2, 3, 5, 6), "f4")
    lazy = da.from_array(array[0])
    assert as_image(lazy).planes is lazy
    np.testing.assert_array_equal(stacked(as_image(da.from_array(array))), array)
    image = as_image(array)
    assert as_image(image) is image
    assert np.shares_memory(image.planes, array)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (np.zeros(3), "spectrum"),
        (np.float32(1), "shape"),
        (np.zeros((0, 4)), "no pixel"),
        (np.zeros((2, 2), complex), "complex"),
        (np.array([["a"]]), "no grey values"),
        (np.zeros((4, 3), "M8[s]"), "no grey values"),
        ([[1, 2], [3]], "no array of numbers"),
    ],
)
def test_what_is_no_image_is_refused(source: object, words: str) -> None:
    with pytest.raises(UserError, match=words):
        as_image(source)


@given(values=hnp.arrays(np.uint8, (4, 5)))
@settings(max_examples=20, deadline=None)
def test_grey_of_equal_colours_is_exact(values: np.ndarray) -> None:
    for array in (values, values.astype(np.uint16) * 257, values.astype(np.float32)):
        np.testing.assert_allclose(grey(np.stack([array] * 3, -1)), array, rtol=1e-6)
        assert grey(np.stack([array] * 4, -1)).dtype == array.dtype


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
