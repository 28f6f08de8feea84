"""One GAN step of this package against straightforward PyTorch loops over the same networks and the same batch.

Both loops are pix2pix as it is usually written: float32, channels first, torch's own batch norm, the discriminator
judging the restored image once for itself and, after its step, once more for the generator. *plain* does no more than
that: the generator's backward pass leaves gradients in the discriminator that nobody reads. *frozen* spares those, as
the authors of pix2pix do. All start from the same weights and see the same batch; steps are timed in turn, so that
whatever else the machine does meets all. Also printed: the floating-point operations of a step by torch's formulas, and
the rate reached beside that of a large matrix product.

    python benchmarks/speed/gan_step.py unet-2-44 unet-3-96 hrnet-w18-small --batch-size 8 --repeats 7
"""

import argparse
import copy
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from napari_emssl.jobs.devices import choose_device
from napari_emssl.jobs.pretrain_settings import PretrainSettings
from napari_emssl.models.model_file import Card
from napari_emssl.networks.norm import BatchNorm
from napari_emssl.training.pretraining.pix2pix import Pix2Pix


class PlainLoop:
    """Pix2pix in float32, channels first, the usual order of steps."""

    def __init__(self, ours: Pix2Pix, frozen: bool) -> None:
        self.frozen = frozen
        self.generator, self.discriminator = (_plain(network) for network in (ours.generator, ours.discriminator))
        self.optimisers = [
            torch.optim.Adam(network.parameters(), 2e-4, (0.5, 0.999))
            for network in (self.generator, self.discriminator)
        ]
        self.corrupt, self.step, self.device = ours._corrupt, 0, ours.device.torch_device

    def train_step(self, clean: Tensor) -> dict[str, Tensor]:
        """Take one step of both networks."""
        clean = clean.to(self.device)
        corrupted = self.corrupt(clean, self.step)
        restored = self.generator(corrupted)
        real, fake = self.discriminator(corrupted, clean), self.discriminator(corrupted, restored.detach())
        d_loss = 0.5 * ((real - 1).square().mean() + fake.square().mean())
        self.optimisers[1].zero_grad()
        d_loss.backward()
        self.optimisers[1].step()
        self.discriminator.requires_grad_(not self.frozen)
        l1 = functional.l1_loss(restored, clean)
        g_loss = (self.discriminator(corrupted, restored) - 1).square().mean() + 100 * l1
        self.optimisers[0].zero_grad()
        g_loss.backward()
        self.optimisers[0].step()
        self.discriminator.requires_grad_(True)
        self.step += 1
        return {"discriminator": d_loss.detach(), "l1": l1.detach()}


def _plain(network: nn.Module) -> nn.Module:
    """Return a copy with torch's own batch norm, in torch's default memory order."""
    twin = copy.deepcopy(network).to(memory_format=torch.contiguous_format)
    for module in twin.modules():
        if isinstance(module, BatchNorm):
            module.__class__ = nn.BatchNorm2d
    return twin


def timed(step: Callable[[], object], device: torch.device) -> float:
    """Seconds of one step."""
    _wait(device)
    mark = time.perf_counter()
    step()
    _wait(device)
    return time.perf_counter() - mark


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class FlopCounter(TorchDispatchMode):
    """Adds up floating-point operations (2 for each multiplication with its addition) by torch's own formulas."""

    total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        formula = flop_registry.get(func._overloadpacket)
        if formula is not None:
            self.total += formula(*args, **(kwargs or {}), out_val=result)
        return result


def count_flop(step: Callable[[], object]) -> float:
    """Floating-point operations of one step."""
    with FlopCounter() as counter:
        step()
    return float(counter.total)


def peak_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Floating-point operations per second of a 4096 x 4096 matrix product, the best of five."""
    left, right = (torch.randn(4096, 4096, device=device, dtype=dtype) for _ in range(2))
    return 2 * 4096**3 / min(timed(lambda: left @ right, device) for _ in range(5))


def measure(name: str, args: argparse.Namespace) -> None:
    """Time the loops over one generator, step by step in turn, and print a line."""
    settings = PretrainSettings(
        generator=name, batch_size=args.batch_size, patch=args.patch, device=args.device, precision=args.precision
    )
    device = choose_device(settings)
    card = Card(name=name, task="reconstruct", network={"name": name})
    ours = Pix2Pix(settings, device, torch.empty(0, 1, args.patch, args.patch), lambda outcome: card)
    loops = PlainLoop(ours, frozen=False), PlainLoop(ours, frozen=True)
    batch = torch.rand(args.batch_size, 1, args.patch, args.patch)
    steps = [lambda loop=loop: loop.train_step(batch) for loop in loops] + [lambda: ours.train_step(batch, 0.0)]
    flop = [count_flop(step) / 1e9 for step in steps]
    losses = [float(step()["l1"]) for step in steps]
    seconds = [[timed(step, device.torch_device) for step in steps] for _ in range(args.repeats)]
    best = [min(column) for column in zip(*seconds, strict=True)]
    words = [f"{label} {time * 1e3:.0f} ms" for label, time in zip(("plain", "frozen", "ours"), best, strict=True)]
    for column, label in enumerate(("plain", "frozen")):
        ratios = sorted(row[column] / row[2] for row in seconds)
        words.append(f"{label}/ours {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")
    words.append(f"GFLOP {flop[0]:.0f}, {flop[1]:.0f}, {flop[2]:.0f}; ours {flop[2] / best[2]:.0f} GFLOP/s")
    words.append(f"l1 of the second step {losses[0]:.4f}, {losses[1]:.4f}, {losses[2]:.4f}")
    print(f"{name}: {'; '.join(words)}", flush=True)


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("generators", nargs="*", default=["unet-2-44", "unet-3-96", "unet-4-200", "hrnet-w18-small"])
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--patch", type=int, default=224)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    args = parser.parse_args()
    device = choose_device(PretrainSettings(device=args.device, precision=args.precision))
    print(f"{device.label}; batch {args.batch_size} of {args.patch} px; torch {torch.__version__}")
    for dtype in (torch.float32, torch.bfloat16):
        print(f"matrix product, {dtype}: {peak_rate(device.torch_device, dtype) / 1e9:.0f} GFLOP/s")
    for name in args.generators:
        measure(name, args)


if __name__ == "__main__":
    main()
