"""Do two checkouts of napari-emssl give the same results, bit for bit? Record each, then compare.

    PYTHONPATH=BEFORE/src python scripts/same_results/same_results.py record before.json
    PYTHONPATH=AFTER/src python scripts/same_results/same_results.py record after.json
    python scripts/same_results/same_results.py compare before.json after.json

Both on one machine with the same packages. Only the public face is used: the terminal, ``import napari_emssl as em``,
and (in `same_results_docks.py`) the docks by what stands on them. ``record ... --only terminal,memory`` does without
docks. Everything runs in float32 on one thread of the CPU, for a fixed number of steps, in a folder of its own.

Left out, since they differ between two runs of one checkout: dates, seconds, rates, versions, paths and command lines
in cards, logs and tables; drawings of curves, which show seconds; pictures of a training under way, drawn when there is
time for them. What is said in the terminal and on the docks is no result either.
"""

import argparse
import importlib.util
import json
import os
import platform
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module, metadata
from multiprocessing import get_context
from pathlib import Path

from same_results_digests import Parts, of_array, of_json, of_path

HERE = Path(__file__).resolve().parent
ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
WHERE = "--device cpu --precision fp32 --quiet"
TRAIN = f"{WHERE} --batch-size 2 --patch 64 --validation-interval 1 --seed 3"
GAN = f"{TRAIN} --generator unet-2-44 --discriminator-width 8"
NETWORKS = ("unet-2-44", "unet-3-96", "hrnet-w18-small")
FINISHED, INTERRUPTED = 0, 130
PATIENCE_SECONDS = 300.0


class Work:
    """A folder for one recording, the commands that run in it, and the results so far."""

    def __init__(self, folder: Path, results: dict[str, Parts]) -> None:
        self.folder, self.results = folder, results

    def keep(self, name: str, parts: Parts) -> None:
        """Keep a result under a name."""
        self.results[name] = parts
        sys.stderr.write(f"  {name}\n")

    def keep_paths(self, name: str, *paths: str) -> None:
        """Keep files and folders of this work as one result."""
        self.keep(
            name, {f"{path} {part}": value for path in paths for part, value in of_path(self.folder / path).items()}
        )

    def start(self, line: str) -> subprocess.Popen[str]:
        """Start a command of the terminal as a user does."""
        words, pipe = [sys.executable, "-m", "napari_emssl", *shlex.split(line)], subprocess.PIPE
        return subprocess.Popen(words, cwd=self.folder, text=True, stdout=pipe, stderr=pipe)

    def run(self, line: str) -> str:
        """Run a command to its end and return what it printed."""
        said = self.folder / "said.txt"
        process = get_context("fork").Process(target=command, args=(line, said))
        process.start()
        process.join()
        if process.exitcode != FINISHED:
            raise SystemExit(f"'{line}' ended with {process.exitcode}:\n{said.read_text()}")
        return said.read_text()


def command(line: str, said: Path) -> None:
    """Run a command in a process forked from one that has imported torch already, which saves most of the time."""
    from napari_emssl.cli import main as begin

    with said.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.argv = ["napari-emssl", *shlex.split(line)]
    raise SystemExit(begin(sys.argv[1:]))


