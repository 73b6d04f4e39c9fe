"""Commands that write a data set anew: data convert, maps."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from gapscope.commands.data import Clip, Folder, FormatName, ImageFolder, Labels, SkipBad, data, read
from gapscope.words import number_of

Target = StrEnum("Target", ["coco", "yolo"])


@data.command()
def convert(
    folder: Folder,
    to: Annotated[Target, typer.Option(help="The form of the new labels.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The new folder.")],
    label_map: Annotated[str, typer.Option(help="A map that comes with gapscope: gapscope data maps")] = "",
    map: Annotated[list[str], typer.Option(help="NEW=OLD,OLD: these classes become one; repeat it.")] = [],  # noqa: B006
    drop: Annotated[list[str], typer.Option(help="A class to leave out; repeat it.")] = [],  # noqa: B006
    ignore: Annotated[list[str], typer.Option(help="A class that becomes ignore regions.")] = [],  # noqa: B006
    copy: Annotated[bool, typer.Option("--copy/--link", help="Copy the images, or link to the old ones.")] = False,
    format: FormatName = None,
    image_folder: ImageFolder = None,
    labels: Labels = None,
    clip: Clip = False,
    skip_bad: SkipBad = False,
) -> None:
    """Write a data set anew, as COCO JSON or YOLO text.

    With --map every class must be mapped, dropped or ignored; --label-map
    does that for known data sets, and --map, --drop, --ignore win over it.

    Example: gapscope data convert photos --to coco -o photos-coco
    --map person=pedestrian,rider --map car=car,van --drop sign
    """
    from gapscope.data.convert import convert as convert_table
    from gapscope.data.label_maps import LabelMap, renamed
    from gapscope.data.labels import parse_mapping
    from gapscope.progress import for_terminal

    table = read(folder, format, image_folder, labels, clip=clip, skip_bad=skip_bad)
    labels_of = {new: tuple(old) for new, old in parse_mapping(map, "--map").items()}
    table = renamed(table, label_map, LabelMap(labels_of, tuple(drop), tuple(ignore)))
    convert_table(table, to.value, out, copy=copy, progress=for_terminal())
    lost = int(table.ignore.sum()) if to is Target.yolo else 0
    if lost:
        print(f"YOLO knows no ignore regions: {lost} were left out, so what they hid counts as background.")
    print(
        f"{number_of(len(table), 'image')}, {number_of(table.num_boxes - lost, 'box', 'boxes')} -> {out} "
        f"({'copies' if copy else 'links'}); "
        f"check them: gapscope data check {out}"
    )


@data.command()
def maps(name: Annotated[str | None, typer.Argument(help="Show this one.")] = None) -> None:
    """List the label maps that come with gapscope, or show one.

    In a study it is the key label_map of a domain.

    Example: gapscope data maps viper
    """
    from gapscope.data.label_maps import label_map, named_label_maps

    if name is None:
        for known, plan in named_label_maps().items():
            print(f"{known}: {plan.about}")
        print(f"what one of them does: gapscope data maps {next(iter(named_label_maps()))}")
        return
    plan = label_map(name)
    print(plan.about)
    for label, sources in plan.labels.items():
        print(f"{label} from {', '.join(sources)}")
    print(f"dropped: {', '.join(plan.drop) or 'nothing'}{', and every other name' if plan.drop_rest else ''}")
    print(f"ignored: {', '.join(plan.ignore) or 'nothing'}")
    print(f'use it: label_map = "{name}" in [domains.<name>], or gapscope data convert --label-map {name}')
