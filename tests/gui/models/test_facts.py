import pytest
import small_jobs

from napari_emssl.gui.models.facts import counted_parameters, facts_of, length_text
from napari_emssl.gui.models.picker import ModelPicker
from napari_emssl.models.recommended import recommended_start, why_recommended
from napari_emssl.models.zoo import add_model, list_models
from napari_emssl.networks.generators import build_generator


def facts(name):
    why = why_recommended("segment") if name == recommended_start() else ""
    return facts_of(next(entry for entry in list_models() if entry.name == name), why)


@pytest.mark.parametrize("name", ["unet-2-44", "hrnet-w18-small"])
def test_reach_and_size_are_those_of_the_network(name):
    network = build_generator(name)
    found = facts(name)
    assert found.reach_px == network.receptive_field
    assert found.parameters == sum(parameter.numel() for parameter in network.parameters())


def test_reach_is_told_in_the_units_of_the_image():
    found = facts("unet-4-200")
    assert found.short_line(0.06) == "recommended · sees 12 nm (200 px) · 183 images"
    assert found.line(None) == "recommended · sees 200 px · 183 images · 131 k parameters · 0.28 MB"
    assert any(line.startswith("Recommended: ") for line in found.lines(None))
    assert not facts("unet-2-44").recommended


def test_models_of_another_task_are_starts_too():
    add_model(small_jobs.model("own"))
    found = facts("own")
    assert (found.short_line(1.0), found.recommended) == ("segment · sees 44 nm (44 px)", "")


def test_wording():
    assert [length_text(nm) for nm in (0.8512, 25.44, 999.6, 3210)] == ["0.851 nm", "25.4 nm", "1 µm", "3.21 µm"]
    assert [counted_parameters(n) for n in (8069, 130_677, 3_933_549)] == ["8 k", "131 k", "3.9 M"]


@pytest.mark.gui
def test_the_list_tells_them_apart_for_the_image_at_hand(qtbot):
    picker = ModelPicker(starts=True)
    qtbot.addWidget(picker)
    told = []
    picker.described.connect(told.append)
    picker.pick("unet-2-44")
    picker.describe_for(0.5)
    assert told == ["sees 44 px · 183 images", "sees 22 nm (44 px) · 183 images"]
    assert "unet-2-44" in picker.toolTip()
    assert "22 nm (44 px)" in picker.toolTip()
    picker.pick("scratch")
    assert told[-1] == "random weights"
    picker.show()
    picker.showPopup()
    assert picker.view().minimumWidth() > picker.width()
    picker.hidePopup()
