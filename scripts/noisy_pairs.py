"""Real micrographs as clean targets, with noise added, for training denoisers: tiles of 256 px in two folders.

python scripts/noisy_pairs.py FOLDER OUTPUT [SEED]
"""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from skimage.measure import block_reduce

from napari_emssl.data.images.intensity_scaling import IntensityScaling
from napari_emssl.data.images.opening import find_images, read_image
from napari_emssl.data.images.writers import write_image

TILE, MOST_TILES, LARGE = 256, 9, 1000
Plane = NDArray[np.float32]


def main() -> None:
    """Write ``images/`` and ``targets/``, the folders of the source kept below them."""
    source, output = Path(sys.argv[1]), Path(sys.argv[2])
    rng = np.random.default_rng(int(sys.argv[3]) if len(sys.argv) > 3 else 0)
    for path in find_images(source):
        for number, clean in enumerate(tiles(clean_plane(path), rng)):
            name = path.relative_to(source).with_name(f"{path.stem}_{number:02d}.tif")
            write_image(output / "targets" / name, clean)
            write_image(output / "images" / name, noisy(clean, rng))


def clean_plane(path: Path) -> Plane:
    """First plane, scaled to about [0, 1]; large ones are binned by 2, which takes most of their own noise away."""
    plane = read_image(path).plane(0)
    unit = IntensityScaling().fit(plane).to_unit(plane)
    return block_reduce(unit, 2, np.mean).astype(np.float32) if min(unit.shape) >= LARGE else unit


def tiles(plane: Plane, rng: np.random.Generator) -> list[Plane]:
    """At most nine tiles of a plane, none over another; one with hardly any contrast is left out."""
    rows, columns = (range(0, length - min(TILE, length) + 1, TILE) for length in plane.shape)
    corners = [(top, left) for top in rows for left in columns]
    chosen = [corners[i] for i in rng.permutation(len(corners))[:MOST_TILES]]
    cut = [plane[top : top + TILE, left : left + TILE] for top, left in chosen]
    return [tile for tile in cut if tile.std() > 0.02]


def noisy(clean: Plane, rng: np.random.Generator) -> Plane:
    """Shot noise of 3 to 300 electrons at white, read noise, and sometimes a detector that blurs the noise."""
    dose = float(np.exp(rng.uniform(np.log(3), np.log(300))))
    noise = rng.poisson(np.clip(clean, 0, None) * dose) / dose - np.clip(clean, 0, None)
    noise += rng.normal(0, rng.uniform(0.0, 0.1), clean.shape)
    if rng.random() < 0.4:
        noise = gaussian_filter(noise, (rng.choice((0.0, 0.6)), rng.uniform(0.3, 0.8)))
    return np.asarray(clean + noise, np.float32)


if __name__ == "__main__":
    main()
