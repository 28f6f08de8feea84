"""The paper's experiment: what does a pretrained start give against random weights? Starts x seeds -> table, curves."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

from ...data.images.intensity_scaling import IntensityScaling
from ...data.patches.patches import PaintedPatches
from ...jobs.devices import Device, choose_device
from ...jobs.events import Control, Finished, Job, Progress, Started, Update
from ...jobs.meter import Meter
from ...jobs.settings import CompareSettings, FinetuneSettings, RecipeSettings
from ...models.model_file import Card, NetworkSpec
from ...models.tasks import task_of
from ...models.weights import network_of
from ...training.finetuning.learners import Segmenter, learner_of
from ...training.learner import TrainingSummary
from ...training.provenance import versions
from .candidates import Candidate, Start, contenders_of, network_label
from .data import ComparisonData, Sample, Sources, gather_comparison_data
from .results import MAIN_SCORE, Comparison, ResultRow
from .results_folder import ResultsFolder
from .run import Evaluation, TestSet, score_steps, trial


def compare(
    images: Sources,
    targets: Sources,
    folder: Path | str,
    starts: Sequence[Start],
    settings: CompareSettings | None = None,
    *,
    test_images: Sources | None = None,
    test_targets: Sources | None = None,
    overwrite: bool = False,
    command: str = "",
) -> Job[Comparison]:
    """Fine-tune every start with every seed by one recipe, and score all at the same steps.

    Runs of one seed see the same training images, painting and patches whatever their start; the weights that are
    scored are the averaged ones that fine-tuning hands over, and no score decides anything. Complete runs are kept in
    `folder`: the same call goes on where it was stopped, and adds what further starts and seeds ask for.

    Parameters
    ----------
    images, targets
        As for `finetune`; what 0 means is ``settings.zero``, and every plane counts as an image.
    folder
        Gets ``results.csv``, ``summary.csv``, ``summary.json``, ``curves.png`` and ``compare.json``.
    starts
        Names from the zoo, model files, `Model`s, and ``scratch:NETWORK`` for random weights.
    settings
        Recipe, number of seeds and images.
    test_images, test_targets
        What is scored; None holds out a share of the images, by source.
    overwrite
        Forget what an earlier comparison left in `folder`.
    command
        The command line, for the record.

    Returns
    -------
    Job
        Its result is a `Comparison`; stopped early, of the runs that are complete, none perhaps.

    Raises
    ------
    UserError
        From the iteration: unknown start or network, images and targets that do not pair up, a folder that holds
        something else.

    """
    chosen = settings or CompareSettings()

    def prepare() -> tuple[list[Candidate], ComparisonData, ResultsFolder]:
        contenders = contenders_of(starts, chosen.random_twins)
        _build_all(contenders)
        material = gather_comparison_data(images, targets, chosen, test_images, test_targets)
        return (
            contenders,
            material,
            ResultsFolder(Path(folder), _record(chosen, contenders, material, command), overwrite),
        )

    return Job(lambda control: _events(control, chosen, *prepare()))


def _events(
    control: Control,
    settings: CompareSettings,
    contenders: Sequence[Candidate],
    material: ComparisonData,
    ledger: ResultsFolder,
) -> Iterator[Update | Finished[Comparison]]:
    device = choose_device(settings)
    everything = [(one, settings.seed + number) for number in range(settings.seeds) for one in contenders]
    done = ledger.comparison.runs()
    waiting = [_Run(one, seed) for one, seed in everything if (one.label, seed) not in done]
    yield Started(device.label, device.reason, _summary(len(everything), len(waiting), material))
    yield from _run_all(waiting, settings, device, material, ledger, control)
    yield Finished(ledger.comparison, control.stopped)


@dataclass(frozen=True)
class _Run:
    """A start with a seed."""

    contender: Candidate
    seed: int

    def row(self, moment: Evaluation) -> ResultRow:
        """Return what is kept of a moment that was scored."""
        one, network = self.contender, network_label(self.contender.network)
        return ResultRow(
            one.label, one.kind, network, self.seed, moment.step, moment.seconds, moment.loss, moment.scores
        )


def _run_all(
    runs: Sequence[_Run],
    settings: CompareSettings,
    device: Device,
    material: ComparisonData,
    ledger: ResultsFolder,
    control: Control,
) -> Iterator[Update]:
    """Do one run after the other; one that is stopped leaves nothing behind."""
    meter, total = Meter(), len(runs) * settings.steps
    for number, run in enumerate(runs):
        rows = []
        for moment in _moments(run, settings, device, material):
            if moment.scores:
                rows.append(run.row(moment))
            if moment.scores or meter.due:
                yield _progress(meter, number * settings.steps + moment.step, total, moment)
            control.wait_while_paused()
            if control.stopped and moment.step < settings.steps:
                return
        ledger.add(rows)
        if control.stopped:
            return


def _moments(run: _Run, settings: CompareSettings, device: Device, material: ComparisonData) -> Iterator[Evaluation]:
    """Fine-tune one start with one seed."""
    base = run.contender.base
    draw = material.draw(run.seed, base.card.scaling if base else IntensityScaling())
    recipe = _recipe(settings, run.seed)
    learner = _learner(run.contender, recipe, device, draw)
    patches = PaintedPatches(draw.annotations.training, recipe.patch, recipe.seed, recipe.augment)
    exam = TestSet(draw.test, [str(value) for value in material.class_values])
    looks = score_steps(settings.steps, settings.evaluations)
    return trial(learner, lambda step: patches.batch(step, recipe.batch_size), settings.steps, looks, exam)


def _recipe(settings: CompareSettings, seed: int) -> FinetuneSettings:
    """Return the settings of fine-tuning that all starts share."""
    shared = {name: getattr(settings, name) for name in RecipeSettings.model_fields}
    return FinetuneSettings(**shared | {"seed": seed, "steps": settings.steps, "validation": 0.0})


def _learner(contender: Candidate, recipe: FinetuneSettings, device: Device, draw: Sample) -> Segmenter:
    """Build what fine-tuning builds; its model is never handed over."""
    channels = task_of(recipe.task).out_channels(draw.annotations.classes)
    spec = contender.network.model_copy(update={"out_channels": channels})

    def card(_outcome: TrainingSummary) -> Card:
        return Card(name=contender.label, task=recipe.task, network=spec)

    learner = learner_of(contender.base, spec, recipe, device, draw.annotations, card)
    assert isinstance(learner, Segmenter)
    return learner


def _build_all(contenders: Sequence[Candidate]) -> None:
    """Build every network once, so that a wrong name is told at once and not after hours."""
    for network in {contender.network for contender in contenders}:
        network_of(NetworkSpec(name=network.name, width=network.width, refine=network.refine))


def _record(
    settings: CompareSettings, contenders: Sequence[Candidate], material: ComparisonData, command: str
) -> Mapping[str, Any]:
    return {
        "settings": settings.model_dump(mode="json"),
        "data": material.names | {"classes": list(material.class_values), "digest": _digest(material)},
        "starts": {contender.label: contender.digest for contender in contenders},
        "versions": versions(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
    }


def _digest(material: ComparisonData) -> str:
    """Tell apart targets of the same names."""
    found = blake2b(digest_size=16)
    for plane in (*material.pool, *material.test):
        found.update(plane.target.tobytes())
    return found.hexdigest()


def _summary(runs: int, waiting: int, material: ComparisonData) -> str:
    kept = f", {runs - waiting} of them complete already" if waiting < runs else ""
    return f"{runs} runs{kept}. {material.summary}"


def _progress(meter: Meter, step: int, total: int, moment: Evaluation) -> Progress:
    """Return how far all runs are; `step` counts over all of them."""
    losses = {"loss": moment.loss} if moment.loss == moment.loss else {}
    metrics = {name: value for name, value in moment.scores.items() if name == MAIN_SCORE}
    return meter.progress(step, total, losses=losses, metrics=metrics)
