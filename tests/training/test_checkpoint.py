"""The autosave: whole or the one before, safe to open, and of the very same run."""

from pathlib import Path
from typing import Any

import pytest
import torch

from napari_emssl.errors import UserError
from napari_emssl.jobs.pretrain_settings import PretrainSettings
from napari_emssl.jobs.settings import FinetuneSettings
from napari_emssl.training.checkpoint import (
    AUTOSAVE_FORMAT,
    MAY_CHANGE,
    all_finite,
    check_weights,
    load_optimiser,
    read_autosave,
    require_same_run,
    write_autosave,
)

HEAD = {"kind": "count", "format": AUTOSAVE_FORMAT}
WHOLE = HEAD | {
    "settings": {}, "data": "", "seconds": 0.0, "validated_at": -1, "best": None, "random": torch.get_rng_state(),
    "learner": {},
}  # fmt: skip


def test_what_is_no_autosave_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no autosave"):
        read_autosave(tmp_path / "none", "count")
    (tmp_path / "junk").write_bytes(b"junk")
    with pytest.raises(UserError, match="damaged"):
        read_autosave(tmp_path / "junk", "count")
    write_autosave(tmp_path / "other", HEAD | {"kind": "pretrain"})
    with pytest.raises(UserError, match=r"another kind of job \(pretrain, not count\)"):
        read_autosave(tmp_path / "other", "count")
    write_autosave(tmp_path / "old", HEAD | {"format": 1})
    with pytest.raises(UserError, match="another version"):
        read_autosave(tmp_path / "old", "count")
    for field in WHOLE:
        write_autosave(tmp_path / "lacks", {name: value for name, value in WHOLE.items() if name != field})
        with pytest.raises(UserError, match="damaged"):
            read_autosave(tmp_path / "lacks", "count")
    for field in ("kind", "format"):
        write_autosave(tmp_path / "odd", HEAD | {field: torch.arange(3)})
        with pytest.raises(UserError, match="damaged"):
            read_autosave(tmp_path / "odd", "count")


def test_an_autosave_cut_short_is_damaged(tmp_path: Path) -> None:
    write_autosave(tmp_path / "a", HEAD | {"learner": torch.arange(1000)})
    (tmp_path / "a").write_bytes((tmp_path / "a").read_bytes()[:-100])
    with pytest.raises(UserError, match="damaged"):
        read_autosave(tmp_path / "a", "count")


def test_an_autosave_that_would_run_code_is_refused(tmp_path: Path) -> None:
    torch.save(HEAD | {"bomb": Path("x")}, tmp_path / "bomb")
    with pytest.raises(UserError, match="damaged"):
        read_autosave(tmp_path / "bomb", "count")


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("file write failed")], ids=repr)
def test_the_autosave_before_stays_when_writing_breaks_off(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    write_autosave(path, WHOLE | {"step": 1})

    def half(_content: Any, file: Any) -> None:
        file.write(b"half")
        raise error

    monkeypatch.setattr(torch, "save", half)
    with pytest.raises((UserError, RuntimeError)):
        write_autosave(path, HEAD | {"step": 2})
    assert read_autosave(path, "count")["step"] == 1
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "change",
    [
        {"step": -1},
        {"step": True},
        {"seconds": float("nan")},
        {"best": {}},
        {"best": {"score": "1", "step": 1, "weights": {}, "metrics": {}}},
        {"best": {"score": 1.0, "step": 1, "weights": {"w": 1}, "metrics": {}}},
        {"beside_steps": "1"},
        {"settings": {"steps": [torch.zeros(0)]}},
        {"random": torch.zeros(3, dtype=torch.uint8)},
        {"learner": {"step": -1}},
        {"learner": {"w": torch.tensor(torch.nan)}},
    ],
)
def test_fields_that_no_run_writes_are_refused(change: dict[str, Any], tmp_path: Path) -> None:
    write_autosave(tmp_path / "a", WHOLE | {"step": 1} | change)
    with pytest.raises(UserError, match=r"damaged|not finite"):
        read_autosave(tmp_path / "a", "count")


def test_a_flipped_bit_is_noticed(tmp_path: Path) -> None:
    write_autosave(tmp_path / "a", WHOLE | {"step": 1, "learner": {"w": torch.ones(4096)}})
    content = bytearray((tmp_path / "a").read_bytes())
    content[content.index(torch.ones(8).numpy().tobytes()) + 2] ^= 1
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(UserError, match="damaged"):
        read_autosave(tmp_path / "a", "count")


SAME = PretrainSettings(seed=3)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"seed": 4}, "--seed 3 (now 4)"),
        ({"batch_size": 4}, "--batch-size 128 (now 4)"),
        ({"patch": 64}, "--patch 224 (now 64)"),
        ({"learning_rate": 1e-3}, "--learning-rate 0.0002 (now 0.001)"),
        ({"generator": "unet-3-96"}, "--generator unet-2-44 (now unet-3-96)"),
        ({"images": 10}, "--images not given (now 10)"),
        ({"seed": 4, "l1_weight": 1.0}, "--seed 3 (now 4), --l1-weight 100.0 (now 1.0)"),
    ],
)
def test_a_run_with_other_settings_is_refused_by_name(change: dict[str, Any], told: str) -> None:
    saved = SAME.model_dump(mode="json")
    with pytest.raises(UserError) as refusal:
        require_same_run(Path("x.autosave"), saved, SAME.model_copy(update=change))
    assert told in str(refusal.value).replace("\n", " ")
    assert "leave out --resume" in str(refusal.value)


@pytest.mark.parametrize("kind", [PretrainSettings, FinetuneSettings])
def test_how_long_and_where_may_change(kind: Any) -> None:
    saved = kind().model_dump(mode="json")
    changed = {"steps": 9, "epochs": 2, "max_seconds": 1.0, "validation_interval": 3, "autosave_seconds": 1.0}
    changed |= {"workers": 2, "device": "cuda:1", "precision": "fp32", "threads": "2"}
    assert set(changed) == MAY_CHANGE
    require_same_run(Path("x"), saved, kind(**changed))


def test_a_setting_that_did_not_exist_then_had_its_default() -> None:
    saved = SAME.model_dump(mode="json")
    del saved["l1_weight"]
    require_same_run(Path("x"), saved, SAME)
    with pytest.raises(UserError, match="--l1-weight"):
        require_same_run(Path("x"), saved, SAME.model_copy(update={"l1_weight": 5.0}))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_one_number_that_is_not_finite_is_found_however_deep(bad: float) -> None:
    good = {"a": [torch.ones(3), {"b": (torch.tensor(1), "text", None)}]}
    assert all_finite(good)
    assert not all_finite(good | {"c": [{"d": torch.tensor([1.0, bad])}]})


def test_an_optimiser_of_other_weights_is_refused_and_rates_come_from_the_settings() -> None:
    def stepped(width: int, rate: float) -> torch.optim.Optimizer:
        weights = torch.ones(width, requires_grad=True)
        optimiser = torch.optim.Adam([weights], rate)
        weights.sum().backward()
        optimiser.step()
        return optimiser

    mine = stepped(3, 0.1)
    load_optimiser(mine, stepped(3, 0.7).state_dict())
    assert mine.param_groups[0]["lr"] == 0.1
    with pytest.raises(UserError, match="another network"):
        load_optimiser(mine, stepped(2, 0.1).state_dict())
    with pytest.raises(UserError, match="not those of this network"):
        check_weights(Path("a"), {"w": torch.ones(2)}, {"w": torch.ones(3)})
