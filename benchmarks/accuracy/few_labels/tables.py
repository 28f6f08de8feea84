"""From scores of single answers to tables; the image is the unit, its seeds are averaged first."""

import csv
import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import combinations

import numpy as np

from napari_emssl.metrics import confusion, dice_of

from .answers import Answer
from .micrographs import Trial
from .painting import Micrograph

WORSE = 0.01
"""Dice by which an image has to be below to count as worse."""


@dataclass(frozen=True)
class Row:
    """The score of one answer."""

    set_name: str
    part: str
    image: str
    painted: int
    seed: int
    column: str
    dice: float
    seconds: float


@dataclass(frozen=True)
class Summary:
    """A column over the images of a set, or of a part of it."""

    set_name: str
    part: str
    painted: int
    column: str
    images: int
    mean: float
    median: float
    quantile_10: float
    seconds: float
    """Median over the images."""


@dataclass(frozen=True)
class Difference:
    """One column less another one, image by image."""

    set_name: str
    part: str
    painted: int
    column: str
    other: str
    mean: float
    standard_error: float | None
    """Of the mean, over the images; None for a single one."""
    worse: float
    """Share of the images on which the column is more than 0.01 below the other."""


Group = Mapping[str, Mapping[str, tuple[float, float]]]
"""Dice and seconds by column and image."""


def score(trial: Trial, judged: Micrograph, answer: Answer) -> float:
    """Return the Dice of the unpainted pixels, averaged over the classes that are judged.

    Parameters
    ----------
    trial
        What was painted.
    judged
        The micrograph of the answer.
    answer
        What was found.

    """
    target = trial.unpainted(judged)
    classes = max(int(judged.truth.max()), int(answer.labels.max()) + 1, *trial.classes)
    counts = confusion(answer.labels, target, classes)
    return float(np.mean([dice_of(counts, core - 1) for core in trial.classes]))


def grouped(rows: Sequence[Row]) -> dict[tuple[str, str, int], Group]:
    """Average over seeds, and group by set, painted particles and part; several parts together are part ``all``."""
    parts, single = defaultdict(set), defaultdict(list)
    for row in rows:
        parts[row.set_name].add(row.part)
    for row in rows:
        for part in ("all", row.part) if len(parts[row.set_name]) > 1 else (row.part or "all",):
            single[row.set_name, part, row.painted, row.column, row.image].append((row.dice, row.seconds))
    groups: dict[tuple[str, str, int], dict[str, dict[str, tuple[float, float]]]] = {}
    for (name, part, painted, column, image), values in single.items():
        of_column = groups.setdefault((name, part, painted), {}).setdefault(column, {})
        of_column[image] = tuple(np.mean(values, axis=0).tolist())
    order = list(parts)
    return dict(sorted(groups.items(), key=lambda item: (order.index(item[0][0]), item[0][2])))


def summaries(groups: Mapping[tuple[str, str, int], Group]) -> list[Summary]:
    """Return a summary of every column of every group."""
    return [_summary(key, column, images) for key, group in groups.items() for column, images in group.items()]


def _summary(key: tuple[str, str, int], column: str, images: Mapping[str, tuple[float, float]]) -> Summary:
    dice, seconds = np.array(list(images.values())).T
    low = np.quantile(dice, 0.1)
    return Summary(*key, column, len(dice), *map(float, (dice.mean(), np.median(dice), low, np.median(seconds))))


def differences(groups: Mapping[tuple[str, str, int], Group]) -> list[Difference]:
    """Return the difference of every two columns of every group, the later one less the earlier one."""
    return [
        _difference(key, later, earlier, group)
        for key, group in groups.items()
        for earlier, later in combinations(group, 2)
    ]


def _difference(key: tuple[str, str, int], column: str, other: str, group: Group) -> Difference:
    shared = [image for image in group[column] if image in group[other]]
    gain = np.array([group[column][image][0] - group[other][image][0] for image in shared])
    error = float(gain.std(ddof=1) / np.sqrt(len(gain))) if len(gain) > 1 else None
    return Difference(*key, column, other, float(gain.mean()), error, float((gain < -WORSE).mean()))


def as_csv(rows: Sequence[Row]) -> str:
    """Return one line for each answer."""
    text = io.StringIO()
    table = csv.DictWriter(text, [each.name for each in fields(Row)], lineterminator="\n")
    table.writeheader()
    table.writerows(asdict(row) for row in rows)
    return text.getvalue()


def as_markdown(rows: Sequence[Row]) -> str:
    """Return the summaries and the differences as two tables."""
    groups = grouped(rows)
    lines = [
        "| set | images | painted | | mean | median | 10 % quantile | s |",
        "|---|---|---|---|---|---|---|---|",
        *(
            f"| {_where(one)} | {one.images} | {one.painted} | {one.column} | {one.mean:.3f} | {one.median:.3f} | "
            f"{one.quantile_10:.3f} | {one.seconds:.1f} |"
            for one in summaries(groups)
        ),
    ]
    if found := differences(groups):
        lines += [
            "", "| set | painted | | less | difference | worse on |", "|---|---|---|---|---|---|",
            *(
                f"| {_where(one)} | {one.painted} | {one.column} | {one.other} | {one.mean:+.3f}"
                f"{'' if one.standard_error is None else f' ± {one.standard_error:.3f}'} | {one.worse:.0%} |"
                for one in found
            ),
        ]  # fmt: skip
    return "\n".join(lines) + "\n"


def as_json(rows: Sequence[Row], run: Mapping[str, object]) -> dict[str, object]:
    """Return how it was run, all summaries and all differences, as plain data."""
    groups = grouped(rows)
    return {
        "run": dict(run),
        "summaries": [asdict(each) for each in summaries(groups)],
        "differences": [asdict(each) for each in differences(groups)],
    }


def _where(one: Summary | Difference) -> str:
    return one.set_name if one.part == "all" else f"{one.set_name}, {one.part}"
