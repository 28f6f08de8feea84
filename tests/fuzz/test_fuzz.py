"""Files of every kind, damaged and falsified: a sentence or a right result, in bounded time and memory."""

from collections.abc import Iterator

import numpy as np
import pytest
from fuzz_damage import damage
from fuzz_kinds import KINDS

from fuzz import Case, Hunter


@pytest.fixture(scope="module")
def hunter() -> Iterator[Hunter]:
    with Hunter() as one:
        yield one


@pytest.mark.parametrize("name", KINDS)
def test_spoilt_files_are_refused_in_a_sentence_or_read_right(name: str, hunter: Hunter) -> None:
    if not KINDS[name].available:
        pytest.skip("the package that reads it is not installed")
    cases = [Case(name, 0, number) for number in range(KINDS[name].cases)]
    wrong = [(case, said) for case in cases if (said := hunter.find(case))]
    assert not wrong, "\n".join(f"python tests/fuzz/fuzz.py {case}\n{said}" for case, said in wrong[:3])


def test_the_same_seed_gives_the_same_fault() -> None:
    content = bytes(range(256)) * 4
    once, again = (damage(content, np.random.default_rng(5)) for _ in range(2))
    assert once == again != content
