"""What does a pretrained start give against random weights? Starts x seeds -> table, curves."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ...data.datasets.image_pairs import ImageSources
from ...formatting import counted
from ...jobs.compare_settings import CompareSettings
from ...jobs.devices import Device, choose_device
from ...jobs.events import Control, Finished, Job, Notice, Progress, Started, Update
from ...jobs.meter import Meter
from ...models.build import network_of
from ...training.provenance import versions
from .candidates import Candidate, Start, candidates_of
from .data import ComparisonData
from .experiment import CandidateRun, Experiment
from .gather import gather_comparison_data
from .results import MAIN_SCORES, Comparison
from .results_folder import ComparisonRecord, ResultsFolder
from .run import Evaluation


def compare(
    images: ImageSources,
    targets: ImageSources,
    folder: Path | str,
    starts: Sequence[Start],
    settings: CompareSettings | None = None,
    *,
    test_images: ImageSources | None = None,
    test_targets: ImageSources | None = None,
    split: Path | None = None,
    overwrite: bool = False,
    command: str = "",
) -> Job[Comparison]:
    """Fine-tune every start with every seed by one recipe, and score all at the same steps.

    Runs of one seed see the same training images, painting and patches whatever their start; what is scored are the
    weights that fine-tuning would return. Complete runs are kept in `folder`: the same call resumes where it was
    stopped, and adds the runs of further starts and seeds.

    Parameters
    ----------
    images, targets
        As for `finetune`; what 0 means is ``settings.zero``, and every plane counts as an image.
    folder
        Gets ``results.csv``, ``summary.csv``, ``summary.json``, ``curves.png`` and ``compare.json``.
    starts
        Names from the zoo, files, `Model`s, and ``scratch:NETWORK`` for random weights; ``LABEL=`` names their rows.
    settings
        Recipe, number of seeds and images.
    test_images, test_targets
        What is scored; None holds out a share of the images, by source.
    split
        A file that says which planes are learnt from, validated on and scored.
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

    def events(control: Control) -> Iterator[Update | Finished[Comparison]]:
        candidates = candidates_of(starts, chosen.random_twins)
        _build_all(candidates)
        data = gather_comparison_data(images, targets, chosen, test_images, test_targets, split)
        results = ResultsFolder(Path(folder), _record(chosen, candidates, data, command), overwrite)
        yield from PreparedComparison(Experiment(chosen, data), candidates, results).events(control)

    return Job(events)


@dataclass(frozen=True)
class PreparedComparison:
    """A comparison whose starts and images are there."""

    experiment: Experiment
    candidates: Sequence[Candidate]
    results: ResultsFolder

    def events(self, control: Control) -> Iterator[Update | Finished[Comparison]]:
        """Do the runs that are missing in the folder of results; yields the events of the job."""
        settings = self.experiment.settings
        seeds = range(settings.seed, settings.seed + settings.seeds)
        runs = [CandidateRun(candidate, seed) for seed in seeds for candidate in self.candidates]
        complete = self.results.comparison.runs()
        missing = [run for run in runs if (run.candidate.label, run.seed) not in complete]
        device = choose_device(settings)
        yield Started(device.label, device.reason, self._summary(len(runs), len(missing)))
        yield from map(Notice, self.experiment.data.notes)
        if complete:
            self.results.summarize()
        yield from self._do(missing, device, control)
        yield Finished(self.results.comparison, control.stopped)

    def _do(self, runs: Sequence[CandidateRun], device: Device, control: Control) -> Iterator[Update]:
        """Do one run after another; one that is stopped leaves nothing behind."""
        steps = self.experiment.schedule[-1]
        meter, total = Meter(), len(runs) * steps
        for number, run in enumerate(runs):
            rows = []
            for evaluation in self.experiment.evaluations(run, device, control):
                if evaluation.scores:
                    rows.append(run.row(evaluation, self.experiment.epoch_of(evaluation.step)))
                if evaluation.scores or meter.due:
                    yield _progress(meter, number * steps + evaluation.step, total, evaluation)
                if control.stopped and evaluation.step < steps:
                    return
            self.results.add(rows)
            if control.stopped:
                return

    def _summary(self, runs: int, missing: int) -> str:
        kept = f", {runs - missing} of them complete already" if missing < runs else ""
        return f"{counted(runs, 'run')}{kept}. {self.experiment.data.summary}"


def _build_all(candidates: Sequence[Candidate]) -> None:
    """Build every network once, so that a wrong name is refused at once and not after hours."""
    for network in {candidate.network for candidate in candidates}:
        network_of(network)


def _record(
    settings: CompareSettings, candidates: Sequence[Candidate], data: ComparisonData[Any], command: str
) -> ComparisonRecord:
    return {
        "settings": settings.model_dump(mode="json"),
        "data": data.names
        | {"classes": list(data.class_values), "digest": data.digest(), "images": data.images_digest()},
        "starts": {candidate.label: candidate.digest for candidate in candidates},
        "versions": versions(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
    }


def _progress(meter: Meter, step: int, total: int, evaluation: Evaluation) -> Progress:
    """Return how far all runs are; `step` counts over all of them."""
    losses = {} if math.isnan(evaluation.loss) else {"loss": evaluation.loss}
    metrics = {f"test {name}": value for name, value in evaluation.scores.items() if name in MAIN_SCORES}
    return meter.progress(step, total, losses=losses, metrics=metrics)
