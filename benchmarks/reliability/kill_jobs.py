"""Kills jobs at random moments and looks at what they leave: nothing may be lost, and nothing left by the next run.

Each job is run once undisturbed. Then, again and again in a fresh folder, it is killed (SIGKILL) at a random moment of
that time, and the same command is given again, with ``--resume`` where there is an autosave. Checked each time:

- images, targets and whatever else the job reads are as they were, byte for byte;
- the result of an earlier run, which ``--overwrite`` allows to replace, is the earlier one or the new one, whole;
- the next run ends with status 0 and the very result of the undisturbed run, weights to the last bit;
- afterwards the folders hold the files of an undisturbed run and no others: not beside the results, in the user's
  folder, in the folder of temporary files or in shared memory; and no process of the killed job is alive.

    python benchmarks/reliability/kill_jobs.py --kills 20
    python benchmarks/reliability/kill_jobs.py --job pretrain --kills 3 --seed 7

Jobs are forked from this program, which has loaded everything, so that the moments fall into the work and not into the
loading; for that it needs Linux.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import psutil
import tifffile

_TRAIN = ["--device", "cpu", "--precision", "fp32", "--autosave-seconds", "0.05", "--validation-interval", "3"]
_PRETRAIN = ["i", "--generator", "unet-2-44", "--patch", "64", "--batch-size", "2", "--discriminator-width", "4"]
_FINETUNE = ["--images", "i", "--targets", "t", "--patch", "32", "--batch-size", "2", "--start", "scratch"]
_COLLAGE = ["--mask-decoder", "unet-2-44", "--pretext", "collage+episodes"]
_PLAN = """
title = "Kills"
table = "kills"
settings = { epochs = 2, validation_epochs = 1, patch = 32, batch_size = 2, zero = "background", device = "cpu" }
[[data]]
dataset = "squares"
images = "i"
targets = "t"
[[networks]]
model = "U-Net_2_44"
generator = "unet-2-44"
width = 2
[[starts]]
init = "R"
[[starts]]
init = "P4"
file = "{generator}.safetensors"
images = 4
[pretraining]
images = "i"
settings = { steps = 2, batch_size = 2, patch = 64, discriminator_width = 4, validation = 1, validation_interval = 1 }
"""
_INPUTS = ("i", "t", "plan.toml", "weights.pt", "given.safetensors", "home/models/mask.safetensors")
_LIVING_SECONDS = 15.0
"""So long a process of a killed job may take to notice and end."""


@dataclass(frozen=True)
class Work:
    """A command line, and what it makes."""

    words: Sequence[str]
    results: Sequence[str]
    """Files and folders, relative to where it runs; those in the user's folder begin with ``home/``."""
    resumes: bool = False
    """Whether it goes on from an autosave."""
    earlier: bool = True
    """Whether there is a result already when it is killed."""


def _training(verb: str, *words: str) -> Work:
    end = ["-o", "a.safetensors", "--log", "a.jsonl", "--pictures", "p", "--overwrite", "--quiet"]
    return Work([verb, *words, *_TRAIN, *end], ["a.safetensors"], resumes=True)


