"""Which runs stand side by side, by which names, and which are one study with other seeds?"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gapscope.arms import shared_names
from gapscope.data.splits import read_list
from gapscope.data.table import AnnotationTable
from gapscope.errors import InputError
from gapscope.files import hash_value
from gapscope.findings.findings import Findings, find
from gapscope.findings.results import Results
from gapscope.findings.run_reader import read_results
from gapscope.several.settings import moves_numbers, settings

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""What the page calls its runs; also the most it shows."""


@dataclass(frozen=True, eq=False)
class Run:
    """One run folder beside others."""

    letter: str
    title: str
    findings: Findings
    group: int
    """Runs with the same number are one study: the same data and settings, whatever their names and seeds."""
    names: Mapping[str, str] = field(default_factory=dict)
    """The names under which arms are lined up with those of other runs, where they are not their own."""
    titles: Mapping[str, str] = field(default_factory=dict)
    """What arms are called together with those of other runs, by such a name, where it is not their own title."""

    def called(self, arm: str) -> str:
        """The name under which an arm is lined up with those of other runs."""
        return self.names.get(arm, arm)

    def own(self, name: str) -> str | None:
        """The other way round: its arm, or None where it has no such arm."""
        return next((arm for arm in self.results.experiment.arms if self.called(arm) == name), None)

    @property
    def results(self) -> Results:
        """What its folder holds."""
        return self.findings.results

    @property
    def at(self) -> int:
        """Its place among the runs, from 0."""
        return LETTERS.index(self.letter)

    @property
    def label(self) -> str:
        return f"{self.letter}: {self.title}"


def read_runs(folders: Sequence[Path | str], titles: Sequence[str] = ()) -> list[Run]:
    """Read run folders, name them and find out which are one study.

    Args:
        folders: Two or more. One with several networks becomes one run for each.
        titles: What the page calls them, one for each; otherwise the titles of the experiments, with the folder's name
            where two have the same.

    Raises:
        InputError: If one is no run folder or has a broken file, one is given twice, or the titles do not fit.
    """
    places = [Path(folder) for folder in folders]
    _check(places, titles)
    whole = [read_results(folder) for folder in places]
    names = [
        name if len(results.networks) == 1 else f"{name}, {results.network_title(network)}"
        for name, results in zip(list(titles) or _distinct_titles(whole), whole, strict=True)
        for network in results.networks
    ]
    lined_up = [shared_names(results.experiment) for results in whole for _ in results.networks]
    found = [one for results in whole for one in results.by_network]
    if len(found) > len(LETTERS):
        raise InputError(f"{len(found)} runs and their networks are more than fit on a page ({len(LETTERS)}).")
    groups: dict[str, int] = {}
    keys = [_study_key(results) for results in found]
    numbers = [groups.setdefault(key, len(groups)) for key in keys]
    return [Run(*facts) for facts in zip(LETTERS, names, map(find, found), numbers, lined_up, strict=False)]


def _check(folders: Sequence[Path], titles: Sequence[str]) -> None:
    if len(folders) < 2:
        raise InputError(f"{len(folders)} run folder leaves nothing to compare. Give two or more.")
    if len(folders) > len(LETTERS):
        raise InputError(f"{len(folders)} runs are more than fit on a page. Give {len(LETTERS)} at most.")
    if titles and len(titles) != len(folders):
        raise InputError(
            f"{len(titles)} titles are given for {len(folders)} runs. Give --title once per run, in the runs' order."
        )
    twice = sorted({title for title in titles if titles.count(title) > 1})
    if twice:
        raise InputError(f"the title {twice[0]!r} is given twice. Name every run differently.")
    places: dict[Path, Path] = {}
    for folder in folders:
        first = places.setdefault(folder.resolve(), folder)
        if first is not folder:
            also = "" if str(first) == str(folder) else f" ({first} is the same folder)"
            raise InputError(f"{folder} is given twice{also}. Name every run folder once.")


