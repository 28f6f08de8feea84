"""What painted labels stand for: names and roles, remembered in the Labels layer they were given in. No Qt."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ....data.arrays import DuckArray
from ....errors import UserError
from ...layers.layers import METADATA_KEY, own_notes

if TYPE_CHECKING:
    from napari.layers import Labels

Unpainted = Literal["near", "ignored", "background"]
"""What unpainted pixels mean: background near what is painted, nothing, or background everywhere."""
Role = Literal["class", "background", "ignore"]
ROLES: tuple[Role, ...] = get_args(Role)
_KEY = "painting"
_FEW = 32


@dataclass(frozen=True)
class PaintedClass:
    """A label and what it stands for."""

    value: int
    name: str
    role: Role = "class"


def labels_in(data: DuckArray, shape: tuple[int, ...]) -> set[int]:
    """Return the labels other than 0 in an array ``(..., h, w)``, numpy or lazy, read plane by plane."""
    return labels_of_planes(np.asarray(data[index]) for index in product(*(range(n) for n in shape[:-2])))


def labels_of_planes(planes: Iterable[NDArray[np.generic]]) -> set[int]:
    """Return the labels other than 0 in some planes ``(h, w)``."""
    found: set[int] = set()
    for plane in planes:
        if plane.any() and not _all_among(plane, {0, *found}):
            found.update(int(value) for value in np.unique(plane))
    return found - {0}


def _all_among(plane: NDArray[np.generic], known: set[int]) -> bool:
    """Whether a plane holds known labels alone; comparing is far quicker than sorting, as long as they are few."""
    return len(known) <= _FEW and sum(np.count_nonzero(plane == value) for value in known) == plane.size


def given_classes(layer: "Labels") -> dict[int, PaintedClass]:
    """Return what the user has said about the labels of a layer, by label; entries that make no sense are left out."""
    notes = own_notes(layer, _KEY)
    return {
        int(value): PaintedClass(int(value), str(note["name"]), note["role"])
        for value, note in notes.items()
        if str(value).isdigit() and isinstance(note, dict) and note.get("name") and note.get("role") in ROLES
    }


def default_class(layer: "Labels", value: int) -> PaintedClass:
    """Return what a label is before the user has said so; in the result of a model, what the model calls it."""
    noted = own_notes(layer).get("classes")
    known = noted if isinstance(noted, list | tuple) else ()
    return PaintedClass(value, str(known[value]) if 0 < value < len(known) else f"label {value}")


def remember(layers: "Iterable[Labels]", painted: PaintedClass) -> None:
    """Write down in each layer what a label stands for; saved and opened again with the layer's metadata."""
    for layer in layers:
        own = dict(own_notes(layer))
        own[_KEY] = {**own.get(_KEY, {}), str(painted.value): {"name": painted.name, "role": painted.role}}
        layer.metadata[METADATA_KEY] = own


def shown_classes(layers: "Sequence[Labels]", values: Iterable[int]) -> tuple[PaintedClass, ...]:
    """Return what labels stand for in the first of these layers that says something about them."""
    given = [given_classes(layer) for layer in layers]
    return tuple(
        next((known[value] for known in given if value in known), default_class(layers[0], value)) for value in values
    )


def agreed_classes(layers: "Sequence[Labels]", values: Iterable[int]) -> tuple[PaintedClass, ...]:
    """Return what labels stand for in all of these layers.

    Raises
    ------
    UserError
        When two layers say different things of one label, or two classes have one name.

    """
    values = tuple(values)
    given = [(layer.name, given_classes(layer)) for layer in layers]
    for value in values:
        meanings = {known[value]: name for name, known in given if value in known}
        if len(meanings) > 1:
            (one, here), (other, there), *_ = meanings.items()
            raise UserError(
                f"Label {value} is {_quoted(one)} in '{here}' but {_quoted(other)} in '{there}'. "
                "Write its name or choose its role in the table again; this applies to all paintings."
            )
    classes = shown_classes(layers, values)
    _check_names([painted for painted in classes if painted.role == "class"])
    return classes


def _check_names(classes: Sequence[PaintedClass]) -> None:
    for number, painted in enumerate(classes):
        for other in classes[:number]:
            if painted.name == other.name:
                raise UserError(
                    f"Labels {other.value} and {painted.value} are both called '{painted.name}'. "
                    "Give each class a name of its own, or paint them with one label."
                )


def _quoted(painted: PaintedClass) -> str:
    return f"'{painted.name}'" if painted.role == "class" else painted.role


def painted_labels(predicted: NDArray[np.generic], values: tuple[int, ...]) -> NDArray[np.generic]:
    """Give the classes of a prediction, numbered from 1 on, the labels they were painted with."""
    if values == tuple(range(1, len(values) + 1)):
        return predicted
    labels: NDArray[np.generic] = np.array([0, *values], np.min_scalar_type(max(values, default=0)))
    return labels[np.minimum(predicted, len(values))]  # type: ignore[no-any-return]
