"""Small sound files of every other kind that is read: models, autosaves, packs, registries, plans, splits, settings."""

import json
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import torch
from fuzz_damage import FALSE, damage, falsify
from pydantic import BaseModel, ValidationError
from random_models import random_model
from safetensors.numpy import load_file, save
from small_finetuning import discs, paint, small

from napari_emssl.cli.error_messages import describe_settings_error
from napari_emssl.cli.model_text import card_lines
from napari_emssl.data.datasets import folder_index
from napari_emssl.data.datasets.folder_index import index_file, scan
from napari_emssl.data.datasets.pack_file import PackedPlanes, write_pack
from napari_emssl.data.datasets.pack_header import HEADER_BYTES, MARK, write_header
from napari_emssl.data.datasets.plane_stores import ImagePlanes
from napari_emssl.data.images.opening import as_image
from napari_emssl.data.splits.held_out import Split, read_split, write_split
from napari_emssl.errors import UserError
from napari_emssl.evaluation.reproduction.plan import Plan, read_plan
from napari_emssl.inference.zarr_progress import read_progress
from napari_emssl.jobs.compare_settings import CompareSettings
from napari_emssl.jobs.context_settings import SegmentInContextSettings
from napari_emssl.jobs.prepare_settings import PrepareAuSettings
from napari_emssl.jobs.pretrain_settings import PretrainSettings
from napari_emssl.jobs.settings import (
    DownloadSettings,
    EvaluateSettings,
    FinetuneSettings,
    MeasureSettings,
    PackSettings,
)
from napari_emssl.models.build import build_network
from napari_emssl.models.imports.import_weights import import_weights
from napari_emssl.models.model_file import NetworkSpec, read_card, read_model, save_model
from napari_emssl.models.package import model_file_in
from napari_emssl.simulation.collage.settings import CollageSettings
from napari_emssl.simulation.hrtem.settings import HRTEMSettings
from napari_emssl.simulation.stem.settings import STEMSettings
from napari_emssl.training.checkpoint import write_autosave
from napari_emssl.training.finetuning.finetune import finetune

Falsify = Callable[[Path, np.random.Generator], None]
_NAMES = ["a.tif", "b.tif", "c.tif"]
_SETTINGS: tuple[type[BaseModel], ...] = (
    FinetuneSettings, PretrainSettings, EvaluateSettings, SegmentInContextSettings, CompareSettings, MeasureSettings,
    PackSettings, PrepareAuSettings, DownloadSettings, HRTEMSettings, STEMSettings, CollageSettings,
)  # fmt: skip


# Models -----------------------------------------------------------------------------------------------------------


def write_model(path: Path) -> None:
    save_model(random_model(description="two discs"), path)


def read_whole_model(path: Path) -> object:
    card = read_card(path)
    card_lines(card, path)
    model = read_model(path)
    build_network(model.renamed(path.name))  # messages of networks name the model, not its file
    return card.model_dump_json(), {name: array.tolist() for name, array in model.weights.items()}


def falsify_model(path: Path, rng: np.random.Generator) -> None:
    """Change the card and leave out the checksums, as whoever means harm would."""
    content = path.read_bytes()
    begin = 8 + int.from_bytes(content[:8], "little")
    card = json.loads(json.loads(content[8:begin])["__metadata__"]["napari_emssl"])
    path.write_bytes(save(load_file(path), {"napari_emssl": json.dumps(falsify(card, rng))}))


