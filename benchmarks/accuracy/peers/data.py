"""What both sides get: simulated HR-STEM images with their truth, and films that are divided."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import napari_emssl as em
from napari_emssl.data.images.intensity_scaling import IntensityScaling
from napari_emssl.data.patches.labelled import LabelledPlane
from napari_emssl.data.patches.masked_pixels import noise_reach
from napari_emssl.simulation.stem.simulate import STEMSettings, simulate_stem
from napari_emssl.training.finetuning.noise_start import best_smoothing, hidden_twice_where_few

CRYSTAL = STEMSettings(
    crystal="SrTiO3", zone_axis="100", pixel_size_nm=0.018, specimen="crystal", thickness_nm=6, probe_fwhm_nm=0.1,
    background=0.3, size_px=512,
)  # fmt: skip
DENSE = 4


@dataclass(frozen=True)
class Film:
    """Dense images of one film to learn from, and those of another to be judged; masks 0, 1, ..."""

    images: NDArray[np.generic]
    masks: NDArray[np.uint8]
    tests: NDArray[np.generic]
    truth: NDArray[np.uint8]


def stem(dose_per_nm2: float, seed: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return an image of so many electrons per nm^2, and its expectation."""
    made = simulate_stem(CRYSTAL.model_copy(update={"dose_per_nm2": dose_per_nm2}), [seed])
    return made.image, made.no_noise


def chosen_width(noisy: NDArray[np.float32]) -> float:
    """Return the width in pixels of the Gaussian that foretells hidden pixels best, chosen as the program does it."""
    levels = IntensityScaling().fit(noisy)
    plane = LabelledPlane(levels.to_unit(noisy), levels.to_unit(noisy, clip=False))
    return best_smoothing(hidden_twice_where_few([plane], noise_reach(noisy)))[0]


def few_of(names: Sequence[str], masks: Sequence[NDArray[np.uint8]], seed: int) -> list[str]:
    """Draw names so that every class that any mask has is in one of theirs."""
    classes = set(np.unique(np.stack(masks)))
    generator = np.random.default_rng(seed)
    while True:
        drawn = sorted(generator.choice(len(names), DENSE, replace=False))
        if set(np.unique(np.stack([masks[index] for index in drawn]))) == classes:
            return [names[index] for index in drawn]


def film(folder: Path, learnt: str, judged: str, seed: int) -> Film:
    """Read a data set with the folders ``images`` and ``masks``; films are told apart by how their names begin.

    Parameters
    ----------
    folder
        Of the data set; files pair up by name.
    learnt, judged
        Beginnings of the names of the film to learn from, of which four images are drawn, and of the one to judge.
    seed
        Of the draw.

    """
    names = sorted(path.name for path in (folder / "images").iterdir())
    first = [name for name in names if name.startswith(learnt)]
    masks = [em.read_image(folder / "masks" / name).plane(0).astype(np.uint8) for name in first]
    few = few_of(first, masks, seed)
    rest = [name for name in names if name.startswith(judged)]
    planes = [
        np.stack([em.read_image(folder / part / name).plane(0) for name in chosen])
        for chosen in (few, rest)
        for part in ("images", "masks")
    ]
    return Film(planes[0], planes[1].astype(np.uint8), planes[2], planes[3].astype(np.uint8))
