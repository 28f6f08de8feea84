"""Jobs that need no network, for the worker process: stand-ins for those of `napari_emssl.worker_jobs`."""

import json
import os
import time
from contextlib import nullcontext

import numpy as np

from napari_emssl.errors import UserError
from napari_emssl.export.order import Exported
from napari_emssl.inference.apply_task import ApplyResult
from napari_emssl.inference.resumable_zarr import ResumableZarr
from napari_emssl.inference.tiles import MemoryNeeds, NetworkProfile
from napari_emssl.inference.zarr_progress import progress_of
from napari_emssl.jobs.events import Finished, Job, Notice, Preview, Progress, Started
from napari_emssl.models.model_file import Card, ClassInfo, Model, NetworkSpec, Stage
from napari_emssl.models.results import ResultLayout
from napari_emssl.models.zoo import load_card

PAUSE = 0.02


def model(name="small", task="segment", **metrics):
    card = Card(
        name=name, task=task, network=NetworkSpec(name="unet-2-44"),
        classes=(ClassInfo(name="background"), ClassInfo(name="label 1")),
        history=(Stage(job="finetune", settings={}, steps=3, metrics=metrics, date="2026-01-01"),),
    )  # fmt: skip
    return Model(card, {"w": np.zeros(3, np.float32)})


def steps(total):
    """A training of `total` steps that can be stopped, paused and shown another plane."""

    def events(control):
        yield Started("CPU (1 thread), fp32", "There is no GPU.", "Learning 1 class.")
        yield Notice("No validation: fewer than 5 objects are painted.")
        for step in range(1, total + 1):
            control.wait_while_paused()
            if control.stopped:
                break
            time.sleep(PAUSE)
            yield Progress(step, total, {"loss": 1 / step}, {}, (total - step) * PAUSE, step * PAUSE)
            if control.view is not None:
                mean = round(float(control.view.mean()))
                yield Preview({"prediction": np.full(control.view.shape, mean, np.uint8)}, step)
        yield Finished(model(), stopped=control.stopped)

    return Job(events)


def long_training(images, targets, settings, start, **more):
    return steps(3000)


def restoring(images, targets, settings, start, **more):
    """A training that shows each plane of its targets' grid, 1000 brighter, and counts what it was given."""
    factor = targets[0].plane_shape[0] // images[0].plane_shape[0] if targets else 1
    given = f"{settings.task}, {sum(map(len, images))} planes, {'no' if targets is None else 'clean'} targets."

    def events(control):
        yield Started("CPU (1 thread), fp32", "There is no GPU.", given)
        for step in range(1, 6001):
            if control.stopped:
                break
            time.sleep(5 * PAUSE)
            yield Progress(step, 6000, {"loss": 1 / step}, {"l1": 1 / step} if step % 3 == 0 else {})
            if control.view is not None and step % 3 == 0:
                plane = np.kron(control.view, np.ones((factor, factor))).astype(np.float32) + 1000
                yield Preview({"prediction": plane}, step)
        yield Finished(model(task=settings.task, l1=0.1), stopped=control.stopped)

    return Job(events)


def brighter(model, orders, settings):
    """Apply: everything brighter by 1000."""

    def events(control):
        yield Started("CPU", "", "Applying.")
        outcomes = []
        for order in orders:
            planes = [order.image.plane(i).astype(np.float32) + 1000 for i in range(len(order.image))]
            result = np.stack(planes).reshape(*order.image.leading, *order.image.plane_shape)
            outcomes.append(ApplyResult(result, len(planes), len(planes)))
        yield Finished(tuple(outcomes))

    return Job(events)


def exporting(order):
    """An export that writes nothing, and says what was not given."""
    given = {"authors": order.parties.authors, "licence": order.parties.licence}
    missing = tuple(name for name, value in given.items() if not value)
    return Job(lambda control: iter([Finished(Exported(order.folder, 2.4e-6, missing))]))


def resumable(images, targets, settings, start, *, autosave, resume, **more):
    """A training that writes an autosave, and ends at once where it resumes from it."""

    def events(control):
        if resume is None:
            autosave.parent.mkdir(parents=True, exist_ok=True)
            autosave.write_text(str(np.sum(targets)))
            yield from steps(3000)
        assert resume.read_text() == str(np.sum(targets)), "the painting is that of the first run"
        made = model()
        yield Finished(Model(made.card.model_copy(update={"description": "resumed"}), made.weights))

    return Job(events)


