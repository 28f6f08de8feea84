"""Jobs in a child process: the same events, any end, and nothing left behind."""

import contextlib
import errno
import gc
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import child_jobs
import numpy as np
import psutil
import pytest
from patience import PATIENCE_SECONDS, eventually

from napari_emssl.errors import UserError
from napari_emssl.jobs.events import Control, Finished, Preview, Progress, Started
from napari_emssl.jobs.settings import FinetuneSettings
from napari_emssl.jobs.worker import channel, client, pickling, process
from napari_emssl.jobs.worker.channel import Channel
from napari_emssl.jobs.worker.main import MOST_EVENTS_UNDER_WAY
from napari_emssl.jobs.worker.target import LazyFunction
from napari_emssl.models.model_file import Card, Model, NetworkSpec

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


@pytest.fixture(autouse=True)
def temporary_folder(tmp_path, monkeypatch):
    """Give each test a temporary folder of its own, and look whether the jobs left something there."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    gc.collect()
    assert eventually(lambda: not list(folder.iterdir())), f"left behind: {list(folder.iterdir())}"


def start(verb, *args, **kwargs):
    return client.run(LazyFunction("child_jobs", verb), *args, **kwargs)


def gone(pid):
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    return True


def plain(event):
    """Make events comparable."""
    if isinstance(event, Preview):
        return event.step, {name: image.tolist() for name, image in event.images.items()}
    if isinstance(event, Finished):
        return event.stopped, {name: np.asarray(value).tolist() for name, value in event.result.items()}
    return event


def test_same_events_as_in_process():
    image = np.random.default_rng(0).random((70, 90)).astype(np.float32)
    here = [plain(event) for event in child_jobs.every_event(image)]
    there = [plain(event) for event in start("every_event", image)]
    assert there == here
    assert len(there) == 6


def test_iterating_after_the_end_stays_at_the_end():
    job = start("large_result", (3, 4))
    assert len(list(job)) == 1
    assert list(job) == []
    assert eventually(lambda: gone(job.pid))  # and with it, the memory of the GPU is free


def test_large_arrays_never_enter_a_message(monkeypatch):
    sizes = []
    receive, encode = Channel.receive, channel.encode

    def spy_receive(self):
        message = receive(self)
        sizes.append(len(message.pickled))
        return message

    def spy_encode(*args):
        message = encode(*args)
        sizes.append(len(message.pickled))
        return message

    monkeypatch.setattr(channel, "encode", spy_encode)
    monkeypatch.setattr(Channel, "receive", spy_receive)
    image = np.zeros((1000, 1000), np.float32)
    view = np.zeros((1000, 2000), np.float32)[:, ::2]
    model = Model(CARD, {"w": np.ones((300, 300), np.float32)})
    args, _ = start("echo", image, view, [image, image], model, planes=image.T).result()
    assert args[0].shape == (1000, 1000)
    assert len(sizes) >= 3
    assert max(sizes) < 20_000


CARD = Card(name="m", task="segment", network=NetworkSpec(name="unet-2-44"))


def test_all_kinds_of_arguments_come_back_the_same(tmp_path):
    big = np.random.default_rng(1).integers(0, 65535, (40, 50, 60), np.uint16)
    mapped = np.memmap(tmp_path / "big.raw", np.uint16, "w+", 128, big.shape)
    mapped[:] = big
    mapped.flush()
    arrays = {
        "c": big,
        "fortran": np.asfortranarray(big),
        "strided": big[::2, ::-1, 3:],
        "memmap": np.memmap(tmp_path / "big.raw", np.uint16, "r", 128, big.shape),
        "view": np.asarray(mapped)[3:, ::-2, 5],
        "empty": np.zeros((0, 5)),
        "objects": np.array([1, "two", None], object),
        "bool": big > 100,
        "complex": big[0] + 1j,
        "scalar": np.array(3.0),
    }
    model = Model(CARD, {"weight": np.random.default_rng(2).random((64, 64)).astype(np.float32)})
    settings = FinetuneSettings(max_seconds=3)
    args = (settings, Path("a") / "b", (1, (2, np.float32(3))), {"k": [None, True]}, arrays, model)
    (back, kwargs) = start("echo", *args, autosave=tmp_path / "none", images=[big, big[0]]).result()
    assert back[:4] == args[:4]
    assert type(back[2][1][1]) is np.float32
    for name, array in arrays.items():
        assert back[4][name].dtype == array.dtype, name
        np.testing.assert_array_equal(back[4][name], array, err_msg=name)
    assert back[5].card == model.card
    np.testing.assert_array_equal(back[5].weights["weight"], model.weights["weight"])
    np.testing.assert_array_equal(kwargs["images"][1], big[0])


def test_what_the_job_writes_does_not_reach_an_array_of_the_caller(tmp_path):
    image = np.zeros((200, 200), np.uint8)
    filled = start("fill", image).result()
    assert filled.min() == 7
    assert image.max() == 0
    path = tmp_path / "read_only.npy"
    np.save(path, image)
    assert start("fill", np.load(path, mmap_mode="r")).result().min() == 7
    assert np.load(path).max() == 0


def test_a_writable_memmap_is_written_in_place(tmp_path):
    out = np.lib.format.open_memmap(tmp_path / "out.npy", "w+", np.uint8, (5, 100, 100))
    result = start("fill", out[1:3]).result()
    assert out[1:3].min() == 7
    assert out[0].max() == 0
    result[:] = 9
    assert out[2].max() == 9


def test_a_large_result_is_mapped_and_its_file_goes_with_it(temporary_folder):
    job = start("large_result", (64, 512, 512))
    result = job.result()
    del job
    owner = result
    while isinstance(owner, np.ndarray):
        owner = owner.base
    assert not isinstance(owner, bytes | bytearray)
    assert eventually(lambda: not list(temporary_folder.iterdir()))
    assert result.shape == (64, 512, 512)
    assert result[63, 511, 511] == 255
    result[0] = 1  # a Labels layer is painted on
    assert result[0].min() == 1


def test_stop_hands_over_a_result():
    job = start("count", 100_000)
    events = []
    for event in job:
        events.append(event)
        if len(events) == 3:
            job.stop()
    assert job.control.stopped
    assert isinstance(events[-1], Finished)
    assert events[-1].stopped
    assert events[-1].result < 1000


def test_stop_before_the_first_event():
    job = start("count", 100_000)
    job.stop()
    assert list(job) == [Finished(1, stopped=True)]


def test_pause_and_resume():
    job = start("count", 100_000)
    next(job)
    job.pause()
    assert job.control.paused
    steps = drain_into_list(job)
    assert eventually(lambda: quiet(steps, 1.0))
    held = len(steps)
    time.sleep(0.3)
    assert len(steps) == held
    job.resume()
    assert eventually(lambda: len(steps) > held + 5)
    job.stop()
    assert eventually(lambda: isinstance(steps[-1], Finished))


def drain_into_list(job):
    events = []
    threading.Thread(target=lambda: [events.append(event) for event in job], daemon=True).start()
    return events


def quiet(events, seconds):
    before = len(events)
    time.sleep(seconds)
    return len(events) == before


def test_show_another_plane():
    job = start("count", 100_000)
    next(job)
    plane = np.random.default_rng(0).random((100, 120))
    job.show(plane)
    preview = next(event for event in job if isinstance(event, Preview))
    np.testing.assert_array_equal(preview.images["plane"], plane * 2)
    job.show(plane[:8, :8])
    assert any(isinstance(event, Preview) and event.images["plane"].shape == (8, 8) for event in job)
    job.close()


def test_hard_exit_is_a_sentence_with_the_last_words():
    job = start("exit_hard", 3)
    assert next(job) == Started("cpu")
    with pytest.raises(
        client.WorkerDiedError, match="stopped unexpectedly: the process ended with exit code 3"
    ) as caught:
        next(job)
    assert isinstance(caught.value, UserError)
    assert "last words" in caught.value.details
    assert list(job) == []


@posix
@pytest.mark.parametrize("saved", [True, False])
def test_killed_for_memory_names_the_autosave(tmp_path, saved):
    autosave = tmp_path / "autosave.pt"
    if saved:
        autosave.write_bytes(b"x")
    with pytest.raises(client.WorkerDiedError) as caught:
        list(client.run(LazyFunction("child_jobs", "kill_itself", "Training"), autosave=autosave))
    text = str(caught.value)
    assert text.startswith(
        "Training stopped unexpectedly: the process was killed (signal 9), most likely because memory"
    )
    assert (str(autosave) in text) == saved


@posix
def test_a_crash_shows_where():
    with pytest.raises(client.WorkerDiedError, match="SIGSEGV") as caught:
        list(start("kill_itself", signal.SIGSEGV))
    assert "child_jobs.py" in caught.value.details


@posix
def test_death_is_noticed_though_a_helper_holds_the_pipe(tmp_path):
    job = start("die_with_helper", tmp_path / "helper")
    next(job)
    with pytest.raises(client.WorkerDiedError, match="exit code 3"):
        next(job)
    helper = psutil.Process(int((tmp_path / "helper").read_text()))
    assert helper.is_running(), "the helper was waited for"
    helper.kill()


def test_errors_of_the_user_arrive_as_such():
    with pytest.raises(UserError) as caught:
        list(start("refuse"))
    assert str(caught.value) == "No pixel is painted. Paint one."
    assert not isinstance(caught.value, client.WorkerDiedError)
    with pytest.raises(UserError, match="There is no image"):
        list(start("refuse_at_once"))


def test_other_errors_bring_their_traceback():
    with pytest.raises(client.WorkerError, match="ZeroDivisionError: not by zero") as caught:
        list(start("fail"))
    assert "child_jobs.py" in caught.value.details
    with pytest.raises(client.WorkerError, match="no_such_verb"):
        list(start("no_such_verb"))
    with pytest.raises(client.WorkerError, match="lambda"):
        list(start("unpicklable"))


def test_arguments_that_cannot_travel_fail_here():
    with pytest.raises(Exception, match=r"pickle|lambda"):
        list(start("echo", lambda: None))


def test_memory_that_runs_out_is_a_sentence():
    with pytest.raises(client.WorkerDiedError, match="The job ran out of memory") as caught:
        list(start("starve"))
    assert "child_jobs.py" in caught.value.details


def test_full_temporary_folder_is_a_sentence(monkeypatch):
    def no_room(self, buffer):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pickling._Spans, "keep", no_room)
    with pytest.raises(UserError, match="is full"):
        list(start("echo", np.zeros(100_000)))


def test_prints_of_the_job_do_no_harm():
    assert list(start("chatty")) == [Finished("quiet")]


def test_the_job_waits_for_a_slow_reader_which_loses_nothing(tmp_path):
    note = tmp_path / "step"
    job = start("note_steps", 300, note)
    assert next(job).step == 1
    time.sleep(1.0)
    assert int(note.read_text()) <= 1 + MOST_EVENTS_UNDER_WAY + 1  # taken, under way, and the one that waits
    events = list(job)
    assert [event.step for event in events if isinstance(event, Progress)] == list(range(2, 301))
    assert [event.step for event in events if isinstance(event, Progress) and event.metrics] == list(range(50, 301, 50))
    assert events[-1] == Finished(300)


def test_a_slow_reader_finds_a_few_previews_and_no_heap_of_files(temporary_folder):
    job = start("fast_previews", 300)
    first = next(job)
    time.sleep(1.0)
    assert len(list(temporary_folder.rglob("*.bin"))) <= MOST_EVENTS_UNDER_WAY
    later = list(job)
    assert isinstance(first, Preview)
    assert [event.step for event in later if isinstance(event, Preview)] == list(range(1, 300))
    assert not list(temporary_folder.rglob("*.bin"))


def test_stop_is_heard_while_the_reader_is_slow():
    job = start("count", 100_000)
    next(job)
    time.sleep(0.5)  # the job waits
    job.stop()
    events = list(job)
    assert events[-1].stopped
    assert len(events) <= MOST_EVENTS_UNDER_WAY + 2


def test_a_job_that_waits_for_a_slow_reader_may_save_when_it_is_closed(tmp_path):
    job = start("previews_until_stopped", tmp_path / "note")
    next(job)
    time.sleep(0.5)
    job.close()
    assert (tmp_path / "note").read_text() == "stopped cleanly"


def test_commands_given_before_the_job_is_made_reach_it():
    control = Control()
    plane = np.random.default_rng(0).random((100, 120))
    control.show(plane)
    control.pause()
    job = start("count", 100_000)
    job.control = control
    events = drain_into_list(job)
    time.sleep(1.0)
    assert events == []
    job.resume()
    assert eventually(lambda: any(isinstance(event, Preview) for event in events))
    np.testing.assert_array_equal(next(e for e in events if isinstance(e, Preview)).images["plane"], plane * 2)
    control.stop()
    assert eventually(lambda: isinstance(events[-1], Finished))
    assert events[-1].stopped


def test_a_control_that_is_closed_ends_the_process():
    job = start("deaf")
    next(job)
    events = drain_into_list(job)
    job.control.close()
    assert eventually(lambda: gone(job.pid))
    assert events == []
    closed = start("deaf")
    closed.control.close()
    assert list(closed) == []
    assert gone(closed.pid)


def test_stop_that_is_not_heard_ends_by_force(tmp_path):
    autosave = tmp_path / "auto.pt"
    autosave.write_bytes(b"x")
    job = start("deaf", autosave=autosave)
    next(job)
    job.grace_seconds = 0.5
    job.stop()
    with pytest.raises(client.WorkerDiedError, match=r"did not stop in time and was terminated.*auto\.pt"):
        next(job)
    assert gone(job.pid)


def test_close_ends_an_iteration_in_another_thread(temporary_folder):
    job = start("deaf")
    next(job)
    rest = []
    thread = threading.Thread(target=lambda: rest.append(list(job)))
    thread.start()
    time.sleep(0.3)
    job.close(0.5)  # the job itself would never end
    assert gone(job.pid)
    thread.join(PATIENCE_SECONDS)
    assert rest == [[]]


def test_close_lets_the_job_save(tmp_path):
    job = start("pid_and_wait", tmp_path / "note")
    next(job)
    job.close()
    assert (tmp_path / "note").read_text() == "stopped cleanly"
    job.close()


def test_a_dropped_job_ends(tmp_path):
    job = start("pid_and_wait", tmp_path / "note")
    next(job)
    pid = job.pid
    del job
    gc.collect()
    assert eventually(lambda: gone(pid))
    assert (tmp_path / "note").exists()


def test_a_job_never_iterated_ends():
    job = start("deaf")
    pid = job.pid
    del job
    assert eventually(lambda: gone(pid))


def run_script(script):
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=env).stdout


def test_no_file_of_the_current_folder_takes_the_place_of_a_module(tmp_path):
    """But a job of the user's own may lie there."""
    for name in ("random", "tempfile", "queue", "shutil", "numpy", "json"):
        (tmp_path / f"{name}.py").write_text("open('taken', 'a').write(__name__ + ' ')\nraise SystemExit(1)")
    (tmp_path / "mine.py").write_text("from child_jobs import count\n")
    script = (
        "import sys\nfrom napari_emssl.jobs.worker import client\n"
        "from napari_emssl.jobs.worker.target import LazyFunction\nimport tempfile; tempfile.gettempdir()\n"
        "sys.path.insert(0, '')\nprint(client.run(LazyFunction('mine', 'count'), 2).result())"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-P", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env, cwd=tmp_path)
    assert not (tmp_path / "taken").exists(), (tmp_path / "taken").read_text()
    assert (done.returncode, done.stdout) == (0, "2\n"), done.stderr


PARENT = """
import signal, sys, tempfile, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # tests may run where Ctrl-C is ignored, as in the background
from pathlib import Path
from napari_emssl.jobs.worker import client
import child_jobs
{warm}
job = client.run(child_jobs.pid_and_wait, Path({note!r}))
print(next(job).summary, flush=True)
{then}
"""


def start_parent(tmp_path, folder, then, warm=""):
    script = PARENT.format(note=str(tmp_path / "note"), then=then, warm=warm)
    env = {**os.environ, "TMPDIR": str(folder), "TEMP": str(folder), "PYTHONPATH": os.pathsep.join(sys.path)}
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, env=env)
    return parent, int(parent.stdout.readline())