def write_package(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        write_model(path.with_name("model.safetensors"))
        archive.write(path.with_name("model.safetensors"), "model.safetensors")
        archive.writestr("rdf.yaml", "type: model\n")


def read_package(path: Path) -> object:
    with model_file_in(path) as found:
        return read_whole_model(found)


def write_weights(path: Path) -> None:
    weights = {name: torch.from_numpy(array) for name, array in random_model().weights.items()}
    torch.save({"state_dict": weights, "epoch": 3}, path)


def write_safetensors(path: Path) -> None:
    path.write_bytes(save(dict(random_model().weights)))


def read_weights(path: Path) -> object:
    spec = NetworkSpec(name="unet-2-44", width=2)
    return sorted(import_weights(path, spec, "plain", "elsewhere").model.weights)


def write_registry(path: Path) -> None:
    model = {
        "name": "au", "task": "segment", "network": "unet-2-44", "parameters": 9, "bytes": 99, "sha256": "0" * 64,
        "urls": ["https://example.org/au.safetensors"],
    }  # fmt: skip
    path.write_text(json.dumps({"format_version": 1, "models": [model, {**model, "name": "b"}]}), encoding="utf-8")


# Training ---------------------------------------------------------------------------------------------------------

_IMAGE, _NUMBERS = discs(size=64, count=4)
_STEPS = 2


@cache
def _autosave() -> bytes:
    """The autosave of a run of two steps."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.autosave"
        settings = small(steps=_STEPS, batch_size=1, validation_interval=1)
        finetune([_IMAGE], [paint(_NUMBERS)], settings, start="scratch", autosave=path).result()
        return path.read_bytes()


def write_saved_run(path: Path) -> None:
    path.write_bytes(_autosave())


def resume(path: Path) -> object:
    settings = small(steps=_STEPS + 1, batch_size=1, validation_interval=1)
    model = finetune([_IMAGE], [paint(_NUMBERS)], settings, start="scratch", resume=path).result()
    return {name: array.tolist() for name, array in model.weights.items()}


def falsify_saved_run(path: Path, rng: np.random.Generator) -> None:
    saved = torch.load(path, weights_only=True)
    values = (*FALSE, torch.zeros(2), torch.full((3, 3), torch.nan), torch.zeros(0, dtype=torch.int64))
    false = falsify(saved, rng, values)
    write_autosave(path, false if isinstance(false, dict) else {**saved, "kind": false})


def write_curves(path: Path) -> None:
    path.write_text("step,seconds,loss\n1,0.5,0.25\n2,0.75,0.125\n", encoding="utf-8")


def write_results(path: Path) -> None:
    path.write_text("start,kind,network,seed,step,seconds,loss,dice\nu,random,unet-2-44,0,4,1.5,0.5,0.75\n")


def write_plan(path: Path) -> None:
    path.write_bytes(Path(read_plan.__code__.co_filename).with_name("plans").joinpath("smoke.toml").read_bytes())


# Images -----------------------------------------------------------------------------------------------------------


def write_small_pack(path: Path) -> None:
    planes = [np.arange(60, dtype=np.uint16).reshape(6, 10), np.full((4, 5), 0.5, np.float32)]
    planes[1][0, 0] = 1
    store = ImagePlanes([as_image(plane) for plane in planes])
    list(write_pack(path, store, (["a", "b"], ["a", "b"], [1, 1]), {"layouts": ["array"], "hot_pixels": None}))


def read_pack(path: Path) -> object:
    pack = PackedPlanes(path)
    planes = [pack.read(number) for number in range(len(pack.shapes))]
    return pack.names, pack.origins, pack.counts.tolist(), [plane.tolist() for plane in planes]


def falsify_pack(path: Path, rng: np.random.Generator) -> None:
    content = path.read_bytes()
    header = json.loads(content[len(MARK) : HEADER_BYTES])
    header.pop("crc32")
    changed = falsify(header, rng)
    path.write_bytes((write_header(changed) if isinstance(changed, dict) else MARK) + content[HEADER_BYTES:])


def write_parts(path: Path) -> None:
    write_split(path, Split([0], [1], [2]), _NAMES, _NAMES, {"seed": 0})


def read_parts(path: Path) -> object:
    return read_split(path, _NAMES)


def falsify_json(path: Path, rng: np.random.Generator) -> None:
    path.write_text(json.dumps(falsify(json.loads(path.read_text(encoding="utf-8")), rng)), encoding="utf-8")


def write_index(path: Path) -> None:
    """A folder with three images, and the index of it that the user's folder holds."""
    folder_index.WORTH_AN_INDEX = 1  # for three files no index would be written
    path.mkdir()
    for name in _NAMES:
        (path / name.replace("tif", "npy")).unlink(missing_ok=True)
        np.save(path / name.replace("tif", "npy"), _IMAGE)
    index = scan(path)
    assert len(index) == len(_NAMES)


def damage_index(path: Path, rng: np.random.Generator) -> None:
    file = index_file(path)
    file.write_bytes(damage(file.read_bytes(), rng))


def read_index(path: Path) -> object:
    index = scan(path)
    return index.texts(), index.rows["planes"].tolist(), index.rows["height"].tolist()


def write_progress(path: Path) -> None:
    path.mkdir()
    own = {"model": "a", "card": "0", "image": "b", "shape": [3, 8, 8], "augmented": False, "done": 1}
    (path / "zarr.json").write_text(json.dumps({"attributes": {"napari_emssl": own}}), encoding="utf-8")


def falsify_progress(path: Path, rng: np.random.Generator) -> None:
    falsify_json(path / "zarr.json", rng)


def read_progress_of(path: Path) -> object:
    found = read_progress(path)
    return found and (found.planes, found.complete)


def write_cif(path: Path) -> None:
    lines = ["data_Au", *(f"_cell_length_{name} 4.08" for name in "abc")]
    lines += [f"_cell_angle_{name} 90" for name in ("alpha", "beta", "gamma")]
    lines += ["_symmetry_space_group_name_H-M 'F m -3 m'", "loop_", "_atom_site_label", "_atom_site_type_symbol"]
    lines += ["_atom_site_fract_x", "_atom_site_fract_y", "_atom_site_fract_z", "Au1 Au 0 0 0", ""]
    path.write_text("\n".join(lines), encoding="utf-8")


def read_crystal(path: Path) -> object:
    from napari_emssl.simulation.stem.cif import read_cif

    read_cif.cache_clear()
    cell = read_cif(path)
    assert np.isfinite(cell.vectors).all()
    return len(cell.numbers)


# Settings ---------------------------------------------------------------------------------------------------------


def settings_kinds() -> Iterator[tuple[str, Callable[[Path], None], Callable[[Path], object]]]:
    """Yield name, writer and reader of the settings of each job; the file stands for what a form or script gives."""
    for kind in _SETTINGS:
        yield f"settings, {kind.__name__}", _default_of(kind), _validated(kind)


def _default_of(kind: type[BaseModel]) -> Callable[[Path], None]:
    return lambda path: path.write_text(json.dumps(kind().model_dump(mode="json")), encoding="utf-8") and None


def _validated(kind: type[BaseModel]) -> Callable[[Path], object]:
    def read(path: Path) -> object:
        given = json.loads(path.read_text(encoding="utf-8"))
        try:
            settings = kind.model_validate(given)
        except ValidationError as error:
            raise UserError(describe_settings_error(error)) from error
        again = kind.model_validate_json(settings.model_dump_json())
        assert again == settings, "settings change on their way through JSON"
        return settings.model_dump_json()

    return read


def read_plan_file(path: Path) -> object:
    plan = read_plan(path).plan
    assert isinstance(plan, Plan)
    return sum(1 for _ in zip(plan.runs(), range(10_000), strict=False))
