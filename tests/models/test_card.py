"""What is said of the context of a model."""

from random_models import random_in_context, random_model

from napari_emssl.models.card import context_of
from napari_emssl.models.model_file import Stage


def test_a_model_says_what_it_remembers() -> None:
    card = random_in_context((128, 1, 40), scale=0.5).card
    text = "128 pixels of background, 1 pixel of class 1, 40 pixels of class 2"
    assert context_of(card) == f"{text}; sees images shrunk 2 times"
    stages = (
        Stage(job="in_context", settings={}, data={"summary": "", "planes": 3}),
        Stage(job="finetune", settings={}),
    )
    spec = card.network.model_copy(update={"scale": 1.0})
    painted = card.model_copy(update={"history": stages, "network": spec})
    assert context_of(painted) == f"{text}, painted on 3 planes; sees images as they are"


def test_a_trained_model_has_no_context() -> None:
    assert context_of(random_model().card) == ""
