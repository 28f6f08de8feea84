"""What is compared: pretrained starts, and networks from random weights."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...errors import UserError
from ...models.heads import without_context
from ...models.model_file import Model, NetworkSpec, digest_of
from ...models.zoo import SUFFIX, resolve_model
from ...networks.generators import Norm

Start = str | Path | Model
SCRATCH = "scratch"


@dataclass(frozen=True)
class Candidate:
    """One start of a comparison."""

    label: str
    network: NetworkSpec
    """With one output channel; the task may ask for more."""
    start: Model | None = None
    """What the weights come from; None: random weights."""

    @property
    def kind(self) -> str:
        """``pretrained`` or ``random``."""
        return "random" if self.start is None else "pretrained"

    @property
    def digest(self) -> str:
        """Distinguishes starts of one label; for random weights, their network."""
        return self.label if self.start is None else digest_of(self.start)


def candidates_of(starts: Sequence[Start], random_twins: bool) -> list[Candidate]:
    """Return what is compared: the starts, and after each pretrained one its network from random weights.

    Parameters
    ----------
    starts
        Names from the zoo, model files, `Model`s, and ``scratch:NETWORK`` for random weights; with ``LABEL=`` before
        them to be called that.
    random_twins
        Whether pretrained starts get their network from random weights beside them, where it is not there yet.

    Raises
    ------
    UserError
        When there is no such start, or two have one label.

    """
    found: dict[str, Candidate] = {}
    for start in starts:
        candidate = _candidate(start)
        if candidate.label in found and (candidate.start or found[candidate.label].start):
            raise UserError(
                f"Two starts are called '{candidate.label}'. Give each start only once, and give files different names."
            )
        found[candidate.label] = candidate
        if random_twins and candidate.start is not None:
            twin = random_of(candidate.network)
            found.setdefault(twin.label, twin)
    if not found:
        raise UserError("There is nothing to compare. Give at least one start (--starts unet-3-96).")
    return list(found.values())


def random_of(network: NetworkSpec) -> Candidate:
    """Return the candidate that begins with this network's random weights."""
    return Candidate(f"{SCRATCH}:{network_label(network)}", network)


def network_label(network: NetworkSpec) -> str:
    """Return a network's name with what differs from that name's: ``unet-3-96:8``, ``hrnet-w18:refine``."""
    differs = (
        (str(network.width), network.width),
        ("refine", network.refine),
        ("instance", network.norm == "instance"),
    )
    return ":".join([network.name, *(word for word, said in differs if said)])


def _candidate(start: Start) -> Candidate:
    if isinstance(start, str) and "=" in start and not Path(start).exists():
        label, _, named = start.partition("=")
        return replace(_candidate(named), label=label)
    if isinstance(start, str) and start.partition(":")[0] == SCRATCH:
        return random_of(_network_named(start))
    model = without_context(resolve_model(start))
    given = None if isinstance(start, Model) else Path(start)
    label = given.stem if given and given.suffix == SUFFIX else str(given or model.name)
    return Candidate(label, model.card.network.for_output(1), model)


def _network_named(start: str) -> NetworkSpec:
    """Read ``scratch:NAME``, with ``:WIDTH``, ``:refine`` and ``:instance`` behind it if need be."""
    _, *words = start.split(":")
    name, *rest = words or [""]
    widths = [word for word in rest if word not in ("refine", "instance")]
    if not name or len(widths) > 1 or not all(word.isdecimal() and int(word) > 0 for word in widths):
        raise UserError(
            f"'{start}' does not say which network begins with random weights. Write {SCRATCH}:unet-3-96, "
            f"{SCRATCH}:unet-3-96:8 for another width, {SCRATCH}:hrnet-w18:refine, or "
            f"{SCRATCH}:unet-3-96:instance."
        )
    norm: Norm = "instance" if "instance" in rest else "batch"
    return NetworkSpec(name=name, width=int(widths[0]) if widths else None, refine="refine" in rest, norm=norm)
