"""Weights from elsewhere: state dicts with the true names and shapes of others' files become starts."""

from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from napari_emssl.errors import UserError
from napari_emssl.models.build import build_network, network_of
from napari_emssl.models.imports.import_weights import import_weights
from napari_emssl.models.imports.mappings import namings
from napari_emssl.models.model_file import NetworkSpec, read_model, save_model

RESNET_BLOCKS = (3, 4, 6, 3)


def torchvision_resnet50(channels: int) -> "OrderedDict[str, Tensor]":
    """Names and shapes of `torchvision.models.resnet50`, written down from its code."""
    torch.manual_seed(0)
    state: OrderedDict[str, Tensor] = OrderedDict()

    def convolution(name: str, outputs: int, inputs: int, kernel: int) -> None:
        state[f"{name}.weight"] = torch.randn(outputs, inputs, kernel, kernel)

    def norm(name: str, count: int) -> None:
        for part in ("weight", "bias", "running_mean", "running_var"):
            state[f"{name}.{part}"] = torch.rand(count) + 0.5
        state[f"{name}.num_batches_tracked"] = torch.tensor(7)

    convolution("conv1", 64, channels, 7)
    norm("bn1", 64)
    inputs = 64
    for level, blocks in enumerate(RESNET_BLOCKS):
        middle = 64 * 2**level
        for block in range(blocks):
            name = f"layer{level + 1}.{block}"
            for number, (outputs, before, kernel) in enumerate(
                [(middle, inputs, 1), (middle, middle, 3), (4 * middle, middle, 1)], 1
            ):
                convolution(f"{name}.conv{number}", outputs, before, kernel)
                norm(f"{name}.bn{number}", outputs)
            if block == 0:
                convolution(f"{name}.downsample.0", 4 * middle, inputs, 1)
                norm(f"{name}.downsample.1", 4 * middle)
            inputs = 4 * middle
    return state


def cem500k() -> dict[str, object]:
    """As MoCo v2 writes it: query and key encoders, a queue, and the optimiser."""
    encoder = torchvision_resnet50(1)
    state = {f"module.encoder_q.{name}": tensor for name, tensor in encoder.items()}
    state |= {f"module.encoder_q.fc.{n}.weight": torch.randn(128, 128) for n in (0, 2)}
    state |= {f"module.encoder_k.{name}": tensor + 1 for name, tensor in encoder.items()}
    state |= {"module.queue": torch.randn(128, 64), "module.queue_ptr": torch.zeros(1)}
    return {"epoch": 200, "arch": "resnet50", "state_dict": state, "optimizer": {"state": {0: {"m": torch.ones(3)}}}}


def cem1500k() -> dict[str, object]:
    """As SwAV writes it, with the norms of its images beside the weights."""
    state = {f"module.{name}": tensor for name, tensor in torchvision_resnet50(1).items()}
    state |= {"module.projection_head.0.weight": torch.randn(8, 8), "module.prototypes.weight": torch.randn(9, 8)}
    return {"epoch": 200, "state_dict": state, "norms": {"mean": 0.57, "std": 0.125}}


def micronet() -> dict[str, object]:
    """Of three channels, with the classifier of ImageNet's thousand classes left out for brevity's sake."""
    return {"state_dict": {f"module.{name}": t for name, t in torchvision_resnet50(3).items()}, "best_acc1": 0.7}


@pytest.mark.parametrize("mapping", ["official", "timm"])
@pytest.mark.parametrize(
    ("content", "prefix", "unused"),
    [
        (cem500k, "state_dict.module.encoder_q.", "state_dict.module.queue"),
        (cem1500k, "state_dict.module.", "state_dict.module.prototypes.weight"),
        (micronet, "state_dict.module.", "best_acc1"),
    ],
)
def test_public_encoders_fit_the_resnet_unet(content, prefix: str, unused: str, mapping, tmp_path: Path) -> None:
    torch.save(content(), tmp_path / "encoder.pth.tar")
    spec = NetworkSpec(name="resnet50-unet", width=1)
    made = import_weights(tmp_path / "encoder.pth.tar", spec, mapping, "theirs")
    encoder = [name for name in network_of(spec).state_dict() if name.startswith("encoder.")]
    assert sorted(made.fitting) == sorted(encoder)
    assert {name.split(".")[0] for name in made.missing} == {"decoder", "head"}
    assert unused in made.unused
    source = content()["state_dict"][f"{prefix.removeprefix('state_dict.')}layer4.2.conv3.weight"]
    np.testing.assert_array_equal(made.model.weights["encoder.layer4.2.conv3.weight"], source.numpy())
    assert made.model.card.history[0].data["names"] == f"{prefix}*"
    assert made.model.weights["encoder.conv1.weight"].shape == (64, 1, 7, 7)


