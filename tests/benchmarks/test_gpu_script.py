"""The script for a GPU runs to its end without one, and says what it could not measure."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_it_runs_to_its_end_with_tiny_sizes(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHON": sys.executable, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    told = subprocess.run(
        ["sh", ROOT / "benchmarks" / "gpu.sh", tmp_path / "out", "--tiny"], cwd=tmp_path, env=environment,
        capture_output=True, text=True, timeout=1400, check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr + told.stdout
    content = json.loads((tmp_path / "out" / "gpu.json").read_text())
    assert (content["gpu"], content["tiny"]) == (False, True)
    assert content["tests"]["skipped"] == content["tests"]["tests"] > 5
    rows = {(row["section"], row["name"]): row for row in content["rows"]}
    only_gpu = {key for key, row in rows.items() if row["failed"].endswith("measured on a GPU only")}
    assert len(only_gpu) == 8, "both compiled ways of four networks"
    assert not {key: row["failed"] for key, row in rows.items() if row["failed"] and key not in only_gpu}
    assert {section for section, _ in rows} == {
        "GAN step", "pretraining from a pack", "fine-tuning step", "apply", "memory held after jobs",
    }  # fmt: skip
    assert all(row["figures"]["images_per_second"] > 0 for (section, _), row in rows.items()
               if section == "GAN step" and not row["failed"])  # fmt: skip
    table = (tmp_path / "out" / "gpu.md").read_text()
    assert table.startswith("# A trial without a GPU")
    assert table.count("\n| ") == 1 + len(rows)
