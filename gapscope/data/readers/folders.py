"""Where label files lie beside their images: images/ + labels/, also once per split."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gapscope.data.image_names import IMAGE_SUFFIXES
from gapscope.data.images import find_images
from gapscope.data.problems import RowError
from gapscope.data.readers.format import Request
from gapscope.files import check_regular

IMAGE_FOLDERS = ("images", "JPEGImages")
SPLIT_FOLDERS = {
    "train": ("train", "training", "train2014", "train2017"),
    "val": ("val", "valid", "validation", "dev", "val2014", "val2017"),
    "test": ("test", "testing", "test2014", "test2017"),
}
"""Names of folders that tell the split of the images in them, in lower case."""
LABEL_SUFFIXES = (".txt", ".xml", ".json", ".csv")


def files_in(place: Path, pattern: str) -> list[Path]:
    """Files of a pattern such as `*.json` or `**/*.txt`, sorted, without hidden ones.

    Those are no labels: what a killed process was still writing, or the `._` twins of macOS.
    """
    return sorted(path for path in place.glob(pattern) if not path.name.startswith("."))


@dataclass(frozen=True)
class LabelFolder:
    """A folder of images and the folder that holds one label file per image, by the same name."""

    images: Path
    labels: Path

    @property
    def is_flat(self) -> bool:
        """Whether labels lie beside their images, among whatever else does."""
        return self.images == self.labels

    def label_of(self, image: Path, suffix: str) -> Path:
        """The label file of an image; folders inside `images` are folders inside `labels`."""
        return (self.labels / image.relative_to(self.images)).with_suffix(suffix)

    def lacks_image(self, label: Path) -> RowError:
        """What is wrong with a label file that has no image; an image in a form that is not read is no missing one."""
        beside = (self.images / label.relative_to(self.labels)).parent
        names = {label.stem, label.with_suffix("").stem}  # a.txt goes with a.bmp, and a.bmp.txt does
        alike = (path for path in beside.glob("*") if path.stem in names and path.is_file())
        other = next((path for path in sorted(alike) if path.suffix.lower() not in LABEL_SUFFIXES), None)
        if other is None or other == label:
            expected = "one of the same name. Restore it, or remove the labels."
            return RowError(f"has no image in {self.images}", expected)
        return RowError(
            f"has no image in {self.images} that can be read, though {other.name} is there",
            f"one of {', '.join(IMAGE_SUFFIXES)}. Convert it, for example with: mogrify -format png {other.name}",
        )


def split_of_folder(name: str) -> str:
    """The split that a folder of this name holds; "" if its name tells none."""
    return next((split for split, names in SPLIT_FOLDERS.items() if name.lower() in names), "")


def split_folders(root: Path) -> list[Path]:
    """Folders in the root that are called as splits are, sorted."""
    return [path for path in _folders_in(root) if split_of_folder(path.name)]


def first_bytes(path: Path, count: int) -> bytes:
    """How a file begins; nothing if it is no file or cannot be read."""
    try:
        check_regular(path)
        with path.open("rb") as stream:
            return stream.read(count)
    except OSError:
        return b""


def find_label_folders(
    root: Path, label_names: tuple[str, ...], image_names: tuple[str, ...], suffix: str
) -> list[LabelFolder]:
    """The pairs in the root, or if there is none, in its subfolders (train, val, ...), or in theirs, sorted.

    A pair counts if at least one file with the suffix lies below its label folder.
    """
    for places in ([root], _folders_in(root), [inner for path in _folders_in(root) for inner in _folders_in(path)]):
        found = [pair for place in places if (pair := _pair(place, label_names, image_names, suffix))]
        if found:
            return found
    return []


def _folders_in(place: Path) -> list[Path]:
    try:
        return sorted(path for path in place.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError:  # it must not be looked into
        return []


def _pair(place: Path, label_names: tuple[str, ...], image_names: tuple[str, ...], suffix: str) -> LabelFolder | None:
    images = next((place / name for name in image_names if (place / name).is_dir()), None)
    labels = next((place / name for name in label_names if files_in(place / name, f"**/*{suffix}")), None)
    return LabelFolder(images, labels) if images and labels else None


def matching_folders(
    request: Request, label_names: tuple[str, ...], suffix: str, image_names: tuple[str, ...] = IMAGE_FOLDERS
) -> list[LabelFolder] | None:
    """The pairs of image and label folders that a request means, None if there are none."""
    root, images, labels = request.root, request.images, request.labels
    if labels is not None:
        usual = next((labels.parent / folder for folder in image_names if (labels.parent / folder).is_dir()), None)
        beside = images or usual or (labels if _first_beside(labels, suffix, lambda path: True) else None)
        return [LabelFolder(beside, labels)] if beside and files_in(labels, f"**/*{suffix}") else None
    if images is not None:
        found = find_label_folders(images.parent, label_names, (images.name,), suffix)
        return [pair for pair in found if pair.images == images] or None
    return find_label_folders(root, label_names, image_names, suffix) or None


def flat_folder(place: Path, suffix: str, is_label: Callable[[Path], bool]) -> list[LabelFolder] | None:
    """The folder as a pair with itself, if a label file lies beside an image in it or anywhere below."""
    return [LabelFolder(place, place)] if _first_beside(place, suffix, is_label) else None


def _first_beside(place: Path, suffix: str, is_label: Callable[[Path], bool]) -> Path | None:
    labels = (image.with_suffix(suffix) for image in find_images(place)) if place.is_dir() else ()
    return next((path for path in labels if path.is_file() and is_label(path)), None)
