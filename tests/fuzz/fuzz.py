"""Damages and falsifies files of every kind that is read, and tells which are not answered as they should be.

The oracle: a `UserError` in plain words, or a right result; within seconds of processor time and bounded memory. Cases
follow from seed and number alone. By hand, for as long as you like:

    python tests/fuzz/fuzz.py --hours 2 --seed 1
    python tests/fuzz/fuzz.py --kind tiff --case 17
"""

import argparse
import multiprocessing
import os
import re
import shutil
import sys
import tempfile
import time
import traceback
import warnings
import zlib
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple, Self

import psutil

if __name__ == "__main__":  # pytest finds them by its settings
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "support")]

_CPU_SECONDS = 10.0
"""Longer than this twice is a fault; the first time may have loaded a library."""
_SLOW = " s of processor time"
_MOST_CPU_SECONDS = 60.0
"""After so much processor time a case is given up; wall time says little on a busy computer."""
_MOST_SECONDS = 600.0
_MEMORY = 2 << 30
"""What a file of some kilobytes may take beyond what the program has in memory anyway."""
_TOLD_OFF = re.compile(r"Traceback|0x[0-9a-f]{6}|<class |object at 0x|^\s*$")


class Case(NamedTuple):
    """One spoilt file."""

    kind: str
    seed: int
    number: int

    def __str__(self) -> str:
        return f"--kind '{self.kind}' --seed {self.seed} --case {self.number}"


def check(case: Case, folder: Path) -> str:
    """Read a spoilt file; returns what is wrong with the answer, nothing where it is right."""
    import numpy as np
    from fuzz_kinds import KINDS

    from napari_emssl.errors import UserError

    kind = KINDS[case.kind]
    rng = np.random.default_rng([case.seed, case.number, zlib.crc32(case.kind.encode())])
    path = folder / kind.file
    kind.write(path)
    sound = kind.read(path) if kind.checked else None
    damaged = kind.spoil(path, rng)
    begin = time.process_time()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = kind.read(path)
    except UserError as error:
        text = str(error)
        if _TOLD_OFF.search(text) or len(text) > 900 or (kind.tells_path and path.name not in text):
            return f"a message that does not help: {text[:900]}"
    except BaseException:
        return traceback.format_exc(limit=-12)
    else:
        if kind.checked and damaged and found != sound:
            return "what was read is not what was written, and the checksums did not tell"
    seconds = time.process_time() - begin
    return f"{seconds:.1f}{_SLOW}" if seconds > _CPU_SECONDS else ""


def _work(cases: Connection) -> None:
    """Answer cases until there are no more; the memory that they may take is bounded."""
    import torch
    from fuzz_kinds import KINDS

    assert KINDS  # everything is loaded before memory is bounded
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as home:
        os.environ["NAPARI_EMSSL_HOME"] = home
        _bound_memory()
        cases.send("ready")
        while (case := cases.recv()) is not None:
            said = _check_apart(case, home)
            cases.send(_check_apart(case, home) if said.endswith(_SLOW) else said)


def _check_apart(case: Case, home: str) -> str:
    """Check a case in a folder of its own."""
    folder = Path(tempfile.mkdtemp(dir=home))
    try:
        return check(case, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _bound_memory() -> None:
    """Let the process take no more than some memory beyond what it has, on systems that know such a bound."""
    sizes = Path("/proc/self/statm")
    if sizes.exists():
        import resource  # there is none on Windows

        limit = int(sizes.read_text().split()[0]) * resource.getpagesize() + _MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


class Hunter:
    """Checks cases in a process of its own, which may be brought down by them."""

    def __init__(self) -> None:
        self._process: multiprocessing.process.BaseProcess | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._end()

    def find(self, case: Case) -> str:
        """Return what is wrong with the answer to a case; nothing where it is right."""
        if self._process is None:
            context = multiprocessing.get_context("spawn")
            self._connection, theirs = context.Pipe()
            self._process = context.Process(target=_work, args=(theirs,), daemon=True)
            self._process.start()
            theirs.close()
            self._connection.recv()
        try:
            self._connection.send(case)
            if self._answers_in_time():
                return str(self._connection.recv())
            said = "no answer: it hangs, or computes without an end"
        except (EOFError, OSError):
            self._process.join(10)
            said = f"the process died (status {self._process.exitcode})"
        self._end()
        return said

    def _answers_in_time(self) -> bool:
        assert self._process is not None
        process, end = psutil.Process(self._process.pid), time.monotonic() + _MOST_SECONDS
        most = sum(process.cpu_times()[:2]) + _MOST_CPU_SECONDS
        while not self._connection.poll(2.0):
            if time.monotonic() > end or sum(process.cpu_times()[:2]) > most:
                return False
        return True

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._connection.close()
            self._process = None


def _all_cases(kinds: list[str], seed: int, end: float, counts: dict[str, int]) -> Iterator[Case]:
    number = 0
    while time.monotonic() < end:
        for kind in kinds:
            yield Case(kind, seed, number)
            counts[kind] = counts.get(kind, 0) + 1
        number += 1


def main() -> int:
    """Hunt from the command line; the status is 1 where something was found."""
    from fuzz_kinds import KINDS

    parser = argparse.ArgumentParser(description="Read damaged and falsified files of every kind.")
    parser.add_argument("--hours", type=float, default=1 / 60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", action="append", choices=[name for name, kind in KINDS.items() if kind.available])
    parser.add_argument("--case", type=int)
    asked = parser.parse_args()
    kinds = asked.kind or [name for name, kind in KINDS.items() if kind.available]
    counts: dict[str, int] = {}
    end = time.monotonic() + asked.hours * 3600
    cases = _all_cases(kinds, asked.seed, end, counts)
    if asked.case is not None:
        cases, counts = iter([Case(kind, asked.seed, asked.case) for kind in kinds]), dict.fromkeys(kinds, 1)
    wrong = 0
    with Hunter() as hunter:
        for case in cases:
            if said := hunter.find(case):
                wrong += 1
                print(f"{case}\n{said}\n", flush=True)
    print(f"{sum(counts.values())} cases of {len(kinds)} kinds, {wrong} not answered as they should be")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
