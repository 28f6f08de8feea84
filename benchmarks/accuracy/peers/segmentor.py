"""What AtomAI does, in its environment: its Segmentor with its U-Net, trained on patches of the images.

As its documentation has it: patches by its own `extract_patches`, Adam, cross-entropy, batches at random, stochastic
weight averaging where there are cycles enough. What it offers to augment batches with leaves out every patch that lacks
a class, and fails where none is left, so patches are turned and flipped beforehand. Only the number of cycles is
replaced by the time: a few cycles are timed first, which counts for nothing.
"""

from collections.abc import Mapping

import atomai
import numpy as np
import torch
from numpy.typing import NDArray

from .stopwatch import Stopwatch, cycles_within
from .turns import turned

TIMED_CYCLES = 6
AVERAGED_CYCLES = 30
"""Of the last so many cycles weights are averaged; with fewer cycles AtomAI fails."""
torch.set_num_threads(1)


def unit(image: NDArray[np.generic]) -> NDArray[np.float32]:
    """Scale an image from 0 to 1, as AtomAI's prediction does."""
    return ((image - image.min()) / np.ptp(image)).astype(np.float32)


def trained(data: tuple[NDArray, ...], request: Mapping, cycles: int) -> tuple[object, Stopwatch]:
    """Train so many cycles; also returns the watch, started when the training was asked for."""
    options = request["options"]
    images, masks, spare_images, spare_masks = data
    watch = Stopwatch()
    model = atomai.models.Segmentor(nb_classes=int(masks.max()) + 1, seed=request["seed"] + 1)
    model.fit(
        images, masks, spare_images, spare_masks,
        training_cycles=cycles, batch_size=options["batch"], swa=options["averaged"] and cycles >= AVERAGED_CYCLES,
        compute_accuracy=False, plot_training_history=False, print_loss=10**6,
    )  # fmt: skip
    return model, watch


def patches(request: Mapping) -> tuple[NDArray, ...]:
    """Cut patches to learn from and, as AtomAI asks for them, a few to test on."""
    images, masks = np.stack([unit(image) for image in np.load("images.npy")]), np.load("masks.npy").astype(np.int64)
    options, parts = request["options"], []
    for count, seed in ((options["patches"], request["seed"]), (options["batch"], request["seed"] + 10**6)):
        cut = atomai.utils.extract_patches(images, masks, options["patch"], count, random_state=seed)
        parts += turned(*cut, seed) if options["turned"] else cut
    return parts[0][:, None], parts[1], parts[2][:, None], parts[3]


def segment(request: Mapping) -> list[dict[str, float]]:
    """Learn from ``images.npy`` and ``masks.npy``; writes the labels of ``tests.npy`` for each budget."""
    data, tests, reached = patches(request), np.load("tests.npy"), []
    trained(data, request, 1)  # in the first one everything is loaded
    short, long = (trained(data, request, cycles)[1].seconds for cycles in (1, 1 + TIMED_CYCLES))
    for seconds in request["seconds"]:
        cycles = cycles_within(seconds, short, (long - short) / TIMED_CYCLES)
        model, watch = trained(data, request, cycles)
        reached.append({"seconds": seconds, "used": watch.seconds, "steps": cycles})
        found = [model.predict(unit(test), compute_coords=False)[0].argmax(-1) for test in tests]
        np.save(f"found-{seconds:g}.npy", np.stack(found).astype(np.uint8))
    return reached
