from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from qtpy.QtGui import QValidator

from napari_emssl.errors import UserError
from napari_emssl.gui.widgets.fields import NumberBox
from napari_emssl.gui.widgets.form import SettingsForm, bounds_of
from napari_emssl.jobs.settings import ApplySettings, FinetuneSettings, PretrainSettings

pytestmark = pytest.mark.gui


def _values(info):
    kind, *rest = [k for k in (get_args(info.annotation) or (info.annotation,)) if k is not type(None)]
    none = [st.none()] if type(None) in get_args(info.annotation) else []
    if isinstance(kind, str):
        return st.sampled_from([kind, *rest])
    if kind is bool:
        return st.booleans()
    if kind is str:
        return st.one_of(st.just("cpu" if info.metadata else "unet-2-44"), *none)
    bounds = bounds_of(info)
    if kind is int:
        low = int(bounds.low) + bounds.above
        whole = st.integers(-(-low // bounds.step), int(min(bounds.high, 2**31 - 1)) // bounds.step)
        return st.one_of(whole.map(lambda n: n * bounds.step), *none)
    return st.one_of(st.floats(max(bounds.low, 1e-11), bounds.high, exclude_min=bounds.above), *none)


@pytest.mark.parametrize("kind", [FinetuneSettings, PretrainSettings, ApplySettings])
def test_settings_to_form_to_settings_is_the_identity(qtbot, kind):
    form = SettingsForm(kind())
    qtbot.addWidget(form)

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.fixed_dictionaries({name: _values(info) for name, info in kind.model_fields.items()}))
    def there_and_back(values):
        for low, high in (("noise_min", "noise_max"), ("blur_min", "blur_max")):
            if low in values:
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
