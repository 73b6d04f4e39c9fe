"""The data stage: one domain's images and labels -> mapped boxes, splits, probe list and what is known about them."""

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gapscope.config import Domain, Experiment
from gapscope.data.filters import Hood, drop_small, remove_hood
from gapscope.data.labels import LabelCounts, map_labels
from gapscope.data.leaks import find_leaks, groups_from_names, with_groups
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
from gapscope.files import hash_value, write_json, write_text
from gapscope.progress import Progress, silent
from gapscope.recording.recording import hash_names
from gapscope.study.folder import RunFolder

DATA_ROOT_VARIABLE = "GAPSCOPE_DATA"


@dataclass(frozen=True)
class PreparedDomain:
    """A domain ready to be used: boxes of the common labels, and which image belongs to which split."""

    table: AnnotationTable
    splits: Splits
    split_sentence: str
    labels: LabelCounts
    small_boxes: int
    hoods: list[Hood]


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
    files = sorted(path for path in root.rglob("*") if path.is_file())
    stats = [(path.relative_to(root).as_posix(), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return hash_value(stats)


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


def prepare_domain(name: str, domain: Domain, classes: list[str], root: Path) -> PreparedDomain:
    """Read, map, filter and split. Nothing is written.

    Raises:
        InputError: If anything about the folder, the labels, the map or the split is wrong; the message starts with
            the domain's place in the experiment file.
    """
    try:
        table = read_annotations(root, domain.format)
        if domain.groups:
            table = with_groups(table, groups_from_names(table.paths, domain.groups))
        mapping = domain.labels or {label: [label] for label in classes if label in table.class_names}
        table, counts = map_labels(table, mapping, domain.drop, domain.ignore, classes)
        table, small = drop_small(table, domain.min_area)
        table, hoods = remove_hood(table) if domain.remove_hood else (table, [])
        splits, sentence = split_domain(table, domain)
    except InputError as error:
        raise InputError(f"[domains.{name}]: {error}") from None
    return PreparedDomain(table, splits, sentence, counts, small, hoods)


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
            splits, sentence = split_from_lists(table, lists), "by lists of image names"
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
    """Write the files that later stages and the report read: table, lists, summary, and the probe list if it is its."""
    domain, here, table = experiment.domains[name], folder.domain(name), prepared.table
    leaks = find_leaks(table, prepared.splits, progress=progress)
    summary = domain_summary(
        table,
        prepared.splits,
        domain=name,
        title=domain.title or name,
        role=domain.role,
        source=domain.source,
        labels=prepared.labels,
        removed={"min_area": prepared.small_boxes, "hood": sum(hood.boxes for hood in prepared.hoods)},
        leaks=leaks,
        split=prepared.split_sentence,
    )
    place: dict[str, Any] = {
        "generated": domain.generate.style if domain.generate else None,
        "root": "." if domain.generate else str(table.root),
        "hoods": [asdict(hood) for hood in prepared.hoods],
    }
    if name == experiment.probe.domain:
        write_probe(experiment, prepared, folder)
    table.save(here / "annotations.npz")
    for split in SPLITS:
        write_list(here / f"{split}.txt", [str(path) for path in table.paths[prepared.splits[split]]])
    write_json(here / "summary.json", summary | place)


def check_probe(experiment: Experiment, prepared: PreparedDomain) -> None:
    """Refuse a probe of more images than its domain has for testing."""
    plan, found = experiment.probe, len(prepared.splits["test"])
    if found < plan.images:
        raise InputError(
            f"[probe]: {plan.images} images wanted, but the test split of '{plan.domain}' has {found}. "
            "Lower [probe] images, or give the split more test images."
        )


def write_probe(experiment: Experiment, prepared: PreparedDomain, folder: RunFolder) -> None:
    """Draw the probe from the test images: a seeded sample, in a fixed order, with its hash in the first line."""
    check_probe(experiment, prepared)
    plan, test = experiment.probe, prepared.splits["test"]
    drawn = np.sort(np.random.default_rng(plan.seed).choice(test, plan.images, replace=False))
    paths = [str(path) for path in prepared.table.paths[drawn]]
    lines = [f"# sha256 {hash_names(paths)}", *paths]
    write_text(folder.probe(plan.domain), "".join(f"{line}\n" for line in lines))


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
