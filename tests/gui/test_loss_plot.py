import pytest

from napari_emssl.gui import loss_plot
from napari_emssl.gui.loss_plot import LossPlot

pytestmark = pytest.mark.gui


@pytest.fixture
def plot(qtbot):
    plot = LossPlot()
    qtbot.addWidget(plot)
    plot.show()
    return plot


def test_validation_appears_with_its_first_result(plot):
    plot.add(0, {"loss": 0.7}, {})
    assert not plot.metrics.isVisible()
    plot.add(10, {"loss": 0.5}, {"loss": 0.6, "dice": 0.4})
    assert plot.metrics.isVisible()
    assert set(plot.curves) == {"loss loss", "loss validation loss", "validation dice"}
    assert plot.curves["validation dice"].values == [0.4]
    plot.clear()
    assert not plot.metrics.isVisible()
    assert plot.curves == {}


def test_long_runs_keep_memory_flat_and_the_whole_range(plot, monkeypatch):
    monkeypatch.setattr(loss_plot, "_MOST_POINTS", 100)
    for step in range(5000):
        plot.add(step, {"loss": 1.0}, {})
    curve = plot.curves["loss loss"]
    assert len(curve.steps) <= 100
    assert curve.steps[0] < 200
    assert curve.steps[-1] > 4800


def test_odd_numbers_do_no_harm(plot):
    for value in (0.0, -1.0, float("nan"), float("inf"), 1.0):
        plot.add(1, {"loss": value}, {})
    values = plot.curves["loss loss"].values
    assert len(values) == 3
    assert min(values) > 0


def test_colours_follow_the_theme_and_validation_has_its_own(plot):
    plot.add(0, {"loss": 0.7}, {"loss": 0.6, "dice": 0.4})

    def colours():
        return {key: curve.line.opts["pen"].color().name() for key, curve in plot.curves.items()}

    dark = colours()
    assert dark["loss validation loss"] == dark["validation dice"] != dark["loss loss"]
    plot.set_colours("#efebe9", "#3b3a39")
    assert all(colours()[key] != dark[key] for key in dark)
