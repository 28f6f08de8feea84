"""Files of microscope makers: which of their images is opened, whatever else they hold."""

import importlib.util
import json
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from napari_emssl.data.formats.rosettasciio import is_image_stack
from napari_emssl.data.images.opening import read_image, read_images
from napari_emssl.errors import UserError

pytest.importorskip("rsciio")
PLANE = np.arange(48, dtype=np.uint16).reshape(6, 8)


def velox(path: Path, images: dict[str, tuple[str, np.ndarray]], spectra: bool = False, chunked: bool = True) -> Path:
    """A file like Velox writes it: images ``(h, w, frames)`` under keys, each with its metadata."""
    with h5py.File(path, "w") as file:
        file["Version"] = np.array([json.dumps({"format": "Velox", "version": "8"})], h5py.string_dtype())
        for key, (detector, values) in images.items():
            metadata = {
                "BinaryResult": {
                    "Detector": detector,
                    "DetectorIndex": "0",
                    "PixelSize": {"width": "2e-9", "height": "2e-9"},
                    "PixelUnitX": "m",
                    "PixelUnitY": "m",
                },
                "Scan": {"FrameTime": "0.5"},
                "Acquisition": {"AcquisitionStartDatetime": {"DateTime": "1500000000"}},
                "Detectors": {"Detector-0": {"DetectorName": detector, "DetectorType": "ScanningDetector"}},
            }
            group = file.create_group(f"Data/Image/{key}")
            stack = values if values.ndim == 3 else values[..., None]
            group.create_dataset("Data", data=stack, chunks=(*stack.shape[:2], 1) if chunked else None)
            text = np.frombuffer(json.dumps(metadata).encode(), np.uint8)
            group["Metadata"] = np.concatenate([text, np.zeros(10, np.uint8)])[:, None]
        if spectra:
            file.create_group("Presentation/Displays/ImageDisplay")
            file.create_group("Data/SpectrumImage")
            file.create_group("Data/SpectrumStream")
    return path


FFT = np.zeros((6, 5), [("realFloatHalfEven", "<f4"), ("imagFloatHalfEven", "<f4")])


@pytest.mark.parametrize("keys", ["abc", "cab", "bca"])
def test_the_same_detector_is_opened_whatever_the_keys_are(tmp_path: Path, keys: str) -> None:
    values = {"DF4": PLANE + 1, "HAADF": PLANE, "BF": PLANE + 2}
    path = velox(tmp_path / "a.emd", dict(zip(keys, values.items(), strict=True)))
    image = read_image(path)
    np.testing.assert_array_equal(image.plane(0), PLANE)
    assert image.pixel_size_nm == pytest.approx(2)
    assert "3 images ('HAADF', 'BF', 'DF4'); 'HAADF' is used" in image.choice
    for name, expected in values.items():
        np.testing.assert_array_equal(read_image(path, name).plane(0), expected)
    np.testing.assert_array_equal(read_image(path, 2).plane(0), values["BF"])
    assert [each.name for each in read_images(path)] == ["a HAADF", "a BF", "a DF4"]


def test_without_haadf_the_first_by_name(tmp_path: Path) -> None:
    path = velox(tmp_path / "a.emd", {"x": ("Ceta 10", PLANE), "y": ("Ceta 9", PLANE + 1), "z": ("Ceta 9", PLANE + 2)})
    assert [each.name for each in read_images(path)] == ["a Ceta 9", "a Ceta 9 2", "a Ceta 10"]
    np.testing.assert_array_equal(read_image(path).plane(0), PLANE + 1)


def test_a_file_that_was_packed_again_in_one_piece(tmp_path: Path) -> None:
    path = velox(tmp_path / "a.emd", {"x": ("HAADF", PLANE), "y": ("BF", PLANE + 1)}, chunked=False)
    np.testing.assert_array_equal(read_image(path, "BF").plane(0), PLANE + 1)


def test_a_transform_does_not_hide_the_image(tmp_path: Path) -> None:
    image = read_image(velox(tmp_path / "a.emd", {"a": ("HAADF", FFT), "b": ("HAADF", PLANE)}))
    np.testing.assert_array_equal(image.plane(0), PLANE)
    assert image.choice == ""
    with pytest.raises(UserError, match="complex numbers"):
        read_image(velox(tmp_path / "fft.emd", {"a": ("HAADF", FFT)}))


