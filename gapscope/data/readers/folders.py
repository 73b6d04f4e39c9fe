"""Where label files lie beside their images: images/ + labels/, also once per split."""

from dataclasses import dataclass
from pathlib import Path

from gapscope.data.readers.format import Request

IMAGE_FOLDERS = ("images", "JPEGImages")


@dataclass(frozen=True)
class LabelFolder:
    """A folder of images and the folder that holds one label file per image, by the same name."""

    images: Path
    labels: Path

    def label_of(self, image: Path, suffix: str) -> Path:
        """The label file of an image; folders inside `images` are folders inside `labels`."""
        return (self.labels / image.relative_to(self.images)).with_suffix(suffix)


def first_bytes(path: Path, count: int) -> bytes:
    """How a file begins; nothing if it is no file or cannot be read."""
    try:
        with path.open("rb") as stream:
            return stream.read(count)
    except OSError:
        return b""


def find_label_folders(
    root: Path, label_names: tuple[str, ...], image_names: tuple[str, ...], suffix: str
) -> list[LabelFolder]:
    """The pairs in the root, or if there is none, in its subfolders (train, val, ...), sorted.

    A pair counts if at least one file with the suffix lies below its label folder.
    """
    for places in ([root], sorted(path for path in root.iterdir() if path.is_dir())):
        found = [pair for place in places if (pair := _pair(place, label_names, image_names, suffix))]
        if found:
            return found
    return []


def _pair(place: Path, label_names: tuple[str, ...], image_names: tuple[str, ...], suffix: str) -> LabelFolder | None:
    images = next((place / name for name in image_names if (place / name).is_dir()), None)
    labels = next((place / name for name in label_names if next((place / name).rglob(f"*{suffix}"), None)), None)
    return LabelFolder(images, labels) if images and labels else None


def matching_folders(
    request: Request, label_names: tuple[str, ...], suffix: str, image_names: tuple[str, ...] = IMAGE_FOLDERS
) -> list[LabelFolder] | None:
    """The pairs of image and label folders that a request means, None if there are none."""
    root, images, labels = request.root, request.images, request.labels
    if labels is not None:
        usual = next((labels.parent / folder for folder in image_names if (labels.parent / folder).is_dir()), None)
        beside = images or usual
        return [LabelFolder(beside, labels)] if beside and next(labels.rglob(f"*{suffix}"), None) else None
    if images is not None:
        found = find_label_folders(images.parent, label_names, (images.name,), suffix)
        return [pair for pair in found if pair.images == images] or None
    return find_label_folders(root, label_names, image_names, suffix) or None
