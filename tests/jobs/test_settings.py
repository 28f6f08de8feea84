"""A setting is written once: the terminal's flags and the docs follow from the fields."""

import inspect
import re
import sys
import types
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from napari_emssl.jobs import compare_settings, pretrain_settings
from napari_emssl.jobs import settings as module
from napari_emssl.jobs.compare_settings import CompareSettings
from napari_emssl.jobs.context_settings import SegmentInContextSettings
from napari_emssl.jobs.pretrain_settings import PRETEXTS, PretrainSettings
from napari_emssl.jobs.settings import (
    ApplySettings,
    DownloadSettings,
    EvaluateSettings,
    FinetuneSettings,
    MeasureSettings,
    Settings,
    SimulateSettings,
)

JOBS = [
    PretrainSettings,
    FinetuneSettings,
    ApplySettings,
    SegmentInContextSettings,
    EvaluateSettings,
    CompareSettings,
    MeasureSettings,
    SimulateSettings,
    DownloadSettings,
]
FIELDS = [(job, name) for job in JOBS for name in job.model_fields]
ROOT = Path(__file__).parents[2]


def bounds_of(field: FieldInfo) -> dict[str, Any]:
    """Bounds and pattern of a field by their name in pydantic."""
    found: dict[str, Any] = {}
    for item in field.metadata:
        for name in ("ge", "gt", "le", "lt", "multiple_of", "pattern"):
            if getattr(item, name, None) is not None:
                found[name] = getattr(item, name)
    return found


def kind_of(field: FieldInfo) -> tuple[Any, bool]:
    """Type of a field, and whether None is allowed."""
    if get_origin(field.annotation) in (Union, types.UnionType):
        kinds = [kind for kind in get_args(field.annotation) if kind is not type(None)]
        return kinds[0], len(kinds) < len(get_args(field.annotation))
    return field.annotation, False


@pytest.mark.parametrize(("job", "name"), FIELDS)
def test_every_field_says_what_it_is_and_what_it_takes(job: type[Settings], name: str) -> None:
    field = job.model_fields[name]
    kind, _ = kind_of(field)
    assert field.description
    assert field.description.endswith(".")
    if kind in (int, float):
        assert {"ge", "gt"} & bounds_of(field).keys(), "a number needs a lower bound"
    if kind is str:
        assert "pattern" in bounds_of(field) or name in ("generator", "pretext", "mask_decoder")


@pytest.mark.parametrize(("job", "name"), FIELDS)
def test_bounds_are_kept_and_the_default_is_inside(job: type[Settings], name: str) -> None:
    field = job.model_fields[name]
    job.model_validate({name: field.default})
    for bound, value in bounds_of(field).items():
        outside = (
            {"ge": value, "gt": value + 1, "le": value, "lt": value - 1} if bound in ("ge", "gt", "le", "lt") else {}
        )
        if bound in outside:
            wrong = outside[bound] - 1 if bound in ("ge", "gt") else outside[bound] + 1
            with pytest.raises(ValidationError):
                job.model_validate({name: wrong})


@pytest.mark.parametrize("job", JOBS)
def test_unknown_names_and_changes_are_refused(job: type[Settings]) -> None:
    with pytest.raises(ValidationError, match="extra"):
        job.model_validate({"no_such_setting": 1})
    with pytest.raises(ValidationError, match="frozen"):
        job().device = "cpu"  # type: ignore[attr-defined]