@pytest.mark.parametrize("installed", [True, False])
def test_a_map_of_spectra_does_not_stop_the_image(tmp_path: Path, installed: bool, monkeypatch) -> None:
    real = importlib.util.find_spec
    found = importlib.util.spec_from_loader("sparse", None)
    monkeypatch.setattr(
        importlib.util, "find_spec",
        lambda name, *more: (found if installed else None) if name == "sparse" else real(name, *more),
    )  # fmt: skip
    image = read_image(velox(tmp_path / "a.emd", {"a": ("HAADF", PLANE)}, spectra=True))
    np.testing.assert_array_equal(image.plane(0), PLANE)
    assert "spectrum image" in image.notes[0]
    assert ("sparse" in image.notes[0]) is not installed


def test_a_film_keeps_its_time(tmp_path: Path) -> None:
    film = np.stack([PLANE, PLANE + 1, PLANE + 2], -1)
    image = read_image(velox(tmp_path / "a.emd", {"a": ("HAADF", film)}))
    assert image.leading == (3,)
    assert tuple(image.axes[0]) == ("t", pytest.approx(0.5))
    np.testing.assert_array_equal(image.plane(2), PLANE + 2)


def signal(third: dict | None, signal_type: str = "", dtype: str = "f4") -> dict:
    axes = [{"name": name, "navigate": False, "units": "nm", "scale": 1.0} for name in "yx"]
    axes = [third, *axes] if third else axes
    data = np.zeros((2,) * len(axes), dtype)
    return {"data": data, "axes": axes, "metadata": {"Signal": {"signal_type": signal_type}}}


@pytest.mark.parametrize(
    ("third", "signal_type", "expected"),
    [
        (None, "", True),
        ({"name": "z", "navigate": True, "units": "um"}, "", True),
        ({"name": "Time", "navigate": True, "units": "s"}, "", True),
        ({"name": None, "navigate": True, "units": None}, "", True),
        ({"name": "Wavelength", "navigate": True, "units": "nm"}, "", False),
        ({"name": "z", "navigate": True, "units": "nm"}, "CL", False),
        ({"name": "z", "navigate": True, "units": "keV"}, "", False),
        ({"name": "Energy loss", "navigate": True, "units": ""}, "", False),
        ({"name": "z", "navigate": True, "units": "1/cm"}, "", False),
        ({"name": "z", "navigate": False, "units": "nm"}, "", False),
    ],
)
def test_spectra_are_told_from_films_whatever_their_unit(third: dict | None, signal_type: str, expected: bool) -> None:
    assert is_image_stack(signal(third, signal_type)) is expected
    assert not is_image_stack(signal(third, signal_type, "c8"))


def test_rosettasciio_is_asked_about_a_tiff_of_which_nothing_is_known(tmp_path: Path, monkeypatch) -> None:
    import rsciio.tiff
    import tifffile

    path = tmp_path / "a.tif"
    tifffile.imwrite(path, PLANE, metadata=None, extratags=[(60000, 2, 6, "maker", False)])
    axes = [{"scale": 3.0, "units": "nm"}] * 2
    monkeypatch.setattr(rsciio.tiff, "file_reader", lambda *_, **__: [{"data": PLANE, "axes": axes, "metadata": {}}])
    assert read_image(path).pixel_size_nm == pytest.approx(3)
    monkeypatch.setitem(sys.modules, "rsciio.tiff", None)
    assert read_image(path).pixel_size_nm is None


@pytest.mark.parametrize("first", [("z", "[n_m]", "z"), ("time", "s", "t"), None])
@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("plane", [("y", "x"), ("Height", "Width"), ("R_y", "R_x"), ("y axis", "x axis")])
def test_axes_in_the_emd_of_berkeley_go_by_their_names(
    tmp_path: Path, first: tuple | None, swapped: bool, plane: tuple[str, str]
) -> None:
    data = np.random.default_rng(0).integers(0, 99, (3, 8, 9) if first else (8, 9), np.uint16)
    axes = ([first[:2]] if first else []) + [(name, "[n_m]") for name in plane]
    with h5py.File(tmp_path / "a.emd", "w") as file:
        file.attrs["version_major"], file.attrs["version_minor"] = 0, 2
        group = file.create_group("data/scan")
        group.attrs["emd_group_type"] = 1
        group["data"] = data.T if swapped else data
        dimensions = list(zip(axes, data.shape, strict=True))[:: -1 if swapped else 1]
        for number, ((name, unit), length) in enumerate(dimensions, 1):
            group[f"dim{number}"] = np.arange(length) * 0.5
            group[f"dim{number}"].attrs.update(name=name, units=unit)
    image = read_image(tmp_path / "a.emd")
    np.testing.assert_array_equal(np.stack([image.plane(i) for i in range(len(image))]).reshape(data.shape), data)
    assert (image.pixel_size_nm, [axis.kind for axis in image.axes]) == (0.5, [first[2]] if first else [])
