"""What a report says of a job."""

import pytest
import small_jobs

from napari_emssl import worker_jobs
from napari_emssl.gui.job.job_log import JobLog
from napari_emssl.jobs.events import Finished
from napari_emssl.jobs.settings import FinetuneSettings
from napari_emssl.jobs.worker import client


def test_a_job_that_was_never_made_says_so() -> None:
    assert JobLog().describe() == "Last job: none"


def test_settings_events_and_end_are_told(substitute) -> None:
    substitute(finetune=small_jobs.tells_its_input)
    log = JobLog()
    settings = FinetuneSettings(learning_rate=2e-4)
    job = log.make(lambda: client.run(worker_jobs.finetune, [], [], settings, "scratch"))
    job.close()
    for event in small_jobs.steps(2):
        log.note(event)
    told = log.describe().splitlines()
    assert told[:3] == [
        "Last job: Training, done",
        "Ran on: CPU (1 thread), fp32. There is no GPU.",
        "Came to: step 2 of 2",
    ]
    assert told[3].startswith("Settings: FinetuneSettings(")
    assert "learning_rate=0.0002" in told[3]
    assert told[4] == "Notice: No validation: fewer than 5 objects are painted."


def test_an_error_comes_with_where_it_happened() -> None:
    log = JobLog()
    with pytest.raises(ZeroDivisionError) as caught:
        log.make(lambda: 1 / 0)
    log.error = caught.value
    log.note(Finished(None, failure="The loss is not a number any more."))
    told = log.describe()
    assert told.startswith("Last job: A job, The loss is not a number any more.\n")
    assert "Error: ZeroDivisionError: division by zero\n" in told
    assert "test_job_log.py" in told
    log.error = client.WorkerDiedError("Training ran out of memory.", "the last lines")
    assert log.describe().endswith("Error: WorkerDiedError: Training ran out of memory.\nthe last lines")
