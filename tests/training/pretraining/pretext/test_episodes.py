"""An episode paints little and asks for everything of the same kind."""

import numpy as np
import torch

from napari_emssl.networks.attention import class_logits, class_logits_of_batch, log_odds, unit_vectors
from napari_emssl.simulation.collage.collage import Collage
from napari_emssl.training.pretraining.pretext.context_head import ContextHead
from napari_emssl.training.pretraining.pretext.episodes import batch_of, draw_episode


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
            # hasty paint may end a pixel beside the outline, and a careless ring runs over neighbours
            assert (episode.target[keys] == label).float().mean() > 0.6
        for label in range(1, len(episode.keys)):
            kinds = made.kinds.flatten()[episode.target == label].unique()
            assert len(kinds) == 1
            assert int((made.kinds == kinds[0]).sum()) == int((episode.target == label).sum())


def test_nothing_to_paint_is_no_episode() -> None:
    empty = Collage(torch.zeros(64, 64), torch.zeros(64, 64, dtype=torch.uint8), torch.zeros(64, 64, dtype=torch.int32))
    full = Collage(empty.image, empty.kinds + 1, empty.numbers + 1)
    assert draw_episode(empty, np.random.default_rng(0)) is None
    assert draw_episode(full, np.random.default_rng(0)) is None


def test_right_vectors_have_the_least_loss() -> None:
    episode = draw_episode(scene(), np.random.default_rng(3))
    assert episode is not None
    batch = batch_of([episode, None], 96 * 96)
    right = torch.nn.functional.one_hot(episode.target, 4).T.float().view(1, 4, 96, 96)
    noise = torch.randint(0, 2, episode.target.shape)
    wrong = torch.nn.functional.one_hot((episode.target + noise) % 3, 4).T.float().view(1, 4, 96, 96)
    head, images = ContextHead(4), torch.zeros(2, 1, 96, 96)
    good, bad = (head.losses(part.expand(2, -1, -1, -1), images, batch)["episodes"].item() for part in (right, wrong))
    assert good < 0.1
    assert bad > 0.25
    assert (head.classes(right, images[:1], batch_of([episode], 96 * 96))[0] == episode.target).float().mean() > 0.95


def test_episodes_answer_alone_as_they_do_in_a_batch() -> None:
    drawn = [draw_episode(scene(), np.random.default_rng(seed)) for seed in range(4)]
    vectors = unit_vectors(torch.randn(4, 8, 96, 96))
    head = ContextHead(8)
    together = head.similarities(vectors, batch_of(drawn, 96 * 96))
    for number, episode in enumerate(drawn):
        assert episode is not None
        painted = [vectors[number][:, keys] for keys in episode.keys]
        alone = class_logits(vectors[number], painted, head.sharpness())
        assert torch.allclose(together[number, : len(alone)], alone, atol=1e-4)
        assert (together[number, len(alone) :] < -1000).all()


def test_log_odds_are_those_of_one_class_against_all_others() -> None:
    logits = torch.randn(3, 5)
    odds = log_odds(logits)
    share = logits.softmax(0)[1:]
    assert torch.allclose(odds, torch.log(share / (1 - share)), atol=1e-4)
    assert class_logits_of_batch(torch.randn(2, 4, 7), torch.randn(2, 3, 5, 4), 10.0).shape == (2, 3, 7)


def test_many_painted_pixels_of_one_class_do_not_outweigh_few_of_another() -> None:
    pixels = unit_vectors(torch.tensor([[1.0, 0.2], [0.0, 1.0]]).view(1, 2, 1, 2))[0]
    first, second = torch.tensor([[1.0], [0.0]]), torch.tensor([[0.0], [1.0]])
    few = class_logits(pixels, [first, second], 5.0)
    many = class_logits(pixels, [first, second.expand(2, 100)], 5.0)
    assert torch.allclose(few, many, atol=1e-5)
