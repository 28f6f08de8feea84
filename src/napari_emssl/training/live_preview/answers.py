"""What every first look has in common: queries are answered one after another, each by one picture or several."""

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError
from ...jobs.allocator import release_memory
from ...jobs.events import Control, Finished, Notice, Preview, Update
from .query import PreviewQuery

Floats = NDArray[np.float32]


class FirstLook(Protocol):
    """Answers queries, and remembers of the planes what makes the next answer quick."""

    def answers(self, query: PreviewQuery, control: Control) -> Iterator[Preview]:
        """Yield the answer, first in part where all of it takes long; ends early when `control` has another query.

        Raises
        ------
        UserError
            When too little is painted.

        """


def answer_queries(first_look: FirstLook, control: Control) -> Iterator[Update | Finished[None]]:
    """Answer the queries of a job until it is stopped; one that cannot be answered yet is a `Notice`."""
    for query in control.questions(PreviewQuery):
        try:
            yield from first_look.answers(query, control)
        except UserError as error:
            yield Notice(str(error))
        if not control.asked:
            release_memory()  # of a process that waits, perhaps for hours, only what it remembers is its own
    yield Finished(None, stopped=True)


def answer_of(probabilities: Floats) -> dict[str, NDArray[np.generic]]:
    """Return "prediction" (labels uint8) and "uncertainty" (float32) of probabilities ``(classes, h, w)``."""
    # of two classes a comparison takes a fiftieth of the time
    several = len(probabilities) != 2
    found = probabilities.argmax(axis=0) if several else probabilities[1] > probabilities[0]
    return {"prediction": found.astype(np.uint8), "uncertainty": uncertainty(probabilities)}


def uncertainty(probabilities: Floats) -> Floats:
    """Return the entropy over the first axis ``(classes, ...)``, as a share of the greatest: 0 sure, 1 undecided."""
    bounded = np.clip(probabilities, 1e-7, 1.0)
    entropy = -(bounded * np.log(bounded)).sum(axis=0) / np.log(max(len(probabilities), 2))
    share: Floats = np.clip(entropy, 0.0, 1.0).astype(np.float32)
    return share
