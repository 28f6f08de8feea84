"""How much of a micrograph is segmented rightly after a few particles of it were painted: every way of answering.

    python benchmarks/accuracy/few_painted.py --data DATA --cache CACHE -o few-painted
    python benchmarks/accuracy/few_painted.py --data DATA --cache CACHE --k 3 --seeds 1 --sets particles --limit 30 \\
        --generators GENERATOR --worst 10 -o one-generator
    python benchmarks/accuracy/few_painted.py --data DATA --cache CACHE --columns fine-tuned --generators GENERATOR \\
        --starts in-context unet-4-200 scratch --steps 100 300 -o starts

Painted are k particles at random, whole; 3 px around each of them, as far as no particle lies there, are background,
and so are k dabs of 6 px radius. Dice is of the pixels left unpainted. Nothing else is known of the image. Everything
is drawn from fixed seeds, training takes a fixed number of steps on one thread, and seconds are those of the processor,
so a busy machine gives the same figures. Answers of the forest (needs scikit-learn) and of the first look are kept in
CACHE: with another generator only its network runs anew.

Columns: ``forest``, a random forest on filters; ``first-look``, what the dock shows by filters while one paints;
``in-context``, each generator asked with the painted pixels; ``average``, its mean with forest and with first look;
``fine-tuned``, each start trained for so many steps. The start ``in-context`` is the model in context of each
generator, ``scratch`` random weights of the network of the first generator or start.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from few_labels.answers import AnswerCache, Column, Remembered
from few_labels.contact_sheet import WorstAnswers
from few_labels.filters import FirstLook, Forest
from few_labels.micrographs import DEVELOPMENT, HELD_OUT, SETS, Choice, Trial, trials
from few_labels.networks import Average, FineTuned, InContext
from few_labels.tables import Row, as_csv, as_json, as_markdown, score
from threadpoolctl import threadpool_limits

import napari_emssl as em
from napari_emssl.checksums import sha256_of
from napari_emssl.jobs.devices import choose_device
from napari_emssl.models.zoo import find_model

COLUMNS = ("forest", "first-look", "in-context", "average", "fine-tuned")
FILES = ("scores.csv", "summary.json", "summary.md", "worst.png")


def columns(options: argparse.Namespace) -> Iterator[Column]:
    """Yield the columns that were asked for, and can be had with the generators and starts given."""
    cache = AnswerCache(options.cache)
    device = em.ApplySettings(device="cpu", precision=options.precision)
    forest, first_look = Remembered(Forest(cache)), Remembered(FirstLook(cache))
    contexts = [InContext(short(name), em.load_model(name), device) for name in options.generators]
    if "forest" in options.columns:
        yield forest
    if "first-look" in options.columns:
        yield first_look
    for context in contexts:
        remembered = Remembered(context)
        if "in-context" in options.columns:
            yield remembered
        if "average" in options.columns:
            yield from (Average(remembered, other) for other in (forest, first_look))
    if "fine-tuned" in options.columns:
        yield from fine_tuned(options, contexts)


def fine_tuned(options: argparse.Namespace, contexts: list[InContext]) -> Iterator[FineTuned]:
    """Yield a column for each start and number of steps."""
    starts = {name: em.load_model(name) for name in options.starts if name not in ("in-context", "scratch")}
    models = [*(context.model for context in contexts), *starts.values()]
    network = models[0].card.network if models else None
    own = {"generator": network.name, "width": network.width, "refine": network.refine} if network else {}
    for steps in options.steps:
        settings = em.FinetuneSettings(steps=steps, device="cpu", precision=options.precision, **own)
        for name in options.starts:
            if name == "in-context":
                yield from (FineTuned(context.name, context.ask, settings) for context in contexts)
            else:
                start = starts.get(name, name)
                yield FineTuned(short(name), lambda _, start=start: start, settings)


def short(name: str) -> str:
    """Return the name of a model, or that of its file without folder and ending."""
    return Path(name).stem if name.endswith(".safetensors") else name


def answered(asked: list[Column], trial: Trial, worst: WorstAnswers, shown: str) -> Iterator[Row]:
    """Yield the scores of all columns on one trial."""
    found = {column.name: column.answers(trial) for column in asked}
    for number, judged in enumerate(trial.judged):
        scores = {name: score(trial, judged, answers[number]) for name, answers in found.items()}
        place = f"{trial.set_name} {judged.name}, {trial.count} painted, seed {trial.seed}"
        print(f"{place}: " + ", ".join(f"{name} {dice:.3f}" for name, dice in scores.items()), flush=True)
        worst.add(scores[shown], f"{place}\n{shown} {scores[shown]:.3f}", trial, judged, found[shown][number])
        for name, dice in scores.items():
            seconds = round(found[name][number].seconds, 3)
            yield Row(trial.set_name, trial.part, judged.name, trial.count, trial.seed, name, round(dice, 5), seconds)


def measured(options: argparse.Namespace, asked: list[Column], worst: WorstAnswers) -> list[Row]:
    """Return the scores of all columns on all sets, or as far as it came before it was interrupted."""
    rows: list[Row] = []
    choice = Choice(options.k, options.seeds, options.limit, options.part, options.most_px)
    shown = options.worst_column or asked[-1].name
    try:
        for name in options.sets:
            for trial in trials(name, options.data, choice, options.cache):
                rows.extend(answered(asked, trial, worst, shown))
    except KeyboardInterrupt:
        print("Interrupted: the tables hold what was done until now.", file=sys.stderr)
    return rows


def facts(options: argparse.Namespace) -> dict[str, object]:
    """Return how it was run; files of generators and starts by what is in them."""
    given = [name for name in (*options.generators, *options.starts) if name not in ("in-context", "scratch")]
    plain = {name: str(value) if isinstance(value, Path) else value for name, value in vars(options).items()}
    device = choose_device(em.ApplySettings(device="cpu", precision=options.precision))
    models = {name: sha256_of(find_model(name)) for name in given}
    return {"options": plain, "sha256": models, "device": device.label, "version": em.__version__}


def parsed() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the micrographs")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS), metavar="SET", help=", ".join(SETS))
    parser.add_argument("--k", nargs="+", type=int, default=[1, 3, 5], help="particles painted")
    parser.add_argument("--seeds", type=int, default=3, help="paintings of each image")
    parser.add_argument("--limit", type=int, help="images judged of each set")
    parser.add_argument("--part", choices=(DEVELOPMENT, HELD_OUT), help="part of the set 'particles'")
    parser.add_argument("--most-px", type=int, help="crop the middle of larger images; by default none is cropped")
    parser.add_argument("--columns", nargs="+", choices=COLUMNS, default=list(COLUMNS))
    parser.add_argument("--generators", nargs="+", default=[], metavar="NAME|FILE", help="to be asked in context")
    parser.add_argument("--starts", nargs="+", default=[], metavar="NAME|FILE|in-context|scratch", help="to fine-tune")
    parser.add_argument("--steps", nargs="+", type=int, default=[100, 300], help="of fine-tuning")
    parser.add_argument("--precision", choices=("auto", "fp32", "bf16"), default="auto")
    parser.add_argument("--cache", type=Path, help="folder where answers of forest and first look are kept")
    parser.add_argument("--worst", type=int, default=0, metavar="N", help="draw the N worst images (needs -o)")
    parser.add_argument("--worst-column", metavar="NAME", help="as in the tables; by default the last column")
    parser.add_argument("-o", "--output", type=Path, help="folder of the tables and the picture")
    parser.add_argument("--overwrite", action="store_true")
    return parser.parse_args()


def write(folder: Path, rows: list[Row], run: dict[str, object], worst: WorstAnswers) -> None:
    """Write the tables and the picture."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = (as_csv(rows), json.dumps(as_json(rows, run), indent=1) + "\n", as_markdown(rows))
    for name, text in zip(FILES, texts, strict=False):
        (folder / name).write_text(text, encoding="utf-8")
    worst.draw(folder / FILES[-1])


def main() -> None:
    """Measure, print the tables and write them."""
    options = parsed()
    if options.output and not options.overwrite and any((options.output / name).exists() for name in FILES):
        sys.exit(f"{options.output} holds results already. Choose another folder, or give --overwrite.")
    torch.set_num_threads(1)
    with threadpool_limits(1):
        asked, worst = list(columns(options)), WorstAnswers(options.worst)
        if not asked or options.worst_column not in (None, *(column.name for column in asked)):
            sys.exit(f"Columns that can be had: {', '.join(column.name for column in asked) or 'none'}. See --help.")
        rows = measured(options, asked, worst)
    print("\n" + as_markdown(rows))
    if options.output:
        write(options.output, rows, facts(options), worst)


if __name__ == "__main__":
    main()