def test_an_encoder_of_grey_images_answers_as_its_own_program_would(tmp_path: Path) -> None:
    """Channels of one grey image, and the scaling of its images, make no difference to the first norm's output."""
    content = micronet() | {"norms": {"mean": [0.4, 0.4, 0.4], "std": [0.2, 0.2, 0.2]}}
    torch.save(content, tmp_path / "m.pth")
    made = import_weights(tmp_path / "m.pth", NetworkSpec(name="resnet50-unet", width=1), "official", "m")
    assert len(made.notes) == 2
    ours = network_of(NetworkSpec(name="resnet50-unet", width=1)).eval()
    ours.load_state_dict({n: torch.as_tensor(a) for n, a in made.model.weights.items()}, strict=False)
    theirs = {name.removeprefix("module."): tensor for name, tensor in content["state_dict"].items()}
    image = torch.rand(1, 1, 32, 32)
    first = nn.functional.conv2d((image.expand(1, 3, 32, 32) - 0.4) / 0.2, theirs["conv1.weight"], stride=2, padding=3)
    bn = {part: theirs[f"bn1.{part}"] for part in ("running_mean", "running_var", "weight", "bias")}
    expected = nn.functional.batch_norm(first, *bn.values())
    found = ours.encoder.bn1(ours.encoder.conv1(image))
    inside = (..., slice(2, -2), slice(2, -2))  # their zeros beyond the edge are grey, ours black
    torch.testing.assert_close(found[inside], expected[inside], rtol=1e-3, atol=1e-2)


def official_hrnet(width: int, bottlenecks: int, modules: tuple[int, int, int], blocks: int) -> dict[str, Tensor]:
    """Names and shapes of `seg_hrnet.HighResolutionNet`, written down from its code."""
    state: dict[str, Tensor] = {}
    torch.manual_seed(1)

    def pair(convolution: str, norm: str, outputs: int, inputs: int, kernel: int, bias: bool = False) -> None:
        state[f"{convolution}.weight"] = torch.randn(outputs, inputs, kernel, kernel)
        if bias:
            state[f"{convolution}.bias"] = torch.randn(outputs)
        for part in ("weight", "bias", "running_mean", "running_var"):
            state[f"{norm}.{part}"] = torch.rand(outputs) + 0.5
        state[f"{norm}.num_batches_tracked"] = torch.tensor(3)

    pair("conv1", "bn1", 64, 3, 3)
    pair("conv2", "bn2", 64, 64, 3)
    for n in range(bottlenecks):
        for k, (outputs, inputs, kernel) in enumerate([(64, 256 if n else 64, 1), (64, 64, 3), (256, 64, 1)], 1):
            pair(f"layer1.{n}.conv{k}", f"layer1.{n}.bn{k}", outputs, inputs, kernel)
    pair("layer1.0.downsample.0", "layer1.0.downsample.1", 256, 64, 1)
    widths = [width * 2**level for level in range(4)]
    pair("transition1.0.0", "transition1.0.1", widths[0], 256, 3)
    pair("transition1.1.0.0", "transition1.1.0.1", widths[1], 256, 3)
    pair("transition2.2.0.0", "transition2.2.0.1", widths[2], widths[1], 3)
    pair("transition3.3.0.0", "transition3.3.0.1", widths[3], widths[2], 3)
    for stage, (branches, count) in enumerate(zip((2, 3, 4), modules, strict=True), 2):
        for m in range(count):
            for b in range(branches):
                for n in range(blocks):
                    name = f"stage{stage}.{m}.branches.{b}.{n}"
                    for k in (1, 2):
                        pair(f"{name}.conv{k}", f"{name}.bn{k}", widths[b], widths[b], 3)
            for i in range(branches):
                for j in range(branches):
                    name = f"stage{stage}.{m}.fuse_layers.{i}.{j}"
                    if j > i:
                        pair(f"{name}.0", f"{name}.1", widths[i], widths[j], 1)
                    for k in range(i - j):
                        outputs = widths[i] if k == i - j - 1 else widths[j]
                        pair(f"{name}.{k}.0", f"{name}.{k}.1", outputs, widths[j], 3)
    total = sum(widths)
    pair("last_layer.0", "last_layer.1", total, total, 1, bias=True)
    state |= {"last_layer.3.weight": torch.randn(1, total, 1, 1), "last_layer.3.bias": torch.zeros(1)}
    return state


