"""How well true pairs are told from false ones.

    python benchmarks/accuracy/pair_checks.py --count 60

Simulated STEM images against their own truth, against that of another image, and against their truth shifted by 3.3 px.
"""

import argparse
from collections import Counter

import numpy as np
from scipy import ndimage

from napari_emssl.data.datasets.pair_check import PairCheck, check_planes
from napari_emssl.simulation.stem.simulate import STEMImage, simulate_stem

KINDS = ("no_noise", "no_background", "sharp", "fine")
SHIFT_PX = (2.3, -2.3)


def word(check: PairCheck) -> str:
    """The first words of what is said of a pair."""
    return " ".join((check.trouble or check.doubt or "They fit").split(" (")[0].split()[:4])


def shifted(made: STEMImage, kind: str) -> PairCheck:
    """Check an image against its truth, moved."""
    factor = 2 if kind == "fine" else 1
    moved = ndimage.shift(getattr(made, kind), [s * factor for s in SHIFT_PX], order=3, mode="nearest")
    return check_planes(made.image, moved)


def main() -> None:
    """Print what is said, and how far off measured shifts are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=60)
    count = parser.parse_args().count
    made = [simulate_stem(seed=[5, number]) for number in range(count)]
    for kind in KINDS:
        own = [check_planes(one.image, getattr(one, kind)) for one in made]
        others = [check_planes(one.image, getattr(made[n - 1], kind)) for n, one in enumerate(made)]
        moved = [shifted(one, kind) for one in made]
        errors = [np.hypot(*np.subtract(check.shift_px, SHIFT_PX)) for check in moved]
        print(f"{kind}: own truth {dict(Counter(map(word, own)))}")
        print(f"  that of another {dict(Counter(map(word, others)))}")
        print(f"  shifted {dict(Counter(map(word, moved)))}, off by {np.percentile(errors, (50, 90)).round(2)} px")


if __name__ == "__main__":
    main()
