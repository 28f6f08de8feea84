"""Fixtures shared by all rooms."""

from pathlib import Path

import pytest

pytest.register_assert_rewrite("terminal")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real micrographs for development; the test is skipped where it is absent."""
    root = Path(__file__).parents[2] / "shared" / "data"
    if not root.is_dir():
        pytest.skip(f"no development micrographs at {root}")
    return root
