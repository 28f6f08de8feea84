"""A model file that was changed anywhere is noticed."""

from pathlib import Path

import numpy as np
import pytest

from napari_emssl.errors import UserError
from napari_emssl.models.model_file import Card, Model, NetworkSpec, read_card, read_model, save_model


def _saved(folder: Path) -> Path:
    weights = {"a.weight": np.arange(12, dtype=np.float32).reshape(3, 4), "a.bias": np.ones(3, np.float32)}
    card = Card(name="m", task="segment", network=NetworkSpec(name="unet-2-44"), description="Grüße")
    return save_model(Model(card, weights), folder / "m.safetensors")


def test_any_flipped_byte_is_a_sentence_or_changes_nothing(tmp_path: Path) -> None:
    path = _saved(tmp_path)
    content, whole = path.read_bytes(), read_model(path)
    for place in range(0, len(content)):
        changed = bytearray(content)
        changed[place] ^= 1 << place % 8
        path.write_bytes(changed)
        for read in (read_model, read_card):
            try:
                found = read(path)
            except UserError:
                continue
            assert (found.card if isinstance(found, Model) else found) == whole.card, place
            if isinstance(found, Model):
                for name, array in whole.weights.items():
                    np.testing.assert_array_equal(found.weights[name], array)


def test_same_model_same_bytes(tmp_path: Path) -> None:
    assert _saved(tmp_path / "a").read_bytes() == _saved(tmp_path / "b").read_bytes()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_neither_written_nor_read(tmp_path: Path, value: float) -> None:
    path = _saved(tmp_path)
    model = read_model(path)
    before = path.read_bytes()
    bad = Model(model.card, {**model.weights, "a.bias": np.array([1, value, 1], np.float32)})
    with pytest.raises(UserError, match="not finite"):
        save_model(bad, path)
    assert path.read_bytes() == before
    from safetensors.numpy import save_file

    save_file(dict(bad.weights), path, {"napari_emssl": model.card.model_dump_json()})
    with pytest.raises(UserError, match="not finite"):
        read_model(path)
