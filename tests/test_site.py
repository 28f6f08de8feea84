"""The check of the site finds what it is there to find."""

import json
from pathlib import Path

from check_site import problems

PAGE = '<html><body><h1 id="top">t</h1>{}</body></html>'


def site(folder: Path, body: str, found: tuple[str, ...] = ("a.html",)) -> list[str]:
    """Problems of a site of one page, which the search finds or not."""
    (folder / "search").mkdir()
    (folder / "a.html").write_text(PAGE.format(body), encoding="utf-8")
    (folder / "b.css").write_text("body { background: url(x.png) }", encoding="utf-8")
    index = {"docs": [{"location": name} for name in found]}
    (folder / "search" / "search_index.js").write_text(f"var __index = {json.dumps(index)};", encoding="utf-8")
    return list(problems(folder))


def test_a_good_site_has_no_problems(tmp_path: Path) -> None:
    assert (
        site(tmp_path, '<a href="#top">t</a><a href="https://napari.org">n</a><link rel="stylesheet" href="b.css">')
        == []
    )


def test_dead_links_and_anchors_are_found(tmp_path: Path) -> None:
    found = site(tmp_path, '<a href="gone.html">g</a><a href="a.html#nowhere">n</a><img src="lost.png">')
    assert found == [f"a.html: dead link {link}" for link in ("gone.html", "a.html#nowhere", "lost.png")]


def test_what_is_fetched_from_elsewhere_is_found(tmp_path: Path) -> None:
    (found,) = site(tmp_path, '<script src="https://unpkg.com/x"></script>')
    assert found == "a.html: needs https://unpkg.com/x from elsewhere"


def test_pages_that_the_search_does_not_know_are_found(tmp_path: Path) -> None:
    assert site(tmp_path, "", found=()) == ["a.html: the search does not know it"]
    (tmp_path / "search" / "search_index.js").unlink()
    assert "search would not work" in next(problems(tmp_path))
