"""Image files -> what a network finds in each, as annotated pictures and a COCO list."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from PIL import Image
from torch import Tensor

from gapscope.data.images import find_images, read_pixels, read_size
from gapscope.data.letterbox import letterbox, letterbox_geometry, unletterbox
from gapscope.detector.decode import Detections, detect
from gapscope.detector.network import Darknet
from gapscope.detector.plans import input_side
from gapscope.detector.thresholds import SHOWN_CONFIDENCE, SHOWN_OVERLAP
from gapscope.drawing import Mark, draw_marks
from gapscope.errors import InputError
from gapscope.files import atomic_path, hash_file, write_json
from gapscope.lettering import class_label

Resize = Literal["letterbox", "stretch"]
JPEG_QUALITY = 90


@dataclass(frozen=True)
class ImageFile:
    """An image to look at."""

    path: Path
    name: str
    """Its path below the folder that was named, or its own name."""


@dataclass(frozen=True)
class FoundImage:
    """What was found in one image."""

    file: ImageFile
    pixels: Tensor
    """uint8 (3, h, w) RGB."""
    detections: Detections
    """Boxes in pixels of the image."""

    @property
    def width(self) -> int:
        return int(self.pixels.shape[2])

    @property
    def height(self) -> int:
        return int(self.pixels.shape[1])


def collect_images(paths: Sequence[Path]) -> list[ImageFile]:
    """Images by file or by folder, folders with all that is in and below them.

    Raises:
        InputError: If a path is missing, a folder holds no image, or two images would go by one name.
    """
    files: list[ImageFile] = []
    for path in paths:
        if path.is_dir():
            found = [ImageFile(one, one.relative_to(path).as_posix()) for one in find_images(path)]
            if not found:
                raise InputError(f"{path} holds no image - expected JPEG, PNG or WebP files. Name another folder.")
            files += found
        elif path.is_file():
            files.append(ImageFile(path, path.name))
        else:
            raise InputError(f"{path}: there is no such image or folder. Check the path.")
    by_name: dict[str, Path] = {}
    for file in files:
        if file.name in by_name:
            raise InputError(
                f"{file.path} and {by_name[file.name]} would both be called {file.name} - expected different names. "
                "Look at them one after the other, or name a folder above both."
            )
        by_name[file.name] = file.path
    return files


def detect_files(
    network: Darknet,
    files: Sequence[ImageFile],
    *,
    size: int | None = None,
    confidence: float = SHOWN_CONFIDENCE,
    iou: float = SHOWN_OVERLAP,
    resize: Resize = "letterbox",
    device: str | torch.device = "cpu",
    batch_size: int = 8,
) -> Iterator[FoundImage]:
    """What a network finds in images, one after the other.

    Args:
        network: Is put on the device.
        files: Images; they are read a batch at a time.
        size: Side of the network's square input in pixels; None: what the network was made for.
        confidence: Least objectness times class probability.
        iou: Of two boxes of one class that overlap more than this, the less confident goes.
        resize: `letterbox` keeps an image's shape and fills up with grey; `stretch` does not, as Darknet's training.

    Raises:
        InputError: If the size does not fit the network, or an image cannot be read.
    """
    stride, size = network.largest_stride, input_side(network.plan, size)
    if size < stride or size % stride:
        nearest = max(stride, round(size / stride) * stride)
        raise InputError(
            f"size = {size} is not a multiple of {stride}, which {network.plan.name} needs. Try {nearest}."
        )
    network.to(device)
    for start in range(0, len(files), batch_size):
        chunk = files[start : start + batch_size]
        pixels = [_pixels(file.path) for file in chunk]
        inputs = torch.stack([as_input(one, size, resize) for one in pixels]).to(device)
        found = detect(network, inputs, confidence, iou)
        for file, image, detections in zip(chunk, pixels, found, strict=True):
            yield FoundImage(file, image, in_image(detections, image, size, resize))


def detect_to_folder(
    network: Darknet,
    weights: Path,
    files: Sequence[ImageFile],
    folder: Path,
    *,
    size: int | None = None,
    confidence: float = SHOWN_CONFIDENCE,
    iou: float = SHOWN_OVERLAP,
    resize: Resize = "letterbox",
    device: str | torch.device = "cpu",
) -> Iterator[FoundImage]:
    """As `detect_files`; each image is written with its boxes, and at the end all boxes to `detections.json`.

    Args:
        network: Of the weights file.
        weights: Named in `detections.json`, with its hash.
        folder: Where pictures and boxes go.

    Raises:
        InputError: As `detect_files`, or if a picture would be written over its image.
    """
    for file in files:
        check_elsewhere(file, folder)
    settings = {"size": input_side(network.plan, size), "confidence": confidence, "iou": iou, "resize": resize}
    table, rows = [], []
    found_images = detect_files(network, files, size=size, confidence=confidence, iou=iou, resize=resize, device=device)
    for number, found in enumerate(found_images, start=1):
        write_picture(found, network.class_names, folder)
        table.append(image_row(number, found))
        rows.extend(coco_rows(number, found))
        yield found
    content = {
        "weights": {"file": weights.name, "sha256": hash_file(weights), "network": network.plan.name},
        "settings": settings,
        "images": table,
        "categories": [{"id": i, "name": name} for i, name in enumerate(network.class_names, start=1)],
        "results": rows,
    }
    write_json(folder / "detections.json", content)


def counts_in_words(found: FoundImage, class_names: Sequence[str]) -> str:
    """How often each class was found, most often first: `3 car, 1 bus`, or `nothing`."""
    labels = found.detections.classes.tolist()
    counts = {name: labels.count(index) for index, name in enumerate(class_names) if index in labels}
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    return ", ".join(f"{count} {name}" for name, count in ordered) or "nothing"


def _pixels(path: Path) -> Tensor:
    read_size(path)  # refuses pixels that lie on their side
    return read_pixels(path)


def as_input(image: Tensor, size: int, resize: Resize) -> Tensor:
    """An image (3, h, w) as the network's square input (3, size, size)."""
    if resize == "letterbox":
        return letterbox(image, size)[0]
    from torchvision.transforms.v2 import InterpolationMode, functional as tv  # late: it takes seconds

    return tv.resize(image, [size, size], interpolation=InterpolationMode.BILINEAR, antialias=True)