JOBS = {
    "pretrain": _training("pretrain", *_PRETRAIN, "--steps", "12", "--workers", "0"),
    "pretrain, reading processes": _training("pretrain", *_PRETRAIN, "--steps", "6", "--workers", "1"),
    "finetune": _training("finetune", *_FINETUNE, "--generator", "unet-2-44", "--steps", "30", "--workers", "0"),
    "apply, TIFF": Work(["apply", "unet-3-96-w8", "i", "-o", "r", "--overwrite", "--quiet"], ["r"]),
    "apply, OME-Zarr": Work(
        ["apply", "unet-3-96-w8", "i", "-o", "r", "--format", "zarr", "--overwrite", "--quiet"], ["r"]
    ),
    "segment in context": Work(
        ["segment-in-context", "i", "--painted", "t/0.tif", "--zero", "background", "-o", "r", "--overwrite",
         "--quiet"], ["r"],
    ),
    "evaluate": Work(
        ["evaluate", "mask", "--images", "i", "--targets", "t", "--json", "scores.json", "--overwrite", "--quiet"],
        ["scores.json"],
    ),
    "measure": Work(["measure", "t", "-o", "m.csv", "--histogram", "m.png", "--overwrite", "--quiet"], ["m.csv"]),
    "pack": Work(["pack", "i", "-o", "a.pack", "--overwrite", "--quiet"], ["a.pack"]),
    "models import": Work(["models", "import", "given.safetensors", "--name", "own", "--overwrite"],
                          ["home/models/own.safetensors"]),
    "models export": Work(["models", "export", "mask", "out.safetensors", "--overwrite"], ["out.safetensors"]),
    "simulate hrtem": Work(
        ["simulate", "hrtem", "-o", "s", "--count", "3", "--size", "64", "--overwrite", "--quiet"], ["s"]
    ),
    "compare": Work(
        ["compare", "--images", "i", "--targets", "t", "--starts", "unet-3-96-w8", "--seeds", "1", "--steps", "3",
         "--patch", "32", "--batch-size", "1", "--device", "cpu", "-o", "c", "--quiet"], ["c"],
        earlier=False,
    ),
    "reproduce": Work(["reproduce", "plan.toml", "--data", ".", "--device", "cpu", "-o", "v", "--quiet"], ["v"],
                      earlier=False),
    "prepare au": Work(
        ["prepare", "au", "--images", "i", "--targets", "t", "--patch", "32", "-o", "u", "--overwrite", "--quiet"],
        ["u"],
    ),
    "simulate collage": Work(
        ["simulate", "collage", "-o", "s", "--count", "4", "--size", "64", "--overwrite", "--quiet"], ["s"]
    ),
    "pretrain, two tasks, mask decoder": _training("pretrain", *_PRETRAIN, *_COLLAGE, "--steps", "8"),
    "models import, other weights": Work(
        ["models", "import", "weights.pt", "--network", "unet-2-44", "--mapping", "plain", "--name", "own",
         "--overwrite"],
        ["home/models/own.safetensors"],
    ),
}  # fmt: skip


def prepare(folder: Path) -> None:
    """Fill a folder with what the jobs read: images, targets, a model, and an own model in the user's folder."""
    rng = np.random.default_rng(0)
    (folder / "i").mkdir(parents=True)
    (folder / "t").mkdir()
    for number in range(6):
        mask = np.zeros((96, 96), np.uint8)
        mask[20 : 40 + number, 30:70] = 1
        mask[60:80, 10 : 25 + number] = 1
        tifffile.imwrite(folder / "t" / f"{number}.tif", mask)
        noisy = mask * 90 + rng.integers(0, 60, mask.shape)
        tifffile.imwrite(folder / "i" / f"{number}.tif", noisy.astype(np.uint8))
    (folder / "plan.toml").write_text(_PLAN, encoding="utf-8")
    (folder / "home").mkdir()
    (folder / "temporary").mkdir()


def main() -> int:
    """Kill jobs and print a table; the status is 1 where something was lost or left."""
    parser = argparse.ArgumentParser(description="Kill jobs at random moments and look at what they leave.")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--job", action="append", choices=list(JOBS))
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="copy the folders where something is wrong there")
    asked = parser.parse_args()
    wrong = 0
    print(f"{'job':30} {'s':>6} {'kills':>6} {'in time':>8} {'resumed':>8} {'wrong':>6}")
    for name in asked.job or JOBS:
        tally = try_job(name, asked.kills, asked.seed, asked.keep)
        wrong += len(tally.wrong)
        print(f"{name:30} {tally.seconds:6.1f} {asked.kills:6} {tally.killed:8} {tally.resumed:8} {len(tally.wrong):6}",
              flush=True)  # fmt: skip
        for text in dict.fromkeys(tally.wrong):
            print(f"    {text}")
    return 1 if wrong else 0


@dataclass
class Tally:
    """What became of the kills of a job."""

    seconds: float
    """Of the undisturbed run."""
    killed: int
    """Kills before its end."""
    resumed: int
    """Next runs that went on from an autosave."""
    wrong: list[str]


