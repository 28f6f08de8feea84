"""Pixel sizes in nm, from the units of many programs."""

from pathlib import Path

import pytest
import tifffile
from image_arrays import random_array

from napari_emssl.data.images.opening import read_image
from napari_emssl.data.images.writers import write_image


@pytest.mark.parametrize("pixel_size_nm", [0.00123, 0.0126953125, 0.5, 3.7, 1234.5])
@pytest.mark.parametrize("dtype", ["u1", "i4"])
def test_pixel_size_survives_tiff(tmp_path: Path, pixel_size_nm: float, dtype: str) -> None:
    path = write_image(tmp_path / "a.tif", random_array((4, 4), dtype), pixel_size_nm)
    assert read_image(path).pixel_size_nm == pytest.approx(pixel_size_nm, rel=1e-6)


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


def test_an_ome_text_with_commas_keeps_pixel_and_depth(tmp_path: Path) -> None:
    sizes = {"PhysicalSizeX": 2.5, "PhysicalSizeY": 2.5, "PhysicalSizeZ": 12.5}
    units = {f"{name}Unit": "nm" for name in sizes}
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, random_array((3, 8, 9)), metadata={"axes": "ZYX", **sizes, **units})
    path.write_bytes(path.read_bytes().replace(b'2.5"', b'2,5"'))
    image = read_image(path)
    assert (image.pixel_size_nm, image.axes[0].step) == (2.5, 12.5)


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
