"""The card of a model: what its file says about itself, each field within bounds, since files come from anywhere."""

import math
from collections.abc import Mapping
from statistics import median
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from ..data.images.intensity_scaling import IntensityScaling
from ..formatting import counted, plain
from .tasks import TaskName, task_of

FORMAT_VERSION: Literal[1] = 1
_CHANNELS = 4096
"""More than any layer of our networks has; what a card asks for beyond that would fill the memory."""
_LINES = 100_000
IN_TURN = "each painted object left out in turn"
"""How a model was validated, on its card, where too little is painted to hold anything out."""
_FOUND_DICE = 2 / 3
"""An object counts as found above this Dice, where the overlap is more than half of the union."""
_MISSED = " If particles like a missed one are missed elsewhere, paint one of them, too."

Storage = Literal["float32", "float16"]


def _readable(content: object) -> object:
    """Texts, within lists and tables too, without what no text can hold: bytes in names of files that are no letters.

    Such names come from disks of other systems. They must not keep a model from being written after its training.
    """
    if isinstance(content, str):
        return content.encode("utf-8", "backslashreplace").decode()
    if isinstance(content, Mapping):
        return {_readable(key): _readable(value) for key, value in content.items()}
    return [_readable(each) for each in content] if isinstance(content, list | tuple) else content


def _cut(text: object) -> object:
    """The beginning of a command that names thousands of files."""
    return f"{text[: _LINES - 1]}…" if isinstance(text, str) and len(text) > _LINES else text


Text = Annotated[str, Field(max_length=_LINES), AfterValidator(plain), BeforeValidator(_readable)]
"""Shown in terminals and in the viewer, so without escape sequences."""
Values = Annotated[dict[str, object], BeforeValidator(_readable)]
Length = Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=10**15)]


def _known(numbers: object) -> object:
    """Results that are numbers: JSON has neither NaN nor infinity, a result that was one of these is left out."""
    if not isinstance(numbers, dict):
        return numbers
    return {name: value for name, value in numbers.items() if not _is_lost(value)}


def _is_lost(value: object) -> bool:
    return value is None or (isinstance(value, float) and not math.isfinite(value))


class Record(BaseModel):
    """Part of a card: it never changes, and holds nothing unknown."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class NetworkSpec(Record):
    """Everything `networks.generators.build_generator` needs to build the network again."""

    name: Text
    width: int | None = Field(None, ge=1, le=_CHANNELS)
    out_channels: int = Field(1, ge=1, le=_CHANNELS)
    refine: bool = False
    """Whether an HRNet has its part at full resolution."""
    vector_channels: int = Field(0, ge=0, le=_CHANNELS)
    """How many of the first channels are a vector by which pixels are compared; 0 where there is none."""
    mask_decoder: Text = ""
    """Name of the U-Net, as wide as the generator, that draws masks from similarities; empty where there is none."""
    painted: tuple[Annotated[int, Field(ge=0, le=10**7)], ...] = Field((), max_length=_CHANNELS)
    """For each class, background first, how many painted pixels the network remembers; none where it was trained."""
    scale: float = Field(1.0, ge=2.0**-10, le=2.0**10)
    """By how much a network that remembers painted pixels enlarges images before it looks; a power of two."""
    threshold: float = Field(0.0, ge=-8, le=8)
    """Log-odds from which on a network that remembers painted pixels gives a pixel a class."""
    filter_share: float = Field(0.0, ge=0, le=1)
    """Share of a classifier by filters in what a network that remembers painted pixels answers; 0 where it has none."""
    heads: tuple[Text, ...] = Field(("restore",), max_length=_CHANNELS)
    """Of a generator: what the channels after the vector are, one each: the restored image, or the logit of objects."""
    norm: Literal["batch", "instance"] = "batch"
    """What is normalised together: a channel of the batch, or of each image on its own."""
    smoothing_px: float = Field(0.0, ge=0, le=5)
    """Standard deviation of the Gaussian to whose result the network adds its own output; 0: it adds to nothing."""
    image_share: float = Field(0.0, ge=0, le=1)
    """Share of the image itself in the result, of networks that learnt hidden pixels from those around them."""

    def for_output(self, channels: int) -> "NetworkSpec":
        """Return the network of a generator with this many output channels, for another task; its heads are dropped."""
        dropped = ("vector_channels", "mask_decoder", "heads", "smoothing_px", "image_share")
        usual = {name: type(self).model_fields[name].default for name in dropped}
        return self.model_copy(update=usual | {"out_channels": channels})

    def channel_of(self, head: str) -> int | None:
        """Return the output channel of a generator's head, or None where it has no such head."""
        return self.vector_channels + self.heads.index(head) if head in self.heads else None


class ClassInfo(Record):
    """One class of a segmentation model; index 0 of `Card.classes` is the background."""

    name: Text
    target_value: int | None = Field(None, ge=0, lt=2**32)
    """The value of this class in dense masks, where 0 is background."""


