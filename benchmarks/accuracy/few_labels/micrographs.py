"""Sets of micrographs whose truth is known, and what is painted and judged on each of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

import napari_emssl as em
from napari_emssl.data.datasets.pairing import find_pairs
from napari_emssl.data.labels.objects import EIGHT
from napari_emssl.simulation.hrtem.settings import HRTEMSettings
from napari_emssl.simulation.hrtem.simulate import simulate_hrtem

from .painting import Micrograph, Numbers, Target, paint

LEAST_PX = 12
"""Smaller pieces of a mask are truth as well, but nobody paints them."""
DEVELOPMENT, HELD_OUT = "development", "held-out"


@dataclass(frozen=True)
class MicrographSet:
    """Where a set lies and what its masks mean."""

    folder: str
    masks: str = "masks"
    particles: tuple[int, ...] = ()
    """Values of the masks whose connected regions are particles; none: masks number the particles of one class."""
    judged: tuple[int, ...] = ()
    """Values that are judged, where they are others than those of the particles."""
    excluded: tuple[int, ...] = ()
    least: int = 6
    """Images with fewer particles of some class are left out: five painted ones must leave one."""
    development: int = 0
    """The first so many images, in random order, are for development."""
    films: tuple[str, str] | None = None
    """Beginnings of the names of images that are painted and of others that are judged; None: both are the same."""

    @property
    def judged_classes(self) -> tuple[int, ...]:
        """Classes that are judged, as values of core targets."""
        return tuple(value + 1 for value in self.judged or self.particles or (1,))


SETS = {
    "particles": MicrographSet("particles", "instances", least=10, development=10),
    "pt-alumina": MicrographSet("pt-alumina", particles=(2,), films=("1_", "2_")),
    "hrtem": MicrographSet("", films=("0", "")),
    "nasa_superalloy": MicrographSet("labelled/nasa_superalloy", particles=(1, 2), excluded=(3,)),
    "nasa_ebc": MicrographSet("labelled/nasa_ebc", particles=(2,), judged=(1, 2)),
    "ampis_powder": MicrographSet("labelled/ampis_powder"),
    "axon_sem": MicrographSet("labelled/axon_sem", particles=(1, 2)),
    "creme": MicrographSet("labelled/creme", particles=(1,)),
}
"""`hrtem` is simulated, see `simulated_film`."""
FRAMES = 6
FILM = {
    "size_px": 384, "pixel_size_nm": 0.3, "diameter_min_nm": 1.0, "diameter_max_nm": 2.4, "overlap": 0.0,
    "particles_min": 140, "particles_max": 140,
}  # fmt: skip
"""Particles of 5 px in the median."""


@dataclass(frozen=True, eq=False)
class Trial:
    """One painting, and the micrographs on which the answers to it are judged."""

    set_name: str
    part: str
    """``development`` or ``held-out``; empty where a set has no such parts."""
    count: int
    seed: int
    painted: Micrograph
    target: Target
    judged: tuple[Micrograph, ...]
    classes: tuple[int, ...]
    """Classes that are judged, as values of core targets."""

    def unpainted(self, micrograph: Micrograph) -> Target:
        """Return the truth of a micrograph, 0 where it is painted."""
        return np.where(self.target > 0, 0, micrograph.truth) if micrograph is self.painted else micrograph.truth


@dataclass(frozen=True)
class Choice:
    """Which trials are made."""

    counts: Sequence[int]
    seeds: int
    limit: int | None = None
    """Images judged of each set."""
    part: str | None = None
    most_px: int | None = None
    """Larger images are cropped in the middle."""


def trials(name: str, data: Path, choice: Choice, cache: Path | None = None) -> Iterator[Trial]:
    """Yield the trials of a set, image by image, then by seed and count.

    Parameters
    ----------
    name
        Of the set.
    data
        Folder of the sets.
    choice
        Which of them.
    cache
        Folder where simulated frames are kept.

    """
    spec = SETS[name]
    found = micrographs_of(name, data, cache)
    if choice.most_px:
        found = (cropped(each, choice.most_px) for each in found)
    return (_two_films if spec.films else _same_image)(name, spec, found, choice)


def micrographs_of(name: str, data: Path, cache: Path | None = None) -> Iterator[Micrograph]:
    """Yield the micrographs of a set, in an order that is random and always the same; arguments as for `trials`."""
    return simulated_film(cache) if name == "hrtem" else _files(SETS[name], data)


def _same_image(name: str, spec: MicrographSet, found: Iterator[Micrograph], choice: Choice) -> Iterator[Trial]:
    """Judge each image on what is not painted of it."""
    eligible = enumerate(each for each in found if each.fewest >= spec.least)
    numbered = ((number, _part(spec, number), each) for number, each in eligible)
    asked = (one for one in numbered if choice.part in (None, one[1]))
    for number, part, each in islice(asked, choice.limit):
        for seed, count in product(range(choice.seeds), choice.counts):
            if each.fewest > count:
                # the number of the image alone makes the same stream as with seed 0
                target = paint(each, count, np.random.default_rng((number, seed)))
                yield Trial(name, part, count, seed, each, target, (each,), spec.judged_classes)


def _two_films(name: str, spec: MicrographSet, found: Iterator[Micrograph], choice: Choice) -> Iterator[Trial]:
    """Paint in an image of one film, judge all of the other."""
    assert spec.films
    every, (first, second) = list(found), spec.films
    painted = [each for each in every if each.name.startswith(first) and each.fewest >= spec.least]
    judged = [each for each in every if each.name.startswith(second) and each.fewest and each not in painted]
    for seed, count in product(range(choice.seeds), choice.counts):
        each = painted[seed % len(painted)]
        if each.fewest >= count:
            target = paint(each, count, np.random.default_rng((0, seed)))
            yield Trial(name, "", count, seed, each, target, tuple(judged[: choice.limit]), spec.judged_classes)


def _part(spec: MicrographSet, number: int) -> str:
    if not spec.development:
        return ""
    return DEVELOPMENT if number < spec.development else HELD_OUT


def _files(spec: MicrographSet, data: Path) -> Iterator[Micrograph]:
    """Yield the pairs of a set in an order that is random and always the same."""
    pairs = list(find_pairs(data / spec.folder / "images", data / spec.folder / spec.masks).pairs)
    pairs.sort(key=lambda pair: pair[0].name)
    np.random.default_rng(0).shuffle(pairs)
    for paths in pairs:
        image, mask = (em.read_image(path).plane(0) for path in paths)
        if image.shape == mask.shape:
            yield as_micrograph(paths[0].name, image, mask, spec)


def as_micrograph(name: str, image: NDArray[np.number], mask: NDArray[np.number], spec: MicrographSet) -> Micrograph:
    """Return an image and what its mask says.

    Parameters
    ----------
    name
        Of the image.
    image, mask
        ``(h, w)``.
    spec
        What the values of the mask mean.

    """
    values = mask.astype(np.int32)
    if not spec.particles:
        truth = np.where(values > 0, 2, 1).astype(np.uint8)
        return Micrograph(name, image, truth, values, (np.unique(values[values > 0]),))
    truth = np.where(np.isin(values, spec.excluded), 0, values + 1).astype(np.uint8)
    numbers, paintable = np.zeros_like(values), []
    for value in spec.particles:
        numbers, labels = _with_regions(numbers, values == value)
        paintable.append(labels)
    return Micrograph(name, image, truth, numbers, tuple(paintable))


def _with_regions(numbers: Numbers, mask: NDArray[np.bool_]) -> tuple[Numbers, NDArray[np.integer]]:
    """Add the connected regions of a mask to numbered ones; return both, and those of them that are large enough."""
    regions, count = ndimage.label(mask, EIGHT)
    areas, before = np.bincount(regions.ravel(), minlength=count + 1)[1:], int(numbers.max())
    return np.where(mask, regions + before, numbers), np.flatnonzero(areas >= LEAST_PX) + 1 + before


def cropped(micrograph: Micrograph, most_px: int) -> Micrograph:
    """Return the middle of a micrograph of more than `most_px` pixels."""
    height, width = micrograph.image.shape
    share = min(1.0, (most_px / (height * width)) ** 0.5)
    rows, columns = (_middle(edge, int(edge * share)) for edge in (height, width))
    numbers = micrograph.numbers[rows, columns]
    left = tuple(each[np.isin(each, numbers)] for each in micrograph.paintable)
    image, truth = micrograph.image[rows, columns], micrograph.truth[rows, columns]
    return replace(micrograph, image=np.ascontiguousarray(image), truth=truth, numbers=numbers, paintable=left)


def _middle(edge: int, kept: int) -> slice:
    first = (edge - kept) // 2
    return slice(first, first + kept)


def simulated_film(cache: Path | None = None, frames: int = FRAMES) -> Iterator[Micrograph]:
    """Yield frames of a stage that moves over one specimen: each shows other particles of 5 px, at another defocus.

    Parameters
    ----------
    cache
        Folder where the frames are kept, since each takes some ten seconds; None simulates them anew.
    frames
        How many.

    """
    for frame in range(frames):
        kept = cache / f"hrtem-{frame}.npz" if cache else None
        if kept is None or not kept.exists():
            made = simulate_hrtem(HRTEMSettings(**FILM), (5, frame))
            image, labels = np.rint(made.image).astype(np.int32), made.labels
            if kept:
                kept.parent.mkdir(parents=True, exist_ok=True)
                np.savez_compressed(kept, image=image, labels=labels)
        else:
            with np.load(kept) as stored:
                image, labels = stored["image"], stored["labels"]
        yield as_micrograph(str(frame), image, labels, SETS["hrtem"])
