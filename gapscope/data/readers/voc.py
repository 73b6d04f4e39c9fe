"""Pascal VOC: one XML file per image."""

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from gapscope.data.images import find_images
from gapscope.data.problems import Problems, RowError
from gapscope.data.readers.build import NOT_STATED, Corners, TableBuilder
from gapscope.data.readers.folders import LabelFolder, files_in, first_bytes, flat_folder, matching_folders
from gapscope.data.readers.format import Format, Request
from gapscope.data.readers.name_files import find_names
from gapscope.data.table import AnnotationTable
from gapscope.files import check_regular

Pixels = Literal["auto", "inclusive", "edges"]


def find_voc(request: Request) -> list[LabelFolder] | None:
    """images/ or JPEGImages/ beside XML files, in the root or in each of its subfolders."""
    found = matching_folders(request, ("labels_voc", "Annotations", "annotations", "labels"), ".xml")
    return found or (find_beside(request) if request.format else None)


def find_beside(request: Request) -> list[LabelFolder] | None:
    """XML files beside their images, as LabelImg writes them."""
    return None if request.labels is not None else flat_folder(request.images or request.root, ".xml", _is_label)


def _is_label(path: Path) -> bool:
    return re.search(rb"<annotation[\s>]", first_bytes(path, 4096)) is not None


def read_voc(request: Request, folders: list[LabelFolder], *, pixels: Pixels = "auto") -> AnnotationTable:
    """Read images and their XML labels, matched by name (a <filename> inside is not trusted).

    Pixel convention: VOC counts pixels from 1 and its xmax, ymax belong to the box ("inclusive"), so the continuous
    box is (xmin - 1, ymin - 1, xmax, ymax). Tools that write pixel edges from 0 ("edges") are told apart by a
    coordinate below 1, which VOC cannot have: then, with "auto", the whole data set is read as edges.

    `difficult` set to 1 makes an ignore region; `truncated` and `occluded` are kept. Classes are those of classes.txt
    or data.yaml where there is one (in the root or one level up), else the names found, in alphabetical order.

    Raises:
        InputError: A file is broken or cut short, an image lacks its XML or the other way round, a size differs from
            the image's, or a class is not listed.
    """
    documents = [
        (image, xml, tree)
        for folder in folders
        for image, xml in _matched(folder, request.problems)
        if (tree := _parse(xml, request.problems)) is not None
    ]
    objects = {xml: _objects(tree, xml, request.problems) for _, xml, tree in documents}
    every = [entry for entries in objects.values() for entry in entries]
    from_zero = any(min(entry.corners[:2]) < 1 for entry in every)
    start = 0.0 if pixels == "edges" or (pixels == "auto" and from_zero) else 1.0
    names = _names(request.root, {xml.parent for _, xml, _ in documents}, {entry.name for entry in every})
    builder = TableBuilder(request.root, names, request.clip, request.problems)
    for image, xml, tree in documents:
        with request.problems.at(xml):
            number = builder.add_image(image, declared=_declared(tree))
            for entry in objects[xml]:
                with request.problems.at(xml, f"object {entry.place}"):
                    _add_object(builder, number, entry, start)
    return builder.table()


@dataclass(frozen=True)
class _Object:
    """One <object> as it is written."""

    place: int
    name: str
    corners: Corners
    difficult: bool
    occlusion: float
    truncation: float


def _add_object(builder: TableBuilder, image: int, entry: _Object, start: float) -> None:
    if entry.name not in builder.class_names:
        raise RowError(f"class '{entry.name}' is not listed", f"one of {', '.join(builder.class_names)}. Fix either.")
    x1, y1, x2, y2 = entry.corners
    builder.add_box(
        image,
        builder.class_names.index(entry.name),
        (x1 - start, y1 - start, x2, y2),
        ignore=entry.difficult,
        occlusion=entry.occlusion,
        truncation=entry.truncation,
    )


def _matched(folder: LabelFolder, problems: Problems) -> list[tuple[Path, Path]]:
    pairs = [(image, folder.label_of(image, ".xml")) for image in find_images(folder.images)]
    for image, xml in pairs:
        with problems.at(image):
            if not xml.exists():
                raise RowError(
                    f"has no XML in {folder.labels}",
                    "one for each image, if only without objects. Label the image, or remove it.",
                )
    for alone in sorted(set(files_in(folder.labels, "**/*.xml")) - {xml for _, xml in pairs}):
        if not folder.is_flat or _is_label(alone):
            with problems.at(alone):
                raise folder.lacks_image(alone)
    return [(image, xml) for image, xml in pairs if xml.exists()]


def _parse(path: Path, problems: Problems) -> ElementTree.Element | None:
    with problems.at(path):
        try:
            check_regular(path)
            root = ElementTree.parse(path).getroot()
        except (ElementTree.ParseError, OSError, ValueError, LookupError) as error:
            raise RowError(f"is no whole XML file ({error})", "one that a parser can read. Replace it.") from error
        if root.tag != "annotation":
            raise RowError(f"starts with <{root.tag}>", "<annotation>, as in Pascal VOC. Replace it.")
        return root
    return None


def _declared(tree: ElementTree.Element) -> tuple[float | None, float | None]:
    width, height = (
        _number(tree, tag) if (tree.findtext(tag) or "").strip() else None for tag in ("size/width", "size/height")
    )
    return width, height


def _objects(tree: ElementTree.Element, path: Path, problems: Problems) -> list[_Object]:
    found = []
    for place, node in enumerate(tree.iter("object"), 1):
        with problems.at(path, f"object {place}"):
            found.append(_object(place, node))
    return found


def _object(place: int, node: ElementTree.Element) -> _Object:
    name = (node.findtext("name") or "").strip()
    if not name:
        raise RowError("has no <name>", "a class. Add it, or remove the object.")
    x1, y1, x2, y2 = (_number(node, f"bndbox/{key}") for key in ("xmin", "ymin", "xmax", "ymax"))
    difficult = (node.findtext("difficult") or "0").strip() == "1"
    return _Object(place, name, (x1, y1, x2, y2), difficult, _yes_no(node, "occluded"), _yes_no(node, "truncated"))


def _yes_no(node: ElementTree.Element, tag: str) -> float:
    return {"0": 0.0, "1": 1.0}.get((node.findtext(tag) or "").strip(), NOT_STATED)


def _number(node: ElementTree.Element, tag: str) -> float:
    text = node.findtext(tag)
    try:
        return float(text or "")
    except ValueError:
        raise RowError(f"<{tag}> is {text!r}", "a number. Fix it.") from None


def _names(root: Path, folders: set[Path], found: set[str]) -> tuple[str, ...]:
    """Those of a name file, which above the root must know all that were found: it may belong to another data set."""
    listed = find_names(root, folders)
    if listed is None or (Path(listed.file).parent == root.parent and not found <= set(listed.names)):
        return tuple(sorted(found))
    return listed.names


VOC = Format(
    name="voc",
    layout="images/ or JPEGImages/ beside Annotations/, labels_voc/ or labels/ with *.xml, or .xml beside each image",
    find=find_voc,
    read=read_voc,
    suffixes=(".xml",),
)
VOC_BESIDE = replace(VOC, find=find_beside)
