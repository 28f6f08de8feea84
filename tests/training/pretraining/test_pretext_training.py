"""Each pretext task names its training and its class, and the GAN loads nothing of the others."""

from pathlib import Path
from pkgutil import resolve_name

from house_tree import closure, read_house

import napari_emssl
from napari_emssl.jobs.pretrain_settings import PRETEXTS
from napari_emssl.training.pretraining.pretext.joint import TASKS
from napari_emssl.training.pretraining.pretext.task import PretextTask
from napari_emssl.training.pretraining.pretext_training import TRAININGS, training_of


def test_every_pretext_task_has_its_training_and_its_class() -> None:
    assert {*PRETEXTS} == {*TRAININGS} == {*TASKS}
    assert all(issubclass(resolve_name(name), PretextTask) for name in TASKS.values())
    assert training_of(("restore",)) is not training_of(("collage",)) is training_of(("restore", "collage"))


def test_the_gan_loads_no_collages_and_no_format_of_files() -> None:
    house = read_house(Path(napari_emssl.__file__).parent)
    pretraining = "training/pretraining/"
    reached = closure(house.loads, [f"{pretraining}pretrain.py", f"{pretraining}pix2pix.py"])
    assert not [path for path in reached if path.startswith(("simulation/", f"{pretraining}pretext/"))]
    assert not [path for path in reached if path.startswith("data/formats/tiff/")]
