"""read_annotations: which of all known formats (FORMATS) does a folder have?"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from gapscope.data.problems import Problems, check_name
from gapscope.data.readers.bdd import BDD100K_2018, BDD100K_DET20, BDD100K_OLD
from gapscope.data.readers.cached import CachedTable
from gapscope.data.readers.citypersons import CITYPERSONS
from gapscope.data.readers.cityscapes import CITYSCAPES, CITYSCAPES3D
from gapscope.data.readers.coco import COCO, LIKE_COCO
from gapscope.data.readers.cvat import CVAT
from gapscope.data.readers.datumaro import DATUMARO
from gapscope.data.readers.format import Format, Request
from gapscope.data.readers.kitti import KITTI
from gapscope.data.readers.label_texts import is_archive
from gapscope.data.readers.openimages import OPENIMAGES
from gapscope.data.readers.scalabel import SCALABEL
from gapscope.data.readers.synscapes import SYNSCAPES
from gapscope.data.readers.unlabelled import UNLABELLED, find_unlabelled
from gapscope.data.readers.unread import unread_notes, what_is_there
from gapscope.data.readers.viper import VIPER
from gapscope.data.readers.vkitti import VKITTI1, VKITTI2
from gapscope.data.readers.voc import VOC, VOC_BESIDE
from gapscope.data.readers.yolo import YOLO, YOLO_BESIDE
from gapscope.data.table import AnnotationTable
from gapscope.errors import InputError

_WITH_OWN_FOLDERS = (VIPER, KITTI, VKITTI2, VKITTI1, CITYSCAPES, CITYSCAPES3D, CITYPERSONS, SYNSCAPES, OPENIMAGES)
_FRAMES = (BDD100K_2018, BDD100K_DET20, BDD100K_OLD, SCALABEL)
FORMATS: dict[str, Format] = {
    format.name: format for format in (*_WITH_OWN_FOLDERS, *_FRAMES, CVAT, DATUMARO, COCO, YOLO, VOC)
}
"""By name, in the order in which a folder is tried: what is told apart by its first bytes comes first."""
_LAST = (YOLO_BESIDE, VOC_BESIDE, LIKE_COCO)
"""Layouts that would claim the folders of others, too."""
KNOWN = FORMATS | {UNLABELLED.name: UNLABELLED}
"""Those that can be asked for: images without labels must be, lest lost labels pass for none."""


def read_annotations(
    root: Path | str,
    format: str | None = None,
    *,
    images: Path | str | None = None,
    labels: Path | str | None = None,
    clip: bool = False,
    options: Mapping[str, str] | None = None,
    problems: Problems | None = None,
    sizes: tuple[int, int] | None = None,
    names: Sequence[str] = (),
    cache: Path | str | None = None,
) -> AnnotationTable:
    """Read a data set, finding its format from the folder. Each reader says what it makes of pixels.

    Args:
        root: The data set's folder; the table's paths are relative to it. A label file or an archive of label texts
            stands for its folder with `labels` naming it.
        format: One of `FORMATS`, to skip the search for the others.
        images: Folder of the images, below the root, where it is not in the usual place.
        labels: File or folder of the labels, likewise.
        clip: Cut boxes at the border of their image; otherwise one that leaves it by over a pixel is refused.
        options: What only this format can be told, see docs/formats.md.
        problems: Where broken rows and images are told; strict if left out.
        sizes: (width, height): read labels without their images, which are not at hand. An image whose labels do not
            state its size has this one. Not every format can be read so, see `Format.alone`.
        names: Class names in order, for labels that hold class numbers and come without names (`yolo`).
        cache: Folder in which tables are kept: what was read once is loaded as long as no file of the data set has
            changed, see `CachedTable`. May be deleted at any time.

    Raises:
        InputError: The folder is missing, fits no format, or holds something broken.
    """
    root = Path(root)
    images, labels, cache = (None if path is None else Path(path) for path in (images, labels, cache))
    if root.is_file() and labels is None:
        root, labels = root.parent, root
    request = Request(root, images, labels, clip, problems or Problems(), options or {}, sizes, tuple(names), format)
    _check(request, format)
    if images is not None:
        request = replace(request, images=_below(root, images))
    if cache is None:
        return _read(request)
    kept = CachedTable(cache, request)
    table = kept.load()
    if table is None:
        table = _read(request)
        kept.save(table)
    return table


def _read(request: Request) -> AnnotationTable:
    tried = [KNOWN[request.format]] if request.format else [*FORMATS.values(), *_LAST]
    if request.sizes is not None:
        tried = [candidate for candidate in tried if candidate.alone]
    for candidate in tried:
        found = candidate.find(request)
        if found is not None:
            _check_options(candidate, request.options)
            if candidate is YOLO_BESIDE and VOC_BESIDE.find(request):
                raise InputError(
                    f"{request.root} holds texts of yolo and XML files of voc beside its images - expected to be told "
                    "which. Name the format."
                )
            table = replace(candidate.read(request, found), format=candidate.name)
            if request.sizes is not None:
                return table
            return replace(table, notes=(*table.notes, *unread_notes(request, table, candidate.suffixes)))
    raise InputError(_nothing_found(request, tried))


def _nothing_found(request: Request, tried: Sequence[Format]) -> str:
    if len(tried) == 1:
        return (
            f"{request.root} does not fit the format {tried[0].name} - expected in it or its subfolders: "
            f"{tried[0].layout}. Arrange the files so.{what_is_there(request)}"
        )
    alone = f" For images without labels: format {UNLABELLED.name}." if find_unlabelled(request) else ""
    names = dict.fromkeys(format.name for format in tried)
    return (
        f"{request.root} fits no known format - expected one of {', '.join(names)}. "
        f"Name one to be told how its files lie.{alone}"
        f"{what_is_there(request)}"
    )


def _check_options(format: Format, options: Mapping[str, str]) -> None:
    for name, value in options.items():
        if name not in format.options:
            known = f"It has {', '.join(format.options)}." if format.options else "It has none."
            raise InputError(f"reader option '{name}' is unknown to the format {format.name}. {known}")
        if value not in format.options[name]:
            raise InputError(f"reader option {name} = '{value}' - expected one of {', '.join(format.options[name])}.")


def _check(request: Request, format: str | None) -> None:
    if format is not None and format not in KNOWN:
        raise InputError(f"format '{format}' is unknown - expected one of {', '.join(KNOWN)}.")
    if request.sizes is not None and not all(side >= 1 for side in request.sizes):
        raise InputError(f"sizes {request.sizes} - expected width and height in pixels, 1 or more. Fix them.")
    if request.sizes is not None and format is not None and not KNOWN[format].alone:
        able = ", ".join(other.name for other in FORMATS.values() if other.alone)
        raise InputError(
            f"format '{format}' cannot be read without its images; these can: {able}. Leave out the sizes."
        )
    places = ((request.root, "folder"), (request.images, "images folder"), (request.labels, "labels"))
    for path, what in places:
        if path is not None and not path.exists():
            raise InputError(f"{path} is missing - expected the {what} of a data set. Check the path.")
        if path is not None:
            check_name(path)
    if request.sizes is None and request.labels is not None and is_archive(request.labels):
        raise InputError(
            f"{request.labels} is an archive - expected the width and height of its images, which are not in it. "
            "Give sizes=, or unpack it beside its images."
        )


def _below(root: Path, images: Path) -> Path:
    """The image folder, named from the root on, however it was named."""
    if images.is_relative_to(root):
        return images
    if not images.resolve().is_relative_to(root.resolve()):
        raise InputError(
            f"{images} is not below {root} - expected the images inside the root. Name a folder above both."
        )
    return root / images.resolve().relative_to(root.resolve())
