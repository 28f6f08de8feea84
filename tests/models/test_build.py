"""Networks from models: built from a card's shapes, without what only a compiler needs."""

import subprocess
import sys

import pytest
from random_models import random_model

from napari_emssl.errors import UserError
from napari_emssl.models.build import build_network
from napari_emssl.models.model_file import Model

CODE = """
import sys
import napari_emssl as em
from napari_emssl.models.build import build_network
from napari_emssl.models.model_file import Card, Model, NetworkSpec
from napari_emssl.models.weights import to_numpy

name, width = {name!r}, {width!r}
weights = to_numpy(em.build_generator(name, width).state_dict())
build_network(Model(Card(name="a", task="denoise", network=NetworkSpec(name=name, width=width)), weights))
print([module for module in ("torch._dynamo", "sympy") if module in sys.modules])
"""


@pytest.mark.parametrize(("name", "width"), [("unet-2-44", 2), ("hrnet-w18-small", None), ("resnet50-unet", None)])
def test_building_a_network_loads_no_compiler(name: str, width: int | None) -> None:
    code = CODE.format(name=name, width=width)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300)
    assert done.stdout.strip() == "[]"


def test_a_network_that_cannot_be_made_names_its_model() -> None:
    model = random_model()
    card = model.card.model_copy(update={"network": model.card.network.model_copy(update={"name": "unet-9"})})
    with pytest.raises(UserError, match=r"model 'random' names a network that cannot be made. There is no generator"):
        build_network(Model(card, model.weights))
