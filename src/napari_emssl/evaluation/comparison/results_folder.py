"""The folder of a comparison: what was compared, the scores, and resuming where a run was stopped."""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NotRequired, TypedDict, cast

from ...atomic_files import replacing, sweep_once, write_text
from ...errors import UserError
from ...jobs.compare_settings import CompareSettings
from ...json_text import parse_json
from ...training.file_lock import holds_something
from .figure import write_comparison
from .results import VALIDATION, Comparison, ResultRow, SummaryRow

RECORD, RESULTS, CURVES = "compare.json", "results.csv", "curves.png"
VALIDATION_CURVES = "validation.png"
SUMMARY = ("summary.csv", "summary.json")
_FORMAT = 1
_COLUMNS = ("start", "kind", "network", "seed", "step", "seconds", "loss")
_RESTART = "Choose another folder, or pass --overwrite to start again."
_MAY_DIFFER = ("seeds", "random_twins", "workers")
"""Settings that add runs and change none."""
_EPOCH = "epoch"


class ComparisonRecord(TypedDict):
    """What was compared, as ``compare.json`` holds it: runs are only added to a comparison of the same."""

    format: NotRequired[int]
    settings: dict[str, object]
    data: dict[str, object]
    """Names of planes on both sides, class values, and digests of targets and images."""
    starts: dict[str, str]
    """Digests of the weights by label."""
    versions: dict[str, str]
    date: str
    command: str


class ResultsFolder:
    """Keeps the complete runs of a comparison in its folder.

    Parameters
    ----------
    folder
        Made when the first run is complete.
    record
        What is compared.
    overwrite
        Forget what an earlier comparison left.

    Raises
    ------
    UserError
        When the folder holds something else, or a comparison with other settings, images or weights.

    """

    def __init__(self, folder: Path, record: ComparisonRecord, overwrite: bool) -> None:
        self.folder = folder
        self.record: ComparisonRecord = {"format": _FORMAT, **record}
        self.rows: list[ResultRow] = []
        self._overwrites = overwrite
        if folder.is_dir():
            sweep_once(folder)  # a killed run leaves names that are not a comparison's
        if overwrite or not holds_something(folder):
            return
        before = _read_record(folder)
        _check_same_comparison(folder, before, self.record)
        self.record["starts"] = before["starts"] | record["starts"]
        self.rows = read_results(folder / RESULTS)

    @property
    def comparison(self) -> Comparison:
        """What is there so far."""
        return Comparison(tuple(self.rows))

    def add(self, run: Sequence[ResultRow]) -> None:
        """Add a complete run and write all files again.

        Raises
        ------
        UserError
            When the folder cannot be written.

        """
        self.rows += run
        self._write(with_rows=True)

    def summarize(self) -> None:
        """Write summary and curves again: the program may have been killed after it had written the scores.

        Raises
        ------
        UserError
            When the folder cannot be written.

        """
        self._write(with_rows=False)

    def _write(self, with_rows: bool) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if with_rows:
                self._write_rows()
            self._write_summary()
        except (OSError, UserError) as error:
            reason = error.__cause__ if isinstance(error, UserError) else error
            raise UserError(
                f"Cannot write to '{self.folder}': {getattr(reason, 'strerror', None) or reason}. "
                "Make room; the same command then resumes the comparison."
            ) from error

    def _write_rows(self) -> None:
        """Write the scores and what was compared.

        A program may be killed between them. Scores are therefore never there before what they are compared by, except
        where an earlier comparison is replaced: its scores must not be taken for those of the new one.
        """
        contents = {RESULTS: self._table(), RECORD: json.dumps(self.record, indent=2, ensure_ascii=False)}
        last, first = (RECORD, RESULTS) if self._overwrites else (RESULTS, RECORD)
        with (
            replacing(self.folder / last, overwrite=True) as later,
            replacing(self.folder / first, overwrite=True) as earlier,
        ):
            later.write_text(contents[last], encoding="utf-8", errors="backslashreplace")
            earlier.write_text(contents[first], encoding="utf-8", errors="backslashreplace")
        self._overwrites = False

    def _table(self) -> str:
        rows = [_flat(row) for row in self.rows]
        epochs = [_EPOCH] if any(row.epoch is not None for row in self.rows) else []
        return _as_csv(rows, [*_COLUMNS, *epochs, *self.comparison.scores])

    def _write_summary(self) -> None:
        found = self.comparison
        summary = found.summary()
        write_text(self.folder / SUMMARY[0], _as_csv(summary, list(summary[0])), overwrite=True)
        match = {start: found.steps_to_match(start) for start in found.starts if found.twin(start)}
        content = {"compared": self.record, "steps_to_match_random": match, "rows": [_finite(row) for row in summary]}
        write_text(self.folder / SUMMARY[1], json.dumps(content, indent=2, ensure_ascii=False), overwrite=True)
        write_comparison(self.folder / CURVES, found)
        validated = f"{VALIDATION}{found.main_score}"
        if validated in found.scores:
            write_comparison(self.folder / VALIDATION_CURVES, found, validated)
        else:
            (self.folder / VALIDATION_CURVES).unlink(missing_ok=True)  # of a comparison that was replaced


