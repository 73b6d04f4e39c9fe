"""Commands for looking at data before training on it: gapscope data ..."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gapscope.commands.app import DataRoot, app
from gapscope.commands.short_help import ShortHelp
from gapscope.words import number_of

if TYPE_CHECKING:
    from gapscope.data.table import AnnotationTable

data = typer.Typer(
    cls=ShortHelp, no_args_is_help=True, help="Look at data before training on it. No file of yours is changed."
)
app.add_typer(data, name="data")

Folder = Annotated[Path, typer.Argument(help="Folder of a data set: images and labels.")]
FormatName = Annotated[str | None, typer.Option("--format", help="How labels are written; found out if left out.")]
ImageFolder = Annotated[Path | None, typer.Option(help="Where the images are, if not in the usual place.")]
Labels = Annotated[Path | None, typer.Option(help="Label file or folder, if not in the usual place.")]
Clip = Annotated[bool, typer.Option("--clip", help="Cut boxes at the border of their image.")]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Leave broken rows and images out, and say how many.")]
Seed = Annotated[int, typer.Option(help="Of what is drawn at random.")]


@data.command()
def check(
    folder: Folder,
    format: FormatName = None,
    image_folder: ImageFolder = None,
    labels: Labels = None,
    clip: Clip = False,
    labels_only: Annotated[bool, typer.Option("--labels-only", help="Decode no image: seconds, not minutes.")] = False,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Write down what is wrong, and exit with 0.")] = False,
    jsonl: Annotated[Path | None, typer.Option(help="Where every problem goes, one JSON object a line.")] = None,
) -> None:
    """Read every label row and decode every image; say what is wrong.

    Sums up format, classes, image sizes, splits, and files not read.

    Exits with 2 if anything is. With --skip-bad it exits with 0, and what a
    study with skip_bad = true would leave out is in <folder>-left-out.jsonl
    (or where --jsonl says).

    Example: gapscope data check photos --jsonl problems.jsonl
    Example: gapscope data check photos --labels-only
    """
    from gapscope.commands.data_tables import print_kinds
    from gapscope.data.check import check_folder, kinds_of, write_problems
    from gapscope.data.summed_up import summed_up
    from gapscope.errors import InputError
    from gapscope.progress import for_terminal

    found = check_folder(
        folder, format, images=image_folder, labels=labels, clip=clip, labels_only=labels_only, progress=for_terminal()
    )
    print_kinds(kinds_of(found.problems), folder)
    out = jsonl or (Path(f"{folder.resolve().name}-left-out.jsonl") if skip_bad and found.problems else None)
    if out:
        write_problems(out, found.problems)
    for note in found.table.notes if found.table else ():
        print(f"{folder}: {note}")
    if found.near_repeats:
        pairs = number_of(found.near_repeats, "pair")
        print(f"{folder}: {pairs} of boxes of one class overlapping nearly in full: labelled twice?")
    for line in summed_up(found.table) if found.table else ():
        print(line)
    decoded = "no image decoded" if labels_only else f"{number_of(found.decoded, 'image')} decoded"
    problems = number_of(len(found.problems), "problem")
    if found.table is None:
        raise InputError(f"{folder} cannot be used at all; {decoded}, {problems} (see above).")
    boxes = number_of(found.table.num_boxes, "box", "boxes")
    usable = f"usable: {number_of(len(found.table), 'image')} with {boxes}"
    if not found.problems:
        rows = number_of(found.table.no_area, "row")
        no_area = f"; not counting {rows} with a box without area" if found.table.no_area else ""
        print(f"{decoded}, nothing wrong; {usable}{no_area}. Look at them: gapscope data show {folder} -o sheet.jpg")
    elif skip_bad:
        print(f"{decoded}, {problems} -> {out}; {usable} (with skip_bad = true in [domains.<name>])")
    else:
        raise InputError(
            f"{folder}: {problems}; {usable} - expected no problem. "
            "Fix them, or leave them out: --skip-bad here, skip_bad = true in [domains.<name>]."
        )


@data.command()
def leaks(
    folder: Annotated[Path | None, typer.Argument(help="Folder of a data set; with --names-only none.")] = None,
    run: Annotated[Path | None, typer.Option(help="A run folder: its domains and their splits.")] = None,
    train: Annotated[Path | None, typer.Option(help="List of training images, one name a line.")] = None,
    val: Annotated[Path | None, typer.Option(help="List of validation images.")] = None,
    test: Annotated[Path | None, typer.Option(help="List of test images.")] = None,
    groups: Annotated[str | None, typer.Option(help="Regular expression; its first bracket is the group.")] = None,
    names_only: Annotated[bool, typer.Option("--names-only", help="Compare names, without images.")] = False,
    format: FormatName = None,
    data_root: DataRoot = None,
) -> None:
    """Tell which share of the held-out images training has seen.

    By name, by group (ride, sequence), by neighbouring frames, and by what
    the images show. Without lists, images in folders called train, val and
    test are the splits, else those that a study would draw.

    Example: gapscope data leaks --names-only --train train.txt --test test.txt
    """
    from gapscope.commands.data_tables import print_overlaps
    from gapscope.data.leak_shares import leak_advice, overlaps
    from gapscope.data.split_parts import parts_of_folder, parts_of_lists, parts_of_run
    from gapscope.errors import InputError
    from gapscope.progress import for_terminal

    lists = {split: path for split, path in (("train", train), ("val", val), ("test", test)) if path}
    if names_only:
        if len(lists) < 2 or folder or run:
            raise InputError("--names-only compares lists - expected two or three of --train, --val, --test alone.")
        domains = {"": parts_of_lists(lists, groups)}
    elif run:
        domains = parts_of_run(run, groups, data_root, for_terminal())
    elif folder:
        domains = {"": parts_of_folder(folder, lists, groups, format, for_terminal())}
    else:
        raise InputError("nothing to look at - expected a folder, --run, or --names-only with lists. Name one.")
    for domain, parts in domains.items():
        found = overlaps(parts)
        print_overlaps(found, domain)
        print(leak_advice(found))


@data.command()
def stats(
    folders: Annotated[list[Path], typer.Argument(help="Folders of data sets to compare, or one experiment file.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder for tables and figures.")] = None,
    sample: Annotated[int, typer.Option(help="Images decoded for brightness and the like.", min=0)] = 200,
    seed: Seed = 0,
    format: FormatName = None,
    clip: Clip = False,
    skip_bad: SkipBad = False,
    data_root: DataRoot = None,
) -> None:
    """Compare data sets: classes, box sizes, places, image looks.

    Of an experiment file: its domains, mapped and filtered as the study has
    them. With --out also stats.json, stats.csv, and two figures (PNG, PDF).

    Example: gapscope data stats photos renders -o stats
    Example: gapscope data stats study.toml --data-root ~/data
    """
    from gapscope.commands.data_tables import print_distributions
    from gapscope.data.distributions import distributions, long_form
    from gapscope.errors import InputError
    from gapscope.files import write_json, write_text
    from gapscope.paper.table_files import frame_csv
    from gapscope.progress import for_terminal

    progress = for_terminal()
    if folders[0].suffix == ".toml":
        from gapscope.study.domains import domain_tables

        if len(folders) > 1 or format or clip or skip_bad:
            raise InputError(f"{folders[0]} says how its data are read - expected it alone. Leave out the rest.")
        tables = domain_tables(folders[0], data_root)
    else:
        names = [folder.resolve().name for folder in folders]
        if len(set(names)) < len(names):
            names = [str(folder) for folder in folders]
        if len(set(names)) < len(names):
            raise InputError(f"{names} - expected every folder once. Remove one.")
        tables = {
            name: read(folder, format, clip=clip, skip_bad=skip_bad)
            for name, folder in zip(names, folders, strict=True)
        }
    found = {name: distributions(table, sample=sample, seed=seed, progress=progress) for name, table in tables.items()}
    print_distributions(found)
    if sample:
        drawn = ", ".join(f"{one['looks_images']} of {name}" for name, one in found.items())
        print(f"brightness, contrast and saturation: {drawn}, drawn with seed {seed}")
    if out:
        from gapscope.lettering import unwritten
        from gapscope.paper.domain_figures import places_figure, spread_figure
        from gapscope.plot.style import write_figure

        write_json(out / "stats.json", found)
        write_text(out / "stats.csv", frame_csv(long_form(found)))
        write_figure(spread_figure(found), out, "spread")
        write_figure(places_figure(found), out, "places")
        for note in unwritten(list(dict.fromkeys(name for one in found.values() for name in one["classes"]))):
            print(note)
        print(f"tables and figures -> {out}; look at images: gapscope data show FOLDER -o sheet.jpg")


@data.command()
def show(
    folder: Folder,
    out: Annotated[Path, typer.Option("--out", "-o", help="Where the sheet goes (.jpg or .png).")],
    images: Annotated[int, typer.Option(help="How many, drawn at random.", min=1, max=400)] = 24,
    seed: Seed = 0,
    label: Annotated[str, typer.Option("--class", help="Only images that hold this class.")] = "",
    split: Annotated[str, typer.Option(help="Only images with this folder in their path.")] = "",
    format: FormatName = None,
    image_folder: ImageFolder = None,
    labels: Labels = None,
    clip: Clip = False,
    skip_bad: SkipBad = False,
) -> None:
    """Draw images with their boxes and class names on one sheet.

    Ignore regions are grey and hatched.

    Example: gapscope data show photos -o sheet.jpg --class car --split train
    """
    from gapscope.data.sheet import choose_images, sheet
    from gapscope.errors import InputError
    from gapscope.files import atomic_path
    from gapscope.lettering import unwritten

    if out.suffix.lower() not in (".jpg", ".jpeg", ".png"):
        raise InputError(f"{out} - expected a name that ends in .jpg or .png. Name the sheet so.")
    table = read(folder, format, image_folder, labels, clip=clip, skip_bad=skip_bad)
    chosen = choose_images(table, images, seed=seed, label=label, folder=split)
    with atomic_path(out) as temporary:
        sheet(table, chosen).save(temporary, quality=90)
    for note in unwritten(table.class_names):
        print(note)
    print(f"{len(chosen)} of {number_of(len(table), 'image')} -> {out}; other ones: --seed {seed + 1}")


def read(
    folder: Path,
    format: str | None,
    image_folder: Path | None = None,
    labels: Path | None = None,
    *,
    clip: bool,
    skip_bad: bool,
) -> "AnnotationTable":
    """A data set as the arguments ask for it; says what was left out and what its reader noted."""
    from gapscope.data.problems import Problems
    from gapscope.data.readers.detect import read_annotations

    problems = Problems(strict=not skip_bad)
    table = read_annotations(folder, format, images=image_folder, labels=labels, clip=clip, problems=problems)
    if problems.found:
        left_out = number_of(len(problems.found), "problem")
        print(f"{folder}: {left_out} left out; what they are: gapscope data check {folder}")
    for note in table.notes:
        print(f"{folder}: {note}")
    return table
