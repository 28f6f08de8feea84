"""Core targets from what users painted, or from mask files: 0 unpainted, 1 background, 2.. classes."""

from collections.abc import Collection, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...errors import UserError
from .objects import EIGHT, PaintedObject, Target, hold_out, numbered_objects, painted_objects

__all__ = [
    "PaintedObject",
    "assumed_background",
    "hold_out",
    "paint_rings",
    "painted_objects",
    "target_from_painting",
    "targets_from_masks",
    "targets_from_painting",
]

Unpainted = Literal["near", "ignored", "background"]

MOST_CLASSES = 16
"""Masks with more values than this number their objects, or are no masks at all."""
_LARGEST_CLASS = 2**32 - 1
"""What the card of a model can hold."""
_GAP_PX = 1
"""Painted borders are imprecise: the 8 neighbours of painted pixels stay unpainted."""
_MARGIN_PX = (4.0, 48.0)
"""Least and most width of the ring around a painted object that counts as background."""


def target_from_painting(
    labels: NDArray[np.generic],
    unpainted: Unpainted = "near",
    background_label: int | None = None,
    *,
    name: str = "the painting",
    merge_classes: bool = False,
) -> Target:
    """Turn one painted plane into a core target.

    Parameters
    ----------
    labels
        Labels ``(h, w)``, integer, 0 where nothing is painted.
    unpainted, background_label, name, merge_classes
        See `targets_from_painting`.

    Returns
    -------
    numpy.ndarray
        Target ``(h, w)`` uint8: 0 unpainted, 1 background, 2.. classes in the order of their labels.

    Raises
    ------
    UserError
        As `targets_from_painting`.
    """
    targets, _ = targets_from_painting([labels], unpainted, background_label, name=name, merge_classes=merge_classes)
    return targets[0]


def targets_from_painting(
    planes: Sequence[NDArray[np.generic]],
    unpainted: Unpainted = "near",
    background_label: int | Collection[int] | None = None,
    *,
    ignored_labels: Collection[int] = (),
    regions: Sequence[NDArray[np.bool_] | None] | None = None,
    name: str = "the painting",
    merge_classes: bool = False,
) -> tuple[list[Target], tuple[int, ...]]:
    """Turn painted planes into core targets, classes in the order of their labels over all planes.

    Parameters
    ----------
    planes
        Labels ``(h, w)``, integer, 0 where nothing is painted.
    unpainted
        What unpainted pixels mean. ``near``: background in a ring around each painted object, half as wide as
        the object's equivalent diameter (4 to 48 px), and ignored elsewhere; the pixels right at a painted
        border are ignored too. ``ignored``: nothing. ``background``: background.
    background_label
        Label, or labels, that stand for background.
    ignored_labels
        Labels of which nothing is learnt, whatever `unpainted` says: they stay unpainted in the target.
    regions
        For each plane a mask ``(h, w)`` of what is fully annotated, or None: inside it everything unpainted is
        background, outside it `unpainted` holds.
    name
        What messages call the painting.
    merge_classes
        All labels but the background's are one class.

    Returns
    -------
    targets, class_values
        Targets ``(h, w)`` uint8: 0 unpainted, 1 background, ``2 + k`` for label ``class_values[k]``.

    Raises
    ------
    UserError
        If nothing is painted, only background is, or nothing says in the end what background is.
    """
    labels = [_integers(plane, name) for plane in planes]
    background = (background_label,) if isinstance(background_label, int) else tuple(background_label or ())
    values = [value for value in _values(labels) if value not in {*background, *ignored_labels}]
    _check_painted(labels, values, name)
    classes = _class_values(values, merge_classes, name)
    targets = [_spread(_mapped(plane, values, merge_classes, background), unpainted) for plane in labels]
    for target, plane, region in zip(targets, labels, regions or [None] * len(labels), strict=True):
        _fill(target, region)
        target[np.isin(plane, list(ignored_labels))] = 0
    if len(_values(targets)) < 2:
        raise UserError(
            f"Only one class is painted in {name}, and nothing says what is background. "
            "Paint some background with another label and declare it as such, or let the surroundings be background."
        )
    return targets, classes


def assumed_background(
    target: Target, labels: NDArray[np.generic], region: NDArray[np.bool_] | None = None
) -> NDArray[np.bool_]:
    """Return which background of a core target nobody has painted: the rings around painted objects.

    Parameters
    ----------
    target
        Made by `targets_from_painting` with ``unpainted="near"``, ``(h, w)``.
    labels
        The painting that it was made from, ``(h, w)``.
    region
        What is fully annotated, where unpainted pixels are background for certain; None where nothing is.

    """
    assumed: NDArray[np.bool_] = (target == 1) & (np.asarray(labels) == 0)
    return assumed if region is None else assumed & ~region


def _integers(plane: NDArray[np.generic], name: str) -> NDArray[np.generic]:
    """Labels as integers; raises `UserError` unless they have two axes and none is negative."""
    labels = np.asarray(plane)
    if labels.ndim != 2:
        raise UserError(f"The shape {labels.shape} of {name} is not that of a plane. Give one plane (h, w) at a time.")
    if labels.dtype.kind == "f" and np.isfinite(labels).all() and (labels == np.rint(labels)).all():
        labels = labels.astype(np.int64)
    if labels.dtype.kind == "b":
        labels = labels.astype(np.uint8)
    if labels.dtype.kind not in "iu" or (labels.size and labels.min() < 0):
        raise UserError(f"There are values in {name} that are not labels. Labels are whole numbers of 0 or more.")
    return labels


def _values(planes: Sequence[NDArray[np.generic]]) -> list[int]:
    """Values other than 0, over all planes, in order."""
    return sorted({value for plane in planes for value in _distinct(plane)} - {0})


