"""Draw docs/images/stem-simulated.png and stem-labels.png: simulated STEM images, and the labels of one of each kind.

python benchmarks/figures/stem.py
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_emssl.simulation.stem.files import FOLDERS, as_bytes
from napari_emssl.simulation.stem.settings import STEMSettings
from napari_emssl.simulation.stem.simulate import simulate_stem

PICTURES = Path(__file__).parents[2] / "docs" / "images"
SIZE = 200
CHOSEN: tuple[dict[str, Any], ...] = (
    {"crystal": "Si", "zone_axis": "110", "specimen": "crystal", "pixel_size_nm": 0.0105, "probe_fwhm_nm": 0.09},
    {"crystal": "SrTiO3", "zone_axis": "100", "specimen": "crystal", "pixel_size_nm": 0.013, "probe_fwhm_nm": 0.08},
    {"crystal": "Au", "zone_axis": "110", "specimen": "boundary", "pixel_size_nm": 0.022},
    {"crystal": "GaAs", "zone_axis": "110", "specimen": "edge", "pixel_size_nm": 0.014, "probe_fwhm_nm": 0.075},
    {"crystal": "Pt", "specimen": "particles", "pixel_size_nm": 0.025, "diameter_nm": 3.2, "dose_per_nm2": 3e5},
    {"crystal": "CeO2", "specimen": "particles", "pixel_size_nm": 0.028, "diameter_nm": 4, "carbon_nm": 5},
    {"crystal": "MoS2", "specimen": "crystal", "layers": 1, "pixel_size_nm": 0.014, "vacancies": 0.04},
    {"crystal": "graphene", "specimen": "edge", "layers": 1, "pixel_size_nm": 0.011, "carbon_nm": 0.02},
)
SEEDS = (37, 35, 31, 32, 35, 32, 36, 33)
LABELLED = (1, 4, 6)


def framed(plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A plane stretched between its percentiles, with a white border; 32 greys keep the file small."""
    low, high = np.percentile(plane, (0.3, 99.8))
    grey = np.clip((plane - low) / max(high - low, 1), 0, 1) * 31
    return np.pad((np.rint(grey) * (255 / 31)).astype(np.uint8), 2, constant_values=255)


def panels(number: int) -> list[NDArray[np.uint8]]:
    """The image and its labels; of the finer grid, the first quarter."""
    made = simulate_stem(STEMSettings(size_px=SIZE, hot_pixels=0, **CHOSEN[number]), [SEEDS[number], number])
    planes, _ = as_bytes(made)
    return [framed(planes[name][:SIZE, :SIZE]) for name in FOLDERS]


def save(rows: list[list[NDArray[np.uint8]]], path: Path) -> None:
    """Write panels as one picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.vstack([np.hstack(row) for row in rows])).quantize(32).save(path, optimize=True)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


def main() -> None:
    """Simulate, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=PICTURES)
    folder: Path = parser.parse_args().folder
    made = [panels(number) for number in range(len(CHOSEN))]
    images = [one[0] for one in made]
    save([images[:4], images[4:]], folder / "stem-simulated.png")
    save([made[number] for number in LABELLED], folder / "stem-labels.png")


if __name__ == "__main__":
    main()
