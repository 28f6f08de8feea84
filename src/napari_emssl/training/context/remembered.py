"""A painting remembered by a generator's network, and the model in context that makes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from ...data.patches.labelled import LabelledPlane
from ...jobs.context_settings import ContextSettings
from ...jobs.devices import Device
from ...models.model_file import Card, ClassInfo, Model, Stage
from ...models.weights import to_numpy
from ...networks.filter_classifier import FilterClassifier
from ..provenance import versions
from .fitted_filters import fitted_filters
from .memory import Context, SeenPainting
from .network import context_network
from .object_size import scale_for
from .plane_vectors import PlaneVectors
from .threshold import fitted_edges


@dataclass(frozen=True)
class RememberedPainting:
    """What a generator's network remembers of painted planes."""

    base: Model
    settings: ContextSettings
    seen: SeenPainting
    """The painting, by a network that remembers it."""
    context: Context

    def of_part(self, painted: Sequence[LabelledPlane], classes: int) -> Context:
        """Return what would be remembered if less were painted on the planes, which are given in the same order."""
        return replace(self.seen, painted=painted, classes=classes).context(self.settings)

    def filters_of_part(self, painted: Sequence[LabelledPlane], classes: int) -> FilterClassifier | None:
        """Return the filters that would be fitted then; None where the network answers alone."""
        part = replace(self.seen, painted=painted, classes=classes)
        return fitted_filters(part, self._filter_share, self.settings.seed)

    @property
    def _filter_share(self) -> float:
        filters = self.seen.vectors.network.filters
        return 0.0 if filters is None else filters.share

    def model(
        self,
        name: str,
        classes: tuple[ClassInfo, ...],
        summary: str,
        pixel_size_nm: tuple[float, float] | None = None,
        licence: str = "unknown",
        command: str = "",
    ) -> Model:
        """Return the model in context.

        Parameters
        ----------
        name, licence
            For its card.
        classes
            Background and the painted classes.
        summary
            What is painted, as a sentence.
        pixel_size_nm
            Of the images: height and width.
        command
            The command line that asked for it.

        """
        base, network = self.base, self.seen.vectors.network
        kept = {
            "painted": tuple(part.shape[1] for part in self.context.vectors),
            "scale": network.scale,
            "threshold": network.threshold,
            "filter_share": self._filter_share,
        }
        card = Card(
            name=name,
            task="segment",
            network=base.card.network.model_copy(update=kept),
            scaling=base.card.scaling,
            classes=classes,
            pixel_size_nm=pixel_size_nm,
            history=(*base.card.history, self._stage(summary, command)),
            licence=licence,
        )
        return Model(card, to_numpy(network.state_dict()))

    def _stage(self, summary: str, command: str) -> Stage:
        left_out = self.context.left_out
        rings = {"rings_left_out": round(left_out, 4)} if left_out else {}
        return Stage(
            job="in_context",
            settings=self.settings.model_dump(mode="json"),
            data={"summary": summary, "planes": len(self.seen.planes), **rings},
            start=self.base.name,
            versions=versions(),
            date=datetime.now(UTC).isoformat(timespec="seconds"),
            command=command,
        )


def remember_painting(painting: SeenPainting, settings: ContextSettings) -> Context:
    """Draw painted pixels, let the network remember them, and fit threshold and filters to what is painted.

    Filters have a share in the answer only where the network is not known to find objects like the painted ones.

    Of each class at least one pixel must be painted.
    """
    context = painting.context(settings)
    painting.vectors.remember(context.vectors)
    edges = fitted_edges(painting, settings)
    painting.vectors.network.threshold = edges.threshold
    share = 0.0 if edges.found else settings.filter_share
    painting.vectors.network.filters = fitted_filters(painting, share, settings.seed)
    return context


def remembered(
    base: Model, painted: Sequence[LabelledPlane], classes: int, settings: ContextSettings, device: Device
) -> RememberedPainting:
    """Let a generator's network remember a painting.

    Parameters
    ----------
    base
        A generator with vectors.
    painted
        Scaled planes and what is painted on them.
    classes
        Number of classes, background included; of each at least one pixel is painted.
    settings
        How many pixels are remembered.
    device
        Where the network runs.

    """
    vectors = PlaneVectors(context_network(base, classes, device, settings.filter_share), device)
    vectors.look_at(scale_for(settings.shrink, [plane.target for plane in painted]))
    planes = [vectors.plane(plane.image, str(number).encode()) for number, plane in enumerate(painted)]
    painting = SeenPainting(vectors, planes, painted, classes)
    return RememberedPainting(base, settings, painting, remember_painting(painting, settings))