def tells_its_input(images, targets, settings, start, *, class_names, **more):
    """A training that is over at once; its model tells what it was given."""

    def events(control):
        made = model()
        told = {
            "start": start,
            "images": [[image.name, *image.plane_shape, float(np.mean(image.plane(0)))] for image in images],
            "targets": [np.bincount(target.ravel(), minlength=4).tolist() for target in targets],
            "names": list(class_names),
        }
        card = made.card.model_copy(update={"description": json.dumps(told)})
        yield Finished(Model(card, made.weights))

    return Job(events)


def crash(*_, **__):
    def events(control):
        yield Started("CPU", "", "Learning.")
        yield Progress(1, 10, {"loss": 1.0})
        os._exit(7)

    return Job(events)


def threshold(model, orders, settings):
    """Apply: what is brighter than the mean of its plane; images called 'slow...' take their time."""
    return Job(lambda control: _bright(control, load_card(model), orders))


def _bright(control, card, orders):
    yield Started("CPU", "", "Applying.")
    outcomes = []
    for order in orders:
        image, done = order.image, 0
        shape = (*image.leading, *image.plane_shape)
        result = np.zeros((len(image), *image.plane_shape), np.uint8)
        record = progress_of(card, image.name, shape, False)
        with (
            ResumableZarr(order.out, record, order.grid, order.overwrite).open(ResultLayout(shape, result.dtype))
            if order.out
            else nullcontext() as writer
        ):
            for done in range(writer.done if writer else 0, len(image)):
                if control.stopped:
                    break
                plane = image.plane(done)
                (writer.put if writer else result.__setitem__)(done, plane > plane.mean())
                if writer:
                    writer.flush()
                yield Progress(done + 1, len(image), seconds_left=1.0)
                time.sleep(0.2 if image.name.startswith("slow") else 0)
            else:
                done = len(image)
        outcomes.append(ApplyResult(order.out or result.reshape(shape), done, len(image)))
    yield Finished(tuple(outcomes), stopped=control.stopped)


def looking(model, size, settings, levels=None):
    """Look: what is brighter than the mean of the plane that is shown; a black plane cannot be done."""

    def events(control):
        yield Started("CPU", "", "Looking.")
        seen = None
        while not control.stopped:
            if control.view is None or control.view is seen:
                time.sleep(PAUSE)
                continue
            seen = control.view
            if not seen.any():
                raise UserError("The plane is black.")
            yield Preview({"prediction": (seen > seen.mean()).astype(np.uint8)})
        yield Finished(None, stopped=True)

    return Job(events)


def measured(specs, settings):
    """Survey: every network reaches 44 px and takes 100 bytes a pixel."""
    survey = NetworkProfile(MemoryNeeds(4, 44, 100.0, True), 2**30, 1e-6, "CPU (1 thread), fp32")
    return Job(lambda control: iter([Finished(dict.fromkeys(specs, survey))]))


def long_pretraining(sources, settings, start=None, name="", licence="unknown", autosave=None, resume=None):
    """A pretraining that tells what it was asked for, reads one plane of each source, and writes an autosave."""

    def events(control):
        planes = [np.asarray(source.plane(len(source) - 1)) for source in sources if hasattr(source, "plane")]
        means = [round(float(plane.mean())) for plane in planes]
        told = f"from {start}, {len(sources)} sources, last planes {means}, {settings.hold_out}"
        yield Started("CPU (1 thread), fp32", "", f"{told}{', resumed' if resume else ''}.")
        if autosave is not None:
            autosave.parent.mkdir(parents=True, exist_ok=True)
            autosave.write_bytes(b"saved")
        for step in range(1, 3001):
            control.wait_while_paused()
            if control.stopped:
                break
            time.sleep(PAUSE)
            metrics = {"l1": 1 / step} if step % 5 == 1 else {}
            yield Progress(step, 3000, {"discriminator": 0.2, "adversarial": 0.5, "l1": 1 / step}, metrics, 9.0)
            if step % 10 == 1:
                grey = np.linspace(0, 1, 64 * 64, dtype=np.float32).reshape(64, 64)
                yield Preview({"corrupted": grey, "restored": grey.T.copy(), "clean": 1 - grey}, step)
        yield Finished(_generator(licence, l1=0.05), stopped=control.stopped)

    return Job(events)


def _generator(licence, **metrics):
    made = model(**metrics)
    card = made.card.model_copy(update={"task": "reconstruct", "classes": (), "licence": licence})
    return Model(card, made.weights)
