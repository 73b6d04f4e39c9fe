"""The data stage: one domain's images and labels -> mapped boxes, splits, probe list and what is known about them."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gapscope.config import Data, Domain
from gapscope.data.first_look import check_share
from gapscope.data.hood import HoodSearch
from gapscope.data.labels import LabelCounts
from gapscope.data.leaks import groups_from_names, with_groups
from gapscope.data.problems import Problem, Problems
from gapscope.data.readers.detect import read_annotations
from gapscope.data.splits import (
    SPLITS,
    Splits,
    group_split,
    limit_splits,
    random_split,
    read_list,
    split_from_folders,
    split_from_lists,
    take_val_from_train,
)
from gapscope.data.splits_there import auto_split
from gapscope.data.table import AnnotationTable
from gapscope.errors import InputError
from gapscope.experiment_file import read_config
from gapscope.files import file_stats, hash_value, read_text
from gapscope.progress import Progress, silent
from gapscope.run_folder import RunFolder
from gapscope.study.fair_boxes import fair_boxes
from gapscope.words import percent

DATA_ROOT_VARIABLE = "GAPSCOPE_DATA"
NO_DATA = ("/proc", "/sys", "/dev")
"""Folders that are no files on a disk."""


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
    """Where a domain's images are. A relative root starts at `data_root`, else where it did when the study last ran.

    Raises:
        InputError: If the folder is not there, or a relative one has no data root to start at.
    """
    if domain.root is None:
        return folder.domain(name)
    root = Path(domain.root)
    if not root.is_absolute():
        base = given_data_root(data_root) or remembered_data_root(folder)
        if base is None:
            raise InputError(
                f"[domains.{name}]: root = '{root}' starts at the data root, and none was given. "
                f"Add --data-root FOLDER or set {DATA_ROOT_VARIABLE}."
            )
        root = base / root
    if not root.is_dir():
        raise InputError(f"[domains.{name}]: there is no folder {root}. Check root and the data root.")
    resolved = root.resolve()
    if resolved.parent == resolved or any(resolved.is_relative_to(place) for place in NO_DATA):
        raise InputError(
            f"[domains.{name}]: root = '{domain.root}' is {resolved}, which holds the machine and no data set. Name "
            "the folder of the images."
        )
    return resolved


def given_data_root(data_root: Path | None) -> Path | None:
    """The folder that was given, else that of the environment's variable, else None."""
    return data_root or (Path(os.environ[DATA_ROOT_VARIABLE]) if DATA_ROOT_VARIABLE in os.environ else None)


def remembered_data_root(folder: RunFolder) -> Path | None:
    """Where relative roots started when the study was last run here; None if no run has noted it."""
    return Path(read_text(folder.data_root).strip()) if folder.data_root.is_file() else None


def check_roots(domains: dict[str, Domain], folder: RunFolder, data_root: Path | None) -> None:
    """Look for the folders of all domains.

    Raises:
        InputError: Some are not there; all of them are named.
    """
    told_together(partial(domain_root, name, domain, folder, data_root) for name, domain in domains.items())


def told_together(checks: Iterable[Callable[[], object]]) -> None:
    """Make every check, whatever the others say.

    Raises:
        InputError: Some of them raised one; it holds what all of them say, a line each.
    """
    problems = []
    for check in checks:
        try:
            check()
        except InputError as problem:
            problems.append(str(problem))
    if problems:
        raise InputError("\n".join(problems))


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
        same_scenes=plan.same_scenes,
        hood=plan.hood,
        processes=os.cpu_count() or 1,
        progress=progress,
    )


def domain_tables(config: Path, data_root: Path | None) -> dict[str, AnnotationTable]:
    """The domains of an experiment file as a study would use them, by name; generated ones are left out.

    Raises:
        InputError: If the file, a folder, a label file or a label map is wrong, or every domain is generated.
    """
    experiment = read_config(config)
    given = {name: domain for name, domain in experiment.domains.items() if domain.generate is None}
    if not given:
        raise InputError(f"{config}: all of its domains are generated, so there is no folder to look at. Run it first.")
    nowhere = RunFolder(Path())
    return {
        name: prepare_domain(name, domain, experiment.data, domain_root(name, domain, nowhere, data_root)).table
        for name, domain in given.items()
    }


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
            splits, sentence = auto_split(table, plan.fractions, plan.seed)
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
        sentence += f"; val is {percent(plan.val_from_train)} of train, seed {plan.seed}"
    limits = {"train": plan.max_train, "val": plan.max_val, "test": plan.max_test}
    if any(limits.values()):
        splits = limit_splits(splits, limits, plan.seed)
        sentence += f"; at most {', '.join(f'{most} {split}' for split, most in limits.items() if most)}"
    none = dict(zip(SPLITS, plan.fractions, strict=True))  # a share of 0 asks for none
    empty = [split for split in SPLITS if not len(splits[split]) and (none[split] > 0 or split == "test")]
    if empty:
        raise InputError(f"the split leaves no {empty[0]} images of {len(table)}. Change [split], or add images.")
    return splits, sentence
