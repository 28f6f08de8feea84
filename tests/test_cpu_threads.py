"""The number of threads that is quickest is found and kept to, and nothing varies that has to be repeatable."""

import threading
from collections.abc import Callable, Iterator

import pytest
from patience import PATIENCE_SECONDS

torch = pytest.importorskip("torch")

from napari_emssl import cpu_threads  # noqa: E402
from napari_emssl.cpu_threads import ThreadTuner, side_by_side, wait_passively  # noqa: E402


@pytest.fixture
def two_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process that computes with two threads, and whose number nobody has set yet."""
    monkeypatch.setattr(cpu_threads, "_own", cpu_threads._OwnNumber())
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


class Work:
    """Steps whose time depends on the number of threads, on a clock that only they turn."""

    def __init__(self, most: int) -> None:
        self.tuner = ThreadTuner(most, lambda count: None)
        self.now = 0.0
        self.spent: dict[int, float] = {}

    def go_on(self, until: float, seconds: Callable[[int], float]) -> int:
        """Take steps until some time; return the number of threads that most of the time was spent with."""
        self.spent = {}
        while self.now < until:
            count = self.tuner.count
            self.now += seconds(count)
            self.spent[count] = self.spent.get(count, 0.0) + seconds(count)
            self.tuner.took(seconds(count))
        return max(self.spent, key=lambda count: self.spent[count])


def idle(count: int) -> float:
    return 0.1 / min(count, 6) ** 0.8


def busy(count: int) -> float:
    return 0.1 * (1 if count == 1 else 2.2)


@pytest.mark.parametrize(("most", "best"), [(1, 1), (2, 2), (4, 4), (6, 6)])
def test_all_cores_are_used_where_that_is_quickest(most: int, best: int) -> None:
    work = Work(most)
    assert work.go_on(60.0, idle) == best
    assert work.spent[best] > 0.9 * 60


def test_one_thread_is_used_beside_a_busy_program_and_more_once_it_has_ended() -> None:
    work = Work(2)
    assert work.go_on(15.0, busy) == 1
    assert work.spent[2] < 1.0
    work.go_on(45.0, idle)
    assert work.go_on(105.0, idle) == 2
    assert work.go_on(110.0, busy) == 1  # steps have become slower: tried again at once


def test_threads_that_collapse_cost_one_step_each_time_they_are_tried() -> None:
    work = Work(2)
    assert work.go_on(60.0, lambda count: 0.1 if count == 1 else 2.0) == 1
    assert work.spent[2] <= 6.0


def test_threads_that_are_far_slower_cost_two_steps_when_they_are_tried() -> None:
    work = Work(2)
    assert work.go_on(5.0, busy) == 1
    assert work.spent[2] == pytest.approx(2 * busy(2))


def test_few_cores_of_many_are_found() -> None:
    work = Work(64)
    assert work.go_on(120.0, lambda count: 0.1 * (1 / min(count, 8) + count / 64)) in (4, 8)
    assert max(work.spent) == 16  # with more it became slower


def test_how_threads_wait_is_left_to_who_says_so() -> None:
    environment: dict[str, str] = {}
    wait_passively(environment)
    assert environment == {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "1000", "KMP_BLOCKTIME": "0"}
    own = {"OMP_WAIT_POLICY": "ACTIVE"}
    wait_passively(own)
    assert own == {"OMP_WAIT_POLICY": "ACTIVE"}


def test_a_number_is_kept_to_and_automatic_is_what_the_process_had(two_threads: None) -> None:
    cpu_threads.use("1")
    assert torch.get_num_threads() == 1
    cpu_threads.use("3")
    assert torch.get_num_threads() == 3
    cpu_threads.use()
    assert torch.get_num_threads() == 2
    torch.set_num_threads(4)  # somebody else's choice
    cpu_threads.use()
    assert torch.get_num_threads() == 4


def test_beside_a_viewer_a_core_is_left(two_threads: None) -> None:
    cpu_threads.leave_a_core()
    for _ in range(2):
        cpu_threads.use()
        assert torch.get_num_threads() == 1


def test_after_work_the_number_is_what_it_was(two_threads: None) -> None:
    tuner = ThreadTuner.where(may_vary=True)
    with tuner.at_work():
        seen = set()
        for _ in range(20):
            seen.add(torch.get_num_threads())
            tuner.took(float(torch.get_num_threads()))
    assert seen == {1, 2}
    assert tuner.count == 1
    assert torch.get_num_threads() == 2
    fixed = ThreadTuner.where(may_vary=False)
    with fixed.at_work():
        fixed.took(1.0)
        assert torch.get_num_threads() == 2


def test_one_thread_that_prepares_leaves_the_number_of_others(two_threads: None) -> None:
    seen = []

    def prepare() -> None:
        cpu_threads.use_one()
        seen.append(torch.get_num_threads())

    torch.get_num_threads()
    thread = threading.Thread(target=prepare)
    thread.start()
    thread.join()
    assert seen == [1]
    assert torch.get_num_threads() == 2


def test_pieces_side_by_side_come_in_order_and_share_the_threads(two_threads: None) -> None:
    together = threading.Barrier(2, timeout=PATIENCE_SECONDS)  # broken unless two pieces are at work at the same time

    def work(number: int) -> tuple[int, int]:
        together.wait()
        return number, torch.get_num_threads()

    assert list(side_by_side(work, range(6), 2)) == [(number, 1) for number in range(6)]
    assert torch.get_num_threads() == 2


def test_what_a_piece_raises_ends_the_others(two_threads: None) -> None:
    begun = []

    def work(number: int) -> int:
        begun.append(number)
        if number == 1:
            raise ZeroDivisionError
        return number

    with pytest.raises(ZeroDivisionError):
        list(side_by_side(work, range(100), 2))
    assert len(begun) < 10
