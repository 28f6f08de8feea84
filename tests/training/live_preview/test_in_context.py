"""A first look in context: right at the first stroke, in parts where planes are large, and what it is kept as."""

from collections.abc import Iterator

import numpy as np
import pytest
from grey_vectors import grey_generator, scene

from napari_emssl.inference.apply import apply
from napari_emssl.jobs.context_settings import ContextSettings
from napari_emssl.jobs.events import Control, Finished, Notice, Preview, Started
from napari_emssl.jobs.settings import ApplySettings
from napari_emssl.models.zoo import add_model
from napari_emssl.training.context import tiled_planes
from napari_emssl.training.in_context.jobs import make_in_context
from napari_emssl.training.live_preview import in_context
from napari_emssl.training.live_preview.in_context import (
    ContextPredictor,
    in_order,
    live_preview_in_context,
)
from napari_emssl.training.live_preview.painting import query_targets
from napari_emssl.training.live_preview.query import PreviewQuery

SETTINGS = ContextSettings(device="cpu", precision="fp32")


@pytest.fixture
def predictor() -> ContextPredictor:
    return ContextPredictor(grey_generator(), SETTINGS)


def one_square(truth: np.ndarray, label: int = 1) -> np.ndarray:
    painting = np.zeros(truth.shape, np.uint8)
    painting[36:50, 36:50] = label
    return painting


def answers(predictor: ContextPredictor, query: PreviewQuery) -> list[Preview]:
    return list(predictor.answers(query, Control()))


def right(found: np.ndarray, truth: np.ndarray) -> bool:
    """Whether a mask is that of the squares; networks see the border of an image."""
    inner = (slice(6, -6), slice(6, -6))
    return bool(((found > 0) == truth)[inner].mean() > 0.98)


def test_the_first_stroke_on_one_particle_shows_all_of_them(predictor: ContextPredictor) -> None:
    image, truth = scene()
    (answer,) = answers(predictor, PreviewQuery((image,), (one_square(truth),), number=4))
    assert answer.step == 4
    assert right(answer.images["prediction"], truth)
    assert (answer.images["prediction"].dtype, answer.images["uncertainty"].dtype) == (np.uint8, np.float32)
    assert 0 <= answer.images["uncertainty"].min() <= answer.images["uncertainty"].max() <= 1


def test_paint_on_all_planes_is_one_context_for_any_number_of_classes(predictor: ContextPredictor) -> None:
    (seen, truth), (other, _) = scene(0), scene(1)
    seen[64:78, 64:78] = other[8:22, 8:22] = 400
    bright, nothing = np.zeros_like(one_square(truth)), np.zeros_like(one_square(truth))
    bright[8:22, 8:22] = 7
    query = PreviewQuery((seen, other, seen), (one_square(truth, 3), bright, nothing), view=2)
    found = answers(predictor, query)[-1].images["prediction"]
    assert right(found, truth)
    assert (found[66:76, 66:76] == 2).all()
    assert (found[10:20, 10:20] == 1).all()


def test_what_is_seen_is_what_is_kept(predictor: ContextPredictor) -> None:
    add_model(grey_generator())
    image, truth = scene()
    query = PreviewQuery((image,), (one_square(truth),))
    painted = query_targets(query)
    job = make_in_context(
        [image], painted.targets, painted.assumed, SETTINGS, "vectors", name="kept", class_names=["square"]
    )
    seen = answers(predictor, query)[-1].images["prediction"]
    kept = apply(job.result(), image, ApplySettings(device="cpu", precision="fp32"))
    assert (seen == kept).mean() > 0.999


@pytest.fixture
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiled_planes, "_TILE_PX", 32)
    monkeypatch.setattr(tiled_planes, "_WHOLE_PX", 32)
    monkeypatch.setattr(in_context, "_NEAR_PX", 16)