def wait_until(there: Callable[[], bool], what: str, process: subprocess.Popen[str]) -> None:
    """Wait while a process works; it must not end before."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not there():
        if process.poll() is not None or time.monotonic() > end:
            process.kill()
            raise SystemExit(f"Waited in vain for {what}:\n{''.join(process.communicate())}")
        time.sleep(0.01)


# the terminal


def simulate(work: Work) -> None:
    """Make the images that everything else learns from."""
    work.run("simulate hrtem -o hrtem --count 6 --size 128 --seed 1 --quiet")
    work.run(
        "simulate stem -o stem --count 5 --size 96 --seed 1 --format tiff --pixel-size-nm 0.02 --workers 1 --quiet"
    )
    work.run("simulate stem -o stem-png --count 2 --size 64 --seed 2 --workers 1 --quiet")
    for folder in ("hrtem", "stem", "stem-png"):
        work.keep_paths(f"simulate {folder}", folder)


def demo_inputs(work: Work) -> None:
    """Take the images, painting and truth of the demo; its training goes by the clock, so it is ended there."""
    process = work.start("demo --headless demo --quiet")
    files = [f"demo/{name}.tif" for name in ("images", "painting", "truth")]
    wait_until(lambda: all((work.folder / file).is_file() for file in files), "the demo's images", process)
    process.kill()
    process.communicate()
    work.keep_paths("demo: inputs", *files)


def pretrain(work: Work) -> None:
    """Pretrain with validation, and without: then the weights are those of the last step."""
    work.run(f"pretrain hrtem/images -o best.safetensors {GAN} --steps 30 --validation 2 --log best.jsonl")
    work.keep_paths("pretrain", "best.safetensors", "best-split.json", "best-pictures/curves.csv")
    work.keep_paths("pretrain: log", "best.jsonl")
    work.run(f"pretrain hrtem/images -o whole.safetensors {GAN} --steps 80 --validation 0 --log whole.jsonl")
    work.keep_paths("pretrain: last weights", "whole.safetensors", "whole.jsonl")
    work.run("pack hrtem/images -o tiles.pack --quiet")
    work.run(f"pretrain tiles.pack -o more.safetensors {TRAIN} --start best.safetensors --steps 5 --validation 0")
    work.keep_paths("pretrain: from a pack and a start", "more.safetensors")


def resume(work: Work) -> None:
    """Interrupt a pretraining wherever it is, and go on from its autosave: the run that was never stopped."""
    log, line = (
        work.folder / "stopped.jsonl",
        f"pretrain hrtem/images -o stopped.safetensors {GAN} --steps 80 --validation 0",
    )
    process = work.start(f"{line} --log stopped.jsonl")
    wait_until(lambda: log.is_file() and log.read_text().count("\n") > 3, "the first steps", process)
    process.send_signal(signal.SIGINT)
    complaint = process.communicate()[1]
    if process.returncode != INTERRUPTED:
        raise SystemExit(f"'{line}' was interrupted, but ended with {process.returncode}:\n{complaint}")
    work.run(f"{line} --log stopped.jsonl --resume stopped.safetensors.autosave --overwrite")
    work.keep_paths("pretrain: interrupted and resumed", "stopped.safetensors", "stopped.jsonl")
    require_same(work, "whole", "stopped")


def require_same(work: Work, *names: str) -> None:
    """Check that two runs of this very recording gave the same weights and losses."""
    one, other = (
        [value for end in ("safetensors", "jsonl") for part, value in of_path(work.folder / f"{name}.{end}").items()
         if not part.startswith("card")] for name in names
    )  # fmt: skip
    if one != other:
        raise SystemExit(f"'{names[1]}' is not '{names[0]}': the run that was resumed is not the one never stopped.")


def finetune(work: Work) -> None:
    """Fine-tune for every task with a few steps, with and without validation, from starts and from scratch."""
    for name, flags in {
        "segment": "--task segment --images hrtem/images --targets hrtem/targets --start best.safetensors",
        "segment-shipped": "--task segment --images hrtem/images --targets hrtem/targets --start unet-3-96-w8",
        "denoise": "--task denoise --images stem --targets stem --start stem-denoise --validation 0",
        "remove-background": "--task remove-background --images stem --targets stem --start scratch --validation 0",
        "super-resolve": "--task super-resolve --images stem --targets stem --start scratch --generator unet-3-96",
        "finer": "--task super-resolve --images stem/image --start scratch --validation 0 "
        "--targets stem/noNoiseNoBackgroundUpinterpolation2x",
        "denoise-frames": "--task denoise --images film.tif --supervision frames --start scratch",
        "denoise-blind-spot": "--task denoise --images film.tif --supervision blind-spot --start scratch",
    }.items():
        work.run(f"finetune {flags} {TRAIN} --steps 6 -o {name}.safetensors --log {name}.jsonl")
        work.keep_paths(f"finetune: {name}", f"{name}.safetensors", f"{name}.jsonl")


def make_film(work: Work) -> None:
    """Write the simulated images as one stack."""
    import numpy as np
    import tifffile

    stack = np.stack([tifffile.imread(path) for path in sorted((work.folder / "hrtem/images").glob("*.tif"))])
    tifffile.imwrite(work.folder / "film.tif", stack)


def apply(work: Work) -> None:
    """Apply to a stack, to TIFF and to zarr, and restore images."""
    for form in ("tiff", "zarr"):
        work.run(f"apply segment-shipped.safetensors film.tif -o film-{form} --format {form} --tile 64 {WHERE}")
        work.run(f"apply stem-denoise film.tif -o restored-{form} --format {form} {WHERE}")
        work.keep_paths(f"apply: a film to {form}", f"film-{form}", f"restored-{form}")
    work.run(f"apply finer.safetensors stem/image -o finer {WHERE}")
    work.run(f"apply remove-background.safetensors stem/image -o flat --test-time-augmentation {WHERE}")
    work.keep_paths("apply: a folder", "finer", "flat")


def judge(work: Work) -> None:
    """Evaluate, compare, measure, and list the models."""
    hrtem, stem = "--images hrtem/images --targets hrtem/targets", "--images stem --targets stem"
    work.run(f"evaluate segment-shipped.safetensors {hrtem} --json segment-scores.json {WHERE}")
    work.run(f"evaluate denoise.safetensors {stem} --json denoise-scores.json {WHERE}")
    work.keep_paths("evaluate", "segment-scores.json", "denoise-scores.json")
    short = f"{WHERE} --batch-size 2 --patch 64 --steps 4 --evaluations 3 --seeds 2"
    work.run(f"compare {hrtem} --starts scratch:unet-2-44:2 unet-3-96-w8 -o compared {short}")
    work.run(f"compare {hrtem} --starts best.safetensors -o painted --paint 2 --least-objects 1 {short}")
    work.keep_paths("compare", "compared", "painted")
    work.run("measure hrtem/instances --images hrtem/images -o numbered.csv --quiet")
    work.run("measure hrtem/targets -o masks.csv --split 0.8 --exclude-border --quiet")
    work.keep_paths("measure", "numbered.csv", "masks.csv")
    work.keep("models list", of_json(json.loads(work.run("models list --json"))))


TERMINAL = (simulate, demo_inputs, make_film, pretrain, resume, finetune, apply, judge)


def terminal(work: Work) -> None:
    """Run everything that has a command."""
    import_module("torch._dynamo")
    for scene in TERMINAL:
        scene(work)


# arrays in memory, through ``import napari_emssl as em``


def demo_in_memory(work: Work) -> None:
    """Do the demo's work on its images: learn from its three painted particles, segment all planes, measure."""
    import numpy as np
    import tifffile
    from scipy.ndimage import binary_dilation

    import napari_emssl as em

    images, painting = (tifffile.imread(work.folder / f"demo/{name}.tif") for name in ("images", "painting"))
    painted = painting[0] > 0
    targets = (2 * painted + (binary_dilation(painted, iterations=12) & ~painted)).astype(np.uint8)
    settings = em.FinetuneSettings(steps=6, validation_interval=1, batch_size=4, device="cpu", precision="fp32")
    model = em.finetune([images[0]], [targets], settings, name="demo", class_names=["particle"]).result()
    em.save_model(model, work.folder / "demo.safetensors")
    labels = em.apply(model, images, em.ApplySettings(tile=256, device="cpu", precision="fp32"))
    em.measure_particles(labels, images).write_csv(work.folder / "demo.csv")
    work.keep_paths("demo: model and particles", "demo.safetensors", "demo.csv")
    work.keep("demo: labels", {"labels": of_array(labels)})


