"""A whole experiment: all tables together."""

from collections.abc import Mapping
from itertools import combinations
from typing import Any

from pydantic import Field, PrivateAttr, model_validator

from gapscope.config.domains import Data, Domain
from gapscope.config.grafts import Graft
from gapscope.config.measuring import Evaluate, Probe, Record, Similarity
from gapscope.config.remedies import Remedies
from gapscope.config.resources import Resources, Stage
from gapscope.config.tables import Name, Table
from gapscope.config.training import PAPERS, Arm, Model, Train
from gapscope.detector.network_map import LayerMap

DEFAULT = "default"
"""What the network of [model] is called beside those of [models]."""


class Experiment(Table):
    """A whole study, as one file says it."""

    name: Name
    title: str = ""
    note: str = ""
    """Shown at the top of the report: what the study does and does not show."""
    seeds: list[int] = Field([0, 1], min_length=1)
    data: Data
    model: Model = Model()
    """The network of every arm that names none."""
    models: dict[Name, Model] = {}
    """Further networks by name, for arms that name them."""
    domains: dict[Name, Domain] = Field(min_length=1)
    arms: dict[Name, Arm] = Field(min_length=1)
    train: Train = Train()
    evaluate: Evaluate = Evaluate()
    probe: Probe
    record: Record = Record()
    similarity: Similarity = Similarity()
    graft: Graft | None = None
    """Left out, nothing is grafted."""
    remedies: Remedies = Remedies()
    """What `gapscope remedies` adds; a run does what the arms say."""
    resources: dict[Stage, Resources] = {}
    """What an engine gives one unit of a stage, see `run --on`; a command that works by itself takes what is there."""

    _known_maps: dict[str, LayerMap] = PrivateAttr(default_factory=dict)
    _runs_no_code: bool = PrivateAttr(default=False)

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, given: Any) -> Any:
        """What the preset of [train] decides of [evaluate] where nothing is given."""
        train, evaluate = (
            (given.get(name, {}) for name in ("train", "evaluate")) if isinstance(given, dict) else ({}, {})
        )
        if isinstance(train, dict) and isinstance(evaluate, dict) and train.get("preset") in PAPERS:
            return given | {"evaluate": {"multi_label": True} | evaluate}
        return given

    def model_of(self, arm: str) -> Model:
        """The settings of an arm's network."""
        return self.models.get(self.arms[arm].model, self.model)

    def network_of(self, arm: str) -> str:
        """The name of an arm's network: of its table in [models], or `DEFAULT`."""
        named = self.arms[arm].model
        return named if named in self.models else DEFAULT

    @property
    def networks(self) -> list[str]:
        """Names of the networks that arms have: that of [model] first, the others as [models] has them."""
        used = {self.network_of(arm) for arm in self.arms}
        return [name for name in (DEFAULT, *self.models) if name in used]

    def arms_of(self, network: str) -> list[str]:
        """The arms that have a network, in order."""
        return [arm for arm in self.arms if self.network_of(arm) == network]

    def of_network(self, network: str) -> "Experiment":
        """The study of one of its networks alone: its arms, with that network as [model]."""
        mine = self.arms_of(network)
        graft = self.graft
        if graft is not None and graft.pairs:
            pairs = [pair for pair in graft.pairs if set(pair) <= set(mine)]
            graft = graft.model_copy(update={"pairs": pairs}) if pairs else None
        arms = {name: self.arms[name].model_copy(update={"model": ""}) for name in mine}
        return self.model_copy(
            update={"model": self.model_of(mine[0]), "models": {}, "arms": arms, "graft": graft},
        )

    def known_map(self, arm: str) -> LayerMap | None:
        """The layers of an arm's network, where a run folder says them: see `with_maps`."""
        return self._known_maps.get(arm)

    @property
    def runs_no_code(self) -> bool:
        """Whether it was read from a run folder, which may be anybody's: no module that it names is imported."""
        return self._runs_no_code

    def with_maps(self, maps: Mapping[str, LayerMap]) -> "Experiment":
        """The same as a run folder has it, with the layers of its networks by arm: none is built to ask for them."""
        copy = self.model_copy()
        copy._known_maps, copy._runs_no_code = dict(maps), True
        return copy

    @property
    def reported_arms(self) -> list[str]:
        return [name for name, arm in self.arms.items() if arm.report]

    def train_of(self, arm: str) -> Train:
        """[train] as it holds for an arm."""
        chosen = self.arms[arm]
        varied = {key: value for key, value in chosen.augment or () if value is not None}
        augment = self.train.augment.model_copy(update=varied) if varied else None
        as_long = self.train.preset == "recommended" and self.train.patience == self.train.epochs
        own: dict[str, Any] = {"epochs": chosen.epochs, "patience": chosen.epochs if as_long else None}
        own |= {"learning_rate": chosen.learning_rate, "augment": augment}
        return self.train.model_copy(update={key: value for key, value in own.items() if value is not None})

    def pace_of(self, arm: str) -> str | None:
        """The arm whose number of optimizer steps an arm takes: its own unless it has a diet and no `steps`.

        That is the first arm of its network that is trained, shown and has none; None if there is none.
        """
        one = self.arms[arm]
        if one.steps or not one.has_diet:
            return arm
        others = ((name, self.arms[name]) for name in self.arms_of(self.network_of(arm)))
        return next((n for n, other in others if other.is_trained and other.report and not other.has_diet), None)

    @property
    def recorded_arms(self) -> list[str]:
        """Reported arms whose layers are recorded and compared."""
        return [name for name in self.reported_arms if self.arms[name].record and self.arms[name].has_network]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """All pairs of arms whose layers are compared with their counterparts, in order: those of one network."""
        every = combinations(self.recorded_arms, 2)
        return [(a, b) for a, b in every if self.network_of(a) == self.network_of(b)]

    @property
    def headline_classes(self) -> list[str]:
        """The classes whose mean is the headline number."""
        return self.evaluate.headline or self.data.classes

    @property
    def grafted_pairs(self) -> list[tuple[str, str]]:
        """(host, donor): those that are named, or every two reported arms of one network and different domains, both
        ways."""
        if self.graft is None:
            return []
        whole = [name for name in self.reported_arms if self.arms[name].is_trained or self.arms[name].trained]
        arms = [(name, set(self.arms[name].domains)) for name in whole]
        return self.graft.pairs or [
            (a, b)
            for a, mine in arms
            for b, others in arms
            if mine != others and self.network_of(a) == self.network_of(b)
        ]

    @property
    def grafted_domains(self) -> list[str]:
        """The domains on whose test images grafts are scored."""
        return [] if self.graft is None else self.graft.domains or self.evaluated_domains

    @property
    def evaluated_domains(self) -> list[str]:
        return self.evaluate.domains or [n for n, domain in self.domains.items() if domain.role != "control"]
