"""Who made a model, under which licence it may be used, and what is to be cited."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import UserError
from ..models.model_file import Card

_ORCID = re.compile(r"\d{4}-\d{4}-\d{4}-\d{3}[\dX]")
_DOI = re.compile(r"10\.\d{4,9}/\S+")
_PAPER = (
    "Sytwu, Groschner & Scott (2022), Understanding the Influence of Receptive Field and Network Complexity in "
    "Neural-Network-Guided TEM Image Analysis",
    "10.48550/arXiv.2204.04250",
)
_HRNET = (
    "Wang et al. (2021), Deep High-Resolution Representation Learning for Visual Recognition",
    "10.48550/arXiv.1908.07919",
)
_CONTEXT = ("Vinyals et al. (2016), Matching Networks for One Shot Learning", "10.48550/arXiv.1606.04080")


@dataclass(frozen=True)
class Author:
    """Somebody who made a model."""

    name: str
    affiliation: str | None = None
    orcid: str | None = None
    github_user: str | None = None


@dataclass(frozen=True)
class Citation:
    """What is to be cited."""

    text: str
    doi: str


@dataclass(frozen=True)
class Credits:
    """What only the people who publish a model can say of it."""

    authors: tuple[Author, ...] = ()
    licence: str | None = None
    """An identifier of the SPDX list; None takes the one on the card, where that is one."""
    citations: tuple[Citation, ...] = ()
    """Besides those of the network."""

    @classmethod
    def parse(cls, authors: Sequence[str], licence: str | None, cited: Sequence[str]) -> "Credits":
        """Read what was typed.

        Parameters
        ----------
        authors
            See `parse_author`.
        licence
            An identifier of the SPDX list.
        cited
            See `parse_citation`.

        """
        return cls(tuple(map(parse_author, authors)), licence, tuple(map(parse_citation, cited)))


def parse_author(text: str) -> Author:
    """Read ``NAME; AFFILIATION; ORCID; @GITHUB``, of which all but the name may be left out.

    Raises
    ------
    UserError
        When there is no name, or an ORCID or a part that nobody knows.

    """
    name, *others = (part.strip() for part in text.split(";"))
    if not name or "/" in name or "\\" in name:
        raise UserError(f"'{text}' names no author. Write 'NAME; AFFILIATION; ORCID; @GITHUB'; the name is enough.")
    found: dict[str, str] = {}
    for part in filter(None, others):
        kind = "github_user" if part.startswith("@") else "orcid" if part[0].isdigit() else "affiliation"
        if kind in found:
            raise UserError(f"'{text}' gives {kind.replace('_user', '')} twice. Give each author separately.")
        found[kind] = part.removeprefix("@")
    if "orcid" in found and not _is_orcid(found["orcid"]):
        raise UserError(f"'{found['orcid']}' is not an ORCID: that has 16 digits, as in 0000-0002-1825-0097.")
    return Author(name, **found)


def _is_orcid(text: str) -> bool:
    """Whether form and check digit (ISO 7064 11,2) are right."""
    if not _ORCID.fullmatch(text):
        return False
    *digits, check = list(text.replace("-", ""))
    total = 0
    for digit in digits:
        total = (total + int(digit)) * 2
    return check == "0123456789X"[(12 - total % 11) % 11]


def parse_citation(text: str) -> Citation:
    """Read ``TEXT; DOI``; raises `UserError` unless it ends with a DOI."""
    words, _, doi = (part.strip() for part in text.rpartition(";"))
    doi = re.sub(r"^(doi:|https?://(dx\.)?doi\.org/)", "", doi)
    if not words or not _DOI.fullmatch(doi):
        raise UserError(f"'{text}' is no citation. Write 'TEXT; DOI', as in 'Doe et al. (2026); 10.1234/abc'.")
    return Citation(words, doi)


def citations(card: Card, own: Sequence[Citation]) -> list[Citation]:
    """Return what is to be cited: what the publisher says, then the network's papers."""
    papers = [_HRNET if card.network.name.startswith("hrnet") else _PAPER]
    papers += [_CONTEXT] if card.network.painted else []
    return [*own, *(Citation(text, doi) for text, doi in papers)]
