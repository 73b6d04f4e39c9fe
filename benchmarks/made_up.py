"""Images to measure with: bright shapes on grey noise, one class per shape, the same for the same seed."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

from gapscope.data.batches import Batch, batches
from gapscope.data.samples import Samples
from gapscope.data.table import AnnotationTable

CLASSES = ("box", "disc", "triangle", "ring", "cross")


def made_up_samples(folder: Path, num_images: int, size: int, seed: int = 0) -> Samples:
    """Square images of `size` pixels, written into a folder, each with 3 to 8 shapes."""
    rng = np.random.default_rng(seed)
    rows, paths = [], []
    for image in range(num_images):
        picture = Image.fromarray(rng.integers(60, 120, (size, size, 3), dtype=np.uint8))
        draw = ImageDraw.Draw(picture)
        for _ in range(int(rng.integers(3, 9))):
            side = rng.uniform(0.08, 0.3) * size
            x1, y1 = rng.uniform(0, size - side, 2)
            box = np.floor([x1, y1, x1 + side, y1 + side * rng.uniform(0.7, 1.0)])
            kind = int(rng.integers(len(CLASSES)))
            paint(draw, kind, box, tuple(int(v) for v in rng.integers(150, 256, 3)))
            rows.append((image, kind, *box))
        paths.append(f"{image:04}.png")
        picture.save(folder / paths[-1])
    table = AnnotationTable(
        root=folder,
        class_names=CLASSES,
        paths=np.array(paths),
        widths=np.full(num_images, size, np.int32),
        heights=np.full(num_images, size, np.int32),
        groups=np.full(num_images, ""),
        box_image=np.array([row[0] for row in rows], np.int32),
        box_class=np.array([row[1] for row in rows], np.int16),
        xyxy=np.array([row[2:] for row in rows], np.float32),
        ignore=np.zeros(len(rows), np.bool_),
    )
    return Samples(table, size=size)


def paint(draw: ImageDraw.ImageDraw, kind: int, box: np.ndarray, colour: tuple[int, ...]) -> None:
    """One shape that fills a box `xyxy`."""
    x1, y1, x2, y2 = (int(v) for v in box)
    inside = (x1, y1, x2 - 1, y2 - 1)
    match CLASSES[kind]:
        case "box":
            draw.rectangle(inside, fill=colour)
        case "disc":
            draw.ellipse(inside, fill=colour)
        case "triangle":
            draw.polygon([(x1, y2 - 1), (x2 - 1, y2 - 1), ((x1 + x2) // 2, y1)], fill=colour)
        case "ring":
            draw.ellipse(inside, outline=colour, width=max(2, (x2 - x1) // 8))
        case "cross":
            middle, thick = ((x1 + x2) // 2, (y1 + y2) // 2), max(1, (x2 - x1) // 8)
            draw.rectangle((x1, middle[1] - thick, x2 - 1, middle[1] + thick), fill=colour)
            draw.rectangle((middle[0] - thick, y1, middle[0] + thick, y2 - 1), fill=colour)


def made_up_batches(folder: Path, batch_size: int, size: int, number: int = 2) -> list[Batch]:
    """Whole batches of such images, in memory."""
    return list(batches(made_up_samples(folder, batch_size * number, size), batch_size, seed=0, epoch=0, shuffle=False))


def synchronize(device: torch.device) -> None:
    """Wait until a GPU has done everything."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