def _distinct(plane: NDArray[np.generic]) -> list[int]:
    """Values that occur in a plane; of 8 and 16 bits without sorting."""
    if plane.dtype in (np.uint8, np.uint16):
        return [int(value) for value in np.flatnonzero(np.bincount(plane.ravel()))]
    return [int(value) for value in np.unique(plane)]


def _check_painted(planes: Sequence[NDArray[np.generic]], values: Sequence[int], name: str) -> None:
    """Raise `UserError` unless at least one pixel of one class is painted."""
    if not any(plane.any() for plane in planes):
        raise UserError(f"No pixel is painted in {name}. Paint one particle, then start again.")
    if not values:
        raise UserError(f"Only background is painted in {name}. Paint one particle with another label.")


def _class_values(values: Sequence[int], merge_classes: bool, name: str) -> tuple[int, ...]:
    """Values that stand for the classes 2, 3, ...; the least one for all where they are merged."""
    if len(values) > MOST_CLASSES and not merge_classes:
        raise UserError(
            f"There are {len(values)} different values in {name}. If they number the objects, treat them as one class "
            f"(--merge-classes); if they are classes, give at most {MOST_CLASSES}."
        )
    return tuple(values[:1] if merge_classes else values)


def _mapped(
    labels: NDArray[np.generic], values: Sequence[int], merge_classes: bool, background: Collection[int] = ()
) -> Target:
    """Core target of labels: `values` become 2, 3, ..., those of the background 1, the rest 0."""
    target = np.zeros(labels.shape, np.uint8)
    if merge_classes:
        target[np.isin(labels, values)] = 2
    else:
        for core, value in enumerate(values, start=2):
            target[labels == value] = core
    for value in background:
        if value:
            target[labels == value] = 1
    return target


def _spread(target: Target, unpainted: Unpainted) -> Target:
    """Give unpainted pixels their meaning, in place."""
    if unpainted == "background":
        target[target == 0] = 1
    elif unpainted == "near":
        paint_rings(target)
    return target


def _fill(target: Target, region: NDArray[np.bool_] | None) -> None:
    """Make everything unpainted in a fully annotated region background, in place."""
    if region is not None:
        target[region & (target == 0)] = 1


def paint_rings(target: Target) -> None:
    """Make unpainted pixels around each object background, in place; the pixels at any object's border stay 0.

    Nobody has said that they are background: where particles lie close together, a ring covers their neighbours.
    """
    numbers, areas = numbered_objects(target)
    # half the equivalent diameter, sqrt(area / pi)
    margins = np.clip(np.sqrt(areas / np.pi), *_MARGIN_PX)
    for number, box in enumerate(ndimage.find_objects(numbers), start=1):
        window = _grown(box, int(margins[number]) + 2)  # distances in a window, not in the whole plane
        distance = ndimage.distance_transform_edt(numbers[window] != number)
        ring = (distance <= margins[number] + _GAP_PX) & (target[window] == 0)
        target[window][ring & ~ndimage.binary_dilation(numbers[window] > 0, EIGHT)] = 1


def _grown(box: Sequence[slice], margin: int) -> tuple[slice, slice]:
    """A box with a margin on all sides, clipped at 0."""
    rows, columns = (slice(max(0, side.start - margin), side.stop + margin) for side in box)
    return rows, columns


def targets_from_masks(
    masks: Sequence[NDArray[np.generic]],
    zero: Literal["background", "unpainted"] = "background",
    merge_classes: bool = False,
    *,
    class_values: tuple[int, ...] | None = None,
    needs_background: bool = True,
    name: str = "the targets",
) -> tuple[list[Target], tuple[int, ...]]:
    """Turn masks into core targets; the classes are collected over all masks, so that they agree between images.

    Parameters
    ----------
    masks
        ``(h, w)``, whole numbers of any dtype.
    zero
        What 0 means. ``background``: every other value is a class. ``unpainted``: 0 is not known, 1 is
        background, values from 2 on are classes.
    merge_classes
        All classes are one: masks that number the objects.
    class_values
        The values a model was trained on, to score it: others raise. By default those that occur.
    needs_background
        Whether one class alone is refused.
    name
        What messages call the masks.

    Returns
    -------
    targets, class_values
        Targets ``(h, w)`` uint8: 0 unpainted, 1 background, ``2 + k`` for mask value ``class_values[k]``.

    Raises
    ------
    UserError
        If nothing is painted, there is only one class, there are too many values, or they are no whole numbers.
    """
    labels = [_integers(mask, name) for mask in masks]
    background = (1,) if zero == "unpainted" else ()
    found = [value for value in _values(labels) if value not in background]
    if class_values is None or merge_classes:
        _check_painted(labels, found, name)
        classes = class_values or _class_values(found, merge_classes, name)
        if classes[-1] > _LARGEST_CLASS:
            raise UserError(
                f"The value {classes[-1]} in {name} is too large. Number the classes, or the objects, from 1 on."
            )
    else:
        classes = class_values
        _check_known(found, classes, name)
    targets = [_mapped(mask, found if merge_classes else classes, merge_classes, background) for mask in labels]
    if zero == "background":
        targets = [_spread(target, "background") for target in targets]
    if class_values is None and needs_background and len(_values(targets)) < 2:
        raise UserError(f"Only one class is painted in {name}. Paint some background too, or a second class.")
    return targets, classes


def _check_known(found: Sequence[int], classes: Sequence[int], name: str) -> None:
    """Raise `UserError` for values that the model was not trained on: they have no class."""
    unknown = [value for value in found if value not in classes]
    if unknown:
        raise UserError(
            f"The model does not know the values {', '.join(map(str, unknown[:5]))} in {name}; "
            f"it knows {', '.join(map(str, classes))}. Use masks with the values of the training, or merge classes."
        )
