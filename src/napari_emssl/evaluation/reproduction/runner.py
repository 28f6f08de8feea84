"""Does the runs of a plan in this process: fine-tunings that are scored, and pretrainings of missing starts."""

from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from itertools import islice
from math import isfinite
from typing import Any

from ...errors import UserError
from ...jobs.devices import choose_device
from ...jobs.events import Control, Finished, Progress
from ...jobs.settings import DeviceSettings
from ...models.model_file import Model, NetworkSpec, read_model, save_model
from ...training.history import CurveTable, read_table
from ...training.pretraining.pretrain import pretrain
from ...training.provenance import versions
from ..comparison.candidates import Candidate, random_of
from ..comparison.data import ComparisonData
from ..comparison.experiment import CandidateRun, Experiment
from ..comparison.gather import gather_comparison_data
from ..comparison.run import Evaluation, ScoredLearner, train_and_score
from .plan import Plan, PlannedData, PlannedRun
from .runs_folder import Panel, RunRecord, RunsFolder, ScoredStep
from .sources import PlannedMaking, Sources

CURVES = "-curves.csv"
"""How the table of a pretraining's curves is called, beside its model."""

Share = float
"""How much of a run is done, in [0, 1]."""


class PlanRunner:
    """Does one run after the other; data sets that are used again are gathered once.

    Parameters
    ----------
    plan
        Says what the runs are.
    sources
        Where data and starts are.
    results
        Gets the runs that are complete.
    device
        Where networks run.

    """

    def __init__(self, plan: Plan, sources: Sources, results: RunsFolder, device: DeviceSettings) -> None:
        self._plan, self._sources, self._results, self._device = plan, sources, results, device
        self._gathered: tuple[str, ComparisonData[Any]] | None = None

    def experiment(self, data: PlannedData) -> Experiment:
        """Return what all runs on a data set have in common, its images opened and divided."""
        settings = self._plan.settings_of(data, device=self._device.device)
        if self._gathered is None or self._gathered[0] != data.key:
            images, targets = self._sources.images(data), self._sources.targets(data)
            found = gather_comparison_data(images, targets, settings, split=self._sources.split(data))
            self._gathered = data.key, found
        return Experiment(settings, self._gathered[1])

    def fine_tune(self, run: PlannedRun, control: Control) -> Iterator[Share]:
        """Do a run and keep it; one that is stopped leaves an autosave, from which the next call resumes.

        Parameters
        ----------
        run
            Not complete yet.
        control
            Stops and pauses it.

        Yields
        ------
        float
            Now and then, how much is done.

        Raises
        ------
        UserError
            When data or start cannot be used.

        """
        experiment = self.experiment(run.data)
        device = choose_device(experiment.settings)
        candidate = self._candidate(run)
        learner, patches = experiment.learner(CandidateRun(candidate, run.seed), device, self._plan.panels)
        steps, rows = experiment.schedule, []
        digests = experiment.data.digest(), experiment.data.images_digest(), candidate.digest
        self._results.check_same(run, *digests)
        autosave = self._results.autosave(run)
        for found in train_and_score(learner, patches, steps, control, autosave, ("".join(digests[:2]), digests[2])):
            if found.scores:
                rows.append(_row(found, experiment.epoch_of(found.step)))
            yield found.step / steps[-1]
        if not rows or rows[-1].step < steps[-1]:
            return
        data = learner.data
        record = RunRecord(
            run=run.name,
            planes=(len(data.training), len(data.validation), len(data.test)),
            data_digest=digests[0],
            images_digest=digests[1],
            start_digest=digests[2],
            device=device.label,
            settings=experiment.recipe(run.seed).model_dump(mode="json"),
            versions=versions(),
            date=datetime.now(UTC).isoformat(timespec="seconds"),
            rows=tuple(rows),
        )
        self._results.add(run, record, _panels(learner))

    def pretrain(self, making: PlannedMaking, control: Control) -> Iterator[Share]:
        """Make a start by pretraining; one that is stopped leaves an autosave, from which the next call resumes.

        Parameters
        ----------
        making
            The start, its network and its file.
        control
            Stops and pauses it.

        Yields
        ------
        float
            Now and then, how much is done.

        """
        assert self._plan.pretraining is not None, "only starts that the plan can make are missing"
        settings = self._plan.pretrain_settings(making.network, making.start, device=self._device.device)
        autosave = making.output.with_name(f"{making.output.name}.autosave")
        making.output.parent.mkdir(parents=True, exist_ok=True)
        job = pretrain(
            [self._sources.data / self._plan.pretraining.images], settings, name=making.output.stem, autosave=autosave,
            resume=autosave if autosave.exists() else None,
            keep_split=making.output.with_name(f"{making.output.stem}-split.json"),
        )  # fmt: skip
        job.control = control
        table = making.output.with_name(f"{making.output.stem}{CURVES}")
        curves = CurveTable(table, read_table(table) if autosave.exists() else ())
        finished = yield from _with_curves(iter(job), curves)
        if not finished.stopped:
            save_model(finished.result, making.output)
            autosave.unlink(missing_ok=True)

    def _candidate(self, run: PlannedRun) -> Candidate:
        """Return where the weights of a run come from."""
        network = run.network
        spec = NetworkSpec(name=network.generator, width=network.width, refine=network.refine, norm=network.norm)
        path = self._sources.start(run.start, network)
        if path is None:
            return random_of(spec)
        model = read_model(path)
        own = model.card.network
        if (own.name, own.width or network.width, own.refine) != (spec.name, network.width or own.width, spec.refine):
            raise UserError(
                f"'{path}' is a {own.name}, but the plan wants a {spec.name} for {network.model}. Give another file."
            )
        return Candidate(run.start.init, own.for_output(1).model_copy(update={"norm": spec.norm}), model)


def _with_curves(events: Iterator[Any], curves: CurveTable) -> Generator[Share, None, Finished[Model]]:
    """Follow a pretraining, and write its curves whenever it was validated."""
    for event in events:
        if isinstance(event, Finished):
            return event
        if isinstance(event, Progress):
            if event.metrics:
                curves.add(event)
            yield event.fraction
    raise AssertionError("a job ends with Finished")


def _row(found: Evaluation, epoch: float | None) -> ScoredStep:
    loss = found.loss if isfinite(found.loss) else None
    return ScoredStep(step=found.step, epoch=epoch, seconds=found.seconds, loss=loss, scores=found.scores)


def _panels(learner: ScoredLearner) -> list[Panel]:
    """Return the first test planes with what the scored weights make of them."""
    planes = islice(learner.data.test, len(learner.predictions))
    return [Panel(one.image, one.target, found) for one, found in zip(planes, learner.predictions, strict=True)]
