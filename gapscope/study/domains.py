"""The data stage: one domain's images and labels -> mapped boxes, splits, probe list and what is known about them."""

import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gapscope.config import Data, Domain, Experiment
from gapscope.data.check import write_problems
from gapscope.data.first_look import check_share, first_look, without
from gapscope.data.hood import HoodSearch
from gapscope.data.hood_sheet import write_removed, write_sheet
from gapscope.data.labels import LabelCounts
from gapscope.data.leak_shares import Part, overlaps
from gapscope.data.leaks import find_leaks, groups_from_names, with_groups
from gapscope.data.letterbox import FILL, INTERPOLATION
from gapscope.data.problems import Problem, Problems
from gapscope.data.readers.detect import read_annotations
from gapscope.data.splits import (
    SPLITS,
    Splits,
    default_split,
    group_split,
    limit_splits,
    random_split,
    read_list,
    split_from_folders,
    split_from_lists,
    take_val_from_train,
    write_list,
)
from gapscope.data.statistics import domain_summary
from gapscope.data.table import AnnotationTable
from gapscope.errors import InputError
from gapscope.files import file_stats, hash_value, write_json, write_text
from gapscope.progress import Progress, silent
from gapscope.recording.recording import hash_names
from gapscope.study.fair_boxes import fair_boxes
from gapscope.study.folder import RunFolder

DATA_ROOT_VARIABLE = "GAPSCOPE_DATA"


@dataclass(frozen=True)
class PreparedDomain:
    """A domain ready to be used: boxes of the common labels, and which image belongs to which split."""

    table: AnnotationTable
    splits: Splits
    split_sentence: str
    labels: LabelCounts
    removed: dict[str, int]
    """Boxes by the filter that took them out or, for the keys `max_...`, made them ignore regions."""
    hoods: HoodSearch | None
    notes: tuple[str, ...]
    """What the reader and the named label map have to say."""
    problems: tuple[Problem, ...]
    """Broken rows and images that were left out."""


def domain_root(name: str, domain: Domain, folder: RunFolder, data_root: Path | None) -> Path:
    """Where a domain's images are.

    Raises:
        InputError: If the folder is not there, or a relative one has no data root to start at.
    """
    if domain.root is None:
        return folder.domain(name)
    root = Path(domain.root)
    if not root.is_absolute():
        base = data_root or (Path(os.environ[DATA_ROOT_VARIABLE]) if DATA_ROOT_VARIABLE in os.environ else None)
        if base is None:
            raise InputError(
                f"[domains.{name}]: root = '{root}' starts at the data root, and none was given. "
                f"Add --data-root FOLDER or set {DATA_ROOT_VARIABLE}."
            )
        root = base / root
    if not root.is_dir():
        raise InputError(f"[domains.{name}]: there is no folder {root}. Check root and the data root.")
    return root.resolve()


def files_fingerprint(root: Path) -> str:
    """SHA-256 over the names, sizes and times of all files below a folder: changes when any image or label does."""
    return hash_value([(path, size, changed) for path, size, changed, _ in file_stats(root)])


def render_domain(name: str, domain: Domain, folder: RunFolder, progress: Progress = silent) -> None:
    """Draw a generated domain's images and labels; those that are there already are kept."""
    from gapscope.streets.write import write_domain

    plan = domain.generate
    assert plan is not None, f"domain {name} is not generated"
    write_domain(
        folder.domain(name),
        style=plan.style,
        images=plan.images,
        size=plan.size,
        seed=plan.seed,
        severity=plan.severity,
        processes=os.cpu_count() or 1,
        progress=progress,
    )


def prepare_domain(name: str, domain: Domain, data: Data, root: Path) -> PreparedDomain:
    """Read, map, filter and split. Nothing is written.

    Raises:
        InputError: If anything about the folder, the labels, the map or the split is wrong; the message starts with
            the domain's place in the experiment file.
    """
    problems = Problems(strict=not domain.skip_bad)
    try:
        table = read_annotations(
            root,
            domain.format,
            images=root / domain.images if domain.images else None,
            labels=root / domain.annotations if domain.annotations else None,
            clip=domain.clip,
            options=domain.reader_options,
            problems=problems,
        )
        check_share(problems.found, len(table), domain.max_bad)
        if domain.groups:
            table = with_groups(table, groups_from_names(table.paths, domain.groups))
        fair = fair_boxes(table, domain, data)
        splits, sentence = split_domain(fair.table, domain)
    except InputError as error:
        raise InputError(f"[domains.{name}]: {error}") from None
    return PreparedDomain(
        fair.table, splits, sentence, fair.labels, fair.removed, fair.hoods, fair.notes, tuple(problems.found)
    )


def split_domain(table: AnnotationTable, domain: Domain) -> tuple[Splits, str]:
    """The splits that the experiment file asks for, and a sentence that says how they were made."""
    plan = domain.split
    names = {"train": plan.train, "val": plan.val, "test": plan.test}
    match plan.method:
        case "auto":
            splits, sentence = default_split(table, plan.fractions, plan.seed)
        case "group":
            splits, sentence = group_split(table.groups, plan.fractions, plan.seed), f"whole groups, seed {plan.seed}"
        case "random":
            splits = random_split(len(table), plan.fractions, plan.seed)
            sentence = f"single images at random, seed {plan.seed}"
        case "folders":
            splits = split_from_folders(table, names)
            sentence = f"by folder: {', '.join(f'{split} from {path}' for split, path in names.items() if path)}"
        case "lists":
            lists = {split: read_list(table.root / path) for split, path in names.items() if path}
            splits = split_from_lists(table, lists, allow_missing=plan.allow_missing)
            missing = sum(len(set(found)) - len(splits[split]) for split, found in lists.items())
            sentence = "by lists of image names" + (f" ({missing} of them without a labelled image)" if missing else "")
    if plan.val_from_train:
        splits = take_val_from_train(table, splits, plan.val_from_train, plan.seed)
        sentence += f"; val is {plan.val_from_train:.0%} of train, seed {plan.seed}"
    limits = {"train": plan.max_train, "val": plan.max_val, "test": plan.max_test}
    if any(limits.values()):
        splits = limit_splits(splits, limits, plan.seed)
        sentence += f"; at most {', '.join(f'{most} {split}' for split, most in limits.items() if most)}"
    empty = [split for split in SPLITS if not len(splits[split])]
    if empty:
        raise InputError(f"the split leaves no {empty[0]} images of {len(table)}. Change [split], or add images.")
    return splits, sentence


