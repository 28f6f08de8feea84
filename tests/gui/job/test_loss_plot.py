import csv
import math

import psutil
import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QApplication

from napari_emssl.gui.job import loss_plot
from napari_emssl.gui.job.loss_plot import LossPlot
from napari_emssl.gui.widgets.plotting import log_ticks
from napari_emssl.jobs.events import Progress

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


def test_points_are_drawn_soon_and_together(plot, qtbot, monkeypatch):
    drawn, draw = [], plot.draw
    plot._timer.timeout.disconnect()
    plot._timer.timeout.connect(lambda: (drawn.append(1), draw()))
    for step in range(2000):
        plot.add(step, {"loss": 1.0}, {})
    line = plot.curves["loss loss"].line
    assert line.getOriginalDataset()[0] is None
    qtbot.waitUntil(lambda: line.getOriginalDataset()[0] is not None)
    assert len(line.getOriginalDataset()[0]) == 2000
    qtbot.wait(50)
    assert len(drawn) == 1


def test_ten_hours_of_events_leave_few_points_and_memory_flat(plot):
    def hour(number):
        for i in range(36_000):
            step = 36_000 * number + i
            metrics = {"dice": 1 - math.exp(-step / 1e5), "loss": 1.0} if i % 50 == 0 else {}
            plot.add(step, {"loss": math.exp(-step / 1e5) * (1 + 0.3 * math.sin(step))}, metrics)

    hour(0)
    plot.draw()
    before = psutil.Process().memory_info().rss
    for number in range(1, 10):
        hour(number)
        plot.draw()
    assert psutil.Process().memory_info().rss - before < 20e6
    assert all(len(curve.steps) <= 4000 for curve in plot.curves.values())
    assert plot.curves["validation dice"].steps[-1] > 355_000


def test_losses_can_be_seen_on_either_axis_and_whole_again(plot, qtbot):
    for step in range(100):
        plot.add(step, {"loss": 10.0 ** (-step / 25)}, {})
    plot.draw()
    assert plot.losses.getAxis("left").logMode
    plot.log.click()
    assert not plot.losses.getAxis("left").logMode
    plot.losses.setXRange(10, 20)
    plot.add(200, {"loss": 0.1}, {})
    plot.draw()
    assert plot.losses.viewRange()[0][1] < 25
    plot.all_button.click()
    plot.draw()
    qtbot.waitUntil(lambda: plot.losses.viewRange()[0][1] >= 200)


@pytest.mark.parametrize("clicked", [False, True])
def test_the_wheel_zooms_only_after_a_click(plot, qtbot, clicked):
    plot.resize(370, 300)
    for step in range(100):
        plot.add(step, {"loss": 1.0}, {})
    plot.draw()
    plot.view.grab()
    if clicked:
        plot.activateWindow()
        plot.view.setFocus()
        qtbot.waitUntil(plot.view.hasFocus)
    before = plot.losses.viewRange()[0]
    centre = plot.view.viewport().rect().center()
    turn = QWheelEvent(
        QPointF(centre), QPointF(plot.view.mapToGlobal(centre)), QPoint(), QPoint(0, 120),
        Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(plot.view.viewport(), turn)
    assert (plot.losses.viewRange()[0] != before) is clicked


def test_the_score_is_real_or_said_to_be_missing(plot):
    plot.add(0, {"loss": 0.7}, {})
    assert plot.score.text() == "no validation"
    plot.add(10, {"loss": 0.5}, {"loss": 0.6, "dice": 0.81})
    plot.add(20, {"loss": 0.5}, {"loss": 0.5, "dice": 0.75})
    assert plot.score.text() == "Dice 0.75, best 0.81"
    plot.clear()
    assert plot.score.text() == "no validation"
    plot.add(0, {"loss": 0.7}, {"l1": 0.02, "loss": 0.3})
    plot.add(9, {"loss": 0.7}, {"l1": 0.03, "loss": 0.3})
    assert plot.score.text() == "L1 0.03, best 0.02"


def test_the_numbers_are_saved_as_a_table(plot, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(loss_plot, "show_info", said.append)
    monkeypatch.setattr(loss_plot, "show_error", said.append)
    assert not plot.csv_button.isVisible()
    rows = [Progress(1, 2, {"loss": 0.5}, {}, seconds=0.1), Progress(2, 2, {"loss": 0.4}, {"dice": 0.9}, seconds=0.2)]
    plot.offer_csv(lambda: rows)
    monkeypatch.setattr(loss_plot.QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "mine"), ""))
    plot.csv_button.click()
    with (tmp_path / "mine.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [row["loss"] for row in table] == ["0.5", "0.4"]
    assert table[1]["validation dice"] == "0.9"
    plot.save_csv(tmp_path / "mine.csv" / "impossible.csv")
    assert "mine.csv" in said[0]
    assert "cannot be written" in said[1]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.05, 3, [0.05, 0.1, 0.2, 0.5, 1, 2]),
        (1e-6, 1, [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1]),
        (0.21, 0.49, [0.25, 0.3, 0.35, 0.4, 0.45]),
        (0.2, 0.3, [0.2, 0.22, 0.24, 0.26, 0.28, 0.3]),
    ],
)
def test_a_logarithmic_axis_has_few_round_numbers(low, high, expected):
    ticks = [10**tick for tick in log_ticks(math.log10(low), math.log10(high), 7)]
    assert ticks == pytest.approx(expected)


@pytest.mark.parametrize("decades", [0.001, 0.1, 0.5, 1, 2, 5, 20])
@pytest.mark.parametrize("room", [2, 4, 7])
def test_labels_of_a_logarithmic_axis_never_crowd(decades, room):
    assert len(log_ticks(-3.3, -3.3 + decades, room)) <= room + 2
