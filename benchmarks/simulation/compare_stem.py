"""Compare simulated STEM images with real ones by numbers: how noise, tearing, contrast and lattices spread.

    python benchmarks/simulation/compare_stem.py FOLDER --count 300

FOLDER holds real images of atoms.
For each measure it prints the values of the real images, middle crops of 256 x 256, and the percentiles 2, 50 and 98 of
COUNT simulated images with default settings, and where among them each real image stands.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_emssl.data.images.opening import read_image
from napari_emssl.simulation.stem.files import as_bytes
from napari_emssl.simulation.stem.simulate import simulate_stem

SIZE = 256


def radial_power(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of the variance in rings of 1/256 cycles per pixel up to Nyquist's frequency, under a Hann window."""
    window = np.outer(*[np.hanning(SIZE)] * 2)
    power = np.abs(np.fft.fft2((image - image.mean()) * window)) ** 2
    k = np.hypot(np.fft.fftfreq(SIZE)[:, None], np.fft.fftfreq(SIZE)[None])
    rings = np.bincount(np.round(k * SIZE).astype(int).ravel(), power.ravel())[: SIZE // 2]
    return np.asarray(rings / rings.sum())


def measures(image: NDArray[np.float64]) -> dict[str, float]:
    """Numbers that a denoiser or an eye goes by."""
    power, scaled = radial_power(image), (image - image.mean()) / image.std()
    down, along = (np.diff(image, axis=axis).var() for axis in (0, 1))
    return {
        "variance above 0.25 cycles per pixel": float(power[SIZE // 4 :].sum()),
        "variance below 3 cycles per image": float(power[:4].sum()),
        "strongest ring of the lattice": float(power[4 : SIZE // 4].max()),
        "its period in pixels": float(SIZE / (4 + power[4 : SIZE // 4].argmax())),
        "line to line over pixel to pixel": float(down / along),
        "skewness": float((scaled**3).mean()),
        "kurtosis": float((scaled**4).mean()),
    }


def real_images(folder: Path) -> dict[str, NDArray[np.float64]]:
    """Middle crops of all images of a folder."""
    crops = {}
    for path in sorted(folder.glob("*.png")):
        plane = np.asarray(read_image(path).plane(0), float)
        top, left = (edge // 2 - SIZE // 2 for edge in plane.shape)
        crops[path.stem] = plane[top : top + SIZE, left : left + SIZE]
    return crops


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=300)
    chosen = parser.parse_args()
    real = {name: measures(image) for name, image in real_images(chosen.folder).items()}
    made = [measures(as_bytes(simulate_stem(seed=[0, i]))[0]["image"].astype(float)) for i in range(chosen.count)]
    for number, name in enumerate(real):
        print(f"real {number}: {name}")
    for measure in made[0]:
        values = np.array([one[measure] for one in made])
        low, middle, high = np.percentile(values, (2, 50, 98))
        print(f"\n{measure}: simulated {low:.3g} .. {middle:.3g} .. {high:.3g}")
        for number, one in enumerate(real.values()):
            below = 100 * (values < one[measure]).mean()
            print(f"  real {number}: {one[measure]:.3g}  (above {below:.0f} % of the simulated)")


if __name__ == "__main__":
    main()