def read_results(path: Path) -> list[ResultRow]:
    """Read the table of all scores; raises `UserError` when it is damaged, and finds nothing where there is none."""
    if not path.is_file():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [_row(line) for line in csv.DictReader(file)]
    except (KeyError, ValueError, TypeError) as error:
        raise UserError(f"'{path}' is damaged and cannot be added to. {_RESTART}") from error


def _row(line: Mapping[str, str]) -> ResultRow:
    scores = {name: float(value) for name, value in line.items() if name not in (*_COLUMNS, _EPOCH) and value != ""}
    seconds, loss = (float(line[name] or "nan") for name in ("seconds", "loss"))
    seed, step = int(line["seed"]), int(line["step"])
    epoch = float(line[_EPOCH]) if line.get(_EPOCH) else None
    return ResultRow(line["start"], line["kind"], line["network"], seed, step, seconds, loss, scores, epoch)


def _flat(row: ResultRow) -> SummaryRow:
    epoch: SummaryRow = {} if row.epoch is None else {_EPOCH: row.epoch}
    return {name: getattr(row, name) for name in _COLUMNS} | epoch | row.scores


def _as_csv(rows: Sequence[SummaryRow], columns: Sequence[str]) -> str:
    """Lines of a CSV, nothing where there is no number.

    Numbers have all their digits: a comparison that is resumed reads them, and its summary is that of one run.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def _cell(value: str | float) -> str | float:
    if isinstance(value, float):
        return "" if math.isnan(value) else repr(float(value))
    return value


def _finite(row: SummaryRow) -> dict[str, str | float | None]:
    return {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in row.items()}


def _read_record(folder: Path) -> ComparisonRecord:
    path = folder / RECORD
    if not path.is_file():
        raise UserError(f"Folder '{folder}' is not empty and holds no comparison. {_RESTART}")
    try:
        record: ComparisonRecord = cast(ComparisonRecord, parse_json(path.read_bytes()))
        complete = record["format"] == _FORMAT and {"settings", "data", "starts"} <= record.keys()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"'{path}' is damaged, so the comparison cannot be resumed. {_RESTART}") from error
    if not complete:
        raise UserError(f"'{path}' was written by another version of the program. {_RESTART}")
    return record


def _check_same_comparison(folder: Path, before: ComparisonRecord, now: ComparisonRecord) -> None:
    """Runs can only be added to a comparison if nothing but their start and seed differs."""
    for name, value in now["settings"].items():
        was = before["settings"].get(name, CompareSettings.model_fields[name].default)
        if name not in _MAY_DIFFER and was != value:
            flag = f"--{name.replace('_', '-')}"
            raise UserError(f"'{folder}' holds a comparison with {flag} {was}, not {value}. {_RESTART}")
    # comparisons of earlier versions know nothing of the pixels of images
    if before["data"] != {name: value for name, value in now["data"].items() if name in before["data"]}:
        raise UserError(f"'{folder}' holds a comparison on other images or targets. {_RESTART}")
    for label, digest in now["starts"].items():
        if before["starts"].get(label, digest) != digest:
            raise UserError(f"'{folder}' holds runs of '{label}' with other weights. {_RESTART}")
