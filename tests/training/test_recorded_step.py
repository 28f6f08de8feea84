"""Steps that a GPU replays: what is recorded, when, and what happens where that cannot be done."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor

from napari_emssl.training.recorded_step import RecordedStep


class Graph:
    """A recording that takes the step again."""

    def __init__(self) -> None:
        self.replays = 0

    def replay(self) -> None:
        self.replays += 1
        self.again()


class Doubling:
    """A step that doubles a number in place and adds its input; counts how often Python went through it."""

    def __init__(self) -> None:
        self.weight, self.calls = torch.ones(1), 0

    def __call__(self, given: Tensor) -> dict[str, Tensor]:
        self.calls += 1
        return {"loss": self.compute(given)}

    def compute(self, given: Tensor) -> Tensor:
        return self.weight.mul_(2).add_(given.sum()).clone()


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Doubling:
    """Stand in for a GPU: recording takes no step, replaying takes one on the recorded input."""
    step = Doubling()

    @contextmanager
    def recording(graph: Graph, capture_error_mode: str) -> Iterator[None]:
        assert capture_error_mode == "thread_local"
        weight = step.weight.clone()
        yield
        step.weight.copy_(weight)
        graph.again = lambda: taken._losses["loss"].copy_(step.compute(taken._inputs[0]))
        if getattr(request, "param", None) == "fails":
            raise RuntimeError("out of memory")

    @contextmanager
    def stream(_stream: object) -> Iterator[None]:
        yield

    class Stream:
        def wait_stream(self, _other: object) -> None:
            """Nothing to wait for."""

    stands_in = {"Stream": Stream, "current_stream": Stream, "stream": stream, "CUDAGraph": Graph, "graph": recording}
    nothing = {"synchronize": lambda: None, "empty_cache": lambda: None}
    for name, thing in (stands_in | nothing).items():
        monkeypatch.setattr(torch.cuda, name, thing)
    taken = RecordedStep(step, replays=True)
    step.taken = taken
    return step


def test_replayed_steps_learn_as_steps_do(gpu: Doubling) -> None:
    plain = Doubling()
    expected = [float(plain(torch.full((2,), float(k)))["loss"]) for k in range(7)]
    found = [gpu.taken(torch.full((2,), float(k)))["loss"] for k in range(7)]
    assert [float(loss) for loss in found] == expected, "the losses of a step stay when the next is replayed"
    assert gpu.calls == 4, "three as usual and one recorded"
    assert gpu.taken.is_recorded


def test_another_shape_is_taken_as_usual(gpu: Doubling) -> None:
    for _ in range(5):
        gpu.taken(torch.zeros(2))
    before, calls = float(gpu.weight), gpu.calls
    assert float(gpu.taken(torch.ones(3))["loss"]) == 2 * before + 3
    assert gpu.calls == calls + 1
    gpu.taken(torch.zeros(2))
    assert gpu.calls == calls + 1, "the recording is still there"


def test_weights_that_were_loaded_are_recorded_again(gpu: Doubling) -> None:
    for _ in range(5):
        gpu.taken(torch.zeros(2))
    gpu.taken.forget()
    assert not gpu.taken.is_recorded
    gpu.taken(torch.zeros(2))
    assert gpu.calls == 5


@pytest.mark.parametrize("gpu", ["fails"], indirect=True)
def test_a_step_that_cannot_be_recorded_is_taken_as_usual(gpu: Doubling) -> None:
    plain = Doubling()
    expected = [float(plain(torch.ones(2))["loss"]) for _ in range(6)]
    assert [float(gpu.taken(torch.ones(2))["loss"]) for _ in range(6)] == expected
    assert not gpu.taken.is_recorded


def test_nothing_is_recorded_on_a_cpu() -> None:
    step = Doubling()
    taken = RecordedStep(step, replays=False)
    for _ in range(6):
        taken(torch.zeros(2))
    assert step.calls == 6
    assert not taken.is_recorded
