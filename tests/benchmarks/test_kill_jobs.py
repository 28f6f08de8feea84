"""Jobs killed at random moments lose nothing and leave nothing: the quick form of the benchmark."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "reliability" / "kill_jobs.py"


@pytest.mark.skipif(sys.platform != "linux", reason="jobs are forked from a process that has loaded everything")
@pytest.mark.parametrize("job", ["finetune", "apply, TIFF"])
def test_two_kills(job: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    # torch's compiler makes its cache wherever it is imported, unless it is told where
    places = {"TMPDIR": str(tmp_path), "TORCHINDUCTOR_CACHE_DIR": str(tmp_path_factory.mktemp("compiler"))}
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--kills", "2", "--job", job],
        capture_output=True, text=True, timeout=800, check=False, env=os.environ | places,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(tmp_path.iterdir()) == []
