"""What does a run folder hold? Every number of the report comes from the files gathered here."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import xarray as xr

from gapscope.config import Experiment
from gapscope.detector.network_map import YOLOV3, LayerMap
from gapscope.errors import InputError
from gapscope.findings.domain_file import DomainSummary
from gapscope.findings.environment_file import RunEnvironment
from gapscope.findings.evaluation_file import EvaluationFile
from gapscope.findings.separability_file import SeparabilityFile
from gapscope.findings.training_files import TrainingRecord, TrainingSummary
from gapscope.grafting.result import GraftResult
from gapscope.networks import check_network, is_yolov3, layer_map
from gapscope.run_folder import RunFolder, RunName
from gapscope.showing import html_table
from gapscope.words import number_of

GraftFiles = dict[tuple[RunName, RunName, str], GraftResult]
"""By host, donor and test domain."""
Grids = dict[tuple[RunName, RunName, int], xr.Dataset]
"""By run, other run and image size."""


BY_RUN = ("trainings", "evaluations", "statistics", "grids", "effects", "grafts", "separabilities")
"""Fields of `Results` that are looked up by run, or by two of them, and something more."""


def _runs_in(key: Any) -> list[RunName]:
    """The runs in a key of such a field, which may be one itself."""
    return [key] if isinstance(key, RunName) else [one for one in key if isinstance(one, RunName)]


@dataclass(frozen=True)
class Seen:
    """What all networks make of the test images of one domain."""

    statistics: dict[tuple[RunName, int], xr.Dataset]
    grids: Grids
    effects: Grids


@dataclass(frozen=True)
class Results:
    """All that a run folder holds so far, in the config's order."""

    folder: Path
    experiment: Experiment
    environment: RunEnvironment
    summaries: dict[str, DomainSummary]
    """By domain: `data/<domain>/summary.json`."""
    trainings: dict[RunName, TrainingRecord]
    evaluations: dict[tuple[RunName, str], EvaluationFile]
    """By run and test domain."""
    statistics: dict[tuple[RunName, int], xr.Dataset]
    """By run and image size: the recording without its Grams (p, mean, median, std, min, max per layer)."""
    grids: Grids
    """Every layer pair by every measure, with floor and interval on the diagonal; of pairs of different arms also each
    image's influence and the blocks of layers."""
    effects: Grids
    """Each layer between floor and ceiling, as `layer_summary` gives it: pairs of different arms, two or more seeds."""
    probe: str
    """The domain whose test images statistics, grids and effects are about: the experiment's, or see `seen_at`."""
    grafts: GraftFiles = field(default_factory=dict)
    """By host, donor and test domain; empty where nothing was grafted."""
    others: dict[str, Seen] = field(default_factory=dict)
    """The same about further domains, by domain."""
    separabilities: dict[tuple[RunName, str], SeparabilityFile] = field(default_factory=dict)
    """By run and domain: how well each layer tells the main probe from that domain's, at the first size."""
    network: str = ""
    """Which of several networks these are the results of, see `of_network`; empty for all of a study."""

    @property
    def run_folder(self) -> RunFolder:
        """Where each of its files is."""
        return RunFolder(self.folder)

    @property
    def page_folder(self) -> RunFolder:
        """Where its page, figures and tables lie: in the run folder, of one of several networks below it."""
        return self.run_folder.of_network(self.network) if self.network else self.run_folder

    @property
    def networks(self) -> list[str]:
        """Names of the networks that arms have, that of [model] first."""
        return self.experiment.networks

    def of_network(self, network: str) -> "Results":
        """What the same run holds of the arms of one network, as if the study had no other.

        Raises:
            InputError: No arm has it.
        """
        check_network(network, self.networks, f"arm of {self.title}")
        mine = set(self.experiment.arms_of(network))

        def chosen(found: dict[Any, Any]) -> dict[Any, Any]:
            """Of a dictionary by runs those whose arms are meant, all of them where there are two."""
            return {key: one for key, one in found.items() if all(run.arm in mine for run in _runs_in(key))}

        parts: dict[str, Any] = {name: chosen(getattr(self, name)) for name in BY_RUN}
        others = {
            domain: Seen(*(chosen(getattr(seen, name)) for name in ("statistics", "grids", "effects")))
            for domain, seen in self.others.items()
        }
        experiment = self.experiment.of_network(network)
        return replace(self, experiment=experiment, others=others, network=network, **parts)

    @property
    def by_network(self) -> "list[Results]":
        """What the run holds, network by network; as it is where there is one."""
        networks = self.networks
        return [self] if len(networks) == 1 else [self.of_network(network) for network in networks]

    def network_title(self, network: str) -> str:
        """What people call one of its networks, such as `yolov3-tiny`; with its name where two are called so."""
        words = {name: self._words_of(self.experiment.arms_of(name)[0]) for name in self.networks}
        mine = words[network]
        return mine if list(words.values()).count(mine) == 1 else f"{mine} ({network})"

    @property
    def title(self) -> str:
        return self.experiment.title or self.experiment.name

    @property
    def seeds(self) -> list[int]:
        return self.experiment.seeds

    @property
    def arms(self) -> list[str]:
        """Reported arms, in order."""
        return self.experiment.reported_arms

    @property
    def recorded_arms(self) -> list[str]:
        """Those whose layers are recorded and compared."""
        return self.experiment.recorded_arms

    @property
    def has_networks(self) -> bool:
        """Whether any reported arm is known by more than its detections."""
        return any(self.experiment.arms[name].has_network for name in self.arms)

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """All pairs of arms whose layers are compared, in order: (1, 2), (1, 3), (2, 3), ... of one network."""
        return self.experiment.pairs

    def runs(self, *arms: str) -> list[RunName]:
        """Every seed of these arms, arm after arm; of all reported arms if none is named."""
        return [RunName(arm, seed) for arm in arms or self.arms for seed in self.seeds]

    def recorded_runs(self) -> list[RunName]:
        """Every seed of the arms whose layers are recorded."""
        return [RunName(arm, seed) for arm in self.recorded_arms for seed in self.seeds]

    def run_pairs(self, a: str, b: str) -> list[tuple[RunName, RunName]]:
        """Two arms seed by seed."""
        return list(zip(self.runs(a), self.runs(b), strict=True))

    def evaluations_of(self, arm: str, domain: str) -> list[EvaluationFile]:
        """An arm's evaluations on a domain, one per seed that has one."""
        found = (self.evaluations.get((run, domain)) for run in self.runs(arm))
        return [evaluation for evaluation in found if evaluation is not None]

    def summaries_of(self, arm: str) -> list[TrainingSummary]:
        """What an arm's finished trainings have left, one per seed."""
        found = (self.trainings.get(run) for run in self.runs(arm))
        return [one.summary for one in found if one is not None and one.summary is not None]

    def evaluated_arms(self, domain: str) -> list[str]:
        """Reported arms that have been evaluated on a domain, with some seed."""
        return [arm for arm in self.arms if self.evaluations_of(arm, domain)]

    def pair_title(self, a: str, b: str) -> str:
        """Two arms side by side."""
        return f"{self.arm_title(a)} vs {self.arm_title(b)}"

    @property
    def test_domains(self) -> list[str]:
        return self.experiment.evaluated_domains

    @property
    def sizes(self) -> tuple[int, ...]:
        """Recorded image sizes: the first of Figures 1-6 and Table 3, the second, if any, of Figure 7 and Table 4."""
        return self.experiment.record.sizes

    @property
    def probes(self) -> list[str]:
        """The domains on whose test images layers are compared, the main one first."""
        return self.experiment.probe.domains

    def seen_at(self, domain: str) -> "Results":
        """The same run, with statistics, grids and effects of another probe domain."""
        if domain == self.probe:
            return self
        here = Seen(self.statistics, self.grids, self.effects)
        seen = (self.others | {self.probe: here})[domain]
        others = {name: one for name, one in self.others.items() if name != domain} | {self.probe: here}
        return replace(self, **vars(seen), probe=domain, others=others)

    def layer_map(self, arm: str) -> LayerMap:
        """The layers of an arm's networks."""
        return layer_map(self.experiment, arm)

    @property
    def is_yolov3(self) -> bool:
        """Whether every arm has the layers that the paper numbers."""
        return is_yolov3(self.experiment)

    @property
    def network_words(self) -> str:
        """Which networks the reported arms have: `YOLOv3 at 0.25 of its width`, `yolov3-tiny`."""
        found = [self._words_of(arm) for arm in self.arms if self.experiment.arms[arm].has_network]
        return ", ".join(dict.fromkeys(found))

    def _words_of(self, arm: str) -> str:
        """An arm's network in words."""
        name, width = self.layer_map(arm).network, self.experiment.model_of(arm).width
        return f"{name} at {width} of its width" if name == YOLOV3 or width != 1 else name

    def arm_title(self, arm: str) -> str:
        return self.experiment.arms[arm].title or arm

    def domain_title(self, domain: str) -> str:
        return self.experiment.domains[domain].title or domain

    def short_title(self, domain: str) -> str:
        """A domain's title without what it has in brackets at its end, where that still tells the domains apart."""
        short = {name: self.domain_title(name).partition(" (")[0] for name in self.experiment.domains}
        return short[domain] if len(set(short.values())) == len(short) else self.domain_title(domain)

    def run_title(self, run: RunName) -> str:
        return f"{self.arm_title(run.arm)}, seed {run.seed}"

    def image_folder(self, domain: str) -> Path:
        """Where a domain's images should be; they may be on another machine."""
        root = self.summaries[domain].root if domain in self.summaries else "."
        return self.run_folder.domain(domain) / root

    def grid(self, a: str, b: str, *, seed: int | tuple[int, int] | None = None, size: int | None = None) -> xr.Dataset:
        """The grid of two arms.

        Args:
            a: Arm whose layers are the rows; in the order of the experiment.
            b: Arm whose layers are the columns.
            seed: Of both, or one each; None: the first seed.
            size: Image size in pixels; None: the first.

        Raises:
            InputError: If there is none.
        """
        return self._pair(self.grids, "grid", a, b, seed, size)

    def effect(self, a: str, b: str, *, seed: int | None = None, size: int | None = None) -> xr.Dataset:
        """Two arms between floor and ceiling, likewise."""
        return self._pair(self.effects, "effect", a, b, seed, size)

    def _pair(
        self, grids: Grids, what: str, a: str, b: str, seed: int | tuple[int, int] | None, size: int | None
    ) -> xr.Dataset:
        first, second = seed if isinstance(seed, tuple) else [self.seeds[0] if seed is None else seed] * 2
        names = RunName(a, first), RunName(b, second)
        found = grids.get((*names, size or self.sizes[0]))
        if found is None:
            arms, seeds, sizes = (", ".join(map(str, some)) for some in (self.arms, self.seeds, self.sizes))
            raise InputError(
                f"{self.folder} has no {what} of {names[0]} and {names[1]} at {size or self.sizes[0]} pixels. Arms, to "
                f"be named in this order: {arms}; seeds: {seeds}; sizes: {sizes}. Is it computed yet? gapscope status "
                f"{self.folder}"
            )
        return found

    def __repr__(self) -> str:
        rows = "\n".join(f"  {name:<12} {text}" for name, text in self._facts())
        return f"Run {self.title} in {self.folder}\n{rows}"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return html_table(f"Run {self.title} in {self.folder}", self._facts())

    def _facts(self) -> list[tuple[str, str]]:
        """What was asked for, and how much of it is there."""
        trained = sum(training.summary is not None for training in self.trainings.values())
        counts = (
            f"{trained} of {number_of(len(self.experiment.arms) * len(self.seeds), 'training')}, "
            f"{number_of(len(self.evaluations), 'evaluation')}, {number_of(len(self.statistics), 'recording')}, "
            f"{number_of(len(self.grids), 'grid')}, {number_of(len(self.effects), 'effect')}"
        )
        return [
            ("arms", ", ".join(f"{arm} ({self.arm_title(arm)})" for arm in self.arms)),
            ("seeds", ", ".join(map(str, self.seeds))),
            ("tested on", ", ".join(f"{name} ({self.domain_title(name)})" for name in self.test_domains)),
            ("probe", f"{self.probe}, at {', '.join(map(str, self.sizes))} pixels"),
            ("done", counts),
        ]
