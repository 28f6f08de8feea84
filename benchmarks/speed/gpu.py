"""What one GPU gives: the GAN step, reading, fine-tuning, applying, and the memory that jobs leave behind.

    python benchmarks/speed/gpu.py --out gpu-results

Writes gpu.json and gpu.md. Nothing is downloaded. What there is no time left for (--seconds) is left out, and what
fails is written down with its reason; the rest goes on. `benchmarks/gpu.sh` runs the tests marked gpu first.

The GAN step is measured as the product takes it (CUDA graphs: recorded once and replayed), kernel by kernel (eager),
with both networks compiled by torch.compile, and as a plain float32 loop, its convolutions in TF32 as torch has it (see
gan_step.py). The share of the peak is the rate of a step, by torch's formulas, over that of a large matrix product on
the same device: in bf16, of the plain loop in float32. With --tiny everything is so small that a CPU ends soon: a test
of the script, not of the machine.
"""

import argparse
import json
import math
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import torch
from gan_step import PlainLoop, count_flop, peak_rate, timed
from waiting import Waited, finetuning, micrographs, pretraining

from napari_emssl.data.datasets.packing import pack
from napari_emssl.inference.apply import apply
from napari_emssl.jobs.devices import Device, choose_device
from napari_emssl.jobs.pretrain_settings import PretrainSettings
from napari_emssl.jobs.settings import ApplySettings, FinetuneSettings
from napari_emssl.models.build import network_of
from napari_emssl.models.model_file import Card, ClassInfo, Model, NetworkSpec
from napari_emssl.models.weights import to_numpy
from napari_emssl.training.finetuning.finetune import finetune
from napari_emssl.training.pretraining.pix2pix import Pix2Pix

GENERATORS = ("unet-3-96", "unet-4-424", "hrnet-w18", "hrnet-w48")
_COUNTS = ("tests", "failures", "errors", "skipped")
WAYS = ("plain float32", "CUDA graphs", "eager", "compiled")


@dataclass(frozen=True)
class Bench:
    """What is measured, where, and how long."""

    device: Device
    tiny: bool
    deadline: float
    peaks: dict[str, float]
    """Operations a second of a matrix product, by type."""

    @property
    def on_gpu(self) -> bool:
        """Whether it is a GPU that is measured."""
        return self.device.torch_device.type == "cuda"

    @property
    def name(self) -> str:
        """The device as settings call it."""
        return self.device.torch_device.type


@dataclass
class Row:
    """One measurement."""

    section: str
    name: str
    figures: dict[str, float] = field(default_factory=dict)
    failed: str = ""


