"""Pascal VOC: one XML file per image."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Literal

from gapscope.data.images import find_images
from gapscope.data.readers.build import Corners, TableBuilder
from gapscope.data.readers.folders import LabelFolder
from gapscope.data.readers.yolo import NAME_FILES, read_names
from gapscope.data.table import AnnotationTable
from gapscope.errors import InputError

Pixels = Literal["auto", "inclusive", "edges"]


def read_voc(root: Path, folders: list[LabelFolder], *, pixels: Pixels = "auto", clip: bool = False) -> AnnotationTable:
    """Read images and their XML labels, matched by name (a <filename> inside is not trusted).

    Pixel convention: VOC counts pixels from 1 and its xmax, ymax belong to the box ("inclusive"), so the continuous
    box is (xmin - 1, ymin - 1, xmax, ymax). Tools that write pixel edges from 0 ("edges") are told apart by a
    coordinate below 1, which VOC cannot have: then, with "auto", the whole data set is read as edges.

    `difficult` set to 1 makes an ignore region. Classes are those of classes.txt or data.yaml where there is one (in
    the root or one level up), else the names found, in alphabetical order.

    Raises:
        InputError: A file is broken or cut short, an image lacks its XML or the other way round, a size differs from
            the image's, or a class is not listed.
    """
    documents = [(image, xml, _parse(xml)) for folder in folders for image, xml in _matched(folder)]
    objects = {xml: _objects(tree, xml) for _, xml, tree in documents}
    every = [entry for entries in objects.values() for entry in entries]
    from_zero = any(min(corners[:2]) < 1 for _, corners, _ in every)
    start = 0.0 if pixels == "edges" or (pixels == "auto" and from_zero) else 1.0
    names = _names(root, [folder.labels for folder in folders], {name for name, _, _ in every})
    builder = TableBuilder(root, names, clip)
    for image, xml, tree in documents:
        number = builder.add_image(image, declared=_declared(tree, xml), where=str(xml))
        for i, (name, (x1, y1, x2, y2), difficult) in enumerate(objects[xml], 1):
            where = f"{xml}, object {i}"
            if name not in names:
                raise InputError(f"{where}: class '{name}' is not listed. Known: {', '.join(names)}. Fix either.")
            builder.add_box(number, names.index(name), (x1 - start, y1 - start, x2, y2), difficult, where)
    return builder.table()


def _matched(folder: LabelFolder) -> list[tuple[Path, Path]]:
    images = find_images(folder.images)
    pairs = [(image, folder.label_of(image, ".xml")) for image in images]
    bare = [image for image, xml in pairs if not xml.is_file()]
    if bare:
        raise InputError(
            f"{len(bare)} image(s) of {folder.images} have no XML in {folder.labels}, such as {bare[0].name} - "
            "expected one each, if only without objects. Label the images, or remove them."
        )
    alone = sorted(set(folder.labels.rglob("*.xml")) - {xml for _, xml in pairs})
    if alone:
        raise InputError(
            f"{len(alone)} XML file(s) have no image in {folder.images}, such as {alone[0].name} - expected an image "
            "of the same name. Restore the images, or remove the labels."
        )
    return pairs


def _parse(path: Path) -> ElementTree.Element:
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError as error:
        raise InputError(f"{path} is no whole XML file: {error}. Replace it.") from error
    if root.tag != "annotation":
        raise InputError(f"{path} starts with <{root.tag}> - expected <annotation>, as in Pascal VOC. Replace it.")
    return root


def _declared(tree: ElementTree.Element, path: Path) -> tuple[float, float] | None:
    if tree.find("size") is None:
        return None
    return _number(tree, "size/width", str(path)), _number(tree, "size/height", str(path))


def _objects(tree: ElementTree.Element, path: Path) -> list[tuple[str, Corners, bool]]:
    return [_object(node, f"{path}, object {i}") for i, node in enumerate(tree.iter("object"), 1)]


def _object(node: ElementTree.Element, where: str) -> tuple[str, Corners, bool]:
    name = (node.findtext("name") or "").strip()
    if not name:
        raise InputError(f"{where}: has no <name> - expected a class. Add it, or remove the object.")
    x1, y1, x2, y2 = (_number(node, f"bndbox/{key}", where) for key in ("xmin", "ymin", "xmax", "ymax"))
    return name, (x1, y1, x2, y2), (node.findtext("difficult") or "0").strip() == "1"


def _number(node: ElementTree.Element, tag: str, where: str) -> float:
    text = node.findtext(tag)
    try:
        return float(text or "")
    except ValueError:
        raise InputError(f"{where}: <{tag}> is {text!r} - expected a number. Fix it.") from None


def _names(root: Path, near: list[Path], found: set[str]) -> tuple[str, ...]:
    listed = any((folder / name).is_file() for folder in (root, root.parent, *near) for name in NAME_FILES)
    return read_names(root, near) if listed else tuple(sorted(found))