@pytest.mark.usefixtures("small_tiles")
def test_a_large_plane_is_answered_in_parts_what_is_in_view_first(
    predictor: ContextPredictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, truth = scene()
    query = PreviewQuery((image,), (one_square(truth),), window=(33, 60, 40, 96))
    view = predictor._plane(image)
    assert {(tile.top, tile.left) for tile in in_order(view, query)[:2]} == {(32, 32), (32, 64)}
    near, first, last = answers(predictor, query)
    assert ["the rest of the image" in part.caption for part in (near, first, last)] == [True, True, False]
    assert right(last.images["prediction"], truth)
    assert np.array_equal(first.images["prediction"][32:64, 32:], last.images["prediction"][32:64, 32:])
    assert not first.images["prediction"][64:].any()
    monkeypatch.setattr(in_context, "_FIRST_SECONDS", 0.0)
    painted_more = one_square(truth)
    painted_more[36, 50] = 1
    assert len(answers(predictor, PreviewQuery((image,), (painted_more,)))) == 1 + 9


@pytest.mark.usefixtures("small_tiles")
def test_around_the_newest_stroke_a_large_plane_is_answered_first_of_all(predictor: ContextPredictor) -> None:
    image, truth = scene()
    one = one_square(truth)
    near, *_, last = answers(predictor, PreviewQuery((image,), (one,)))
    region = predictor._vectors.region(predictor._plane(image), (43, 43), 16)
    found = near.images["prediction"]
    assert (found[region.slices] == last.images["prediction"][region.slices]).mean() > 0.95
    assert found[region.slices].any()
    assert found.sum() == found[region.slices].sum()
    both = one.copy()
    both[8:22, 64:78] = 1
    newest = predictor._newest_stroke(predictor._plane(image), both)
    assert newest == (14.5, 70.5)
    assert in_order(predictor._plane(image), PreviewQuery((image,), (both,)), newest)[0][::2] == (0, 64)
    assert predictor._newest_stroke(predictor._plane(image), both) is None


@pytest.mark.usefixtures("small_tiles")
def test_a_newer_question_ends_an_answer_that_is_not_whole(predictor: ContextPredictor) -> None:
    image, truth = scene()
    control = Control()
    parts = predictor.answers(PreviewQuery((image,), (one_square(truth),), window=(33, 60, 40, 60)), control)
    assert isinstance(next(parts), Preview)
    control.ask(PreviewQuery((image,), (one_square(truth),)))
    assert list(parts) == []


@pytest.mark.usefixtures("small_tiles")
def test_without_paint_the_plane_is_looked_at_ahead(
    predictor: ContextPredictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, truth = scene()
    network, runs = predictor._vectors.network, []
    monkeypatch.setattr(network, "vectors", lambda scaled, real=network.vectors: runs.append(1) or real(scaled))
    assert answers(predictor, PreviewQuery((image,), (np.zeros_like(one_square(truth)),))) == []
    assert len(runs) == 9
    assert right(answers(predictor, PreviewQuery((image,), (one_square(truth),)))[-1].images["prediction"], truth)
    assert len(runs) == 9


def events_of(generator: str) -> Iterator[object]:
    image, truth = scene()
    job = live_preview_in_context(generator, SETTINGS)
    yield next(job)
    job.ask(PreviewQuery((image,), (one_square(truth),), background=(1,)))
    yield next(job)
    job.ask(PreviewQuery((image,), (one_square(truth),), number=2))
    yield next(job)
    job.stop()
    yield next(job)


def test_the_job_goes_on_where_a_question_cannot_be_answered() -> None:
    add_model(grey_generator())
    events = list(events_of("vectors"))
    assert [type(event) for event in events] == [Started, Notice, Preview, Finished]


def test_what_rings_lose_is_said(predictor: ContextPredictor) -> None:
    image, truth = scene()
    image[36:50, 51:66] = 200
    assert "looks like the paint" in answers(predictor, PreviewQuery((image,), (one_square(truth),)))[-1].caption
