"""Which pages of a TIFF are one image, and which image is the data."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from image_arrays import random_array, stacked

from napari_emssl.data.images.headers import read_header
from napari_emssl.data.images.opening import read_image, read_images
from napari_emssl.errors import UserError

FILM = np.random.default_rng(0).integers(0, 4000, (6, 32, 40), dtype=np.uint16)
RAW = FILM[0]
COLOUR = np.repeat((RAW // 20).astype(np.uint8)[..., None], 3, axis=2)


def by_a_loop(path: Path) -> None:
    with tifffile.TiffWriter(path) as tif:
        for frame in FILM:
            tif.write(frame)


def by_appending(path: Path) -> None:
    for frame in FILM:
        tifffile.imwrite(path, frame, append=True)


def with_other_compression(path: Path) -> None:
    with tifffile.TiffWriter(path) as tif:
        for number, frame in enumerate(FILM):
            tif.write(frame, metadata=None, compression=[None, "zlib", "lzw"][number // 2])


def in_two_stacks(path: Path) -> None:
    tifffile.imwrite(path, FILM[:2], photometric="minisblack")
    tifffile.imwrite(path, FILM[2:], append=True, photometric="minisblack")


def appended_to_imagej(path: Path) -> None:
    tifffile.imwrite(path, FILM[:3], imagej=True, metadata={"axes": "ZYX"}, compression="zlib")
    with tifffile.TiffWriter(path, append="force") as tif:
        for frame in FILM[3:]:
            tif.write(frame, metadata=None)


@pytest.mark.parametrize(
    "write",
    [by_a_loop, by_appending, with_other_compression, in_two_stacks, appended_to_imagej],
    ids=lambda f: f.__name__,
)
def test_pages_of_one_size_are_one_stack(tmp_path: Path, write: Callable[[Path], None]) -> None:
    path = tmp_path / "film.tif"
    write(path)
    image = read_image(path)
    np.testing.assert_array_equal(stacked(image), FILM)
    assert (image.leading, image.choice) == ((6,), "")
    header = read_header(path, path.stat().st_size)
    assert header[:3] == (6, 32, 40)


BAR = np.full((7, 40), 200, np.uint8)
SIDE_BY_SIDE = {
    "colours with a scale bar": [COLOUR, RAW],
    "larger colours": [np.repeat(np.repeat(COLOUR, 2, 0), 2, 1), RAW],
    "grey preview with a bar": [np.vstack([COLOUR[..., 0], BAR]), RAW.astype(np.float32)],
    "the same bits with a bar": [np.vstack([COLOUR[..., 0], BAR]), COLOUR[..., 0]],
    "colours of one depth": [COLOUR, COLOUR[..., 0]],
    "a deep thumbnail": [RAW[:3, :4], np.repeat(np.repeat(COLOUR[..., 0], 2, 0), 2, 1)],
}


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("pages", SIDE_BY_SIDE.values(), ids=SIDE_BY_SIDE)
def test_a_picture_beside_the_data_never_wins(tmp_path: Path, pages: list[np.ndarray], swapped: bool) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as tif:
        for page in pages[::-1] if swapped else pages:
            tif.write(page, photometric="rgb" if page.ndim == 3 else "minisblack", metadata=None)
    image = read_image(path)
    np.testing.assert_array_equal(image.plane(0), pages[1])
    assert "series 1" in image.choice
    assert "--image" in image.choice
    assert len(read_images(path)) == 2
    picture = read_image(path, 2 if swapped else 1)
    assert (picture.plane_shape, picture.choice) == (pages[0].shape[:2], "")
    header = read_header(path, path.stat().st_size)
    assert (header.height, header.width, np.dtype(header.dtype)) == (*pages[1].shape, pages[1].dtype)


def test_thumbnails_and_masks_of_the_file_are_no_data(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as tif:
        tif.write(random_array((64, 64), "f4"), subfiletype=1, photometric="minisblack", metadata=None)
        tif.write(random_array((48, 48)), photometric="minisblack", metadata=None)
    assert read_image(path).plane_shape == (48, 48)


ENTRY = '<TiffData FirstZ="{}" IFD="{}" PlaneCount="1"><UUID FileName="{}">{}</UUID></TiffData>'


def ome_set(folder: Path, names: list[str], planes: int = 2) -> np.ndarray:
    """Files that describe the same set, each with its own planes of it."""
    total = len(names) * planes
    data = random_array((total, 16, 20), "u2")
    uuids = [f"urn:uuid:00000000-0000-0000-0000-00000000000{n}" for n in range(len(names))]
    entries = "".join(
        ENTRY.format(n * planes + i, i, name, uuids[n]) for n, name in enumerate(names) for i in range(planes)
    )
    for n, name in enumerate(names):
        xml = (
            f'<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="{uuids[n]}">'
            f'<Image ID="Image:0" Name="cell"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="20" '
            f'SizeY="16" SizeZ="{total}" SizeC="1" SizeT="1" PhysicalSizeX="0.005" PhysicalSizeY="0.005">'
            f'<Channel ID="Channel:0:0" SamplesPerPixel="1"/>{entries}</Pixels></Image></OME>'
        )
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        with tifffile.TiffWriter(folder / name) as tif:
            for i in range(planes):
                tif.write(data[n * planes + i], metadata=None, description=xml if i == 0 else None, contiguous=False)
    return data


def test_files_of_an_ome_set_hold_their_own_planes_once(tmp_path: Path) -> None:
    data = ome_set(tmp_path, ["a.ome.tif", "b.ome.tif", "c.ome.tif"])
    for number, name in enumerate("abc"):
        image = read_image(tmp_path / f"{name}.ome.tif")
        np.testing.assert_array_equal(stacked(image), data[2 * number : 2 * number + 2])
        assert image.pixel_size_nm == pytest.approx(5)
        assert "2 of the 6 planes" in image.notes[0]
    (tmp_path / "c.ome.tif").unlink()
    image = read_image(tmp_path / "a.ome.tif")
    np.testing.assert_array_equal(stacked(image), data[:2])
    assert "Missing: c.ome.tif" in image.notes[0]


def test_an_ome_tiff_never_leads_to_another_file(tmp_path: Path) -> None:
    ome_set(tmp_path, ["in/a.ome.tif", "../secret.ome.tif"])
    (tmp_path / "in" / "deep").mkdir()
    image = read_image(tmp_path / "in" / "a.ome.tif")
    assert len(image) == 2


def test_images_of_one_ome_tiff_keep_their_names_and_sizes(tmp_path: Path) -> None:
    path = tmp_path / "two.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as tif:
        for name, size in (("grid", 0.002), ("hole", 0.007)):
            metadata = {"Name": name, "axes": "YX", "PhysicalSizeX": size, "PhysicalSizeY": size}
            tif.write(random_array((16, 20)), metadata=metadata, photometric="minisblack")
    assert [(image.name, image.pixel_size_nm) for image in read_images(path)] == [
        ("two grid", pytest.approx(2)),
        ("two hole", pytest.approx(7)),
    ]
    assert read_image(path, "HOLE").pixel_size_nm == pytest.approx(7)
    with pytest.raises(UserError, match=r"no image 'edge'. It holds 'grid', 'hole'"):
        read_image(path, "edge")


@pytest.mark.parametrize("names", [("BF", "HAADF", "ADF"), ("HAADF 2", "BF"), ("ADF", "BF")])
def test_of_images_that_are_alike_haadf_is_meant(tmp_path: Path, names: tuple[str, ...]) -> None:
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as tif:
        for name in names:
            tif.write(random_array((16, 20)), metadata={"Name": name, "axes": "YX"}, photometric="minisblack")
    meant = next((name for name in names if name.startswith("HAADF")), names[0])
    assert f"'{meant}' is used" in read_image(tmp_path / "a.ome.tif").choice


@pytest.mark.parametrize("axes", ["TZYX", "ZYX", "TYX", "ZCYX"])
def test_a_complete_ome_tiff_keeps_its_axes(tmp_path: Path, axes: str) -> None:
    shape = (*range(2, len(axes)), 16, 20)
    steps = {"PhysicalSizeZ": 30, "PhysicalSizeZUnit": "nm", "TimeIncrement": 500, "TimeIncrementUnit": "ms"}
    data = random_array(shape, "i2")
    tifffile.imwrite(tmp_path / "a.ome.tif", data, ome=True, photometric="minisblack", metadata={"axes": axes, **steps})
    image = read_image(tmp_path / "a.ome.tif")
    np.testing.assert_array_equal(stacked(image), data)
    known = {"T": ("t", 0.5), "Z": ("z", 30), "C": ("c", None)}
    assert [tuple(axis) for axis in image.axes] == [known[letter] for letter in axes[:-2]]


@pytest.mark.parametrize("held", [1, 4])
def test_planes_that_an_imagej_tiff_claims_but_lacks_are_missed(tmp_path: Path, held: int) -> None:
    path = tmp_path / "a.tif"
    description = "ImageJ=1.53t\nimages=6\nslices=6\n"
    with tifffile.TiffWriter(path) as tif:
        for number in range(held):
            text = description if number == 0 else None
            tif.write(FILM[number], metadata=None, description=text, contiguous=False, compression="zlib")
    if held == 1:
        with pytest.raises(UserError, match="lacks plane 1"):
            read_image(path)
    else:
        image = read_image(path)
        np.testing.assert_array_equal(stacked(image), FILM[:held])
        assert "4 of the 6 planes" in image.notes[0]


@pytest.mark.parametrize("count", [3, 4])
def test_three_planes_that_tifffile_takes_for_colours(tmp_path: Path, count: int) -> None:
    path = tmp_path / "film.tif"
    guessed = {"photometric": "rgb", "planarconfig": "separate"}  # where neither is given
    tifffile.imwrite(path, FILM[:count], **guessed)
    image = read_image(path)
    np.testing.assert_array_equal(stacked(image), FILM[:count])
    assert "read as a stack" in " ".join(image.notes)
    tifffile.imwrite(path, (FILM[:count] // 20).astype(np.uint8), **guessed)
    assert "If they are a stack" in " ".join(read_image(path).notes)
    tifffile.imwrite(path, FILM[:count], metadata=None, **guessed)
    assert (read_image(path).leading, read_image(path).notes) == ((), ())


def test_values_beside_the_grey_ones_and_colours_of_print(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    for kind, said in (("unassalpha", False), ("unspecified", True)):
        tifffile.imwrite(path, np.stack([RAW, RAW[::-1]], -1), photometric="minisblack", extrasamples=[kind])
        image = read_image(path)
        np.testing.assert_array_equal(image.plane(0), RAW)
        assert bool(image.notes) is said
    tifffile.imwrite(path, np.stack([RAW] * 4, -1), photometric="separated")
    with pytest.raises(UserError, match="inks"):
        read_image(path)