def test_a_killed_parent_leaves_no_orphan(tmp_path, temporary_folder):
    parent, pid = start_parent(tmp_path, temporary_folder, "client.warm_up('json'); time.sleep(600)")
    assert eventually(lambda: len(psutil.Process(parent.pid).children()) == 2)
    children = [process.pid for process in psutil.Process(parent.pid).children(recursive=True)]
    parent.kill()
    parent.wait()
    assert pid in children
    assert eventually(lambda: all(gone(one) for one in children))
    assert (tmp_path / "note").exists()


def test_a_parent_that_ends_takes_its_job_along(tmp_path, temporary_folder):
    parent, pid = start_parent(tmp_path, temporary_folder, "client.warm_up('json')")
    assert parent.wait(PATIENCE_SECONDS) == 0
    assert gone(pid)
    assert not list(temporary_folder.iterdir())


@posix
def test_ctrl_c_in_the_terminal_is_for_the_parent(tmp_path, temporary_folder):
    then = """
try:
    print("waits", flush=True)
    next(job)
except KeyboardInterrupt:
    job.stop()
    print([type(event).__name__ for event in job][-1], flush=True)
"""
    parent, pid = start_parent(tmp_path, temporary_folder, then)
    assert parent.stdout.readline() == b"waits\n"
    time.sleep(0.3)
    os.kill(pid, signal.SIGINT)  # as if the terminal had reached it
    parent.send_signal(signal.SIGINT)
    assert parent.communicate(timeout=300)[0].strip() == b"Finished"
    assert parent.returncode == 0


