"""Authors and citations as they are typed."""

import pytest

from napari_emssl.errors import UserError
from napari_emssl.export.credits import Author, Citation, parse_author, parse_citation


@pytest.mark.parametrize(
    ("text", "author"),
    [
        ("Ada Lovelace", Author("Ada Lovelace")),
        ("A. L.;@ada ; 0000-0002-1825-0097;Some Lab", Author("A. L.", "Some Lab", "0000-0002-1825-0097", "ada")),
        ("A. L.; Some Lab;", Author("A. L.", "Some Lab")),
    ],
)
def test_an_author_is_read(text: str, author: Author) -> None:
    assert parse_author(text) == author


@pytest.mark.parametrize(
    "text", ["", ";Lab", "A; 0000-0002-1825-0098", "A; 12", "A; Lab; Other lab", "a/b", "A; @a; @b"]
)
def test_what_is_no_author_is_refused(text: str) -> None:
    with pytest.raises(UserError, match=r"\."):
        parse_author(text)


@pytest.mark.parametrize("doi", ["10.1234/abc.5", "doi:10.1234/abc.5", "https://doi.org/10.1234/abc.5"])
def test_a_citation_is_read(doi: str) -> None:
    assert parse_citation(f"Doe et al.; all of them; {doi}") == Citation("Doe et al.; all of them", "10.1234/abc.5")


@pytest.mark.parametrize(
    "text", ["", "Doe et al.", "10.1234/abc", "; 10.1234/abc", "Doe; 11.1234/abc", "Doe; https://x.org"]
)
def test_what_is_no_citation_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="no citation"):
        parse_citation(text)
