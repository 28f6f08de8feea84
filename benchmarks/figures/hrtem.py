"""Draw docs/images/hrtem-simulated.png: six simulated HRTEM images with the outlines of their particles.

python benchmarks/figures/hrtem.py
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage.segmentation import find_boundaries

from napari_emssl.simulation.hrtem.simulate import HRTEMImage, HRTEMSettings, simulate_hrtem

PICTURE = Path(__file__).parents[2] / "docs" / "images" / "hrtem-simulated.png"
GREYS = 24
OUTLINE = GREYS


def panel(made: HRTEMImage) -> NDArray[np.uint8]:
    """Palette indices ``(h, w)`` of one image: greys between its percentiles, and the outlines."""
    black, white = np.percentile(made.image, (0.3, 99.7))
    grey = np.clip((made.image - black) / (white - black) * GREYS, 0, GREYS - 1).astype(np.uint8)
    grey[find_boundaries(made.labels, mode="outer")] = OUTLINE
    return np.pad(grey, 2, constant_values=GREYS - 1)


def main() -> None:
    """Simulate, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file", type=Path, default=PICTURE)
    path: Path = parser.parse_args().file
    settings = HRTEMSettings(size_px=320, particles_min=5, particles_max=8, diameter_max_nm=8)
    panels = [panel(simulate_hrtem(settings, [11, i])) for i in range(6)]
    sheet = np.vstack([np.hstack(panels[:3]), np.hstack(panels[3:])])
    picture = Image.fromarray(sheet)
    greys = [round(i * 255 / (GREYS - 1)) for i in range(GREYS)]
    picture.putpalette([value for grey in greys for value in (grey, grey, grey)] + [255, 190, 0])
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, optimize=True)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