@posix
def test_a_fork_of_the_parent_does_not_end_the_job():
    script = """
import os, sys
from napari_emssl.jobs.worker import client
import child_jobs
job = client.run(child_jobs.count, 30)
next(job)
if os.fork() == 0:
    del job
    sys.exit()
os.wait()
print(list(job)[-1].result)
"""
    assert run_script(script).strip() == "30"


def test_folders_of_dead_parents_are_removed(temporary_folder):
    stale = temporary_folder / f"{process._PREFIX}{process._node()}-999999999-abc"
    stale.mkdir()
    elsewhere = temporary_folder / f"{process._PREFIX}othernode-999999999-abc"
    elsewhere.mkdir()
    list(start("chatty"))
    assert not stale.exists()
    elsewhere.rmdir()


class Watched:
    """A lazy array that remembers what was asked of it."""

    def __init__(self, array):
        self.array, self.keys = array, []
        self.shape, self.dtype = array.shape, array.dtype

    def __getitem__(self, key):
        self.keys.append(key)
        return self.array[key]


def test_lazy_planes_are_served_one_by_one():
    planes = Watched(np.random.default_rng(0).random((5, 80, 90)).astype(np.float32))
    events = list(start("mean_of_planes", planes))
    assert planes.keys == [0, 1, 2, 3, 4, -1]
    assert events[0].summary == "RemoteArray (5, 80, 90) float32 3"
    means = [event.metrics["mean"] for event in events if isinstance(event, Progress)]
    np.testing.assert_allclose(means, planes.array.mean((1, 2)), rtol=1e-6)
    np.testing.assert_array_equal(events[-1].result, planes.array[-1])


