"""What leading axes count, from the words and units of many programs."""

import pytest

from napari_emssl.data.formats.axes import PlaneAxis, plane_axis


@pytest.mark.parametrize(
    ("name", "step", "unit", "expected"),
    [
        ("Z", 0.03, "\u00b5m", ("z", 30)),
        ("z", 30, "nanometers", ("z", 30)),
        ("T", 200, "ms", ("t", 0.2)),
        ("Time", 2, "min", ("t", 120)),
        ("time", 3, "nm", ("t", None)),
        ("C", 1, "nm", ("c", None)),
        (None, 2, "nm", ("z", 2)),
        ("", 2, "s", ("t", 2)),
        ("I", 1, None, ("n", None)),
        ("Z", 0, "nm", ("z", None)),
        ("Z", float("nan"), "nm", ("z", None)),
        ("Z", -5, "nm", ("z", 5)),
    ],
)
def test_axes(name: str, step: float, unit: str | None, expected: tuple[str, float | None]) -> None:
    axis = plane_axis(name, step, unit)
    assert axis.kind == expected[0]
    assert axis.step == (None if expected[1] is None else pytest.approx(expected[1]))


def test_a_step_has_the_unit_of_its_kind() -> None:
    assert [PlaneAxis("z", 2).unit, PlaneAxis("t", 2).unit, PlaneAxis("z").unit] == ["nm", "s", None]