def values_of(field: FieldInfo) -> st.SearchStrategy[Any]:
    """Values that a field accepts."""
    kind, optional = kind_of(field)
    bounds = bounds_of(field)
    if get_origin(kind) is Literal:
        values: st.SearchStrategy[Any] = st.sampled_from(get_args(kind))
    elif kind is bool:
        values = st.booleans()
    elif kind is int:
        step = bounds.get("multiple_of", 1)
        low, high = -(-bounds["ge"] // step), bounds.get("le", 10**9) // step
        values = st.integers(low, high).map(lambda number: number * step)
    elif kind is float:
        low, high = bounds.get("ge", bounds.get("gt")), bounds.get("le", 1e12)
        values = st.floats(low, high, exclude_min="gt" in bounds, allow_nan=False)
    elif "pattern" in bounds:
        known = ("auto", "cpu", "mps", "cuda", "cuda:3", "1", "16")
        values = st.sampled_from([value for value in known if re.match(bounds["pattern"], value)])
    else:
        values = st.sampled_from(["unet-2-44", "unet-4-424", "hrnet-w18-small"])
    return st.none() | values if optional and field.default is None else values


def valid(job: type[Settings]) -> st.SearchStrategy[Settings]:
    def ascending(values: dict[str, Any]) -> Settings:
        for low in [name for name in values if name.endswith("_min")]:
            high = low.removesuffix("min") + "max"
            values[low], values[high] = sorted((values[low], values[high]))
        if values.get("min_diameter") and values.get("max_diameter"):
            values["min_diameter"], values["max_diameter"] = sorted((values["min_diameter"], values["max_diameter"]))
        return job.model_validate(values)

    fields = {name: values_of(field) for name, field in job.model_fields.items()}
    if "pretext" in fields:
        fields["pretext"] = st.permutations(PRETEXTS).flatmap(
            lambda names: st.integers(1, len(names)).map(lambda count: "+".join(names[:count]))
        )
    ends = {name: fields.pop(name) for name in list(fields) if name.endswith(("_min", "_max"))}
    return st.fixed_dictionaries(ends, optional=fields).map(ascending)


@pytest.mark.parametrize(
    ("asked", "complaint"),
    [
        ("", "there is no pretext task ''"),
        ("restore+jigsaw", "there is no pretext task 'jigsaw'. Choose from restore, collage, episodes"),
        ("episodes+restore+episodes", "episodes is named twice"),
    ],
)
def test_pretext_tasks_are_named_once_each(asked: str, complaint: str) -> None:
    assert PretrainSettings(pretext="episodes+restore").pretexts == ("restore", "episodes")
    with pytest.raises(ValidationError) as refusal:
        PretrainSettings(pretext=asked)
    assert complaint in str(refusal.value)


@pytest.mark.parametrize("kind", ["noise", "blur"])
def test_ranges_ascend(kind: str) -> None:
    PretrainSettings.model_validate({f"{kind}_min": 0.5, f"{kind}_max": 0.5})
    with pytest.raises(ValidationError, match=f"{kind}_min is greater than {kind}_max"):
        PretrainSettings.model_validate({f"{kind}_min": 0.6, f"{kind}_max": 0.5})


@pytest.mark.parametrize("job", JOBS)
@hypothesis_settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_settings_to_flags_to_settings_is_the_identity(job: type[Settings], data: st.DataObject) -> None:
    pytest.importorskip("cyclopts")
    from terminal import read_back

    settings = data.draw(valid(job))
    assert read_back(settings) == settings


def test_pretraining_defaults_are_the_papers() -> None:
    paper = PretrainSettings()
    assert (paper.epochs, paper.batch_size, paper.patch, paper.learning_rate, paper.l1_weight) == (
        60,
        128,
        224,
        2e-4,
        100,
    )


def test_docs_show_the_settings_as_they_are() -> None:
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        from make_settings_tables import updated
    finally:
        sys.path.pop(0)
    page = ROOT / "docs" / "reference" / "terminal.md"
    text = page.read_text(encoding="utf-8")
    assert updated(text) == text, "run: python docs/make_settings_tables.py"


def test_all_settings_are_tested() -> None:
    leaves = {
        kind
        for part in (module, pretrain_settings, compare_settings)
        for _, kind in inspect.getmembers(part, inspect.isclass)
        if issubclass(kind, Settings) and kind.__module__ == part.__name__ and not kind.__subclasses__()
    }
    assert leaves <= set(JOBS) | {kind for kind in leaves if kind.__name__.startswith("_")}