class Stage(Record):
    """One stage in the history of a model: what was done, with what, and with which result."""

    job: Text
    settings: Values
    data: Values = Field(default_factory=dict)
    start: Text | None = None
    steps: Count = 0
    seconds: float = Field(0.0, ge=0, allow_inf_nan=False)
    metrics: Annotated[dict[Text, float], BeforeValidator(_known)] = Field(default_factory=dict)
    versions: dict[Text, Text] = Field(default_factory=dict)
    date: Text = ""
    command: Annotated[Text, BeforeValidator(_cut)] = ""


class Card(Record):
    """What a model file says about itself."""

    format_version: Literal[1] = FORMAT_VERSION
    name: Text
    task: TaskName
    network: NetworkSpec
    scaling: IntensityScaling = IntensityScaling()
    classes: tuple[ClassInfo, ...] = Field((), max_length=_CHANNELS)
    pixel_size_nm: tuple[Length, Length] | None = None
    """Smallest and largest pixel size seen in training, nm; None when no image was calibrated."""
    history: tuple[Stage, ...] = ()
    licence: Text = "unknown"
    description: Text = ""
    upscale: int = Field(1, ge=1, le=4)
    """How many times finer than the image's grid that of the result is, along height and width."""
    partial: bool = False
    """Whether weights are missing: only the encoder was pretrained elsewhere, and the rest is learnt in fine-tuning."""
    storage: Storage = "float32"
    """How the file holds the weights of convolutions; everything else is float32, and so are they once read."""

    @model_validator(mode="after")
    def _check_range(self) -> "Card":
        if self.pixel_size_nm and self.pixel_size_nm[0] > self.pixel_size_nm[1]:
            raise ValueError("the smallest pixel is larger than the largest one")
        return self

    @model_validator(mode="after")
    def _check_outputs(self) -> "Card":
        """Refuse a card whose task, classes and network contradict each other: labels would be none that it names."""
        spec, task, classes = self.network, task_of(self.task), len(self.classes)
        if spec.painted:
            if not len(spec.painted) == classes >= 2:
                raise ValueError(f"pixels of {len(spec.painted)} classes are remembered, and {classes} are named")
        elif task.gives_labels and self.upscale > 1:
            raise ValueError("labels cannot be finer than the image")
        elif not task.is_pretext and (classes or not task.gives_labels):
            channels = task.out_channels(classes, self.upscale)
            if spec.out_channels != channels:
                raise ValueError(f"the network ends in {spec.out_channels} channels, and the task needs {channels}")
        return self


def context_of(card: Card) -> str:
    """Say what a model in context remembers and how large it sees images; empty for any other model."""
    spec = card.network
    if not spec.painted:
        return ""
    each = zip(spec.painted, card.classes, strict=True)
    pixels = ", ".join(f"{counted(count, 'pixel')} of {item.name}" for count, item in each)
    planes = next((stage.data["planes"] for stage in reversed(card.history) if "planes" in stage.data), None)
    where = f", painted on {counted(planes, 'plane')}" if isinstance(planes, int) else ""
    filters = f"; filters have a share of {spec.filter_share:.0%}" if spec.filter_share else ""
    return f"{pixels}{where}; {_seen_at(spec.scale)}{filters}"


def more_on_data(stage: Stage) -> dict[str, object]:
    """Return what people may want to know of a stage's data besides the sentence and what `objects_of` says.

    Which side each image and object was on is left out: that record is for runs that continue from the model.
    """
    return {name: value for name, value in stage.data.items() if name not in ("summary", "objects_dice", "split")}


def named_scores(metrics: Mapping[str, float]) -> list[str]:
    """Return scores with their names, each of which says whether it was measured in validation or in a test."""
    scores = {name if name.startswith("test ") else f"validation {name}": value for name, value in metrics.items()}
    return [f"{name} {value:.4g}" for name, value in scores.items()]


def objects_of(stage: Stage) -> str:
    """Say how many of the painted objects that judged a model are found, and how well; empty where none judged it."""
    scores = stage.data.get("objects_dice")
    if not isinstance(scores, list) or not all(isinstance(score, int | float) for score in scores):
        return ""
    found = sorted(float(score) for score in scores if score > _FOUND_DICE)
    if not scores:
        return ""
    said = f"{len(found)} of {len(scores)} painted objects"
    missed = _MISSED if len(found) < len(scores) else ""
    if stage.data.get("validation") == IN_TURN:
        return f"Left out in turn, {said} are found from the others{_spread(found)}.{missed}"
    return f"Of what was held out, {said} are found{_spread(found)}.{missed}"


def _spread(found: list[float]) -> str:
    """Say between what the Dice of those found lies."""
    if not found:
        return ""
    if f"{found[0]:.2f}" == f"{found[-1]:.2f}":
        return f" (Dice {found[0]:.2f})"
    middle = f", median {median(found):.2f}" if len(found) > 2 else ""
    return f" (Dice {found[0]:.2f} to {found[-1]:.2f}{middle})"


def _seen_at(scale: float) -> str:
    if scale == 1:
        return "sees images as they are"
    if scale < 1:
        return f"sees images shrunk {1 / scale:g} times"
    return f"sees images smoothed and enlarged {scale:g} times"
