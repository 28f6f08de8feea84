"""Draw docs/images/collages.png: twelve collages above their truth, on random textures.

python benchmarks/figures/collages.py
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_emssl.simulation.collage.collage import Collage, CollageMaker
from napari_emssl.simulation.collage.settings import CollageSettings
from napari_emssl.simulation.collage.textures import Textures, random_textures

PICTURE = Path(__file__).parents[2] / "docs" / "images" / "collages.png"
SEED = 7
COLUMNS, GAP_PX = 6, 3
GREYS = 48
COLOURS = ((0, 0, 0), (230, 159, 0), (86, 180, 233), (0, 158, 115))
"""Ground, then each kind of objects; of the palette of Okabe and Ito, which colour-blind readers can tell apart."""
WHITE = GREYS + len(COLOURS)


def panel(made: Collage) -> NDArray[np.uint8]:
    """Palette indices ``(2 size, size)``: a collage above its truth, in which a line parts objects that touch."""
    grey = (made.image.clamp(0, 1).numpy() * (GREYS - 1)).astype(np.uint8)
    truth = (GREYS + made.kinds.numpy()).astype(np.uint8)
    truth[_contacts(made.numbers.numpy())] = GREYS
    return np.pad(np.vstack([grey, truth]), GAP_PX, constant_values=WHITE)


def _contacts(numbers: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Pixels of an object whose left or upper neighbour belongs to another one."""
    found = np.zeros(numbers.shape, bool)
    for axis in (0, 1):
        before = np.roll(numbers, 1, axis)
        found |= (numbers != before) & (numbers > 0) & (before > 0)
    return found


def main() -> None:
    """Make collages, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file", type=Path, default=PICTURE)
    path: Path = parser.parse_args().file
    maker = CollageMaker(Textures(random_textures(seed=SEED)), CollageSettings(size_px=160), SEED)
    panels = [panel(maker(number)) for number in range(2 * COLUMNS)]
    sheet = np.vstack([np.hstack(panels[:COLUMNS]), np.hstack(panels[COLUMNS:])])
    picture = Image.fromarray(sheet)
    greys = [round(i * 255 / (GREYS - 1)) for i in range(GREYS)]
    colours = [(grey, grey, grey) for grey in greys] + [*COLOURS, (255, 255, 255)]
    picture.putpalette([value for colour in colours for value in colour])
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, optimize=True)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
