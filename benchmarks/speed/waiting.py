"""Which share of the time training waits for its batches: three fine-tunings, pretraining from files and a pack.

    OMP_NUM_THREADS=1 python benchmarks/speed/waiting.py --steps 60

Batches are made ahead by a thread, or by --workers processes, while the network learns from the one before. The first
batches are left out, which nothing can be done beside. On a GPU it is the time without a step that counts. Images are
made up: 16 of 512 px. On a busy machine the share grows, since the thread gets less of it: the processor's load is
printed beside.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from napari_emssl.data.datasets.packing import pack
from napari_emssl.data.images.writers import write_image
from napari_emssl.data.patches.labelled_loader import LabelledLoader
from napari_emssl.data.patches.loader import BatchLoader
from napari_emssl.jobs.devices import Device, choose_device
from napari_emssl.jobs.pretrain_settings import PretrainSettings
from napari_emssl.jobs.settings import FinetuneSettings
from napari_emssl.models.model_file import Card, NetworkSpec
from napari_emssl.models.tasks import task_of
from napari_emssl.training.finetuning.base_learner import FinetuneContext
from napari_emssl.training.finetuning.task_training import training_of
from napari_emssl.training.pretraining.data import gather_unlabelled
from napari_emssl.training.pretraining.pix2pix import Pix2Pix


class Waited(NamedTuple):
    """What some steps took."""

    steps: int
    seconds: float
    """Of all steps, waiting included, the first ones left out."""
    waited: float

    @property
    def share(self) -> float:
        """Share of the time spent waiting."""
        return self.waited / self.seconds


def finetuning(settings: FinetuneSettings, images: list[Any], targets: list[Any], steps: int) -> Waited:
    """Take steps of a fine-tuning from random weights, as the product does."""
    device, training = choose_device(settings), training_of(settings, with_targets=True)
    data = training.gather(images, targets, settings, None, None)
    task = task_of(settings.task)
    spec = NetworkSpec(name=settings.generator or "unet-3-96", width=settings.width,
                       out_channels=task.out_channels(data.classes))  # fmt: skip

    def card(_summary: object) -> Card:
        return Card(name="timed", task=settings.task, network=spec)

    learner = training.learner(FinetuneContext(settings, data, device, spec, None, card))
    loader = LabelledLoader(training.patches(data, settings), settings.batch_size, settings.workers)
    with closing(loader):
        return _followed(loader, learner.train_step, device, steps, settings.workers)


def pretraining(settings: PretrainSettings, sources: list[Any], steps: int) -> Waited:
    """Take steps of the GAN, as the product does."""
    device, data = choose_device(settings), gather_unlabelled(sources, settings, None)

    def card(_summary: object) -> Card:
        return Card(name="timed", task="reconstruct", network=NetworkSpec(name=settings.generator))

    learner = Pix2Pix(settings, device, torch.empty(0), card)
    loader = BatchLoader(data.training_patches(), settings.batch_size, settings.workers)
    with closing(loader):
        return _followed(loader, learner.train_step, device, steps, settings.workers)


def _followed(
    loader: LabelledLoader | BatchLoader,
    train_step: Callable[[Any, float], object],
    device: Device,
    steps: int,
    workers: int,
) -> Waited:
    batches, on_gpu = loader.batches(0), device.torch_device.type == "cuda"
    for _ in range(5 + 4 * workers if workers or on_gpu else 1):  # processes start, a GPU's step is recorded
        train_step(next(batches), 0.5)
    _finish(device)
    waited, marks = loader.waited_seconds, []
    mark = time.perf_counter()
    for _ in range(steps):
        batch = next(batches)
        marks.append(_mark(on_gpu))
        train_step(batch, 0.5)
        marks.append(_mark(on_gpu))
    _finish(device)
    seconds = time.perf_counter() - mark
    if on_gpu:  # the processor waits while the GPU computes: what counts is when the GPU has nothing to do
        busy = sum(begin.elapsed_time(end) for begin, end in zip(marks[::2], marks[1::2], strict=True)) / 1e3
        return Waited(steps, seconds, max(0.0, seconds - busy))
    return Waited(steps, seconds, loader.waited_seconds - waited)


def _mark(on_gpu: bool) -> Any:
    """Let a GPU write down when it gets here."""
    if not on_gpu:
        return None
    event = torch.cuda.Event(enable_timing=True)
    event.record()
    return event


def _finish(device: Device) -> None:
    if device.torch_device.type == "cuda":
        torch.cuda.synchronize()


def micrographs(count: int = 16, size: int = 512) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Images of discs in noise, uint16, and masks of the discs."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:size, :size]
    images, masks = [], []
    for _ in range(count):
        mask = np.zeros((size, size), np.uint8)
        for row, column in rng.integers(20, size - 20, (20, 2)):
            mask[(rows - row) ** 2 + (columns - column) ** 2 < 150] = 1
        images.append((1000 + 800.0 * mask + 200 * rng.standard_normal(mask.shape)).clip(0).astype(np.uint16))
        masks.append(mask)
    return images, masks


def cases(folder: Path, args: argparse.Namespace) -> Iterator[tuple[str, Callable[[], Waited]]]:
    """Yield each kind of training with what measures it."""
    images, masks = micrographs(args.count, args.size)
    for number, image in enumerate(images):
        write_image(folder / "tiles" / f"{number}.tif", image)
    pack([folder / "tiles"], folder / "tiles.pack").result()
    shared: dict[str, Any] = {"workers": args.workers, "device": args.device}
    painted = FinetuneSettings(generator=args.generator, zero="background", **shared)
    paper = FinetuneSettings(
        generator=args.generator, zero="background", recipe="paper", patch=args.patch, batch_size=8, test=0, **shared
    )
    restore = FinetuneSettings(generator=args.generator, task="denoise", **shared)
    clean = [image.astype(np.float32) for image in images]
    gan = PretrainSettings(generator=args.generator, batch_size=8, patch=args.patch, validation=1, **shared)
    yield "segment", lambda: finetuning(painted, images, masks, args.steps)
    yield "segment, recipe paper", lambda: finetuning(paper, images, masks, args.steps)
    yield "denoise", lambda: finetuning(restore, images, clean, args.steps)
    yield "pretrain from files", lambda: pretraining(gan, [folder / "tiles"], args.steps)
    yield "pretrain from a pack", lambda: pretraining(gan, [folder / "tiles.pack"], args.steps)


def main() -> None:
    """Read the arguments, measure, and print a line for each kind of training."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generator", default="unet-3-96")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--patch", type=int, default=128)
    parser.add_argument("--count", type=int, default=16)
    parser.add_argument("--size", type=int, default=512)
    args = parser.parse_args()
    print(f"{args.generator}, {args.workers} workers, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    with tempfile.TemporaryDirectory() as folder:
        for name, measure in cases(Path(folder), args):
            found = measure()
            step = 1e3 * found.seconds / found.steps
            print(f"{name}: {found.share:.1%} of the time waiting, {step:.0f} ms a step", flush=True)


if __name__ == "__main__":
    main()
