"""Build wheel and sdist and check them as the package index would: ``python scripts/check_package.py [FOLDER]``.

Every relative link of README is absolute in the description of the package, and leads to a file of this checkout.
"""

import re
import subprocess
import sys
import tempfile
import zipfile
from email import message_from_bytes
from pathlib import Path

ROOT = Path(__file__).parents[1]
_LINK = re.compile(r"\]\(([^)\s]+)")
_OURS = re.compile(
    r"https://(?:github\.com/napari-emssl/napari-emssl/blob|raw\.githubusercontent\.com/napari-emssl/napari-emssl)"
    r"/v(?P<version>[^/]+)/(?P<path>[^#]+)"
)
_LARGEST = 100 * 2**20
"""What the package index takes of a file, in bytes."""


def build(folder: Path) -> tuple[Path, Path]:
    """Build into an empty folder; return the wheel and the sdist."""
    if folder.exists() and any(folder.iterdir()):
        sys.exit(f"'{folder}' is not empty. Name a new folder.")
    run("build", "--outdir", str(folder), str(ROOT))
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, sdist


def run(module: str, *arguments: str) -> None:
    """Run a module of this environment; its failure ends the program."""
    if code := subprocess.run([sys.executable, "-P", "-m", module, *arguments], cwd=ROOT, check=False).returncode:
        sys.exit(code)


def described(wheel: Path) -> tuple[str, str]:
    """Return version and description as they stand in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [each for each in archive.namelist() if each.endswith(".dist-info/METADATA")]
        metadata = message_from_bytes(archive.read(name))
    return metadata["Version"], str(metadata.get_payload(decode=True), "utf-8")


def bad_links(version: str, description: str) -> list[str]:
    """Return links that lead nowhere from the package index."""
    bad = []
    for link in _LINK.findall(description):
        ours = _OURS.match(link)
        there = ours and ours["version"] == version and (ROOT / ours["path"]).exists()
        if "://" not in link or (ours and not there):
            bad.append(link)
    return bad


def check(folder: Path) -> str:
    """Build and check; return what is wrong, or an empty text."""
    wheel, sdist = build(folder)
    run("twine", "check", "--strict", str(wheel), str(sdist))
    run("check_wheel_contents", str(wheel))
    if too_large := [path.name for path in (wheel, sdist) if path.stat().st_size > _LARGEST]:
        return f"Larger than the package index takes: {', '.join(too_large)}."
    if bad := bad_links(*described(wheel)):
        return f"Links of README that lead nowhere from the package index: {', '.join(bad)}."
    return ""


def main() -> None:
    """Build into the folder that is named, or into one that is removed again."""
    with tempfile.TemporaryDirectory() as scratch:
        if wrong := check(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(scratch) / "dist"):
            sys.exit(wrong)


if __name__ == "__main__":
    main()