def try_job(name: str, kills: int, seed: int, keep: Path | None = None) -> Tally:
    """Run a job undisturbed, then kill it at random moments.

    Parameters
    ----------
    name
        One of `JOBS`.
    kills
        How often.
    seed
        Of the moments.
    keep
        Gets the folders of kills after which something is wrong, and that of the undisturbed run.
    """
    work = JOBS[name]
    rng = np.random.default_rng([seed, *name.encode()])
    with tempfile.TemporaryDirectory() as place:
        template = Path(place) / "before"
        prepare(template)
        _give_models(template)
        if work.earlier:
            _run(template, work.words)
        whole = Path(place) / "whole"
        shutil.copytree(template, whole)
        began = time.monotonic()
        status = _run(whole, work.words)
        tally = Tally(time.monotonic() - began, 0, 0, [])
        if status:
            return replace(tally, wrong=[f"the undisturbed run ended with status {status}: {_said(whole)}"])
        for number in range(kills):
            folder = Path(place) / f"{number}"
            shutil.copytree(template, folder)
            wrong = list(_kill_once(work, folder, whole, rng.uniform(0, tally.seconds), tally))
            if wrong and keep:
                shutil.copytree(folder, keep / f"{name}-{seed}-{number}")
                shutil.copytree(whole, keep / f"{name}-{seed}-whole", dirs_exist_ok=True)
            tally.wrong += wrong
            shutil.rmtree(folder)
    return tally


def _give_models(folder: Path) -> None:
    """Write a segmentation model of a few steps: among one's own as ``mask`` and ``own``, and beside the images."""
    words = ["finetune", *_FINETUNE, "--generator", "unet-2-44", "--steps", "2", "--device", "cpu", "--quiet"]
    assert _run(folder, [*words, "-o", "given.safetensors"]) == 0
    assert _run(folder, ["models", "import", "given.safetensors", "--name", "mask"]) == 0
    assert _run(folder, [*words, "--seed", "5", "-o", "other.safetensors"]) == 0
    assert _run(folder, ["models", "import", "other.safetensors", "--name", "own"]) == 0
    _write_weights(folder / "weights.pt")


def _write_weights(file: Path) -> None:
    """Write random weights as another program would, with names of this one."""
    import torch

    from napari_emssl.networks.generators import build_generator

    torch.manual_seed(0)
    torch.save(build_generator("unet-2-44").state_dict(), file)


def _again(work: Work, folder: Path) -> list[str]:
    """The command that goes on after a kill; what begins with a dot was still being written."""
    saved = next(folder.glob("[!.]*.autosave"), None)
    return [*work.words, *(["--resume", saved.name] if work.resumes and saved else [])]


def _kill_once(work: Work, folder: Path, whole: Path, moment: float, tally: Tally) -> Iterator[str]:
    """Kill the job after some seconds, run it again, and yield what is wrong."""
    inputs = _contents(folder, _INPUTS)
    results = _contents(folder, work.results)
    wanted = _contents(whole, work.results)
    child = _start(folder, work.words)
    time.sleep(moment)
    ended, _ = os.waitpid(child, os.WNOHANG)
    shared: set[str] = set()
    if not ended:
        os.kill(child, signal.SIGSTOP)  # what it holds in shared memory now is what a kill leaves there
        shared = _shared_memory_of(child)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        tally.killed += 1
    if _survivors(child):
        yield "a process of the killed job lives on"
    if left := shared & _shared_memory():
        yield f"left in shared memory: {', '.join(sorted(left))}"
    if _contents(folder, inputs) != inputs:
        yield "something that the job reads was changed"
    for file, content in results.items():
        if _contents(folder, [file]).get(file) not in (content, wanted.get(file)):
            yield f"{file}, the result of an earlier run, is neither that nor the new one"
    words = _again(work, folder)
    tally.resumed += "--resume" in words
    status = _run(folder, words)
    if status:
        yield f"the next run ended with status {status}: {_said(folder)}"
    else:
        found = _contents(folder, work.results)
        differ = sorted(file for file in found.keys() | wanted.keys() if found.get(file) != wanted.get(file))
        yield from (f"{file}, a result of the next run, is not that of an undisturbed one" for file in differ)
    names = _names(folder), _names(whole)
    yield from (f"left: {name}" for name in sorted(names[0] - names[1]))
    yield from (f"lacking: {name}" for name in sorted(names[1] - names[0]))


