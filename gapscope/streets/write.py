"""A whole domain of streets as a folder on disk: PNG images and one COCO file."""

import os
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from PIL import Image

from gapscope.errors import InputError
from gapscope.files import atomic_path, hash_file, read_json, write_json
from gapscope.interruptions import leave_to_parent
from gapscope.progress import Progress, silent
from gapscope.streets.drives import check_style
from gapscope.streets.render import render
from gapscope.streets.scene import CLASSES
from gapscope.streets.tracing import load_embree

RENDERER = 2
"""Raised when the same seed gives other pixels than before."""


@dataclass(frozen=True)
class Recipe:
    """All that the pixels of a domain depend on."""

    style: str
    size: int
    seed: int
    severity: float
    renderer: int = RENDERER
    same_scenes: bool = False
    hood: bool | None = None

    def settings(self) -> dict[str, Any]:
        """As they are written down; what came later and is left as it was before is left out."""
        return {
            key: value
            for key, value in asdict(self).items()
            if key not in ("same_scenes", "hood") or value is not getattr(Recipe, key)
        }


def write_domain(
    folder: Path | str,
    *,
    style: str,
    images: int,
    size: int,
    seed: int,
    severity: float = 0.4,
    same_scenes: bool = False,
    hood: bool | None = None,
    processes: int = 1,
    progress: Progress = silent,
) -> Path:
    """Render `images` streets into `folder` and describe them in COCO form.

    Writes `images/<style>-<index>.png`, a label file for each in `labels/`, and at the end `annotations.json`, in which
    each image's "group" is its drive. Images that are there already are not rendered again, so a run that was stopped
    goes on where it was; the result is the same bytes, whatever was there and however many processes worked on it.

    Args:
        folder: Where the domain goes; made if need be.
        style: "camera", "engine" or "game".
        images: How many.
        size: Pixels along an edge of the square images.
        seed: Of the domain; with style and index it determines an image.
        severity: 0..1, how harsh weather and camera are; only "camera" heeds it.
        same_scenes: See `render`: the same streets with the same boxes in every style.
        hood: Whether the driver's own hood is seen; left out, in the engine's own scenes.
        processes: How many to render with; 1 starts none.
        progress: Told after each image.

    Returns:
        The path of `annotations.json`.

    Raises:
        InputError: If embreex is missing, an argument is out of range, or `folder` holds images of other settings.
    """
    folder = Path(folder)
    check_style(style)
    load_embree()
    if images < 1 or processes < 1:
        raise InputError(f"cannot render {images} images with {processes} processes. Both must be at least 1.")
    recipe = Recipe(style, size, seed, float(severity), same_scenes=same_scenes, hood=hood)
    _claim(folder, recipe)
    wanted = [index for index in range(images) if not _is_whole(folder, style, index)]
    what, done = f"rendering {style}", images - len(wanted)
    progress(what, done, images)
    for _ in _rendered(folder, recipe, wanted, processes):
        done += 1
        progress(what, done, images)
    annotations = folder / "annotations.json"
    write_json(annotations, coco([_read_labels(folder, style, index) for index in range(images)]))
    return annotations


def coco(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Label records in the COCO format: boxes as x, y, width, height; ids count from 1."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, record in enumerate(records, 1):
        images.append({"id": number, **{key: record[key] for key in ("file_name", "width", "height", "group")}})
        for name, (x0, y0, x1, y1) in zip(record["classes"], record["xyxy"], strict=True):
            box = [x0, y0, round(x1 - x0, 3), round(y1 - y0, 3)]
            annotation = {"id": len(annotations) + 1, "image_id": number, "category_id": CLASSES.index(name) + 1}
            annotations.append({**annotation, "bbox": box, "area": round(box[2] * box[3], 3), "iscrowd": 0})
    categories = [{"id": number, "name": name} for number, name in enumerate(CLASSES, 1)]
    return {"images": images, "annotations": annotations, "categories": categories}


def write_image(folder: Path, recipe: Recipe, index: int) -> None:
    """Render one image of a domain and write it, then its label file."""
    street = render(
        recipe.seed,
        recipe.style,
        recipe.size,
        recipe.severity,
        index=index,
        same_scenes=recipe.same_scenes,
        hood=recipe.hood,
    )
    image = _image_path(folder, recipe.style, index)
    with atomic_path(image) as temporary:
        Image.fromarray(street.image).save(temporary, "PNG", compress_level=3)
    record = {
        "file_name": f"images/{image.name}",
        "width": recipe.size,
        "height": recipe.size,
        "group": street.drive,
        "classes": list(street.classes),
        "xyxy": [[round(float(edge), 3) for edge in box] for box in street.xyxy],
        "meta": street.meta,
        "sha256": hash_file(image),
    }
    write_json(_label_path(folder, recipe.style, index), record)


def _rendered(folder: Path, recipe: Recipe, wanted: list[int], processes: int) -> Iterator[int]:
    """Writes the wanted images and yields their indices as they are done."""
    if processes == 1 or len(wanted) < 2:
        for index in wanted:
            write_image(folder, recipe, index)
            yield index
        return
    # "spawn" starts clean processes everywhere: a forked copy of a process with threads (torch, Embree) may hang.
    pool = ProcessPoolExecutor(
        min(processes, len(wanted)), get_context("spawn"), initializer=leave_to_parent, initargs=(os.getpid(),)
    )
    try:
        jobs: dict[Future[None], int] = {pool.submit(write_image, folder, recipe, index): index for index in wanted}
        for job in as_completed(jobs):
            job.result()
            yield jobs[job]
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _claim(folder: Path, recipe: Recipe) -> None:
    """Writes down what the folder holds; refuses other streets, and clears away what a kill left half written."""
    path, settings = folder / "recipe.json", recipe.settings()
    if not path.exists():
        write_json(path, settings)
        return
    found = read_json(path)
    if found != settings:
        changed = ", ".join(
            f"{key} {found.get(key)} there, {settings.get(key)} asked"
            for key in settings | found
            if found.get(key) != settings.get(key)
        )
        raise InputError(
            f"{folder} holds streets of another kind ({changed}). Choose another folder, or delete this one."
        )
    for name in ("images", "labels"):
        for leftover in (folder / name).glob(f".{recipe.style}-*"):
            leftover.unlink()


def _is_whole(folder: Path, style: str, index: int) -> bool:
    """Whether the image was written together with its labels and is still the same."""
    image, labels = _image_path(folder, style, index), _label_path(folder, style, index)
    return image.exists() and labels.exists() and _read_labels(folder, style, index)["sha256"] == hash_file(image)


def _read_labels(folder: Path, style: str, index: int) -> dict[str, Any]:
    return read_json(_label_path(folder, style, index))


def _image_path(folder: Path, style: str, index: int) -> Path:
    return folder / "images" / f"{style}-{index:05d}.png"


def _label_path(folder: Path, style: str, index: int) -> Path:
    return folder / "labels" / f"{style}-{index:05d}.json"
