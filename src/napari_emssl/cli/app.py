"""The tree of commands, run so that every error becomes a sentence on stderr and an exit status.

Commands are imported when they are called, so that ``--help`` and ``--version`` load little more than cyclopts.
"""

import sys
import traceback
from collections.abc import Callable

from cyclopts import App, CycloptsError

from .. import __version__
from ..errors import UserError
from ..resources import is_out_of_memory
from .terminal.streams import forgiving_streams, raw

DONE = 0
BUG = 1
BAD_INPUT = 2
DIVERGED = 3
"""Exit status of a training that ended early on its own; it wrote the best weights so far."""

_COMMANDS = {
    "pretrain": "Pretrain a generator on images without labels.\n\n"
    "Pictures of corrupted, restored and clean patches and the curves are written to the folder OUTPUT-pictures, "
    "unless --pictures names another. Ctrl-C saves the best weights so far; --resume continues.",
    "prepare": "Prepare published data sets as their authors did.",
    "pack": "Pack a large number of images into one file that 'pretrain' reads much faster.\n\n"
    "It holds images, their names, sources and intensity levels, so the same seed gives the same training as with the "
    "folders. Ctrl-C leaves nothing behind.",
    "finetune": "Train a model on few labels, starting from a pretrained generator.\n\n"
    "Without --steps, --epochs or --max-seconds it trains for a minute. Ctrl-C saves the best weights so far; "
    "--resume continues.",
    "apply": "Run a model over images, folders and stacks.",
    "segment-in-context": "Segment images from what is painted in a few of them, without training.\n\n"
    "Paintings pair with images by name. In painting files 0 is background; with --zero unpainted, 0 is unpainted, 1 "
    "is background and 2, 3, ... are classes.",
    "evaluate": "Score a model against targets.",
    "compare": "Compare pretrained starts with random weights, with the same recipe, images and seeds.\n\n"
    "Writes results.csv, summary.csv, summary.json and curves.png to OUTPUT and prints a table. Ctrl-C keeps the runs "
    "that are complete; run the same command again to continue.",
    "reproduce": "Run a plan of data sets, networks, starts and seeds, and write its table, figures and page.\n\n"
    "The plans for the paper's Tables 2 to 7 come with the program. Ctrl-C keeps the runs that are complete; run the "
    "same command again to continue, even in the middle of a run.",
    "measure": "Measure the particles in masks or numbered labels: sizes, shapes, statistics.\n\n"
    "Touching particles of a mask are separated. Writes a CSV table, one row per particle, in nm where the pixel size "
    "is known, and prints mean, median, standard deviation and a log-normal fit of the equivalent diameters.",
    "simulate": "Make images whose truth is known.",
    "models": "List, describe, download, import and export models.",
    "demo": "Try everything on simulated data.",
    "diagnostics": "Print versions, machine and device, for a bug report.\n\n"
    "Names of people, computers and folders are left out, but read it through before you send it.",
}
"""Help of each command, in the order in which they are listed."""

_HOMES = {
    "diagnostics": "terminal.diagnostics:diagnostics",
    "segment-in-context": "apply:segment_in_context",
    "reproduce": "paper.reproduce:reproduce",
}
"""Where a command stands that is not in the module of its name."""

_GROUP_HOMES = {"prepare": "paper.prepare"}
"""Where the commands below a command stand that are not in the module of its name."""

