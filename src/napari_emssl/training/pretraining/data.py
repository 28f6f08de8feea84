"""What pretraining learns from: images opened, split, and made into patches."""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ...data.datasets.plane_splits import split_within_images
from ...data.datasets.sources import ImageCatalog, describe_skipped, open_sources
from ...data.images.image import ImageSource
from ...data.images.intensity_scaling import IntensityScaling
from ...data.patches.unlabelled_patches import UnlabelledPatches
from ...data.splits.held_out import Split, make_split, read_split, write_split
from ...errors import UserError
from ...formatting import counted
from ...jobs.pretrain_settings import PretrainSettings

VALIDATION_LIMIT = 5000
_DIGESTED = 32
"""Planes whose pixels count in a digest."""
_CACHE_BYTES = 2**31
"""Planes kept in memory, over all processes that read; only planes that take time to read are kept."""


@dataclass(frozen=True)
class PretrainingData:
    """Images without labels, and the part each plays."""

    catalog: ImageCatalog
    split: Split
    settings: PretrainSettings

    def training_patches(self) -> UnlabelledPatches:
        """Return the endless stream of training patches."""
        room = _CACHE_BYTES // max(1, self.settings.workers)
        return self._patches(self.split.training, cache_bytes=room)

    def validation_patches(self) -> tuple[Tensor, tuple[int, ...]]:
        """Return one fixed patch of every validation plane, ``(n, 1, patch, patch)``, and the damaged planes."""
        patches = self._patches(self.split.validation, visits="once")
        count = min(len(patches), VALIDATION_LIMIT)
        stacked = torch.empty(count, 1, self.settings.patch, self.settings.patch)
        damaged: set[int] = set()
        for position in range(count):
            drawn = patches.draw(position)
            stacked[position] = drawn.patch
            damaged.update(drawn.damaged)
        return stacked, tuple(sorted(damaged))

    def no_patches(self) -> tuple[Tensor, tuple[int, ...]]:
        """Return what `validation_patches` returns where there are none."""
        return torch.empty(0, 1, self.settings.patch, self.settings.patch), ()

    def test_patches(self) -> UnlabelledPatches:
        """Return one fixed patch of every test plane."""
        return self._patches(self.split.test, visits="once")

    def _patches(
        self, images: list[int], visits: Literal["by-area", "once"] = "by-area", cache_bytes: int = 0
    ) -> UnlabelledPatches:
        planes = self.catalog.planes_of(images)
        chosen = self.settings
        store = self.catalog.store
        return UnlabelledPatches(
            store, chosen.patch, IntensityScaling(), chosen.seed, cache_bytes=cache_bytes, visits=visits, planes=planes
        )

    def name_of(self, plane: int) -> str:
        """Return the name of the image that a plane belongs to."""
        return self.catalog.names[int(np.searchsorted(np.cumsum(self.catalog.counts), plane, side="right"))]

    def describe(self, patches: int) -> dict[str, object]:
        """Return what the model's card records of the data; `patches` is their number in an epoch."""
        return {
            "summary": self.summary(patches),
            "layouts": sorted(set(self.catalog.layouts)),
            "images": len(self.split.training),
            "planes": self._planes(self.split.training),
            "patches_per_epoch": patches,
            "validation_images": len(self.split.validation),
            "test_images": len(self.split.test),
            "skipped": len(self.catalog.skipped),
        }

    def summary(self, patches: int) -> str:
        """Say what is learnt from, as a sentence; `patches` is their number in an epoch."""
        parts = self.split
        learnt = (
            f"Learning from {counted(self._planes(parts.training), 'plane')} of "
            f"{counted(len(parts.training), 'image')} ({counted(patches, 'patch', 'patches')} an epoch)"
        )
        validated = f"{counted(self._planes(parts.validation), 'plane')} of {counted(len(parts.validation), 'image')}"
        judged = f"validating on {validated}" if parts.validation else "without validation"
        kept = f", {counted(len(parts.test), 'image')} kept for the test" if parts.test else ""
        return f"{learnt}, {judged}{kept}."

    def _planes(self, images: list[int]) -> int:
        return len(self.catalog.planes_of(images))

    def digest(self) -> str:
        """Tell images and their split from others: by their names, and the pixels of some planes that can be read."""
        parts, catalog = self.split, self.catalog
        found = blake2b(digest_size=16)
        found.update(json.dumps([catalog.names, catalog.counts.tolist(), vars(parts)], default=int).encode())
        planes = int(catalog.counts.sum())
        for plane in np.unique(np.linspace(0, planes - 1, _DIGESTED).round().astype(int)):
            with suppress(UserError):
                found.update(np.ascontiguousarray(catalog.store.read(int(plane))).tobytes())
        return found.hexdigest()

    def remarks(self) -> Iterator[str]:
        """Say what is not as asked for."""
        skipped, chosen = self.catalog.skipped, self.settings
        if skipped:
            yield describe_skipped(skipped)
        yield from self.catalog.notes
        there = len(self.split.training)
        if chosen.images is not None and chosen.images > there:
            yield f"There are only {counted(there, 'training image')}; --images {chosen.images} asks for more."
        for name in ("validation", "test"):
            held, asked = len(getattr(self.split, name)), getattr(chosen, name) or 0
            if held < asked and held < VALIDATION_LIMIT:
                yield (
                    f"--{name} {asked}: only {counted(held, 'image')} could be held out, since a source is never "
                    "divided."
                )

    def write_split(self, path: Path) -> None:
        """Write the split, replacing what is there."""
        catalog = self.catalog
        facts = {"seed": self.settings.seed, "layouts": catalog.layouts}
        write_split(path, self.split, catalog.names, catalog.origins, facts, overwrite=True)


def gather_unlabelled(
    sources: Sequence[ImageSource], settings: PretrainSettings, split: Path | None = None
) -> PretrainingData:
    """Open what there is to learn from and split it, or take the very split that a file holds.

    Parameters
    ----------
    sources
        Folders, files, packs and arrays ``(h, w)`` or ``(n, h, w)``, in any mix.
    settings
        How images are found, repaired and split.
    split
        File with the split of another run; None makes one.

    Returns
    -------
    PretrainingData
        The images, opened, and which are learnt from.

    Raises
    ------
    UserError
        If no image can be read or nothing is left to learn from; if the split does not fit the images, or comes with
        settings that ask for another one; if whole images and parts are to be held out at once.

    """
    in_parts = settings.hold_out == "parts"
    if in_parts and (settings.images or settings.validation is not None or settings.test):
        raise UserError(
            "--hold-out parts takes a part of every image. Leave out --images, --validation and --test, or hold out "
            "whole images."
        )
    if split is not None and (settings.images or settings.validation is not None or settings.test):
        raise UserError("--split says which images are used. Leave out --images, --validation and --test.")
    catalog = open_sources(sources, settings.layout, settings.hot_pixels)
    if in_parts:
        catalog, parts = split_within_images(catalog, settings.patch)
    if split is not None:
        return PretrainingData(catalog, read_split(split, catalog.names), settings)
    if in_parts:
        return PretrainingData(catalog, parts, settings)
    count = len(catalog)
    validation = min(VALIDATION_LIMIT, count // 10) if settings.validation is None else settings.validation
    parts = make_split(catalog.names, catalog.origins, validation, settings.test, settings.images, settings.seed)
    return PretrainingData(catalog, parts, settings)