def measured(bench: Bench, section: str, name: str, work: Callable[[], dict[str, float]]) -> Row:
    """Measure, unless there is no time left; what goes wrong is the result."""
    if time.monotonic() > bench.deadline:
        return Row(section, name, failed="left out: no time")
    if bench.on_gpu:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    try:
        figures = work()
    except Exception as error:
        return Row(section, name, failed=f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")
    memory = {"peak_gb": torch.cuda.max_memory_allocated() / 1e9} if bench.on_gpu else {}
    return Row(section, name, figures | memory)


def gan_rows(bench: Bench) -> Iterator[Row]:
    """One step of the GAN for each network, four ways; the cheap ones of all networks come first."""
    for way in WAYS:
        for generator in GENERATORS:
            yield measured(bench, "GAN step", f"{generator}, {way}", lambda g=generator, w=way: gan_step(bench, g, w))


def gan_step(bench: Bench, generator: str, way: str) -> dict[str, float]:
    """Time steps of one network, one way."""
    batch_size, patch, width, discriminator = (2, 64, 2, 4) if bench.tiny else (128, 224, None, 64)
    settings = PretrainSettings(
        generator=generator, width=width, batch_size=batch_size, patch=patch, device=bench.name,
        discriminator_width=discriminator,
    )  # fmt: skip

    def card(_summary: object) -> Card:
        return Card(name=generator, task="reconstruct", network=NetworkSpec(name=generator))

    learner = Pix2Pix(settings, bench.device, torch.empty(0), card)
    batch = torch.rand(batch_size, 1, patch, patch, pin_memory=bench.on_gpu)
    loop = PlainLoop(learner, frozen=False) if way == "plain float32" else None

    def step() -> object:
        return loop.train_step(batch) if loop else learner.train_step(batch, 0.5)

    flop = count_flop(step)
    if way != "CUDA graphs":
        learner.recorded.replays = False
    if way in ("compiled", "CUDA graphs") and not bench.on_gpu:
        raise RuntimeError("measured on a GPU only")
    if way == "compiled":
        for network in (learner.generator, learner.discriminator):
            network.compile()
    mark = time.monotonic()
    for _ in range(1 if bench.tiny else 5):
        timed(step, bench.device.torch_device)
    warm_up = time.monotonic() - mark
    seconds = statistics.median(timed(step, bench.device.torch_device) for _ in range(1 if bench.tiny else 7))
    peak = bench.peaks["float32" if loop else "bfloat16"]
    return {"images_per_second": batch_size / seconds, "ms": 1e3 * seconds, "share_of_peak": flop / seconds / peak,
            "warm_up_seconds": warm_up}  # fmt: skip


def data_rows(bench: Bench, folder: Path) -> Iterator[Row]:
    """Pretraining from a pack, and fine-tuning: images a second, and the share of the time spent waiting."""
    count, size, steps, patch = (4, 96, 2, 64) if bench.tiny else (64, 1024, 40, 224)
    images, masks = micrographs(count, size)
    pack(images, folder / "tiles.pack").result()
    shared: dict[str, Any] = {"device": bench.name, "width": 2} if bench.tiny else {"device": bench.name}
    for workers in (0,) if bench.tiny else (0, 8):
        for generator in ("unet-3-96", "hrnet-w18"):
            gan = PretrainSettings(generator=generator, patch=patch, batch_size=2 if bench.tiny else 128, validation=1,
                                   discriminator_width=4 if bench.tiny else 64, workers=workers, **shared)  # fmt: skip
            yield measured(
                bench, "pretraining from a pack", f"{generator}, {workers} workers",
                lambda gan=gan: followed(pretraining(gan, [folder / "tiles.pack"], steps), gan.batch_size),
            )  # fmt: skip
    made_by_processes = () if bench.tiny else (("unet-3-96", 8),)
    for generator, workers in (("unet-3-96", 0), ("unet-4-424", 0), ("hrnet-w48", 0), *made_by_processes):
        paper = FinetuneSettings(
            recipe="paper", generator=generator, zero="background", patch=64 if bench.tiny else 448, batch_size=8,
            test=0, precision="auto", workers=workers, **shared,
        )  # fmt: skip
        yield measured(bench, "fine-tuning step", f"{generator}, 8 x {paper.patch} px, {workers} workers",
                       lambda one=paper: followed(finetuning(one, images, masks, steps), 8))  # fmt: skip


def followed(found: Waited, batch_size: int) -> dict[str, float]:
    """Figures of some steps."""
    rate = found.steps * batch_size / found.seconds
    return {"images_per_second": rate, "ms": 1e3 * found.seconds / found.steps, "waiting": found.share}


def apply_rows(bench: Bench) -> Iterator[Row]:
    """Megapixels a second of applying to one large plane, the second time."""
    edge = 96 if bench.tiny else 4096
    plane = np.random.default_rng(0).random((edge, edge), np.float32)
    for generator, task in (("unet-3-96", "segment"), ("unet-4-424", "denoise"), ("hrnet-w48", "denoise")):
        model = random_weights(generator, task, 2 if bench.tiny else None)

        def rate(model: Model = model) -> dict[str, float]:
            settings = ApplySettings(device=bench.name)
            apply(model, plane, settings)
            mark = time.monotonic()
            apply(model, plane, settings)
            return {"megapixels_per_second": plane.size / 1e6 / (time.monotonic() - mark)}

        yield measured(bench, "apply", f"{generator}, {task}, {edge} px", rate)


def random_weights(generator: str, task: str, width: int | None) -> Model:
    """A model that nobody trained."""
    spec = NetworkSpec(name=generator, width=width)
    classes = (ClassInfo(name="background"), ClassInfo(name="particle")) if task == "segment" else ()
    return Model(
        Card(name=generator, task=task, network=spec, classes=classes), to_numpy(network_of(spec).state_dict())
    )


def memory_row(bench: Bench) -> Row:
    """What torch still holds after one job and after ten."""
    images, masks = micrographs(1, 96)
    settings = FinetuneSettings(generator="unet-3-96", width=2, steps=2, batch_size=2, patch=32, zero="background",
                                validation=0, device=bench.name)  # fmt: skip

    def held() -> dict[str, float]:
        found = []
        for _ in range(2 if bench.tiny else 10):
            finetune(images, masks, settings, "scratch").result()
            found.append(torch.cuda.memory_allocated() / 1e6 if bench.on_gpu else 0.0)
        return {"mb_after_one": found[0], "mb_after_all": found[-1]}

    return measured(bench, "memory held after jobs", "fine-tuning", held)


def tests_of(report: Path | None) -> dict[str, int]:
    """Read how many tests ran, from pytest's XML."""
    if report is None or not report.is_file():
        return {}
    suites = ElementTree.parse(report).getroot().iter("testsuite")
    counts = [
        {name: int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")} for suite in suites
    ]
    return {name: sum(count[name] for count in counts) for name in counts[0]} if counts else {}


def as_markdown(facts: dict[str, Any], rows: list[Row]) -> str:
    """Return the figures as a table."""
    lines = ["# What a GPU gives" if facts["gpu"] else "# A trial without a GPU: its figures mean nothing", ""]
    lines += [f"- {name}: {value}" for name, value in facts.items()]
    lines += ["", "| section | what | figures |", "|---|---|---|"]
    for row in rows:
        figures = ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in row.figures.items())
        lines.append(f"| {row.section} | {row.name} | {row.failed or figures} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Read the arguments, measure everything, and write both files after every row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("gpu-results"))
    parser.add_argument("--seconds", type=float, default=380)
    parser.add_argument("--tests", type=Path, help="pytest's XML, whose counts are written down")
    parser.add_argument("--tiny", action="store_true")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    device = choose_device(FinetuneSettings())
    tiny = args.tiny or device.torch_device.type != "cuda"
    kinds = (torch.float32, torch.bfloat16)
    peaks = {str(kind).removeprefix("torch."): 1.0 if tiny else peak_rate(device.torch_device, kind) for kind in kinds}
    # a trial shows that everything runs to its end, however slow the machine
    deadline = math.inf if tiny else time.monotonic() + args.seconds
    bench = Bench(device, tiny, deadline, peaks)
    facts: dict[str, Any] = {"device": device.label, "gpu": bench.on_gpu, "tiny": tiny, "torch": torch.__version__,
                             "peaks": peaks, "tests": tests_of(args.tests)}  # fmt: skip
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for row in everything(bench, Path(folder)):
            rows.append(row)
            print(f"{row.section}: {row.name}: {row.failed or row.figures}", flush=True)
            content = {**facts, "rows": [asdict(one) for one in rows]}
            (args.out / "gpu.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
            (args.out / "gpu.md").write_text(as_markdown(facts, rows), encoding="utf-8")


def everything(bench: Bench, folder: Path) -> Iterator[Row]:
    """Measure what is cheap first, and what has to be compiled last."""
    gan = gan_rows(bench)
    for _ in range(3 * len(GENERATORS)):
        yield next(gan)
    yield from data_rows(bench, folder)
    yield from apply_rows(bench)
    yield memory_row(bench)
    yield from gan


if __name__ == "__main__":
    main()
