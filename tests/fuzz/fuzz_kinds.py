"""Every kind of file that is read: a sound one of it, how it is falsified, and how the program reads it."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import fuzz_records as records
import numpy as np
from fuzz_damage import damage
from fuzz_micrographs import MICROGRAPHS

from napari_emssl.data.images.headers import read_header
from napari_emssl.data.images.image import Image
from napari_emssl.data.images.intensity_scaling import IntensityScaling
from napari_emssl.data.images.opening import read_image, read_images
from napari_emssl.evaluation.comparison.results_folder import read_results
from napari_emssl.models.registry import read_registry
from napari_emssl.training.history import read_table

_CASES = {".zarr": 25, ".emd": 50}
"""In CI; others are quicker to read."""
_NEEDS = {".emd": "rsciio", ".dm3": "rsciio", ".cif": "gemmi"}


@dataclass(frozen=True)
class Kind:
    """One kind of file."""

    file: str
    write: Callable[[Path], object]
    read: Callable[[Path], object]
    """Returns what was read, to be compared; raises `UserError` where it is refused."""
    falsify: Callable[[Path, np.random.Generator], None] | None = None
    """Changes what a file says, its checksums as they should be; None where bytes are all that can be changed."""
    checked: bool = False
    """Whether checksums are kept, so that damage never changes what is read."""
    cases: int = 120
    """In CI."""
    tells_path: bool = True
    """Whether a refusal names the file."""
    as_bytes: bool = True
    """Whether bytes are damaged, too: those of settings are never read from a file."""

    @property
    def available(self) -> bool:
        """Whether the package is installed that reads it."""
        needed = _NEEDS.get(Path(self.file).suffix)
        return needed is None or importlib.util.find_spec(needed) is not None

    def spoil(self, path: Path, rng: np.random.Generator) -> bool:
        """Falsify or damage a sound file; returns whether it was damaged."""
        if self.falsify is not None and (not self.as_bytes or rng.random() < 0.6):
            self.falsify(path, rng)
            return False
        files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
        file = files[int(rng.integers(len(files)))]
        file.write_bytes(damage(file.read_bytes(), rng))
        return True


def read_micrograph(path: Path) -> object:
    """Open all images of a file, and read first, middle and last plane of each as a training would."""
    images = read_images(path)
    read_image(path)
    if path.is_file():
        read_header(path, path.stat().st_size)
    return [_planes(image) for image in images[:3]]


def _planes(image: Image) -> list[object]:
    assert len(image) == np.prod(image.leading, dtype=int), "the axes do not fit the planes"
    assert image.pixel_size_nm is None or 1e-4 <= image.pixel_size_nm <= 1e5, "no pixel size of a microscope"
    found: list[object] = [image.pixel_size_nm]
    for number in {0, len(image) // 2, len(image) - 1}:
        plane = image.plane(number)
        assert plane.shape == image.plane_shape, "a plane has another shape than the image says"
        assert plane.dtype.kind in "iuf", "a plane holds no grey values"
        assert np.isfinite(IntensityScaling().scaled(plane)).all(), "a scaled plane is not finite"
        found.append(plane.tolist())
    return found


KINDS: dict[str, Kind] = {
    **{name: Kind(file, write, read_micrograph, None, file == "a.png", _CASES.get(Path(file).suffix, 120))
       for name, (file, write) in MICROGRAPHS.items()},
    "model": Kind("a.safetensors", records.write_model, records.read_whole_model, records.falsify_model, True, 60),
    "package of bioimage.io": Kind("a.zip", records.write_package, records.read_package, checked=True, cases=60),
    "weights of PyTorch": Kind("a.pth", records.write_weights, records.read_weights, cases=60),
    "weights, safetensors": Kind("b.safetensors", records.write_safetensors, records.read_weights),
    "registry": Kind("a.json", records.write_registry, lambda path: read_registry(str(path)), records.falsify_json),
    "autosave": Kind("a.autosave", records.write_saved_run, records.resume, records.falsify_saved_run, True, 25, False),
    "pack": Kind("a.pack", records.write_small_pack, records.read_pack, records.falsify_pack, True),
    "split": Kind("a-split.json", records.write_parts, records.read_parts, records.falsify_json),
    "plan": Kind("plan.toml", records.write_plan, records.read_plan_file),
    "results of a comparison": Kind("results.csv", records.write_results, read_results),
    "curves": Kind("curves.csv", records.write_curves, read_table),
    "index of a folder": Kind("folder", records.write_index, records.read_index, records.damage_index, cases=40),
    "progress of a result": Kind("a.zarr", records.write_progress, records.read_progress_of, records.falsify_progress),
    "crystal": Kind("a.cif", records.write_cif, records.read_crystal),
    **{name: Kind("settings.json", write, read, records.falsify_json, tells_path=False, as_bytes=False)
       for name, write, read in records.settings_kinds()},
}  # fmt: skip