def test_the_authors_hrnet_fits_wholly_and_timms_without_its_head(tmp_path: Path) -> None:
    theirs = official_hrnet(2, bottlenecks=2, modules=(1, 3, 2), blocks=2)
    spec = NetworkSpec(name="hrnet-w18-small", width=2)
    torch.save(
        {"netG": {f"module.{name}": t for name, t in theirs.items()}, "netD": {"a": torch.ones(3)}}, tmp_path / "g.pth"
    )
    made = import_weights(tmp_path / "g.pth", spec, "official", "g")
    assert (made.missing, made.misshapen, made.unused) == ((), (), ("netD.a",))
    assert not made.model.card.partial
    path = save_model(made.model, tmp_path / "g.safetensors")
    assert build_network(read_model(path))(torch.rand(1, 1, 64, 64)).shape == (1, 1, 64, 64)
    trunk = {name: t for name, t in theirs.items() if not name.startswith("last_layer")} | {
        "incre_modules.0.0.conv1.weight": torch.ones(1, 1, 1, 1)
    }
    torch.save(trunk, tmp_path / "t.pth")
    timm = import_weights(tmp_path / "t.pth", spec, "timm", "t")
    assert {name.split(".")[0] for name in timm.missing} == {"merge", "head"}
    assert timm.unused == ("incre_modules.0.0.conv1.weight",)


def test_the_unets_of_the_scott_lab_fit_but_for_their_two_outputs(tmp_path: Path) -> None:
    own = network_of(NetworkSpec(name="unet-3-96")).state_dict()
    (naming,) = namings("unet-3-96", "official")
    theirs = {naming(name): torch.rand_like(t.float()) for name, t in own.items()}
    assert {"downs.0.conv1.weight", "ups.0.bn1.weight", "bottleneck.conv_add.bias", "final_conv.bias"} <= set(theirs)
    assert theirs["ups.0.conv1.weight"].shape == (16, 48, 3, 3), "their first decoder block is the lowest"
    theirs["final_conv.weight"], theirs["final_conv.bias"] = torch.rand(2, 4, 1, 1), torch.rand(2)
    torch.save(theirs, tmp_path / "u.pt")
    made = import_weights(tmp_path / "u.pt", NetworkSpec(name="unet-3-96"), "official", "u")
    assert made.missing == ("head.weight", "head.bias")
    assert [line.split(":")[0] for line in made.misshapen] == ["head.weight", "head.bias"]


class Whole(nn.Module):
    """What a file holds that was saved as a module."""


def test_what_is_refused_is_said_truly(tmp_path: Path) -> None:
    spec = NetworkSpec(name="unet-2-44")
    good = network_of(spec).state_dict()
    torch.save(good, tmp_path / "good.pth.tar")
    with pytest.raises(UserError, match=r"is a file of PyTorch.*models import FILE --network"):
        read_model(tmp_path / "good.pth.tar")
    torch.save(Whole(), tmp_path / "whole.pth")
    with pytest.raises(UserError, match=r"holds Python objects \(.*Whole\).*may be harmless.*state_dict\(\)"):
        import_weights(tmp_path / "whole.pth", spec, "plain", "w")
    (tmp_path / "cut.pth").write_bytes((tmp_path / "good.pth.tar").read_bytes()[:3000])
    with pytest.raises(UserError, match="cannot be read as weights of PyTorch"):
        import_weights(tmp_path / "cut.pth", spec, "plain", "c")
    (tmp_path / "k.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    with pytest.raises(UserError, match="HDF5"):
        import_weights(tmp_path / "k.h5", spec, "plain", "k")
    (tmp_path / "notes.txt").write_text("no weights")
    with pytest.raises(UserError, match="not a file of PyTorch weights"):
        import_weights(tmp_path / "notes.txt", spec, "plain", "n")
    with pytest.raises(UserError, match=r"no unet-2-44 by the names of the mapping 'official'.*--mapping"):
        import_weights(tmp_path / "good.pth.tar", spec, "official", "x")
    with pytest.raises(UserError, match=r"the shapes of .* differ.*--width"):
        import_weights(tmp_path / "good.pth.tar", NetworkSpec(name="unet-2-44", width=8), "plain", "x")
    with pytest.raises(UserError, match="timm has no network"):
        import_weights(tmp_path / "good.pth.tar", spec, "timm", "x")
    made = import_weights(tmp_path / "good.pth.tar", spec, "plain", "x")
    assert (made.missing, made.unused) == ((), ())
