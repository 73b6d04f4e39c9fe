"""A labelled folder -> the images that a network is scored on, their classes matched by name."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from gapscope.data.label_maps import LabelMap, fit
from gapscope.data.labels import REST, map_labels
from gapscope.data.readers.detect import read_annotations
from gapscope.data.splits import read_list, split_from_lists
from gapscope.data.table import AnnotationTable
from gapscope.errors import InputError


def labelled_folder(
    root: Path | str,
    classes: Sequence[str],
    *,
    format: str | None = None,
    label_map: str = "",
    labels: Mapping[str, Sequence[str]] | None = None,
    drop: Sequence[str] = (),
    ignore: Sequence[str] = (),
    names: Sequence[str] = (),
    split_list: Path | str | None = None,
) -> AnnotationTable:
    """Read a data set and give its boxes the network's classes.

    Args:
        root: A folder of any format that `read_annotations` knows.
        classes: The network's classes, in order.
        label_map: A map by name, as `gapscope data maps` lists them; what follows wins over it.
        labels: Network class -> the data's names for it; left out, equal names belong together.
        drop: Names of the data whose boxes are background.
        ignore: Names whose boxes are neither right nor wrong to detect.
        names: Class names in order, for labels that hold numbers and come without names.
        split_list: A file of image names, one a line; other images are left out.

    Raises:
        InputError: The folder or list cannot be read, or a class of the data has no place among the network's.
    """
    root = Path(root)
    split_list = None if split_list is None else Path(split_list)
    table = read_annotations(root, format, names=names)
    if label_map:
        plan = fit(
            label_map,
            LabelMap({name: tuple(those) for name, those in (labels or {}).items()}, tuple(drop), tuple(ignore)),
            classes,
            table.class_names,
        )
        labels, drop, ignore = plan.labels, plan.drop, plan.ignore
    table = with_classes(table, classes, str(root), labels, drop, ignore)
    if split_list is not None:
        table = table.select(split_from_lists(table, {"test": read_list(split_list)})["test"])
    if not len(table):
        raise InputError(f"{split_list or root} names no image - expected at least one to score the network on.")
    return table


def with_classes(
    table: AnnotationTable,
    classes: Sequence[str],
    what: str,
    labels: Mapping[str, Sequence[str]] | None = None,
    drop: Sequence[str] = (),
    ignore: Sequence[str] = (),
) -> AnnotationTable:
    """The table in the network's classes and their order: by name, never by number.

    Raises:
        InputError: A class of the data that has boxes is none of the network's and has no other place.
    """
    if labels:
        return map_labels(table, labels, drop, ignore, classes)[0]
    foreign = [name for name, n in table.counts().items() if n and name not in (*classes, *drop, *ignore)]
    if foreign and REST not in drop:
        raise InputError(
            f"{what} has classes that the network does not have: {', '.join(foreign)} (network: {', '.join(classes)}; "
            f"data: {', '.join(table.class_names)}) - expected the same names. Map, drop or ignore those of the data."
        )
    same = {name: [name] for name in classes if name in table.class_names and name not in (*drop, *ignore)}
    return map_labels(table, same, drop, ignore, classes)[0]
