"""Geometry of tiles, and the plan of memory."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from random_models import random_model, whole

from napari_emssl.errors import UserError
from napari_emssl.inference import memory, tiles
from napari_emssl.inference.apply import apply
from napari_emssl.inference.tiles import TilePlan, TileRegion, choose_tile, default_halo, fitted, padded, reach, split
from napari_emssl.jobs.devices import choose_device
from napari_emssl.jobs.settings import ApplySettings
from napari_emssl.models.build import build_network
from napari_emssl.networks.generators import UNET_DILATIONS, build_generator

CPU = choose_device(ApplySettings(device="cpu", precision="fp32"))


def plan(height=2048, width=2048, tile=512, halo=32, batch=1, bytes_per_pixel=100.0):
    return TilePlan(height, width, 16, halo, tile, batch, bytes_per_pixel)


@given(st.integers(1, 300), st.integers(1, 300), st.sampled_from((32, 64, 96)))
def test_tiles_cover_every_pixel_once(height, width, edge):
    count = np.zeros((height, width), int)
    for region in split(TileRegion(0, height, 0, width), edge):
        count[region.slices] += 1
        assert region.top % 32 == region.left % 32 == 0
    assert (count == 1).all()


def test_halo_is_clipped_at_the_border_and_the_tile_found_inside_of_it():
    region = TileRegion(64, 128, 0, 64)
    grown = region.grown(32, 140, 200)
    assert grown == TileRegion(32, 140, 0, 96)
    array = np.arange(140 * 200).reshape(140, 200)
    np.testing.assert_array_equal(array[grown.slices][region.within(grown).slices], array[region.slices])


@given(st.integers(1, 70), st.integers(1, 70), st.sampled_from((4, 8, 16)))
def test_padding_reflects_to_a_multiple_of_the_stride(height, width, stride):
    plane = np.random.default_rng(0).random((height, width))
    result = padded(plane, stride)
    assert result.shape[0] % stride == result.shape[1] % stride == 0
    assert 0 <= result.shape[0] - height < stride
    np.testing.assert_array_equal(result[:height, :width], plane)
    if result.shape[0] > height > 1:
        np.testing.assert_array_equal(result[height, :width], plane[height - 2])


@pytest.mark.parametrize("name", tuple(UNET_DILATIONS))
def test_reach_holds_for_every_pixel_of_a_pooling_cell(name):
    """Perturb one pixel: nothing beyond the reach may change, and the bound is not idle."""
    network = build_network(random_model(name, width=1)).double()
    for tensor in network.state_dict().values():
        # Nothing negative: no ReLU is shut and nothing cancels.
        tensor.abs_()
    distance = reach(network.receptive_field, network.stride)
    assert distance <= default_halo(network.receptive_field, network.stride) < distance + network.stride
    length = 2 * default_halo(network.receptive_field, network.stride) + 2 * network.stride
    base = torch.ones(1, 1, length, network.stride).double()
    farthest = 0
    with torch.inference_mode():
        before = network(base)
        for at in range(length // 2, length // 2 + network.stride):
            changed = base.clone()
            changed[:, :, at] += 1e6
            rows = (network(changed) != before).any(-1).squeeze().nonzero().squeeze()
            farthest = max(farthest, int((rows - at).abs().max()))
    assert distance - network.stride <= farthest <= distance


@pytest.mark.parametrize("refine", [False, True])
def test_reach_of_hrnets_is_a_bound_and_a_halo_of_it_makes_tiled_equal_to_whole(refine):
    """HRNets reach farther than the largest halo taken by default; one that is asked for is honoured."""
    model = random_model("hrnet-w18-small", width=1, refine=refine)
    network = build_network(model)
    halo = -(-reach(network.receptive_field, network.stride) // 32) * 32
    assert halo > default_halo(network.receptive_field, network.stride)
    plane = np.random.default_rng(0).random((32, 2 * halo + 200), dtype=np.float32)
    expected = model.card.scaling.fit(plane).from_unit(whole(model, plane)[0])
    error = {
        cut: np.abs(apply(model, plane, ApplySettings(device="cpu", precision="fp32", tile=64, halo=cut)) - expected)
        for cut in (32, halo)
    }
    assert error[halo].max() < 5e-5 * np.abs(expected).max() < error[32].max()
    base = torch.zeros(1, 1, 32, 2 * halo + 64)
    changed = base.clone()
    changed[..., halo + 32] = 1e3
    with torch.inference_mode():
        columns = (network(changed) != network(base)).any(-2).squeeze().nonzero().squeeze()
    assert int((columns - halo - 32).abs().max()) <= reach(network.receptive_field, network.stride)


def test_smaller_plans_first_give_up_the_batch_then_halve_the_tile():
    steps = [plan(tile=128, batch=4)]
    while steps[-1].tile > 32:
        steps.append(steps[-1].smaller())
    assert [(step.batch, step.tile) for step in steps] == [(4, 128), (2, 128), (1, 128), (1, 64), (1, 32)]
    with pytest.raises(UserError, match="too little memory"):
        steps[-1].smaller()


def test_a_tile_larger_than_the_plane_is_halved_from_the_size_of_the_plane():
    assert plan(height=304, width=100, tile=4096).smaller().tile == 160


def test_every_tile_stays_a_multiple_of_32():
    step = plan(tile=1120)
    while step.tile > 32:
        step = step.smaller()
        assert step.tile % 32 == 0


@given(st.integers(1, 9000), st.integers(1, 9000), st.integers(0, 7), st.floats(1e5, 1e10), st.booleans())
def test_the_chosen_tile_fits_into_memory_or_is_the_smallest(height, width, halos, usable, on_cpu):
    start = plan(height * 16, width * 16, halo=32 * halos)
    try:
        chosen = choose_tile(start, int(usable), on_cpu)
    except UserError:
        assert plan(height * 16, width * 16, halo=0, tile=32).planned_bytes > usable
        return
    assert chosen.planned_bytes <= usable or chosen.tile == 32
    assert chosen.tile % 32 == 0


def test_small_planes_are_run_in_one_piece():
    chosen = choose_tile(plan(304, 704, halo=24), 10**10, on_cpu=True)
    assert len(chosen.regions) == 1


@pytest.mark.skipif(not tiles.keeps_memory(), reason="needs the GNU C library")
@given(st.integers(32, 128), st.integers(32, 128), st.integers(0, 7))
def test_halos_of_large_planes_cost_next_to_nothing_where_memory_is_kept(height, width, halos):
    start = plan(height * 32, width * 32, halo=32 * halos)
    chosen = choose_tile(start, 10**12, on_cpu=True)
    assert chosen.cost(None) <= 1.06 * start.height * start.width
    assert choose_tile(start, 10**12, on_cpu=False).tile >= min(chosen.tile, 4096)


def test_a_cpu_takes_small_tiles_where_memory_is_not_kept(monkeypatch):
    monkeypatch.setattr(tiles, "keeps_memory", lambda: False)
    assert choose_tile(plan(4096, 4096, halo=24), 10**12, on_cpu=True).tile <= 1024
    assert choose_tile(plan(4096, 4096, halo=24), 10**12, on_cpu=False).tile == 4096
    assert choose_tile(plan(4096, 4096, halo=24), 10**12, on_cpu=True, largest=True).tile == 4096


def test_a_tile_that_was_asked_for_is_made_smaller_when_memory_is_short():
    assert fitted(plan(tile=2048), 10**9).tile == 2048
    assert fitted(plan(tile=2048, bytes_per_pixel=1000.0), 10**9).tile == 512


def test_memory_per_pixel_follows_the_width_of_the_network():
    narrow, wide = (memory.bytes_per_pixel(build_generator("unet-2-44", width), CPU, 4) for width in (4, 16))
    # An undilated block holds at least its input, two activations and its shortcut, float32.
    assert narrow > 4 * 4 * 4
    assert 3 < wide / narrow < 5


def test_the_probe_leaves_no_hook_behind():
    network = build_generator("unet-2-44", 2)
    memory.bytes_per_pixel(network, CPU, 4)
    assert not any(module._forward_hooks for module in network.modules())


def test_free_memory_is_found_without_psutil(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "psutil", None)
    assert memory.free_bytes(torch.device("cpu")) > 2**20