def apply_in_memory(work: Work) -> None:
    """Apply to arrays in small tiles, alone and as stacks, with and without averaging."""
    import tifffile

    import napari_emssl as em

    film = tifffile.imread(work.folder / "film.tif")
    settings = em.ApplySettings(tile=32, halo=32, batch_size=2, device="cpu", precision="fp32")
    averaged = em.ApplySettings(test_time_augmentation=True, device="cpu", precision="fp32")
    for name in ("segment.safetensors", "super-resolve.safetensors", "finer.safetensors"):
        model = em.load_model(work.folder / name)
        found = {"tiles": em.apply(model, film, settings), "averaged": em.apply(model, film[0, 3:], averaged)}
        work.keep(f"em.apply: {name}", {part: of_array(array) for part, array in found.items()})


def verbs_in_memory(work: Work) -> None:
    """Simulate, pretrain and evaluate in Python, and build networks with random weights."""
    import torch

    import napari_emssl as em

    made = em.simulate_hrtem(em.HRTEMSettings(size_px=96), 7)
    work.keep("em.simulate_hrtem", {"image": of_array(made.image), "labels": of_array(made.labels)})
    small = {"steps": 4, "batch_size": 2, "patch": 64, "validation": 0, "discriminator_width": 8}
    model = em.pretrain([made.image], em.PretrainSettings(**small, device="cpu", precision="fp32")).result()
    work.keep("em.pretrain", {name: of_array(array) for name, array in model.weights.items()})
    for name in NETWORKS:
        torch.manual_seed(0)
        network = em.build_generator(name).eval()
        weights = {key: of_array(value.numpy()) for key, value in network.state_dict().items()}
        with torch.no_grad():
            work.keep(f"em.build_generator: {name}", weights | {"output": of_array(network(torch.rand(1, 1, 64, 64)))})


def memory(work: Work) -> None:
    """Run everything that is called from Python."""
    for scene in (demo_in_memory, apply_in_memory, verbs_in_memory):
        scene(work)


# recording and comparing


