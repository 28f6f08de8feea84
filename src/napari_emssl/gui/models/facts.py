"""What is shown about a model that a training can start from: reach, size, what it has learnt from. No Qt."""

from contextlib import suppress
from dataclasses import dataclass

from ...errors import UserError
from ...formatting import counted
from ...models.model_file import Card, count_parameters
from ...models.tasks import task_of
from ...models.zoo import ZooEntry
from ...networks.catalog import receptive_field_of


@dataclass(frozen=True)
class StartFacts:
    """A start in a list of starts."""

    card: Card
    reach_px: int | None
    """Edge of what reaches one pixel of the output; None for a network this program does not know."""
    parameters: int | None
    megabytes: float
    origin: str
    recommended: str = ""
    """Why it is the recommended start; empty where it is not."""

    def short_line(self, pixel_size_nm: float | None) -> str:
        """Return what matters most, in a few words, for images with this pixel size."""
        reach = self._reach(pixel_size_nm)
        parts = [
            "recommended" if self.recommended else "",
            "" if task_of(self.card.task).is_pretext else self.card.task,
            f"sees {reach}" if reach else "",
            self._images(),
        ]
        return " · ".join(filter(None, parts))

    def line(self, pixel_size_nm: float | None) -> str:
        """Return what distinguishes the starts."""
        parameters = f"{counted_parameters(self.parameters)} parameters" if self.parameters else ""
        return " · ".join(filter(None, (self.short_line(pixel_size_nm), parameters, f"{self.megabytes:.2g} MB")))

    def lines(self, pixel_size_nm: float | None) -> list[str]:
        """Return all there is to say."""
        card, reach = self.card, self._reach(pixel_size_nm)
        what = "generator, a start" if task_of(card.task).is_pretext else f"model for the task '{card.task}'"
        parameters = f"{self.parameters:_} parameters, ".replace("_", " ") if self.parameters else ""
        lines = [
            f"{card.name}: {what}",
            f"Recommended: {self.recommended}." if self.recommended else "",
            f"Network {card.network.name}; one pixel of its result depends on {reach} around it" if reach else "",
            f"{parameters}{self.megabytes:.2f} MB, {self.origin}",
            card.description,
            *(f"{stage.job}, {stage.date[:10]}: {stage.data.get('summary', '')}" for stage in card.history),
            f"Licence of the training data: {card.licence}",
        ]
        return list(filter(None, lines))

    def _reach(self, pixel_size_nm: float | None) -> str:
        """Say the reach in the units of an image, and in pixels."""
        if self.reach_px is None:
            return ""
        pixels = f"{self.reach_px} px"
        return f"{length_text(self.reach_px * pixel_size_nm)} ({pixels})" if pixel_size_nm else pixels

    def _images(self) -> str:
        images = self.card.history[-1].data.get("images") if self.card.history else None
        return counted(images, "image") if isinstance(images, int) else ""


def facts_of(entry: ZooEntry, recommended: str = "") -> StartFacts:
    """Read what there is to say of a model, from its card and the header of its file; `recommended`: why it is."""
    card = entry.card.model_copy(update={"name": entry.name})
    reach = parameters = None
    with suppress(UserError):
        reach = receptive_field_of(card.network.name, card.network.refine)
    with suppress(Exception):  # a file that is being taken away: the next reading tells
        parameters = count_parameters(entry.path)
    return StartFacts(card, reach, parameters, entry.bytes / 1e6, entry.origin, recommended)


def length_text(nm: float) -> str:
    """Return a length as a microscopist would say it: ``0.85 nm``, ``25 nm``, ``3.2 µm``."""
    return f"{nm / 1000:.3g} µm" if nm >= 999.5 else f"{nm:.3g} nm"


def counted_parameters(count: int) -> str:
    """Return a number of parameters in short: ``8 k``, ``131 k``, ``3.9 M``."""
    return f"{count / 1e6:.2g} M" if count >= 999_500 else f"{count / 1e3:.0f} k"
