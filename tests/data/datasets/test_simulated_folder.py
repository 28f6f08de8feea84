"""The folder of a simulation: an earlier one is there until the new one is."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from napari_emssl.data.datasets.simulated_folder import SimulationRecord, simulated_folder


def simulation(folder: Path, count: int, seed: int, fails: bool = False) -> Iterator[int]:
    """Write numbered files that hold the seed."""
    record = SimulationRecord("hrtem", count, seed, {})
    with simulated_folder(folder, ["images"], r"\d\.tif", record, overwrite=True) as place:
        (place / "images").mkdir(exist_ok=True)
        for number in range(count):
            (place / "images" / f"{number}.tif").write_text(str(seed))
            yield number
        if fails:
            raise ValueError("full")


def contents(folder: Path) -> dict[str, str]:
    """Files that are to be seen, by their place."""
    return {path.relative_to(folder).as_posix(): path.read_text()
            for path in folder.rglob("[!.]*") if path.is_file() and ".emssl" not in str(path)}  # fmt: skip


def test_an_earlier_simulation_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    list(simulation(tmp_path, 3, 0))
    (tmp_path / "images" / "mine.txt").write_text("mine")
    before = contents(tmp_path)
    with pytest.raises(ValueError, match="full"):
        list(simulation(tmp_path, 2, 1, fails=True))
    assert contents(tmp_path) == before
    half = simulation(tmp_path, 2, 1)
    next(half)
    assert before.items() <= contents(tmp_path).items(), "what a killed program would leave"
    next(half)
    half.close()  # type: ignore[attr-defined]
    after = contents(tmp_path)
    assert '"seed": 1' in after.pop("settings.json")
    assert after == {"images/0.tif": "1", "images/1.tif": "1", "images/mine.txt": "mine"}
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
