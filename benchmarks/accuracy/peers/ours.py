"""What the program does, with its own settings and one thread; its limit of time is counted in processor seconds."""

import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

import napari_emssl as em
from napari_emssl.models.model_file import NetworkSpec
from napari_emssl.models.weights import to_numpy
from napari_emssl.networks.generators import build_generator

from .cost import multiply_adds
from .stopwatch import Stopwatch

TRIALS_SECONDS = (0.5, 2.0)
"""Limits of the trials that show what a limit leaves out; in the first one everything is loaded."""
RATES = {"stem-denoise": 1e-3}
"""Learning rates that are not the default: a model that denoises already goes on at half of it, as docs/ advise."""


@contextmanager
def processor_clock() -> Iterator[None]:
    """Let the program's clock show processor time: a limit of so many seconds is then kept on a busy machine too."""
    clock, time.monotonic = time.monotonic, time.process_time
    try:
        yield
    finally:
        time.monotonic = clock


def learnt(
    images: list[NDArray[np.generic]], targets: list[NDArray[np.generic]] | None, request: Mapping, seconds: float
) -> tuple[em.Model, dict[str, float]]:
    """Fine-tune for so long; also returns what it took, from the call to the model, and how many steps that were."""
    own = {} if targets is None else {"task": "segment", "zero": "background"}
    start = request["start"]
    settings = em.FinetuneSettings(
        **{"task": "denoise", "learning_rate": RATES.get(start, 2e-3)} | own,
        max_seconds=seconds, seed=request["seed"], device="cpu", threads="1",
    )  # fmt: skip
    watch = Stopwatch()
    with processor_clock():
        model = em.finetune(images, targets, settings, start).result()
    return model, {"used": watch.seconds, "steps": model.card.history[-1].steps}


def within(
    images: list[NDArray[np.generic]], targets: list[NDArray[np.generic]] | None, request: Mapping
) -> Iterator[tuple[em.Model, dict[str, float]]]:
    """Fine-tune for each budget; what the limit of time leaves out, before and after the loop, is taken off it."""
    trials = [learnt(images, targets, request, limit)[1]["used"] - limit for limit in TRIALS_SECONDS]
    beside = max(0.0, trials[-1])
    for seconds in request["seconds"]:
        model, took = learnt(images, targets, request, seconds - beside)
        yield model, {"seconds": seconds} | took


def denoise(request: Mapping) -> list[dict[str, float]]:
    """Learn from ``noisy.npy`` alone; writes ``found-SECONDS.npy`` for each budget."""
    noisy, reached = np.load("noisy.npy"), []
    for model, took in within([noisy], None, request):
        np.save(f"found-{took['seconds']:g}.npy", em.apply(model, noisy))
        reached.append(took)
    return reached


def segment(request: Mapping) -> list[dict[str, float]]:
    """Learn from ``images.npy`` and ``masks.npy``; writes the labels of ``tests.npy`` for each budget."""
    images, masks, tests = (list(np.load(f"{name}.npy")) for name in ("images", "masks", "tests"))
    reached = []
    for model, took in within(images, masks, request):
        np.save(f"found-{took['seconds']:g}.npy", np.stack([em.apply(model, test) for test in tests]))
        reached.append(took)
    return reached


def predict(request: Mapping) -> dict[str, float]:
    """Apply a network with random weights to ``plane.npy`` so many times, after one time that is not counted."""
    plane = np.load("plane.npy")
    name, width = request["network"]
    network = build_generator(name, width)
    card = em.Card(name=name, task="denoise", network=NetworkSpec(name=name, width=width))
    model = em.Model(card, to_numpy(network.state_dict()))
    settings = em.ApplySettings(device="cpu", threads="1", precision=request["precision"], tile=request["tile"])
    times = []
    for _ in range(request["repeats"] + 1):
        watch = Stopwatch()
        em.apply(model, plane, settings)
        times.append(watch.seconds)
    return {"used": statistics.median(times[1:]), "multiply_adds": multiply_adds(network)}
