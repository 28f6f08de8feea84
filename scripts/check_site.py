"""Check the site that mkdocs built: ``python scripts/check_site.py build/site``.

Every link and anchor leads somewhere, every page can be found by the search, and nothing that a page needs (scripts,
styles, pictures, fonts) is fetched from another machine, so that the site can be read without a network.
"""

import json
import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_NEEDED = {"img": "src", "script": "src", "link": "href", "iframe": "src", "source": "src"}
_METADATA = {"canonical", "edit", "next", "prev"}
_IN_CSS = re.compile(r"url\(\s*['\"]?(?:https?:)?//")


class Page(HTMLParser):
    """Links, anchors and parts of one page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.needed: list[str] = []
        self.anchors: set[str] = {""}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what an element leads to, and what leads to it."""
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag in _NEEDED and _NEEDED[tag] in given and given.get("rel") not in _METADATA:
            self.needed.append(given[_NEEDED[tag]])


def problems(site: Path) -> Iterator[str]:
    """Yield what is wrong, a line each."""
    pages = {path: Page(path) for path in sorted(site.rglob("*.html"))}
    for path, page in pages.items():
        name = path.relative_to(site).as_posix()
        yield from (f"{name}: needs {link} from elsewhere" for link in page.needed if _is_elsewhere(link))
        if name != "404.html":  # its links are those of the web address where the site is published
            dead = (link for link in page.links + page.needed if not _leads_somewhere(link, path, pages))
            yield from (f"{name}: dead link {link}" for link in dead)
    for style in site.rglob("*.css"):
        if _IN_CSS.search(style.read_text(encoding="utf-8")):
            yield f"{style.relative_to(site)}: needs something from elsewhere"
    yield from _not_found(site, pages)


def _is_elsewhere(link: str) -> bool:
    return bool(urlsplit(link).netloc)


def _leads_somewhere(link: str, path: Path, pages: dict[Path, Page]) -> bool:
    """Whether a link within the site has a target; of links to other sites nothing is known."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return True
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    target = target / "index.html" if target.is_dir() else target
    if target not in pages:
        return target.is_file()
    return unquote(parts.fragment) in pages[target].anchors


def _not_found(site: Path, pages: dict[Path, Page]) -> Iterator[str]:
    """Pages that the search does not know; the offline search reads its index from a script."""
    index = site / "search" / "search_index.js"
    if not index.is_file():
        yield "search/search_index.js is missing: the search would not work without a server"
        return
    text = index.read_text(encoding="utf-8")
    known = {each["location"].partition("#")[0] for each in json.loads(text[text.index("{") :].rstrip(" ;\n"))["docs"]}
    for path in pages:
        name = path.relative_to(site).as_posix()
        if name != "404.html" and name not in known | {"index.html"}:
            yield f"{name}: the search does not know it"


def main() -> None:
    """Print what is wrong; the exit status says whether anything is."""
    site = Path(sys.argv[1]).resolve()
    found = list(problems(site))
    count = len(list(site.rglob("*.html")))
    sys.stdout.write("\n".join([f"{count} pages, {len(found)} problems", *found, ""]))
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