def test_dask_and_zarr_are_served(tmp_path):
    da, zarr = pytest.importorskip("dask.array"), pytest.importorskip("zarr")
    array = np.random.default_rng(0).integers(0, 255, (4, 70, 90), np.uint8)
    stored = zarr.create_array(tmp_path / "a.zarr", data=array, chunks=(1, 70, 90))
    for lazy in (da.from_array(array, chunks=(1, 40, 40)), stored):
        whole, part, total = start("all_of", lazy).result()
        np.testing.assert_array_equal(whole, array)
        np.testing.assert_array_equal(part, array[1:3, ::2])
        assert total == array.sum()


def test_a_plane_that_cannot_be_read_is_a_sentence():
    class Broken(Watched):
        def __getitem__(self, key):
            raise FileNotFoundError("no such file: a.zarr/c/0")

    with pytest.raises(UserError, match=r"The image cannot be read .*a\.zarr.*Check"):
        list(start("mean_of_planes", Broken(np.zeros((3, 4, 5)))))


def test_close_while_the_child_waits_for_a_plane():
    job = start("mean_of_planes", Watched(np.zeros((3, 4, 5))))
    next(job)
    time.sleep(0.2)
    job.close(1.0)
    assert gone(job.pid)
    assert list(job) == []


def test_a_warm_child_is_used_once():
    client.warm_up("wave")
    spare = client._SPARE._process.pid
    client.warm_up("wave")
    assert client._SPARE._process.pid == spare
    assert start("loaded", "wave").result() == (True, spare)
    has, pid = start("loaded", "wave").result()
    assert not has
    assert pid != spare


