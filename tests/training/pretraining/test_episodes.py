"""An episode paints little and asks for everything of the same kind."""

import numpy as np
import torch

from napari_emssl.networks.attention import class_logits, unit_vectors
from napari_emssl.simulation.collage.collage import Collage
from napari_emssl.training.pretraining.episodes import draw_episode, episode_loss


def scene(kinds_there: int = 2, size: int = 96) -> Collage:
    """A grid of squares, in rows of one kind each."""
    kinds = torch.zeros(size, size, dtype=torch.uint8)
    numbers = torch.zeros(size, size, dtype=torch.int32)
    for number in range(9):
        row, column = divmod(number, 3)
        place = slice(8 + 30 * row, 22 + 30 * row), slice(8 + 30 * column, 22 + 30 * column)
        kinds[place], numbers[place] = 1 + row % kinds_there, number + 1
    image = kinds.float() / 3
    return Collage(image, kinds, numbers)


def test_only_the_painted_kinds_are_asked_for() -> None:
    made = scene()
    for seed in range(40):
        episode = draw_episode(made, np.random.default_rng(seed))
        assert episode is not None
        for label, keys in enumerate(episode.keys):
            assert (episode.target[keys] == label).all()
        for label in range(1, len(episode.keys)):
            kinds = made.kinds.flatten()[episode.target == label].unique()
            assert len(kinds) == 1
            assert int((made.kinds == kinds[0]).sum()) == int((episode.target == label).sum())


def test_the_ground_is_painted_beside_the_objects() -> None:
    episode = draw_episode(scene(), np.random.default_rng(0))
    assert episode is not None
    assert (episode.target[episode.keys[0]] == 0).all()


def test_nothing_to_paint_is_no_episode() -> None:
    empty = Collage(torch.zeros(64, 64), torch.zeros(64, 64, dtype=torch.uint8), torch.zeros(64, 64, dtype=torch.int32))
    full = Collage(empty.image, empty.kinds + 1, empty.numbers + 1)
    assert draw_episode(empty, np.random.default_rng(0)) is None
    assert draw_episode(full, np.random.default_rng(0)) is None


def test_right_vectors_have_the_least_loss() -> None:
    episode = draw_episode(scene(), np.random.default_rng(3))
    assert episode is not None
    right = torch.nn.functional.one_hot(episode.target, 4).T.float()
    wrong = torch.nn.functional.one_hot((episode.target + torch.randint(0, 2, episode.target.shape)) % 3, 4).T.float()
    sharp = torch.tensor(10.0)
    assert float(episode_loss(right, episode, sharp)) < 0.05
    assert float(episode_loss(wrong, episode, sharp)) > 0.5


def test_many_painted_pixels_of_one_class_do_not_outweigh_few_of_another() -> None:
    pixels = unit_vectors(torch.tensor([[1.0, 0.2], [0.0, 1.0]]).view(1, 2, 1, 2))[0]
    first, second = torch.tensor([[1.0], [0.0]]), torch.tensor([[0.0], [1.0]])
    few = class_logits(pixels, [first, second], 5.0)
    many = class_logits(pixels, [first, second.expand(2, 100)], 5.0)
    assert torch.allclose(few, many, atol=1e-5)
