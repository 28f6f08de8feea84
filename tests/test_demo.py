"""The demo without a window, with hardly any training."""

from pathlib import Path

from napari_emssl.demo import run_demo
from napari_emssl.jobs.events import Finished, Started
from napari_emssl.jobs.settings import FinetuneSettings


def test_the_demo_answers_in_context_and_says_what_training_adds(tmp_path: Path) -> None:
    events = list(run_demo(tmp_path / "demo", FinetuneSettings(steps=1)))
    first = next(event.summary for event in events if isinstance(event, Started))
    ending = events[-1]
    assert isinstance(ending, Finished)
    alone, others = (float(part.split()[0]) for part in first.split("Dice ")[1].split(", "))
    assert alone > 0.85
    assert others > 0.8
    assert f"in context, after {first.split('after ')[1].split(' s')[0]} s, {alone:.3f}" in ending.result
    written = {path.name for path in (tmp_path / "demo").iterdir()}
    assert {"in-context.safetensors", "model.safetensors", "labels-in-context.tif", "labels-fine-tuned.tif"} <= written
