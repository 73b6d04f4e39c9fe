"""Where label files lie beside their images: images/ + labels/, also once per split."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class LabelFolder:
    """A folder of images and the folder that holds one label file per image, by the same name."""

    images: Path
    labels: Path

    def label_of(self, image: Path, suffix: str) -> Path:
        """The label file of an image; folders inside `images` are folders inside `labels`."""
        return (self.labels / image.relative_to(self.images)).with_suffix(suffix)


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