def _start(folder: Path, words: Sequence[str]) -> int:
    """Start a command in a process and a session of its own; returns the number of the process."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        os.setsid()
        os.chdir(folder)
        os.environ |= {"NAPARI_EMSSL_HOME": str(folder / "home"), "TMPDIR": str(folder / "temporary")}
        tempfile.tempdir = None
        printed = os.open(folder.with_name(f"{folder.name}.txt"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(printed, 1)
        os.dup2(printed, 2)
        from napari_emssl.cli import main as command_line

        status = command_line([str(word) for word in words])
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _run(folder: Path, words: Sequence[str]) -> int:
    """Run a command to its end; returns its status."""
    _, status = os.waitpid(_start(folder, words), 0)
    return os.waitstatus_to_exitcode(status)


def _said(folder: Path) -> str:
    """What the commands in a folder printed."""
    return folder.with_name(f"{folder.name}.txt").read_text(encoding="utf-8").strip()


def _survivors(session: int) -> bool:
    """Whether processes of a session are alive after they had time to end."""
    end = time.monotonic() + _LIVING_SECONDS
    while time.monotonic() < end:
        if not any(_is_of(process, session) for process in psutil.process_iter()):
            return False
        time.sleep(0.1)
    return True


def _is_of(process: psutil.Process, session: int) -> bool:
    try:
        return os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE
    except (OSError, psutil.Error):
        return False


def _names(folder: Path) -> set[str]:
    """All files below a folder but those whose names follow from times (pictures) or places (indices)."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix()
        for path in files
        if path.name.startswith(".") or path.parent.name not in ("indices", "p")
    }


def _contents(folder: Path, names: Sequence[str] | dict[str, str]) -> dict[str, str]:
    """Checksums of files, and of those in folders."""
    paths = [folder / name for name in names]
    files = [file for path in paths for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file()]
    return {file.relative_to(folder).as_posix(): _checksum(file) for file in files}


def _checksum(file: Path) -> str:
    """What makes a file what it is: of models the weights, of JSON without times and dates, of images the pixels."""
    if file.suffix == ".safetensors":
        content = file.read_bytes()
        return hashlib.sha256(content[8 + int.from_bytes(content[:8], "little") :]).hexdigest()
    if file.suffix == ".tif":
        return hashlib.sha256(tifffile.imread(file).tobytes()).hexdigest()
    if file.suffix in (".csv", ".json") and file.name != "m.csv":
        return _without_times(file)
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _without_times(file: Path) -> str:
    """Text of a table or of JSON without what says when something was done and how long it took."""
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".csv":
        head, *rows = [line.split(",") for line in text.splitlines()]
        kept = [place for place, name in enumerate(head) if "seconds" not in name]
        return json.dumps([[row[place] for place in kept] for row in rows])
    return json.dumps(_timeless(json.loads(text)))


def _timeless(content: object) -> object:
    if isinstance(content, dict):
        return {name: _timeless(value) for name, value in content.items() if "seconds" not in name and name != "date"}
    return [_timeless(value) for value in content] if isinstance(content, list) else content


def _shared_memory() -> set[str]:
    place = Path("/dev/shm")
    return {path.name for path in place.iterdir()} if place.is_dir() else set()


def _shared_memory_of(session: int) -> set[str]:
    """Names in shared memory that processes of a session use: other programs on the computer make names, too."""
    held: set[str] = set()
    for process in psutil.process_iter():
        if _is_of(process, session):
            with suppress(OSError):
                maps = Path(f"/proc/{process.pid}/maps").read_text()
                held |= set(re.findall(r"/dev/shm/(\S+)", maps))
    return held


if __name__ == "__main__":
    import torch
    import torch._dynamo  # every optimizer loads it when it is made

    import napari_emssl.evaluation.comparison.compare
    import napari_emssl.inference.apply
    import napari_emssl.training.pretraining.pretrain  # noqa: F401

    torch.set_num_threads(1)
    sys.exit(main())
