"""The images that every network looks at: a seeded draw from the test images of a domain."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gapscope.config import Experiment
from gapscope.data.splits import read_list, write_list
from gapscope.data.table import AnnotationTable
from gapscope.errors import InputError
from gapscope.files import read_text
from gapscope.intact import remedy
from gapscope.recording.recording import hash_names
from gapscope.run_folder import RunFolder
from gapscope.similarity.groups import FEW_UNITS

HASH_LINE = "# sha256 "
"""How the first line of a probe list begins."""


def check_probe(experiment: Experiment, name: str, found: int) -> None:
    """Refuse a probe of more images than its domain has found for testing."""
    wanted = experiment.probe.images
    if found < wanted:
        raise InputError(
            f"[probe]: {wanted} images wanted, but the test split of '{name}' has {found}. "
            "Lower [probe] images, or give the split more test images."
        )


def probe_groups(table: AnnotationTable, paths: list[str]) -> tuple[list[str] | None, int]:
    """What each image of a probe was taken with, and how many different groups that is.

    None where no two images share a group, and where there are so few groups that nothing can be drawn from them:
    images are then taken as independent, which the report warns of.
    """
    of_path = dict(zip(map(str, table.paths), map(str, table.groups), strict=True))
    groups = [of_path[path] for path in paths]
    number = len({group or path for group, path in zip(groups, paths, strict=True)})
    return (groups if FEW_UNITS <= number < len(paths) else None), number


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
    write_list(folder.probe(name), paths, f"{HASH_LINE}{hash_names(paths)}")


def read_probe(path: Path) -> list[str]:
    """The images of a probe in their order.

    Raises:
        InputError: The list cannot be read, or is not the one that its first line has the hash of.
    """
    paths = read_list(path)
    first = read_text(path).partition("\n")[0]
    if first.startswith(HASH_LINE) and first.removeprefix(HASH_LINE).strip() != hash_names(paths):
        raise InputError(
            f"{path} is not the list whose hash its first line holds: names or their order were changed. "
            + remedy(path, "Delete it and run again")
        )
    return paths
