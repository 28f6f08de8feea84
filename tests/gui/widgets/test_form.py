from typing import Literal, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from magicgui.widgets import create_widget
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QValidator, QWheelEvent
from qtpy.QtWidgets import QApplication, QCheckBox, QComboBox, QLineEdit, QSlider, QSpinBox, QWidget
from superqt import QLabeledDoubleSlider, QLargeIntSpinBox, QSearchableComboBox

from napari_emssl.errors import UserError
from napari_emssl.gui.widgets.fields import NumberBox, SearchBox
from napari_emssl.gui.widgets.form import SettingsForm, bounds_of
from napari_emssl.jobs import pretrain_settings
from napari_emssl.jobs import settings as all_settings
from napari_emssl.jobs.pretrain_settings import PretrainSettings
from napari_emssl.jobs.settings import (
    ApplySettings,
    FinetuneSettings,
    MeasureSettings,
    Settings,
    SimulateSettings,
)
from napari_emssl.networks.catalog import generator_names
from napari_emssl.simulation.stem.settings import STEMSettings

pytestmark = pytest.mark.gui
EVERYTHING = (vars(all_settings) | vars(pretrain_settings)).values()
SETTINGS = [kind for kind in EVERYTHING if isinstance(kind, type) and issubclass(kind, Settings)]


def _texts(name, info):
    if name == "generator":
        return generator_names()
    if name == "pretext":
        return ["restore", "restore+episodes"]
    if name == "threads":
        return ["auto", "16"]
    return ["cpu", "cuda:1"] if info.metadata else ["fcc", "Au"]


