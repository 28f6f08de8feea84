"""A team computes what one thread computes, the same each time, and an error in one share ends all."""

import threading

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402

from napari_emssl.networks.norm import BatchNorm  # noqa: E402
from napari_emssl.thread_team import MOST, ThreadTeam, leads, over_all_shares  # noqa: E402


@pytest.mark.parametrize("patches", [1, 2, 3, 7])
def test_every_patch_is_in_one_share(patches: int) -> None:
    parts = ThreadTeam(3).run(lambda part: list(range(patches))[part], patches)
    assert [number for part in parts for number in part] == list(range(patches))
    assert len(parts) == (1 if patches < 3 else 3)


def test_a_team_is_no_larger_than_what_there_is_to_do() -> None:
    sizes = [ThreadTeam.for_batches_of(*given).size for given in ((128, 64), (128, 2), (1, 4), (8, 1))]
    assert sizes == [MOST, 2, 1, 1]


def test_what_is_added_up_is_the_sum_over_the_shares_each_time() -> None:
    def sums(part: slice) -> list[float]:
        return [float(over_all_shares(torch.tensor(float(part.start + times)))) for times in range(200)]

    wanted = [0 + 1 + 2 + 3 * times for times in range(200)]
    assert ThreadTeam(3).run(sums, 3) == [wanted] * 3
    assert float(over_all_shares(torch.tensor(5.0))) == 5.0


def layers(channels: int) -> nn.Module:
    torch.manual_seed(channels)
    parts = nn.Conv2d(1, channels, 3), BatchNorm(channels), nn.ReLU(), nn.Conv2d(channels, 2, 3), BatchNorm(2)
    return nn.Sequential(*parts).to(memory_format=torch.channels_last)


def learnt(network: nn.Module, x: Tensor, team: ThreadTeam) -> list[Tensor]:
    """Gradients of a loss over the batch, and the statistics of the norms."""

    def gradients(part: slice) -> tuple[Tensor, ...]:
        loss = (network(x[part]) ** 3).mean() * (part.stop - part.start) / len(x)
        return torch.autograd.grad(loss, list(network.parameters()))

    shares = team.run(gradients, len(x))
    return [torch.stack(parts).sum(0) for parts in zip(*shares, strict=True)] + list(network.buffers())


@pytest.mark.parametrize("channels", [4, 12])
def test_norms_span_the_batch_and_gradients_are_those_of_one_thread(channels: int) -> None:
    x = torch.randn(5, 1, 12, 12) * torch.arange(1, 6)[:, None, None, None]
    alone, team = ThreadTeam(1), ThreadTeam(2)
    wanted = learnt(layers(channels), x, alone)
    found = learnt(layers(channels), x, team)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
    again = learnt(layers(channels), x, team)
    assert all(torch.equal(one, other) for one, other in zip(found, again, strict=True))


def test_an_error_in_one_share_is_raised_and_the_team_goes_on() -> None:
    team = ThreadTeam(2)

    def work(part: slice) -> Tensor:
        if part.start:
            raise MemoryError("too large")
        return over_all_shares(torch.ones(1))

    with pytest.raises(MemoryError, match="too large"):
        team.run(work, 2)
    assert [float(one) for one in team.run(lambda part: over_all_shares(torch.ones(1)), 2)] == [2.0, 2.0]


def test_one_thread_leads_and_each_computes_alone() -> None:
    before = torch.get_num_threads()
    found = ThreadTeam(2, threads=2).run(lambda part: (leads(), torch.get_num_threads()), 4)
    assert found == [(True, 1), (False, 1)]
    assert leads()
    assert torch.get_num_threads() == before
    assert threading.current_thread() is threading.main_thread()
