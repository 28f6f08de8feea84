"""Which painting belongs to which image. No Qt."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import pairwise, permutations, takewhile
from typing import TYPE_CHECKING

import numpy as np

from ...data.datasets.pair_check import factor_of
from ...errors import UserError
from ...models.tasks import TaskName, task_of
from .layers import own_notes, snapshot_of

if TYPE_CHECKING:
    from napari.layers import Image, Labels, Layer, Shapes

ALL_PAINTED = "all painted"
"""What the name of a layer of fully annotated regions ends with."""


def painting_of(image: "Image | None", paintings: "Iterable[Labels]") -> "Labels | None":
    """Return the painting of an image: the newest one named after it, else the only one on its grid, else None.

    Results of models are on the grid of their image, too, and no painting unless they are named as one.
    """
    if image is None:
        return None
    on_grid = [labels for labels in paintings if shape_of(labels) == shape_of(image)]
    named = [labels for labels in on_grid if labels.name.startswith(f"{image.name} | painting")]
    drawn = [labels for labels in on_grid if not is_result(labels)]
    return named[-1] if named else drawn[0] if len(drawn) == 1 else None


def is_result(layer: "Layer") -> bool:
    """Whether a layer was made by a model: shown, measured and saved, but never picked to learn from by itself."""
    return "model" in own_notes(layer)


def regions_of_image(image: "Image | None", shapes: "Iterable[Shapes]") -> "Shapes | None":
    """Return the newest Shapes layer named after an image, else None: images often lie on top of each other."""
    named = [layer for layer in shapes if image is not None and layer.name.startswith(f"{image.name} | {ALL_PAINTED}")]
    return named[-1] if named else None


def shape_of(layer: "Layer") -> tuple[int, ...]:
    """Return the shape of a layer's grid, colours left out."""
    data = layer.data[0] if layer.multiscale else layer.data
    return tuple(int(n) for n in (data.shape[:-1] if getattr(layer, "rgb", False) else data.shape))


def lie_alike(one: "Layer", other: "Layer") -> bool:
    """Whether two layers of one shape cover each other in the viewer."""
    corners = np.array([[0] * one.ndim, [n - 1 for n in shape_of(one)]])
    ours, theirs = (np.array([layer.data_to_world(corner) for corner in corners]) for layer in (one, other))
    pixel = np.abs(np.asarray(one.scale, float)) / 2
    return bool((np.abs(ours - theirs) <= pixel).all())


TARGET_KINDS = {
    "denoise": "noNoise",
    "remove-background": "noBackgroundnoNoise",
    "super-resolve": "noNoiseNoBackgroundSuperresolution",
}
"""Which truth of a simulated image each task learns, by its folder in TEM-ImageNet."""


_CLEAN = r"clean|truth|target|noiseless|no.?noise|denoised|average|reference|gt"


_WORDS = {
    "denoise": _CLEAN,
    "remove-background": rf"flat|no.?background|without.?background|{_CLEAN}",
    "super-resolve": rf"fine|sharp|super.?res\w*|high.?res\w*|{_CLEAN}",
}


def partner_of(
    image: "Image | None", layers: "Iterable[Image]", task: TaskName, picked: "Image | None" = None
) -> "Image | None":
    """Return the layer whose grid fits and whose name or origin says most for it.

    Parameters
    ----------
    image
        The image that a partner is looked for.
    layers
        Those there are.
    task
        What is learnt from both.
    picked
        The partner so far.

    Returns
    -------
    Image
        None to leave what is picked.

    """
    if image is None:
        return None
    fitting = [layer for layer in layers if layer != image and not is_result(layer) and _fits(image, layer, task)]
    best = max(fitting, key=lambda layer: _score(image, layer, task), default=None)
    if best is None or (picked in fitting and _score(image, picked, task) >= _score(image, best, task)):
        return None
    return best


def likely_pair(layers: "Iterable[Image]", task: TaskName) -> "tuple[Image, Image] | None":
    """Return the image and the clean image that most speaks for among some layers; None where no two fit."""
    groups: dict[tuple[int, ...], list[Image]] = {}
    for layer in layers:
        if not is_result(layer):
            groups.setdefault(shape_of(layer)[:-2], []).append(layer)
    pairs = [pair for group in groups.values() for pair in _neighbours(group, task) if _fits(*pair, task)]
    return max(pairs, key=lambda pair: _score(pair[0], pair[1], task) - 3.0 * _looks_clean(pair[0]), default=None)


def _neighbours(layers: "Iterable[Image]", task: TaskName) -> "Iterator[tuple[Image, Image]]":
    """Yield pairs among which the likeliest is, about as many as there are layers, not each with each.

    What speaks for a partner are its words and the beginning of its name that both share. Sorted by name, layers whose
    names begin alike are neighbours, also among those that say they are clean; layers of one simulation are tried all.
    """
    listed = sorted(layers, key=lambda layer: str(layer.name))
    runs: dict[object, list[Image]] = {}
    for layer in listed:
        run = own_notes(layer, "simulated").get("run")
        if run is not None:
            runs.setdefault(run, []).append(layer)
    clean = [layer for layer in listed if re.search(_WORDS[task], layer.name, re.IGNORECASE)]
    names = [str(layer.name) for layer in clean]
    for image in listed:
        at = bisect_left(names, str(image.name))
        yield from ((image, partner) for partner in clean[max(at - 1, 0) : at + 2] if partner is not image)
    for one, other in pairwise(listed):
        yield from ((one, other), (other, one))
    for made in runs.values():
        yield from permutations(made, 2)


def _looks_clean(layer: "Image") -> bool:
    """Whether a layer's name or origin tells that it is no recording."""
    words = "|".join(_WORDS.values())
    made = own_notes(layer, "simulated")
    return bool(re.search(words, layer.name, re.IGNORECASE)) or made.get("kind", "image") != "image"


def _fits(image: "Image", layer: "Image", task: TaskName) -> bool:
    try:
        ours, theirs = snapshot_of(image), snapshot_of(layer)
    except UserError:
        return False
    return ours.leading == theirs.leading and factor_of(ours.shape, theirs.shape) in task_of(task).target_factors


def _score(image: "Image", layer: "Image", task: TaskName) -> float:
    """How much speaks for a layer: one simulation, a word in its name, the beginning of the name."""
    ours_made, theirs_made = (own_notes(one, "simulated") for one in (image, layer))
    if ours_made.get("run") is not None and ours_made["run"] == theirs_made.get("run"):
        return 100.0 if theirs_made["kind"] == TARGET_KINDS[task] else 0.0
    words = re.search(_WORDS[task], layer.name, re.IGNORECASE)
    first = words is not None and not re.search(_CLEAN, words[0], re.IGNORECASE)
    alike = takewhile(lambda letters: letters[0] == letters[1], zip(image.name, layer.name, strict=False))
    shared = sum(1 for _ in alike) / max(len(image.name), 1)
    return 3.0 * (words is not None) + first + shared - 3.0 * is_result(layer)
