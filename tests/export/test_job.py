"""The export as a job, with what writes the package put aside."""

from pathlib import Path

import pytest

from napari_emssl.export import bioimageio, job
from napari_emssl.export.credits import Credits
from napari_emssl.jobs.events import Finished


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        ((), ""),
        (("the authors (--author)", "the licence (--licence)"), "\nTo publish it, give the authors (--author) and"),
    ],
)
def test_the_result_says_what_was_written_and_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, missing: tuple[str, ...], told: str
) -> None:
    asked: list[object] = []

    def export(*given: object) -> bioimageio.Exported:
        asked.extend(given)
        return bioimageio.Exported(Path("package"), 2.4e-6, missing)

    monkeypatch.setattr(job, "export_bioimageio", export)
    (event,) = job.export_package("au", Path("package"), Credits())
    assert isinstance(event, Finished)
    assert asked == ["au", Path("package"), Credits(), None]
    assert event.result.startswith(
        f"Wrote package: TorchScript and ONNX differ by at most 2e-06 from the model itself.{told}"
    )