def in_image(detections: Detections, image: Tensor, size: int, resize: Resize) -> Detections:
    """Detections with boxes in pixels of the image, on the CPU; those that lie wholly in the bars are left out."""
    height, width = image.shape[-2:]
    boxes = detections.boxes.cpu()
    if resize == "letterbox":
        boxes = unletterbox(boxes, *letterbox_geometry(width, height, size))
    else:
        boxes = boxes * torch.tensor([width, height, width, height]) / size
    moved = Detections(boxes, detections.confidences.cpu(), detections.classes.cpu()).inside(width, height)
    seen = (moved.boxes[:, 2:] > moved.boxes[:, :2]).all(1)
    return replace(moved, boxes=moved.boxes[seen], confidences=moved.confidences[seen], classes=moved.classes[seen])


def write_picture(found: FoundImage, class_names: Sequence[str], folder: Path) -> Path:
    """The image with its boxes drawn, under its name in a folder.

    Raises:
        InputError: If that is the image's own place.
    """
    target = folder / found.file.name
    check_elsewhere(found.file, folder)
    one = found.detections
    marks = [
        Mark((x1, y1, x2, y2), f"{class_label(class_names[label], label)} {confidence:.2f}", label)
        for (x1, y1, x2, y2), label, confidence in zip(
            one.boxes.tolist(), one.classes.tolist(), one.confidences.tolist(), strict=True
        )
    ]
    drawn = draw_marks(Image.fromarray(found.pixels.permute(1, 2, 0).numpy()), marks)
    with atomic_path(target) as temporary:
        drawn.save(temporary, quality=JPEG_QUALITY)
    return target


def check_elsewhere(file: ImageFile, folder: Path) -> None:
    """Refuse to write over a user's image."""
    if (folder / file.name).resolve() == file.path.resolve():
        raise InputError(f"{folder} is where {file.name} comes from - it would be written over. Name another folder.")


def coco_rows(number: int, found: FoundImage) -> list[dict[str, Any]]:
    """The detections of image `number` as entries of a COCO results list; classes count from 1."""
    one = found.detections
    sides = torch.cat([one.boxes[:, :2], one.boxes[:, 2:] - one.boxes[:, :2]], dim=1)
    rows = zip(sides.tolist(), one.classes.tolist(), one.confidences.tolist(), strict=True)
    return [
        {
            "image_id": number,
            "category_id": label + 1,
            "bbox": [round(side, 2) for side in box],
            "score": round(score, 5),
        }
        for box, label, score in rows
    ]


def image_row(number: int, found: FoundImage) -> dict[str, Any]:
    """The image's entry in the table of files."""
    return {"id": number, "file_name": found.file.name, "width": found.width, "height": found.height}
