"""What the data stage leaves in the run folder, written and read again."""

import hashlib
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from gapscope.config import Domain, Experiment
from gapscope.data.check import write_problems
from gapscope.data.first_look import FirstLook, check_share, first_look, without
from gapscope.data.hood_sheet import write_removed, write_sheet
from gapscope.data.leak_shares import SplitImages, overlaps
from gapscope.data.leaks import find_leaks
from gapscope.data.letterbox import FILL, INTERPOLATION
from gapscope.data.splits import (
    SPLITS,
    Splits,
    read_list,
    write_list,
)
from gapscope.data.statistics import domain_fingerprint, domain_summary
from gapscope.data.table import AnnotationTable
from gapscope.errors import InputError
from gapscope.files import OTHER_CONTENT, hash_file, hash_value, read_json, write_json
from gapscope.intact import check_intact, remedy
from gapscope.progress import Progress, silent
from gapscope.run_folder import RunFolder
from gapscope.study.domains import PreparedDomain, domain_root
from gapscope.study.probe import write_probe
from gapscope.words import number_of

PARTS = {"training": ("train", "val"), "test": ("test",)}
"""What of a domain is read apart from the rest: the splits that trainings read, and those that are measured on."""
IMAGES = "images"
"""The training images without their labels, for arms that adapt to them."""
LEFT_OUT = "left_out.jsonl"
"""In a domain's folder: broken rows and images that were left out, one a line."""


def write_domain_files(
    name: str, experiment: Experiment, prepared: PreparedDomain, folder: RunFolder, progress: Progress = silent
) -> None:
    """Write the files that later stages and the report read: table, lists, summary, and the probe list if it is its.

    Raises:
        InputError: If an image cannot be decoded and the domain does not leave such images out.
    """
    domain, here = experiment.domains[name], folder.domain(name)
    prepared, look = without_broken(name, domain, prepared, progress)
    table, hashes = prepared.table, look.hashes
    leaks = find_leaks(table, prepared.splits, hashes=hashes)
    parts = {split: SplitImages(table.paths[i], table.groups[i], hashes[i]) for split, i in prepared.splits.items()}
    summary = domain_summary(
        table,
        prepared.splits,
        domain=name,
        role=domain.role,
        labels=prepared.labels,
        removed=prepared.removed,
        leaks=leaks,
        split=prepared.split_sentence,
        left_out=prepared.problems,
        progress=progress,
    )
    place: dict[str, Any] = {
        "generated": domain.generate.style if domain.generate else None,
        "root": "." if domain.generate else str(table.root),
        "hoods": [asdict(hood) for hood in prepared.hoods.hoods] if prepared.hoods else [],
        "notes": list(prepared.notes),
        "letterbox": {"size": experiment.data.image_size, "interpolation": INTERPOLATION, "fill": FILL},
    }
    summary["files_sha256"] = look.files_sha256
    hashes_of_parts = {part: part_hash(table, prepared.splits, look, part) for part in PARTS}
    summary["parts_sha256"] = hashes_of_parts | scored_hash(table, prepared.splits, hashes_of_parts["test"])
    summary["parts_sha256"][IMAGES] = images_hash(table, prepared.splits, look)
    summary["leaks"]["overlaps"] = [overlap.as_dict() for overlap in overlaps(parts)]
    if name == experiment.probe.domain:
        write_probe(experiment, name, table, prepared.splits["test"], folder)
    if prepared.hoods is not None and prepared.hoods.hoods:
        write_removed(prepared.hoods, here / "hood/removed.csv")
        write_sheet(prepared.hoods, np.concatenate(list(prepared.splits.values())), here / "hood/sheet.jpg")
    table.save(folder.annotations(name))
    if domain.skip_bad:
        write_problems(here / LEFT_OUT, prepared.problems)
    for split in SPLITS:
        write_list(folder.split(name, split), [str(path) for path in table.paths[prepared.splits[split]]])
    write_json(folder.summary(name), summary | place)


def part_hash(table: AnnotationTable, splits: Splits, look: FirstLook, part: str) -> str:
    """SHA-256 (hex) of what a part of a domain holds: names, sizes, labels and bytes of its images, in their order."""
    found = []
    for indices in (splits[split] for split in PARTS[part]):
        content = hashlib.sha256(b"".join(look.contents[image] for image in indices.tolist()))
        found.append([domain_fingerprint(table.select(indices), {}), content.hexdigest()])
    return hash_value(found)