_SUBCOMMANDS = {
    "prepare": {
        "au": "Cut frames of gold nanoparticles into patches, as the sets of Sytwu et al. were prepared.\n\n"
        "Negative pixels become 0, hot ones the mean of their neighbours, every frame gets mean 0 and standard "
        "deviation 1. Writes Images.h5 and Labels.h5, which remember the frame of each patch, so that no split "
        "divides a frame.",
    },
    "simulate": {
        "hrtem": "Simulate HRTEM images of gold nanoparticles on amorphous carbon, with their truth.\n\n"
        "Writes OUTPUT/images, OUTPUT/targets (1 on particles) and OUTPUT/instances (a number for each particle).",
        "collage": "Make collages: objects of many kinds on micrographs, with their truth.\n\n"
        "Writes OUTPUT/images, OUTPUT/targets (a number for each kind of objects) and OUTPUT/instances (a number "
        "for each object). The ground and the texture of objects are cut from the micrographs; without any, random "
        "textures take their place.",
        "stem": "Simulate ADF-STEM images of crystals, with their truth, in the folders of TEM-ImageNet.\n\n"
        "Writes OUTPUT/image and, under the same names, labels for denoising, background removal, super-resolution and "
        "masks, and the positions of the columns. Anything not given varies from image to image.",
    },
    "models": {
        "list": "List the models that can be picked by name, the recommended start first, then those to download.",
        "info": "Show the card of a model: what it is and how it was made.",
        "pull": "Download a model, check it, and add it to your own models.\n\n"
        "Ctrl-C stops and leaves nothing behind. Proxies are taken from HTTPS_PROXY and HTTP_PROXY.",
        "import": "Copy a model file to your own models, so that it can be picked by name.",
        "export": "Write a copy of a model to a file, or a package for other programs, to publish it.",
        "rename": "Rename one of your own models.",
        "remove": "Delete one of your own models.",
        "entry": "Print a model file's entry for a registry: name, size, SHA-256, addresses.",
    },
}
"""Help of the commands below a command."""


def build_app() -> App:
    """Return the tree of commands; none of their modules is imported yet."""
    from rich.console import Console

    app = App(
        name="napari-emssl",
        help="Self-supervised learning for electron microscopy: pretrain, fine-tune and apply models.",
        version=__version__,
        help_format="plaintext",
        result_action="return_value",
        suppress_keyboard_interrupt=False,
        console=Console(file=raw(sys.stdout)),
    )
    for place, (name, text) in enumerate(_COMMANDS.items()):
        children = _SUBCOMMANDS.get(name)
        if children is None:
            app.command(f"{__package__}.{_HOMES.get(name, f'{name}:{name}')}", name=name, help=text, sort_key=place)
            continue
        group = App(name=name, help=text, sort_key=place)
        for child, child_text in children.items():
            group.command(f"{__package__}.{_GROUP_HOMES.get(name, name)}:{child}_", name=child, help=child_text)
        app.command(group)
    return app


def run_command_line(words: list[str]) -> int:
    """Run one command line and return its exit status, see `cli.main`."""
    words = ["models", "list"] if words == ["models"] else words
    return guarded(lambda: build_app()(words, print_error=False, exit_on_error=False, verbose=False))


def guarded(command: Callable[[], int | None]) -> int:
    """Run `command` and turn what it raises into a sentence and an exit status."""
    with forgiving_streams() as out:
        status = _guarded(command)
        out.flush()
        if out.lost and status == DONE:
            return _fail(f"What was printed could not be written ({out.trouble}). Make room and try again.", BAD_INPUT)
        return status


def _guarded(command: Callable[[], int | None]) -> int:
    try:
        return command() or DONE
    except Exception as error:
        text = _describe(error)
        if text is not None:
            return _fail(text, BAD_INPUT)
        traceback.print_exc()
        return _fail(
            "This is a bug in napari-emssl, please report it with the lines above and with what "
            "'napari-emssl diagnostics' prints.",
            BUG,
        )


def _describe(error: Exception) -> str | None:
    """Return what to tell the user, or None when `error` is a bug."""
    if is_out_of_memory(error):  # first: where there is no memory, nothing can be imported either
        return "Memory is full. Use fewer or smaller images, or a smaller --batch-size, --patch or --tile."
    from pydantic import ValidationError

    from .error_messages import describe_settings_error, describe_usage_error

    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, CycloptsError):
        return describe_usage_error(error)
    if isinstance(error, ValidationError):
        return describe_settings_error(error)
    if isinstance(error, OSError) and error.strerror:
        what = f"'{error.filename}': {error.strerror}" if error.filename else str(error.strerror)
        return f"{what}. Check the disk and the permissions, then try again."
    return None


def _fail(text: str, status: int) -> int:
    """Print what is wrong and return the exit status."""
    print(f"napari-emssl: {text}", file=sys.stderr)
    return status