def surroundings(folder: Path) -> dict[str, str]:
    """Return the environment of a recording: the checkout under test, one thread, no GPU, an empty user's folder."""
    found = importlib.util.find_spec("napari_emssl")
    if found is None or found.origin is None:
        raise SystemExit("There is no napari_emssl to import. Set PYTHONPATH to the src folder of a checkout.")
    return {
        **dict.fromkeys(ONE_THREAD, "1"),
        "PYTHONPATH": str(Path(found.origin).parents[1]),
        "NAPARI_EMSSL_HOME": str(folder / "home"),
        "NAPARI_CONFIG": str(folder / "napari.yaml"),
        "CUDA_VISIBLE_DEVICES": "",
    }


def about() -> dict[str, str]:
    """Return what two recordings must have in common to be compared, and which checkout this one is of."""
    packages = {name: metadata.version(name) for name in ("torch", "numpy", "scipy", "scikit-image")}
    return {"checkout": os.environ["PYTHONPATH"], "machine": platform.platform(), **packages}


def apart(folder: Path, part: str) -> dict[str, Parts]:
    """Record a part in a process of its own, the docks with a display."""
    script = HERE / ("same_results_docks.py" if part == "docks" else "same_results.py")
    words = [sys.executable, str(script), part, str(folder), str(folder / f"{part}.json")]
    if part == "docks" and sys.platform == "linux" and shutil.which("xvfb-run"):
        words = ["xvfb-run", "--auto-servernum", "--server-args=-screen 0 1280x1000x24", *words]
    mark = time.monotonic()
    if subprocess.run(words, cwd=folder, check=False).returncode != FINISHED:
        raise SystemExit(f"The part '{part}' could not be recorded, see above.")
    sys.stderr.write(f"{part}: {time.monotonic() - mark:.0f} s\n")
    results: dict[str, Parts] = json.loads((folder / f"{part}.json").read_text("utf-8"))
    return results


def record(out: Path, parts: list[str]) -> int:
    """Record the parts and write their digests to a file; the first one makes what the others work on."""
    results: dict[str, Parts] = {}
    with tempfile.TemporaryDirectory(prefix="same-results-") as name:
        os.environ.update(surroundings(Path(name)))
        for part in ("terminal", *(part for part in parts if part != "terminal")):
            results |= apart(Path(name), part)
    out.write_text(json.dumps({"about": about(), "results": results}, indent=1), encoding="utf-8")
    return 0


def compare(one: Path, other: Path) -> int:
    """Print which results are the same; return 1 where some are not."""
    before, after = (json.loads(path.read_text("utf-8")) for path in (one, other))
    for key, value in before["about"].items():
        if value != after["about"].get(key):
            sys.stdout.write(f"{key}: {value} | {after['about'].get(key)}\n")
    names = list(dict.fromkeys([*before["results"], *after["results"]]))
    verdicts = {name: verdict(before["results"].get(name), after["results"].get(name)) for name in names}
    width = max(map(len, names), default=0)
    sys.stdout.writelines(f"{name:<{width}}  {text}\n" for name, text in verdicts.items())
    different = [name for name, text in verdicts.items() if not text.startswith("same")]
    sys.stdout.write(f"{len(names) - len(different)} of {len(names)} results are the same.\n")
    return 1 if different or not names else 0


def verdict(before: Parts | None, after: Parts | None) -> str:
    """Say whether a result is the same, and of which parts it is not."""
    if before is None or after is None:
        return "DIFFERENT: only in the " + ("second" if before is None else "first")
    parts = [part for part in dict.fromkeys([*before, *after]) if before.get(part) != after.get(part)]
    if not parts:
        return f"same ({len(before)} parts)"
    more = f" and {len(parts) - 4} more" if len(parts) > 4 else ""
    return f"DIFFERENT in {len(parts)} of {len(before)} parts: {', '.join(parts[:4])}{more}"


def main(words: list[str] | None = None) -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    recording, comparing = commands.add_parser("record"), commands.add_parser("compare")
    recording.add_argument("out", type=Path)
    recording.add_argument("--only", default="terminal,memory,docks", help="parts of: terminal, memory, docks")
    comparing.add_argument("files", type=Path, nargs=2)
    for part in INNER:
        inner = commands.add_parser(part, help="a part of record, for the script itself")
        inner.add_argument("paths", type=Path, nargs=2)
    chosen = parser.parse_args(words)
    if chosen.command in INNER:
        return part_of_record(INNER[chosen.command], *chosen.paths)
    if chosen.command == "compare":
        return compare(*chosen.files)
    return record(chosen.out, chosen.only.split(","))


def part_of_record(run: Callable[[Work], None], folder: Path, out: Path) -> int:
    """Record a part in this very process."""
    work = Work(folder, {})
    run(work)
    out.write_text(json.dumps(work.results), encoding="utf-8")
    return 0


INNER = {"terminal": terminal, "memory": memory}


if __name__ == "__main__":
    raise SystemExit(main())
