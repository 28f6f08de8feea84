"""Painted objects: connected regions of one class, and holding some of them out for validation."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Target = NDArray[np.uint8]

EIGHT = np.ones((3, 3), bool)
"""Neighbourhood: pixels that touch at a corner belong together."""


class PaintedObject(NamedTuple):
    """One connected painted region of one class."""

    core_class: int
    """Value in the core target, 2 or more."""
    box: tuple[slice, slice]
    """Bounding box in the target."""
    mask: NDArray[np.bool_]
    """Pixels of the object within the box."""


def numbered_objects(target: Target) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Number the connected regions of each class of a core target from 1 on; return numbers and areas.

    Areas are by number, in pixels; entry 0 is 0.
    """
    numbers = np.zeros(target.shape, np.int32)
    count = 0
    for core in range(2, int(target.max(initial=0)) + 1):
        regions, found = ndimage.label(target == core, EIGHT)
        inside = regions > 0
        numbers[inside] = regions[inside] + count
        count += int(found)
    return numbers, np.bincount(numbers[numbers > 0], minlength=count + 1)


def nearest_objects(numbers: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return for each pixel ``(h, w)`` the number of the object that it belongs to or is nearest to."""
    nearest = ndimage.distance_transform_edt(numbers == 0, return_distances=False, return_indices=True)
    found: NDArray[np.int32] = numbers[tuple(nearest)]
    return found


def painted_objects(target: Target) -> list[PaintedObject]:
    """Return the connected regions (8 neighbours) of each class of a core target ``(h, w)``."""
    numbers, _ = numbered_objects(target)
    boxes = ndimage.find_objects(numbers)
    masks = [numbers[box] == number for number, box in enumerate(boxes, start=1)]
    return [
        PaintedObject(int(target[box][mask][0]), (box[0], box[1]), mask) for box, mask in zip(boxes, masks, strict=True)
    ]


class KnownPoint(NamedTuple):
    """A pixel inside an object that an earlier run has seen."""

    row: int
    column: int
    held_out: bool
    """Whether it was held out then; otherwise it was learnt from."""


def inner_points(target: Target) -> list[tuple[int, int]]:
    """Return row and column of the pixel of each painted object that is farthest from the object's border."""
    found = []
    for painted in painted_objects(target):
        # padded, so that the edge of the box counts as a border too
        depth = ndimage.distance_transform_edt(np.pad(painted.mask, 1))[1:-1, 1:-1]
        row, column = np.unravel_index(int(depth.argmax()), depth.shape)
        found.append((int(row) + painted.box[0].start, int(column) + painted.box[1].start))
    return found


def hold_out(
    targets: Sequence[Target],
    share: float,
    seed: int,
    least_objects: int = 5,
    known: Sequence[Sequence[KnownPoint]] | None = None,
) -> tuple[list[Target], list[Target]] | None:
    """Split painting into training and validation by whole objects, never by neighbouring pixels.

    An object takes with it the background that is nearer to it than to any other object. Validation pixels
    that touch training pixels are dropped. Each class keeps an object for training.

    Parameters
    ----------
    targets
        Core targets ``(h, w)``.
    share
        Share of the objects to hold out; at least one is.
    seed
        Decides which ones.
    least_objects
        With fewer objects in all targets together nothing is held out.
    known
        For each target, points in objects of an earlier run whose weights this one starts from: what was held out
        then stays held out, what was learnt from is never held out, and new objects fill up the share.

    Returns
    -------
    tuple of lists, or None
        Core targets of the same shapes for training and for validation; None where there are too few objects, or one
        side would not show two classes.
    """
    numbered = [numbered_objects(target)[0] for target in targets]
    classes = [_classes_by_number(target, numbers) for target, numbers in zip(targets, numbered, strict=True)]
    objects = [(plane, number) for plane, found in enumerate(classes) for number in range(1, len(found))]
    if len(objects) < least_objects or share <= 0:
        return None
    before = [
        _held_out_before(numbers, points)
        for numbers, points in zip(numbered, known or [()] * len(targets), strict=True)
    ]
    held = _chosen(
        objects,
        [int(classes[plane][number]) for plane, number in objects],
        [before[plane].get(number) for plane, number in objects],
        share,
        seed,
    )
    parts = [
        _split_target(target, numbers, [number for plane, number in held if plane == index])
        for index, (target, numbers) in enumerate(zip(targets, numbered, strict=True))
    ]
    training, validation = [part[0] for part in parts], [part[1] for part in parts]
    if min(_classes_shown(training), _classes_shown(validation)) < 2:
        return None
    return training, validation


def leave_each_out(targets: Sequence[Target]) -> list[list[Target]]:
    """Return what is left of painting without each object in turn, and without what is nearer to it than to others.

    Objects are passed over that leave a class or the background unpainted, or that have no background beside them.

    Parameters
    ----------
    targets
        Core targets ``(h, w)``.

    Returns
    -------
    list of lists
        Core targets of the same shapes, one list for each object.

    """
    left = []
    for plane, target in enumerate(targets):
        numbers = numbered_objects(target)[0]
        for number in range(1, int(numbers.max(initial=0)) + 1):
            training, validation = _split_target(target, numbers, [number])
            rest = [*targets[:plane], training, *targets[plane + 1 :]]
            shown = {int(value) for each in rest for value in np.unique(each)}
            if shown >= {int(value) for each in targets for value in np.unique(each)} and (validation == 1).any():
                left.append(rest)
    return left


def _classes_shown(targets: Sequence[Target]) -> int:
    """Number of classes, background included, over all targets."""
    return len({int(value) for target in targets for value in np.unique(target)} - {0})


def _classes_by_number(target: Target, numbers: NDArray[np.int32]) -> NDArray[np.uint8]:
    """Class of each numbered object; entry 0 has no meaning."""
    classes = np.zeros(int(numbers.max(initial=0)) + 1, np.uint8)
    classes[numbers] = target
    return classes


def _held_out_before(numbers: NDArray[np.int32], points: Sequence[KnownPoint]) -> dict[int, bool]:
    """Whether each object was held out before, by number; one that has merged with a learnt one counts as learnt."""
    before: dict[int, bool] = {}
    for row, column, held_out in points:
        number = int(numbers[row, column])
        before[number] = held_out and before.get(number, True)
    return before


def _chosen(
    objects: Sequence[tuple[int, int]],
    classes: Sequence[int],
    before: Sequence[bool | None],
    share: float,
    seed: int,
) -> list[tuple[int, int]]:
    """Objects held out before, then others drawn; the last one of each class stays in training."""
    left = {core: classes.count(core) for core in classes}
    wanted = max(1, round(share * len(objects)))
    held: list[tuple[int, int]] = []
    drawn = np.random.default_rng(seed).permutation(len(objects))
    for index in sorted(drawn, key=lambda index: not before[index]):  # those held out before come first
        again = before[index] is True
        if (again or (len(held) < wanted and before[index] is None)) and left[classes[index]] > 1:
            held.append(objects[index])
            left[classes[index]] -= 1
    return held


def _split_target(target: Target, numbers: NDArray[np.int32], held: Sequence[int]) -> tuple[Target, Target]:
    """Training and validation part of one target."""
    if not held:
        return target.copy(), np.zeros_like(target)
    # every pixel goes to the side of the object it is nearest to, background included
    is_held = np.zeros(int(numbers.max()) + 1, bool)
    is_held[list(held)] = True
    side = is_held[nearest_objects(numbers)]
    training, validation = np.where(side, 0, target), np.where(side, target, 0)
    validation[ndimage.binary_dilation(training > 0, EIGHT)] = 0
    return training, validation
