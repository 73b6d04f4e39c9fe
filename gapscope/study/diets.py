"""What an arm is fed: which images of each domain, how many of each in a batch, and how many batches an epoch has."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gapscope.config import Experiment
from gapscope.data.batches import num_batches
from gapscope.data.restyle import Restyled, RestyleStrengths
from gapscope.data.samples import Samples
from gapscope.data.splits import read_list
from gapscope.data.streams import Pool, stream
from gapscope.data.subsets import half_of, nested_subset
from gapscope.data.table import AnnotationTable
from gapscope.errors import InputError
from gapscope.run_folder import RunName
from gapscope.study.domain_files import load_domain, load_split
from gapscope.study.study import Study
from gapscope.study.unlabelled import unlabelled_images, unlabelled_samples

LENT = 200
"""Images of a domain that lend their amplitudes and colours."""


@dataclass(frozen=True)
class Diet:
    """The training images of an arm with one seed."""

    samples: Samples
    counts: dict[str, int]
    """Domain -> images."""
    pools: tuple[Pool, ...] | None
    """None where an epoch goes once through all images."""
    batches: int
    """Per epoch."""
    restyle: Callable[[Samples, int], Samples] | None
    """What restyles the samples when they are gone through for the so-manieth time; None where nothing does."""
    unlabelled: Samples | None = None
    """Images without labels, on which a teacher teaches; None where there is none."""
    seen_without_labels: Mapping[str, int] = field(default_factory=dict)
    """Domain -> images that it sees without their labels, be it to restyle others."""

    def order(self, seed: int, epoch: int) -> tuple[NDArray[np.int64] | None, NDArray[np.int64] | None]:
        """Positions of the samples in an epoch and what takes the place of the epoch in each image's variation; None
        where the batches themselves draw an order."""
        return (None, None) if self.pools is None else stream(self.pools, self.batches, seed, epoch)


def diet_of(study: Study, run: RunName, processes: int = 1) -> Diet:
    """Read the images that an arm is trained on.

    Args:
        study: Whose data stage is done.
        run: The arm and its seed, which draws subsets and orders.
        processes: How many share a batch.

    Raises:
        InputError: The arm asks for more images than a domain has.
    """
    return with_unlabelled(study, run.arm, labelled_diet(study, run, processes))


def with_unlabelled(study: Study, name: str, diet: Diet) -> Diet:
    """The same with the images that the arm sees without their labels."""
    arm = study.experiment.arms[name]
    lent = {one.towards: LENT for one in arm.restyle.values() if one.towards}
    seen = {domain: min(most, len(read_list(study.folder.split(domain, "train")))) for domain, most in lent.items()}
    if not arm.adapt.taught:
        return replace(diet, seen_without_labels=seen)
    unlabelled = unlabelled_samples(study, arm.adapt.taught)
    return replace(diet, unlabelled=unlabelled, seen_without_labels=seen | {arm.adapt.taught: len(unlabelled)})


def labelled_diet(study: Study, run: RunName, processes: int) -> Diet:
    """What `diet_of` says of labelled images."""
    experiment, arm = study.experiment, study.experiment.arms[run.arm]
    tables = {domain: _seen(study, run, domain) for domain in arm.domains}
    counts = {domain: len(table) for domain, table in tables.items()}
    samples = samples_of(study, AnnotationTable.joined(list(tables.values())))
    size, total, ends = experiment.train.batch_size, sum(counts.values()), np.cumsum([0, *counts.values()])
    restyle = restyle_of(study, run, counts) if arm.restyle else None
    if not arm.has_diet:
        return Diet(samples, counts, None, num_batches(total, size, processes), restyle)
    if arm.shares:
        parts = {domain: round(share * size) for domain, share in arm.shares.items()}
        places = zip(counts, ends[:-1], ends[1:], strict=True)
        pools = tuple(Pool(np.arange(first, last), parts[domain]) for domain, first, last in places)
    else:
        pools = (Pool(np.arange(total), size),)
    return Diet(samples, counts, pools, batches_per_epoch(study, run.arm, total), restyle)


def restyle_of(study: Study, run: RunName, counts: Mapping[str, int]) -> Callable[[Samples, int], Samples]:
    """What restyles an arm's samples each time, whose positions go from domain to domain with so many images each."""
    asked, strengths, others = study.experiment.arms[run.arm].restyle, list[RestyleStrengths | None](), list[Tensor]()
    for domain, count in counts.items():
        one = asked.get(domain)
        strengths += [None if one is None else RestyleStrengths(**one.model_dump(exclude={"towards"}))] * count
        lent = unlabelled_images(study, one.towards, LENT) if one is not None and one.towards else torch.empty(0)
        others += [lent] * count

    def restyle(samples: Samples, turn: int) -> Samples:
        return Restyled(samples, strengths, others, seed=run.seed, turn=turn)

    return restyle


def batches_per_epoch(study: Study, name: str, own_images: int) -> int:
    """So many that the arm takes its steps, or those of the arm whose pace it keeps, in its number of epochs."""
    experiment, arm = study.experiment, study.experiment.arms[name]
    config, pace = experiment.train_of(name), experiment.pace_of(name)
    if arm.steps:
        return -(-arm.steps // config.epochs) * config.accumulate
    images = own_images
    if pace is not None:
        paths = (study.folder.split(domain, "train") for domain in experiment.arms[pace].domains)
        images = sum(len(read_list(path)) for path in paths)
    theirs = experiment.train_of(pace or name).epochs * num_batches(images, config.batch_size)
    return -(-theirs // config.epochs)


def domains_of_pace(experiment: Experiment, name: str) -> list[str]:
    """Domains whose number of training images decides how many steps an arm takes, besides its own."""
    pace = experiment.pace_of(name)
    own = experiment.arms[name].domains
    return [domain for domain in experiment.arms[pace].domains if domain not in own] if pace else []


def _seen(study: Study, run: RunName, domain: str) -> AnnotationTable:
    arm, table = study.experiment.arms[run.arm], split_table(study, domain, "train")
    count = arm.images.get(domain)
    if arm.half:
        table = table.select(half_of(table, first=arm.half == "first"))
    try:
        return table if count is None else table.select(nested_subset(table, count, run.seed))
    except InputError as error:
        raise InputError(f"[arms.{run.arm}] images.{domain}: {error}") from None


def domain_samples(study: Study, domain: str, split: str) -> Samples:
    """The images of one split of a domain, with their labels."""
    return samples_of(study, split_table(study, domain, split))


def split_table(study: Study, domain: str, split: str) -> AnnotationTable:
    """The same as a table."""
    table = load_domain(domain, study.experiment.domains[domain], study.folder, study.data_root)
    return table.select(load_split(table, domain, split, study.folder))


def samples_of(study: Study, table: AnnotationTable) -> Samples:
    """Images at the study's size, kept as it says once they are decoded."""
    data = study.experiment.data
    return Samples(table, size=data.image_size, cache=study.image_cache or data.cache == "memory")