def test_a_warm_child_that_died_is_replaced():
    client.warm_up("no_such_module")
    spare = client._SPARE._process
    spare.terminate(0.0)
    _, pid = start("loaded", "wave").result()
    assert pid != spare.pid


def test_the_parent_never_imports_torch():
    script = """
import sys
from napari_emssl.jobs.worker import client
import child_jobs
list(client.run(child_jobs.chatty))
print(*sys.modules)
"""
    loaded = run_script(script).split()
    assert "napari_emssl.jobs.worker.client" in loaded
    assert not {"torch", "qtpy", "napari"} & set(loaded)


@pytest.mark.parametrize("frozen", [False, True])
def test_the_interpreter_in_a_bundle(tmp_path, monkeypatch, frozen):
    import multiprocessing.spawn

    for name in ("pythonw.exe", "python.exe", "viewer"):
        (tmp_path / name).touch()
    monkeypatch.setattr(sys, "frozen", frozen, raising=False)
    monkeypatch.setattr(sys, "exec_prefix", str(tmp_path))
    monkeypatch.setattr(multiprocessing.spawn, "get_executable", lambda: str(tmp_path / "pythonw.exe"))
    assert process.find_python() == str(tmp_path / "python.exe")
    monkeypatch.setattr(multiprocessing.spawn, "get_executable", lambda: str(tmp_path / "viewer"))
    assert process.find_python() == str(tmp_path / ("python.exe" if frozen else "viewer"))
    (tmp_path / "python.exe").unlink()
    monkeypatch.setattr(multiprocessing.spawn, "get_executable", lambda: "")
    with pytest.raises(UserError, match="does not come with a Python"):
        process.find_python()