def _values(name, info):
    kind, *rest = [k for k in (get_args(info.annotation) or (info.annotation,)) if k is not type(None)]
    none = [st.none()] if type(None) in get_args(info.annotation) else []
    if isinstance(kind, str):
        return st.sampled_from([kind, *rest])
    if kind is bool:
        return st.booleans()
    if kind is str:
        return st.one_of(*map(st.just, _texts(name, info)), *none)
    bounds = bounds_of(info)
    if kind is int:
        low = int(bounds.low) + bounds.above
        most = min(bounds.high, 2**31 - 1 if none else 2**64)
        whole = st.integers(-(-low // bounds.step), int(most) // bounds.step)
        return st.one_of(whole.map(lambda n: n * bounds.step), *none)
    return st.one_of(
        st.floats(max(bounds.low, 1e-11), bounds.high, exclude_min=bounds.above, allow_infinity=False), *none
    )


@pytest.mark.parametrize("kind", [*SETTINGS, STEMSettings])
def test_settings_to_form_to_settings_is_the_identity(qtbot, kind):
    form = SettingsForm(kind())
    qtbot.addWidget(form)

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.fixed_dictionaries({name: _values(name, info) for name, info in kind.model_fields.items()}))
    def there_and_back(values):
        for low, high in (("noise_min", "noise_max"), ("blur_min", "blur_max"), ("min_diameter", "max_diameter")):
            if values.get(high) is not None:
                values[low], values[high] = sorted((values[low], values[high]))
        form.set_settings(kind(**values))
        assert form.settings() == kind(**values)

    assert form.settings() == kind()
    there_and_back()


def test_small_learning_rate_is_shown_and_kept(qtbot):
    box = NumberBox(1e-12, 1.0)
    qtbot.addWidget(box)
    box.set_number(2e-4)
    assert (box.text(), box.number()) == ("0.0002", 2e-4)
    box.lineEdit().setText("3e-5")
    box.interpretText()
    assert box.number() == 3e-5


def test_arrows_walk_1_2_5_10(qtbot):
    box = NumberBox(0.0, 1e9, "no limit")
    qtbot.addWidget(box)
    box.set_number(10.0)
    walked = []
    for step in (1, 1, 1, -1, -1):
        box.stepBy(step)
        walked.append(box.number())
    assert walked == [20, 50, 100, 50, 20]


@pytest.mark.parametrize(("typed", "number"), [("0,5", 0.5), ("1,5e-3", 1.5e-3), ("2.5", 2.5)])
def test_a_comma_is_a_decimal_sign(qtbot, typed, number):
    box = NumberBox(0.0, 100.0, "no limit")
    qtbot.addWidget(box)
    box.lineEdit().clear()
    qtbot.keyClicks(box.lineEdit(), typed)  # a sign that is refused would be left out: 0,5 would become 05
    box.interpretText()
    assert box.number() == number


def test_empty_box_is_none_and_wrong_text_is_refused(qtbot):
    box = NumberBox(0.0, 100.0, "no limit")
    qtbot.addWidget(box)
    box.set_number(None)
    assert (box.text(), box.number()) == ("no limit", None)
    states = [box.validate(text, 0)[0] for text in ("5", "500", "2e", "x")]
    kinds = QValidator.State
    assert states == [kinds.Acceptable, kinds.Intermediate, kinds.Intermediate, kinds.Invalid]


def test_value_that_does_not_fit_is_named_in_a_sentence(qtbot):
    form = SettingsForm(FinetuneSettings(), ["patch"])
    qtbot.addWidget(form)
    form.rows["patch"].widget.setValue(100)
    with pytest.raises(UserError, match=r"Patch \(px\).*multiple of 32"):
        form.settings()


def test_values_that_do_not_fit_together_are_said_in_a_sentence(qtbot):
    form = SettingsForm(PretrainSettings(), ["noise_min", "noise_max"])
    qtbot.addWidget(form)
    form.rows["noise_min"].set(0.9)
    with pytest.raises(UserError, match=r"^noise_min is greater than noise_max\. Swap them\.$"):
        form.settings()


def test_fields_not_shown_pass_through(qtbot):
    form = SettingsForm(FinetuneSettings(zero="background", seed=7), ["steps"])
    qtbot.addWidget(form)
    form.rows["steps"].set(12)
    assert form.settings() == FinetuneSettings(zero="background", seed=7, steps=12)
    assert form.rows["steps"].widget.toolTip() == FinetuneSettings.model_fields["steps"].description


def test_spin_boxes_of_magicgui_lose_small_numbers_and_refuse_none(qtbot):
    """Why `NumberBox` and `optional_whole_box` are there: where this fails, magicgui may take their place."""
    adaptive = create_widget(annotation=float, options={"min": 0, "max": 1})
    adaptive.value = 2e-4
    assert adaptive.value == 0
    fine = create_widget(annotation=float, options={"min": 0, "max": 1, "step": 1e-12})
    fine.value = 2e-4
    assert fine.native.text() == "0.000200000000"
    fine.value = 2.5e-13
    assert fine.value != 2.5e-13
    for kind in (int, float):
        with pytest.raises(TypeError):
            create_widget(annotation=kind | None, options={"min": 0, "max": 1}).value = None


def test_fields_are_those_of_magicgui_and_superqt_where_these_hold_every_value(qtbot):
    form = SettingsForm(PretrainSettings())
    qtbot.addWidget(form)
    kinds = {
        "seed": QLargeIntSpinBox, "refine": QCheckBox, "hold_out": QComboBox, "generator": SearchBox,
        "learning_rate_decay": QLabeledDoubleSlider, "learning_rate": NumberBox, "steps": QSpinBox, "device": QLineEdit,
    }  # fmt: skip
    assert {name: type(form.rows[name].widget) for name in kinds} == kinds


def test_an_optional_whole_number_is_emptied_by_erasing_it(qtbot):
    form = SettingsForm(ApplySettings(tile=64), ["tile"])
    qtbot.addWidget(form)
    box = form.rows["tile"].widget
    box.stepDown()
    assert form.settings().tile == 32
    box.stepDown()
    assert (box.text(), form.settings().tile) == ("automatic", None)
    box.stepUp()
    assert form.settings().tile == 32
    box.lineEdit().setText("")
    box.interpretText()
    assert form.settings().tile is None


def test_a_share_is_dragged_in_hundredths_and_set_to_anything(qtbot):
    form = SettingsForm(MeasureSettings(split=0.123456), ["split"])
    qtbot.addWidget(form)
    assert form.settings().split == 0.123456
    handle = form.rows["split"].widget._slider
    handle.setSliderDown(True)
    handle.setSliderPosition(0.777777)
    assert form.settings().split == 0.78


def test_a_searchable_box_of_superqt_lets_stand_what_names_nothing(qtbot):
    """Why there is a `SearchBox`: where this fails, it may go."""
    box = QSearchableComboBox()
    qtbot.addWidget(box)
    box.addItems(["one", "two"])
    box.setEditText("no such")
    box.lineEdit().editingFinished.emit()
    assert (box.currentText(), box.currentIndex()) == ("no such", 0)


def test_a_name_is_found_by_a_part_of_it_and_what_names_nothing_goes(qtbot):
    form = SettingsForm(FinetuneSettings(), ["generator"])
    qtbot.addWidget(form)
    box = form.rows["generator"].widget
    assert (box.currentText(), form.settings().generator) == ("automatic", None)
    for typed, found in (("4-200", "unet-4-200"), ("unet", "unet-4-200"), ("no such", "unet-4-200"), ("AUTO", None)):
        box.setEditText(typed)
        box.lineEdit().editingFinished.emit()
        assert form.settings().generator == found
        assert box.currentText() == (found or "automatic")


def test_what_is_found_is_listed_in_the_theme_of_the_window(qtbot):
    window = QWidget()
    window.setStyleSheet("QWidget { background-color: #262930 }")
    qtbot.addWidget(window)
    form = SettingsForm(FinetuneSettings(), ["generator"], QWidget(window))
    box = form.rows["generator"].widget
    box.lineEdit().selectAll()
    qtbot.keyClicks(box.lineEdit(), "4-")
    assert box.completer().popup().styleSheet() == window.styleSheet()
    assert box.completer().completionCount() == sum("4-" in name for name in generator_names())


@pytest.mark.parametrize("field", ["seed", "steps", "learning_rate", "validation", "precision", "generator"])
def test_the_wheel_changes_no_field_that_is_scrolled_past(qtbot, monkeypatch, field):
    form = SettingsForm(FinetuneSettings(steps=5), [field])
    qtbot.addWidget(form)
    form.show()
    row = form.rows[field]
    part = row.widget.findChild(QSlider) or row.widget
    before, kept = row.get(), part.focusPolicy()
    event = turned_wheel(part)
    assert (row.get(), event.isAccepted()) == (before, False)
    assert kept != Qt.FocusPolicy.WheelFocus
    monkeypatch.setattr(part, "hasFocus", lambda: True)
    turned_wheel(part)
    assert row.get() != before


@pytest.mark.parametrize("kind", [int, float, Literal["a", "b"]], ids=str)
def test_the_wheel_changes_fields_of_magicgui_as_they_come(qtbot, kind):
    """Why there is a guard: where this fails, it may go."""
    field = create_widget(annotation=kind)
    qtbot.addWidget(field.native)
    field.native.show()
    before = field.value
    turned_wheel(field.native)
    assert field.value != before


def turned_wheel(widget):
    """Turn the wheel over a widget by a notch; return the event."""
    at = QPointF(widget.rect().center())
    event = QWheelEvent(
        at, widget.mapToGlobal(at), QPoint(0, 0), QPoint(0, -120 if isinstance(widget, QComboBox) else 120),
        Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    event.ignore()
    QApplication.sendEvent(widget, event)
    return event


def test_every_change_of_a_field_is_announced(qtbot):
    form = SettingsForm(
        FinetuneSettings(), ["seed", "steps", "warm_rate", "validation", "augment", "zero", "generator"]
    )
    qtbot.addWidget(form)
    other = FinetuneSettings(
        seed=1, steps=2, warm_rate=0.5, validation=0.1, augment=False, zero="background", generator="unet-2-44"
    )
    for name, row in form.rows.items():
        with qtbot.waitSignal(form.changed):
            row.set(getattr(other, name))


def test_a_seed_may_be_large(qtbot):
    form = SettingsForm(SimulateSettings(seed=2**63 + 1), ["seed"])
    qtbot.addWidget(form)
    assert form.settings().seed == 2**63 + 1


def test_a_long_name_is_cut_at_its_end_when_the_box_becomes_narrow(qtbot):
    box = SearchBox()
    qtbot.addWidget(box)
    box.addItem("context-unet-4-200-w16 of a long afternoon")
    box.resize(400, 24)
    box.show()
    box.lineEdit().setCursorPosition(40)
    box.lineEdit().clearFocus()
    box.resize(120, 24)
    qtbot.waitUntil(lambda: box.lineEdit().cursorPosition() == 0)
