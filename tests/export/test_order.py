"""What an export says of itself, at the terminal and in the viewer."""

from pathlib import Path

from napari_emssl.export.order import Exported

FLAGS = {"authors": "--author", "licence": "--licence"}


def test_the_result_says_what_was_written_and_where_what_is_missing_is_given() -> None:
    told = Exported(Path("package"), 2.4e-6, ()).describe(FLAGS)
    assert told == "Wrote package: TorchScript and ONNX differ by at most 2e-06 from the model itself."
    told = Exported(Path("package"), 2.4e-6, ("authors", "licence")).describe(FLAGS)
    assert told.endswith("\nTo publish it, export it again, to another folder, with --author and --licence.")
