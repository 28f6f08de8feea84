"""The page of a package: what the model is, how to use its result, how it was made and how to validate it."""

from collections.abc import Iterator

from ..formatting import counted
from ..models.model_file import Card, Stage
from ..models.package import MODEL_FILE
from ..models.tasks import task_of
from .credits import Citation
from .tensors import Grid, channel_names


def readme(card: Card, grid: Grid, cited: list[Citation], simulated: bool) -> str:
    """Write the page.

    Parameters
    ----------
    card
        Of the model.
    grid
        Of the network.
    cited
        What is to be cited.
    simulated
        Whether the sample image is a simulated one.

    """
    parts = [
        f"# {card.name}\n\n{summary(card)}",
        f"## What goes in\n\n{_input(card, grid)}",
        f"## What comes out\n\n{_output(card)}",
        f"## Use\n\n{_use()}",
        f"## Validation\n\n{_validation(card, simulated)}",
        "## How it was made\n\n" + ("\n".join(_history(card)) or "The model file does not say."),
        "## Cite\n\n" + "\n".join(f"- {item.text}. doi:{item.doi}" for item in cited),
    ]
    return "\n\n".join(parts) + "\n"


def summary(card: Card) -> str:
    """Say in a sentence or two what the model is."""
    if card.description:
        return card.description
    if card.network.painted:
        how = "in context: it keeps painted pixels and finds what is like them"
    else:
        how = f"with the network {card.network.name}"
    if task_of(card.task).gives_labels:
        names = ", ".join(item.name for item in card.classes[1:])
        return f"Segments electron micrographs into background and {names}, {how}."
    return f"Restores electron micrographs ({card.task}), {how}."


def _input(card: Card, grid: Grid) -> str:
    scaling = card.scaling
    fitted = "each image" if scaling.per == "plane" else "the stack"
    lines = [
        f"One grey-scale image, 2-D, of any unit. Its {scaling.low_percent:g} % and {scaling.high_percent:g} % "
        f"percentiles, of {fitted} as a whole and never of a tile, become 0 and 1; then it is clipped to -0.5 and 1.5. "
        "Both steps are declared in the package. Replace NaN by the darkest value first.",
        f"Height and width are multiples of {grid.stride} px, {grid.smallest} px or more. When you run it in tiles, "
        f"crop a margin of {grid.halo} px of the image.",
    ]
    if scaling.hot_pixels is not None:
        lines.append(
            "**Hot pixels are not declared.** In training, negative pixels were set to 0, and pixels more than "
            f"{scaling.hot_pixels:g} above the median of their image were replaced by the mean of their eight "
            "neighbours. The format has no step for that: do it beforehand."
        )
    if card.network.painted:
        lines.append(
            f"The network looks at the image {'smoothed and ' if card.network.scale > 1 else ''}enlarged by "
            f"{card.network.scale:g}; this is built in, so you need not do anything."
        )
    if card.network.norm == "instance":
        lines.append("It normalises each image by its own statistics: give images whole, since tiles have others.")
    if card.pixel_size_nm:
        lines.append(f"Trained at {card.pixel_size_nm[0]:.3g} to {card.pixel_size_nm[1]:.3g} nm per pixel.")
    return "\n\n".join(lines)


def _output(card: Card) -> str:
    if not task_of(card.task).gives_labels:
        zero = "low" if task_of(card.task).keeps_background else "0"
        finer = f" Its grid is {card.upscale} times as fine as that of the image." if card.upscale > 1 else ""
        return (
            "The restored image in the scale of the network. In the units of the image it is "
            f"`result * (high - low) + {zero}`, with `low` and `high` the two percentiles of the image (the format "
            f"has no step that undoes a scaling by percentiles).{finer}"
        )
    names = ", ".join(f"`{name}`" for name in channel_names(card))
    if len(card.classes) == 2:
        return f"The probability of {names}. Labels are `probability > 0.5`."
    return f"The probabilities of {names}, in this order. Labels are the index of the largest one, 0 is background."


def _use() -> str:
    return (
        "```bash\npip install 'bioimageio.core[onnx]'\nbioimageio test .       # gives the sample result again\n```\n\n"
        f"`{MODEL_FILE}` is the same model for [napari-emssl](https://github.com/napari-emssl/napari-emssl): "
        "`napari-emssl models import .` adds it to your own, to be applied, fine-tuned, and measured."
    )


def _validation(card: Card, simulated: bool) -> str:
    measure = "Dice per class" if task_of(card.task).gives_labels else "PSNR and SSIM against images of a higher dose"
    sample = " The sample image is simulated: it shows that the package runs, not how good it is." if simulated else ""
    return (
        f"Compare with truth on images that the model has not seen: {measure}. With napari-emssl: "
        f"`napari-emssl evaluate {MODEL_FILE} --images FOLDER --targets FOLDER`.{sample}"
    )


def _history(card: Card) -> Iterator[str]:
    for number, stage in enumerate(card.history, 1):
        yield f"{number}. {_stage(stage)}"
    if card.licence != "unknown":
        yield f"\nLicence of the training images: {card.licence}."


def _stage(stage: Stage) -> str:
    scores = ", ".join(f"{name} {value:.4g}" for name, value in stage.metrics.items())
    steps = "nothing trained" if stage.job == "in_context" else counted(stage.steps, "step")
    told = f"{stage.job} from {stage.start or 'random weights'}, {steps}"
    return f"{told}; validation: {scores}" if scores else told
