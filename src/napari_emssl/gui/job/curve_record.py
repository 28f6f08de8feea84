"""The numbers of a training, kept while it runs and beside the model it makes."""

from threading import Thread

from ...jobs.events import Progress
from ...models.zoo import curve_file
from ..threads.background import start_thread

_MOST, _MOST_KEPT = 4000, 1000


class CurveRecord:
    """What a training reported; when it grows too large, every second row is dropped, validations last."""

    def __init__(self) -> None:
        self.rows: list[Progress] = []
        self._stride, self._seen = 1, 0

    def add(self, event: Progress) -> None:
        """Add a row; one without numbers, as at the start of a resumed run, is ignored."""
        self._seen += 1
        if event.metrics or (event.losses and self._seen % self._stride == 0):
            self.rows.append(event)
        if len(self.rows) > _MOST:
            self._stride *= 2
            self.rows = thinned(self.rows, _MOST // 2)

    def keep(self, name: str) -> Thread:
        """Write the curves of the own model `name` in a thread, which is returned; where that fails, it has none."""
        return start_thread(_write, name, thinned(self.rows, _MOST_KEPT))


def thinned(rows: list[Progress], most: int) -> list[Progress]:
    """Return at most `most` rows, evenly spread; rows without a validation go first."""
    if len(rows) <= most:
        return list(rows)
    validated = [row for row in rows if row.metrics]
    others = [row for row in rows if not row.metrics]
    room = max(most - len(validated), most // 2)
    kept = [*_every(others, room), *_every(validated, most - min(room, len(others)))]
    return sorted(kept, key=lambda row: row.step)


def _every(rows: list[Progress], most: int) -> list[Progress]:
    """Return every nth row, the last one included, so that there are `most` of them or fewer."""
    stride = -(-len(rows) // max(most, 1))
    return rows[::-1][::stride][::-1] if rows else []


def kept_curves(name: str) -> list[Progress]:
    """Return the curves kept for an own model; empty where there are none."""
    from ...training.history import read_table

    try:
        return read_table(curve_file(name))
    except OSError:
        return []


def _write(name: str, rows: list[Progress]) -> None:
    from ...errors import UserError
    from ...training.history import CurveTable

    if not rows:
        return
    try:
        curve_file(name).parent.mkdir(parents=True, exist_ok=True)
        CurveTable(curve_file(name), rows)
    except (OSError, UserError):
        return