def scored_hash(table: AnnotationTable, splits: Splits, test: str) -> dict[str, str]:
    """`scored`: what scores go by, the test part and the areas that its labels state; nothing where they state none."""
    areas = table.select(splits["test"]).stated_area
    return {} if np.isnan(areas).all() else {"scored": hash_value([test, hashlib.sha256(areas.tobytes()).hexdigest()])}


def images_hash(table: AnnotationTable, splits: Splits, look: FirstLook) -> str:
    """SHA-256 (hex) of names and bytes of the training images in their order; labels have no part in it."""
    train = splits["train"].tolist()
    return hash_value([[str(table.paths[image]), look.contents[image].hex()] for image in train])


def data_parts(folder: RunFolder, name: str, *, is_probe: bool) -> dict[str, str]:
    """The same for each part alone, so that another training image is no other test image; nothing if an older version
    left the summary, which knows no parts. `probe` is there if the domain is the probe's.

    Raises:
        InputError: If the summary that the data stage left is broken.
    """
    path = folder.summary(name)
    check_intact(path)
    try:
        parts = {part: str(found) for part, found in read_json(path).get("parts_sha256", {}).items()}
    except OTHER_CONTENT as error:
        raise InputError(f"{path} cannot be read as a domain's summary: {error}. Delete it and run again.") from error
    if parts:
        parts.setdefault("scored", parts["test"])
    if parts and is_probe:
        parts["probe"] = hash_value([parts["test"], hash_file(folder.probe(name))])
    return parts


def data_left(folder: RunFolder, name: str, *, is_probe: bool) -> list[str]:
    """What of a domain decides all that is made from it: names, sizes, labels and splits, the bytes of the images and,
    if it is the probe's, the probe. Where the folder lies and when its files were written does not.

    Raises:
        InputError: If the summary that the data stage left is broken.
    """
    path = folder.summary(name)
    check_intact(path)
    try:
        summary = read_json(path)
        prints = [summary["fingerprint"], summary["files_sha256"]]
    except OTHER_CONTENT as error:
        raise InputError(f"{path} cannot be read as a domain's summary: {error}. Delete it and run again.") from error
    return [*prints, hash_file(folder.probe(name))] if is_probe else prints


def without_broken(
    name: str, domain: Domain, prepared: PreparedDomain, progress: Progress = silent
) -> tuple[PreparedDomain, FirstLook]:
    """Decode every image of the splits once; take those that are broken out of them, where the domain allows it.

    Returns:
        The domain, and what was seen of its images.

    Raises:
        InputError: If images are broken and `skip_bad` is not set, or there are more than `max_bad` allows.
    """
    look = first_look(prepared.table, np.sort(np.concatenate(list(prepared.splits.values()))), progress)
    broken = tuple(look.broken.values())
    if broken and not domain.skip_bad:
        raise InputError(
            f"[domains.{name}]: {number_of(len(broken), 'image')} cannot be decoded. See them with: gapscope data "
            f"check {prepared.table.root}. Replace them, or leave them out with skip_bad = true. First: {broken[0]}"
        )
    problems = (*prepared.problems, *broken)
    try:
        check_share(problems, len(prepared.table), domain.max_bad)
    except InputError as error:
        raise InputError(f"[domains.{name}]: {error}") from None
    return replace(prepared, splits=without(prepared.splits, list(look.broken)), problems=problems), look


def load_domain(name: str, domain: Domain, folder: RunFolder, data_root: Path | None) -> AnnotationTable:
    """The table that the data stage left."""
    return AnnotationTable.load(folder.annotations(name), domain_root(name, domain, folder, data_root))


def load_split(table: AnnotationTable, name: str, split: str, folder: RunFolder) -> np.ndarray:
    """Indices into the table of the images of a split."""
    path = folder.split(name, split)
    return indices_of(table, read_list(path), path)


def indices_of(table: AnnotationTable, paths: list[str], where: Path) -> np.ndarray:
    """Where in the table these images stand.

    Raises:
        InputError: The table holds no such image; `where` is the list that names it.
    """
    known = {str(path): i for i, path in enumerate(table.paths)}
    for path in paths:
        if path not in known:
            raise InputError(
                f"{where} names {path!r}, which the annotations of its domain do not hold. "
                + remedy(where, "Delete both and run again")
            )
    return np.array([known[path] for path in paths], np.int64)