def write_domain_files(
    name: str, experiment: Experiment, prepared: PreparedDomain, folder: RunFolder, progress: Progress = silent
) -> None:
    """Write the files that later stages and the report read: table, lists, summary, and the probe list if it is its.

    Raises:
        InputError: If an image cannot be decoded and the domain does not leave such images out.
    """
    domain, here = experiment.domains[name], folder.domain(name)
    prepared, hashes = without_broken(name, domain, prepared, progress)
    table = prepared.table
    leaks = find_leaks(table, prepared.splits, hashes=hashes)
    parts = {split: Part(table.paths[i], table.groups[i], hashes[i]) for split, i in prepared.splits.items()}
    summary = domain_summary(
        table,
        prepared.splits,
        domain=name,
        title=domain.title or name,
        role=domain.role,
        source=domain.source,
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
    summary["leaks"]["overlaps"] = [overlap.as_dict() for overlap in overlaps(parts)]
    if name == experiment.probe.domain:
        write_probe(experiment, name, table, prepared.splits["test"], folder)
    if prepared.hoods is not None and prepared.hoods.hoods:
        write_removed(prepared.hoods, here / "hood/removed.csv")
        write_sheet(prepared.hoods, np.concatenate(list(prepared.splits.values())), here / "hood/sheet.jpg")
    table.save(here / "annotations.npz")
    if domain.skip_bad:
        write_problems(here / "left_out.jsonl", prepared.problems)
    for split in SPLITS:
        write_list(here / f"{split}.txt", [str(path) for path in table.paths[prepared.splits[split]]])
    write_json(here / "summary.json", summary | place)


def without_broken(
    name: str, domain: Domain, prepared: PreparedDomain, progress: Progress = silent
) -> tuple[PreparedDomain, NDArray[np.uint64]]:
    """Decode every image of the splits once; take those that are broken out of them, where the domain allows it.

    Returns:
        The domain, and the difference hashes (n, 4) of its images.

    Raises:
        InputError: If images are broken and `skip_bad` is not set, or there are more than `max_bad` allows.
    """
    look = first_look(prepared.table, np.sort(np.concatenate(list(prepared.splits.values()))), progress)
    broken = tuple(look.broken.values())
    if broken and not domain.skip_bad:
        raise InputError(
            f"[domains.{name}]: {len(broken)} image(s) cannot be decoded. See them with: gapscope data check "
            f"{prepared.table.root}. Replace them, or leave them out with skip_bad = true. First: {broken[0]}"
        )
    problems = (*prepared.problems, *broken)
    try:
        check_share(problems, len(prepared.table), domain.max_bad)
    except InputError as error:
        raise InputError(f"[domains.{name}]: {error}") from None
    return replace(prepared, splits=without(prepared.splits, list(look.broken)), problems=problems), look.hashes


def check_probe(experiment: Experiment, name: str, found: int) -> None:
    """Refuse a probe of more images than its domain has found for testing."""
    wanted = experiment.probe.images
    if found < wanted:
        raise InputError(
            f"[probe]: {wanted} images wanted, but the test split of '{name}' has {found}. "
            "Lower [probe] images, or give the split more test images."
        )


def write_probe(
    experiment: Experiment, name: str, table: AnnotationTable, test: NDArray[np.int64], folder: RunFolder
) -> None:
    """Draw the probe from the test images: a seeded sample, in a fixed order, with its hash in the first line.

    Args:
        experiment: Says how many, and from which random numbers.
        name: The domain.
        table: Its images.
        test: Which of them are test images.
        folder: Where the list goes.

    Raises:
        InputError: If there are too few.
    """
    check_probe(experiment, name, len(test))
    plan = experiment.probe
    drawn = np.sort(np.random.default_rng(plan.seed).choice(test, plan.images, replace=False))
    paths = [str(path) for path in table.paths[drawn]]
    lines = [f"# sha256 {hash_names(paths)}", *paths]
    write_text(folder.probe(name), "".join(f"{line}\n" for line in lines))


def load_domain(name: str, domain: Domain, folder: RunFolder, data_root: Path | None) -> AnnotationTable:
    """The table that the data stage left."""
    return AnnotationTable.load(folder.domain(name) / "annotations.npz", domain_root(name, domain, folder, data_root))


def load_split(table: AnnotationTable, name: str, split: str, folder: RunFolder) -> np.ndarray:
    """Indices into the table of the images of a split."""
    return indices_of(table, read_list(folder.domain(name) / f"{split}.txt"))


def indices_of(table: AnnotationTable, paths: list[str]) -> np.ndarray:
    """Where in the table these images stand."""
    known = {str(path): i for i, path in enumerate(table.paths)}
    return np.array([known[path] for path in paths], np.int64)
