"""Two folders of images -> a study that can be run as it stands, with what was found and what is only guessed."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gapscope.data.splits import SPLITS
from gapscope.data.summed_up import class_counts, size_counts
from gapscope.errors import InputError
from gapscope.experiment_file import parse_config
from gapscope.progress import Progress, silent
from gapscope.study.domains import DATA_ROOT_VARIABLE, split_domain
from gapscope.study.fair_boxes import fair_boxes
from gapscope.study.proposed_facts import MOST_COMPARED, SetFacts, look_at_set
from gapscope.study.proposed_map import ProposedMap, propose_map
from gapscope.study.proposed_network import proposed_model, proposed_sizes, proposed_start
from gapscope.study.proposed_text import SIDES, file_name, listed, study_text
from gapscope.study.told import leak_lines
from gapscope.words import duration, number_of

LONG = 4 * 3600.0
"""Seconds of training from which it is said how to have less of them."""
MOST_CLASSES = 8


@dataclass(frozen=True)
class Proposal:
    """A study for two sets."""

    text: str
    """Of its experiment file."""
    shown: tuple[str, ...]
    """What was found, for people: a screen."""
    refusals: tuple[str, ...]
    """Why a study could not run it as it stands; empty if it could."""


def propose(
    real: Path,
    synthetic: Path,
    *,
    out: Path = Path("study.toml"),
    start: str = "",
    model: str = "",
    size: int | None = None,
    said: Mapping[str, Sequence[str]] | None = None,
    take_guesses: bool = False,
    measure_time: bool = True,
    progress: Progress = silent,
) -> Proposal:
    """Look at two sets and propose a study of them; nothing is written.

    Args:
        real, synthetic: Folders of any format that `read_annotations` knows.
        out: The file that the study will be in, which gives it its name.
        start: Where arms start: `streets` or a weights file; left out, what suits the network.
        model: The network, as `[model] name` has it; left out, what suits the start.
        size: Side of the images in pixels, in place of one that shows their boxes.
        said: Common label -> names of either set that belong together, as people have said.
        take_guesses: Make guessed names part of the label map.
        measure_time: Train a few steps to tell how long the study takes here.
        progress: Told how many images are looked at.

    Raises:
        InputError: A folder cannot be read, no names belong together, `start` is no weights file,
            or there is no such network.
    """
    model = proposed_model(model, start)
    chosen = proposed_start(start, model)
    sets = look_at_set(real, "real", progress), look_at_set(synthetic, "synthetic", progress)
    names = propose_map(sets[0].table.counts(), sets[1].table.counts(), said, take_guesses=take_guesses)
    sizes = proposed_sizes(sets, names, chosen, model, size)
    text = study_text(file_name(out), sets, names, sizes, chosen, [root_in_file(one.root) for one in sets])
    refusals = tuple(refusals_of(text, sets, out.name))
    shown = [line for one in sets for line in set_lines(one)]
    shown += name_lines(names)
    shown.append(f"network    {model}")
    shown.append(f"size       {sizes.image_size} pixels, width {sizes.width:g}: {sizes.why}")
    shown.append(f"start      {chosen.start}: {chosen.why}")
    if measure_time and not refusals:
        shown.append(f"time       {_time(text, sets)}")
    return Proposal(text, tuple(shown), refusals)


def root_in_file(root: Path) -> str:
    """A folder from the data root on, where it lies below it; else from the top."""
    base = os.environ.get(DATA_ROOT_VARIABLE)
    whole = root.resolve()
    if base and whole.is_relative_to(Path(base).resolve()):
        return whole.relative_to(Path(base).resolve()).as_posix()
    return whole.as_posix()


def refusals_of(text: str, sets: Sequence[SetFacts], name_of_file: str) -> Iterator[str]:
    """What `run` would say against the study, found without reading anything again."""
    try:
        experiment = parse_config(text, name_of_file)
    except InputError as error:  # such as a probe of fewer images than a measure needs
        yield str(error)
        return
    for name, facts in zip(SIDES, sets, strict=True):
        domain = experiment.domains[name]
        try:
            split_domain(fair_boxes(facts.table, domain, experiment.data).table, domain)
        except InputError as error:
            yield f"[domains.{name}]: {error}"
        if facts.left_out > domain.max_bad * len(facts.table):
            yield f"[domains.{name}]: {facts.broken_words}. See: gapscope data check {facts.root}"


def _time(text: str, sets: Sequence[SetFacts]) -> str:
    """How long the study takes here, measured."""
    from gapscope.study.proposed_time import estimate_time

    experiment = parse_config(text)
    tables, splits = {}, {}
    for name, facts in zip(SIDES, sets, strict=True):
        domain = experiment.domains[name]
        tables[name] = fair_boxes(facts.table, domain, experiment.data).table
        splits[name] = split_domain(tables[name], domain)[0]
    try:
        found = estimate_time(experiment, tables, splits)
    except InputError as error:
        return f"not measured: {error}"
    runs = len(experiment.arms) * len(experiment.seeds)
    said = (
        f"at most {duration(found.training)} of training ({number_of(runs, 'training')}, "
        f"{number_of(experiment.train.epochs, 'epoch')} each) and "
        f"{duration(found.scoring)} of scoring, measured on {found.device} by a few steps; recording layers comes to it"
    )
    shorter = "less with max_train in split, fewer epochs, one seed, or a smaller image_size"
    return f"{said}; {shorter}" if found.training > LONG else said


def set_lines(facts: SetFacts) -> Iterator[str]:
    """What was found of a set, for people."""
    table = facts.table
    broken = f"; {facts.broken_words} left out" if facts.left_out else ""
    yield f"{facts.role:<10} {facts.root}"
    yield f"  format   {table.format}: {number_of(len(table), 'image')}, {size_counts(table)}{broken}"
    yield f"  classes  {class_counts(table, MOST_CLASSES)}"
    yield f"  splits   {', '.join(f'{split} {len(facts.splits[split]):,}' for split in SPLITS)} - {facts.split.why}"
    leaks = [line for overlap in facts.overlaps for line in leak_lines(overlap)]
    if not leaks:
        looks = (
            " or looks" if facts.compared else f"; looks not compared (over {MOST_COMPARED:,} images, or a broken one)"
        )
        leaks = [f"none by name, group, next frame{looks}"]
    yield from (f"  {'leaks' if not i else '':<8} {line}" for i, line in enumerate(leaks))
    yield from (f"  note     {note}" for note in table.notes)
    if facts.groups:
        yield f"  groups   names may tell drives or sequences: a guess in the file, to confirm ({facts.groups})"
    yield f"  hood     {facts.hood or 'nothing like the hood of the own car'}"


def name_lines(names: ProposedMap) -> Iterator[str]:
    """What becomes of the names, likewise."""
    sure = [label for label in names.labels(guesses=False)]
    yield f"names      in both: {', '.join(sure) or 'none'}"
    how = (
        "taken, confirm them"
        if names.taken
        else "not taken; they stand in the file to be confirmed (--guesses takes all)"
    )
    if names.guesses:
        yield f"  guesses, {how}:"
    for label in names.labels(guesses=True):
        sides = [[one.name for one in names.names(side, label, guesses=True)] for side in (0, 1)]
        if any(one.label == label for one in names.guesses):
            yield f"    {label} = {' + '.join(sides[0])} (real), {' + '.join(sides[1])} (synthetic)"
    for side, left in zip(SIDES, names.left, strict=True):
        if left:
            yield f'  {side}: nothing fits, dropped by drop = ["*"]: {listed(left)}'