def _distinct_titles(found: Sequence[Results]) -> list[str]:
    titles = [results.title for results in found]
    names = [
        f"{title} ({results.folder.resolve().name})" if titles.count(title) > 1 else title
        for title, results in zip(titles, found, strict=True)
    ]
    return [
        f"{results.title} ({results.folder})" if names.count(name) > 1 else name
        for name, results in zip(names, found, strict=True)
    ]


def _study_key(results: Results) -> str:
    """A hash of all that is to be the same for runs to be one study: settings that move numbers, and the data."""
    kept = {key: value for key, value in settings(results.experiment).items() if moves_numbers(key)}
    prints = {name: summary.fingerprint for name, summary in results.summaries.items()}
    return hash_value([kept, prints])


def groups_of(runs: Sequence[Run]) -> list[list[Run]]:
    """The runs of each study, in order."""
    return [[run for run in runs if run.group == number] for number in range(1 + max(run.group for run in runs))]


def arm_title(runs: Sequence[Run], arm: str) -> str:
    """As all runs together call it, or the first one that has this arm; `arm` is the name that lines it up."""
    found = ((run, run.own(arm)) for run in runs)
    return next(run.titles.get(arm) or run.results.arm_title(own) for run, own in found if own is not None)


def test_images_hash(results: Results, domain: str) -> str | None:
    """Of the names, sizes and boxes of a domain's test images; None where the data stage has not run.

    Equal for two runs that test on the same images with the same boxes, whatever they train on. Pixels are not looked
    at, so that the images need not be here; of rendered domains the settings of the renderer are part of it.
    """
    folder = results.run_folder
    annotations, tests = folder.annotations(domain), folder.split(domain, "test")
    if not annotations.is_file() or not tests.is_file():
        return None
    table = AnnotationTable.load(annotations, folder.domain(domain))
    places = {path: at for at, path in enumerate(table.paths.tolist())}
    names = read_list(tests)
    unknown = [name for name in names if name not in places]
    if unknown:
        raise InputError(
            f"{tests} names {unknown[0]}, which {annotations.name} beside it does not hold. "
            "Delete both and run the study again: only what is missing is repeated."
        )
    test = table.select([places[name] for name in names])
    generate = results.experiment.domains[domain].generate
    rendered = generate.model_dump_json(exclude={"images"}) if generate else ""
    digest = hashlib.sha256("\0".join([rendered, *test.class_names, *names]).encode())
    for column in (test.widths, test.heights, test.box_image, test.box_class, test.xyxy, test.ignore, test.crowd):
        digest.update(np.ascontiguousarray(column).tobytes())
    return digest.hexdigest()


def scored_alike(results: Results, domain: str) -> tuple[object, ...] | None:
    """What is to be the same for mAPs of two runs on a domain to be comparable; None where that is not known."""
    images, rules = test_images_hash(results, domain), results.experiment.evaluate
    if images is None:
        return None
    return images, tuple(results.experiment.headline_classes), rules.rule, rules.confidence, rules.nms_iou


@dataclass(frozen=True)
class StageProgress:
    """How much of a stage is there."""

    stage: str
    done: int
    of: int


def stages_of(results: Results) -> list[StageProgress]:
    """Of every stage that the page reads, in order."""
    experiment = results.experiment
    names, shown = results.runs(*experiment.arms), results.runs()
    pairs = [both for pair in results.pairs for both in results.run_pairs(*pair)]
    trained = [name for name in names if name in results.trainings and results.trainings[name].summary]
    scored = [(name, domain) for name in shown for domain in results.test_domains]
    recorded = [(name, size) for name in results.recorded_runs() for size in results.sizes]
    compared = [(*pair, size) for pair in pairs for size in results.sizes]
    return [
        StageProgress("data", len(results.summaries), len(experiment.domains)),
        StageProgress("train", len(trained), len(names)),
        StageProgress("evaluate", sum(one in results.evaluations for one in scored), len(scored)),
        StageProgress("record", sum(one in results.statistics for one in recorded), len(recorded)),
        StageProgress("compare", sum(one in results.grids for one in compared), len(compared)),
    ]
