"""The graft stage: which arms' layers are put into which, what that costs, and how it is done."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from gapscope.arms import grafted_runs, trained_layers
from gapscope.config import Experiment, Graft
from gapscope.data.table import AnnotationTable
from gapscope.detector.factories import is_guest
from gapscope.detector.guests import Network, load_network
from gapscope.errors import InputError
from gapscope.files import OTHER_CONTENT, hash_file, read_json
from gapscope.grafting.cost import share_of_operations
from gapscope.grafting.layer_names import Part
from gapscope.grafting.plan import CONTROL, REWIND, UNTRAINED, GraftPlan, graft_plan
from gapscope.grafting.question import Question, question
from gapscope.grafting.scoring import AnyStatistics
from gapscope.grafting.walk import Recipe
from gapscope.grafting.where import KINDS_OF_STATISTICS, estimated_statistics, score_question
from gapscope.networks import layer_map, plan_of_model
from gapscope.run_folder import RunName
from gapscope.study.arm_training import start_network
from gapscope.study.diets import diet_of
from gapscope.study.domain_files import load_domain, load_split
from gapscope.study.made_from import Part as Setting, settings_of
from gapscope.study.study import Study, weights_file
from gapscope.study.units import Unit, UnitCost, UnitKeys, training_unit
from gapscope.words import number_of

NO_SECOND_SEED = "there is no second seed, so what any foreign part changes is not known"
FROZEN = "the host's arm did not train it, so another seed's is the same"
WHICH_GRAFTS = {"pairs", "domains"}
"""Keys of [graft] that say which units there are."""


def graft_units(study: Study) -> Iterator[Unit]:
    """For every pair of arms and every seed a unit for each domain; none without [graft]."""
    experiment, folder, settings = study.experiment, study.folder, study.experiment.graft
    if settings is None:
        return
    scored = settings_of(experiment.evaluate, "[evaluate]", {"domains", "operating_confidence"})
    for host, donor in grafted_runs(experiment):
        arm = experiment.arms[host.arm]
        made_from = settings_of(settings, "[graft]", WHICH_GRAFTS) | scored
        made_from["[data] image_size"] = Setting(experiment.data.image_size)
        if UNTRAINED in settings.controls or REWIND in settings.controls:  # which are drawn as the model says
            made_from |= settings_of(experiment.model_of(host.arm), "[model]")
        runs = [host, donor]
        other = control_run(experiment, host)
        if CONTROL in settings.controls and other is not None:
            runs.append(other)
        if REWIND in settings.controls:
            if arm.start in experiment.arms:
                runs.append(RunName(arm.start, host.seed))
            elif arm.start != "scratch":
                made_from[f"[arms.{host.arm}] start"] = Setting(hash_file(weights_file(arm.start)))
        for domain in experiment.grafted_domains:
            seen = [] if settings.statistics == "own" else arm.domains
            reads = {f"data/{domain}": "scored"} | {f"data/{name}": "training" for name in seen if name != domain}
            if domain in seen:
                del reads[f"data/{domain}"]  # both parts of it
            data = [f"data/{name}" for name in dict.fromkeys([domain, *seen])]
            yield Unit(
                "graft",
                f"graft/{host}/{donor}/{domain}",
                made_from,
                (*dict.fromkeys(map(training_unit, runs)), *data),
                (folder.grafts(host, donor, domain),),
                partial(graft_runs, host=host, donor=donor, domain=domain),
                reads=reads,
                domain=domain,
                costs=partial(graft_cost_of, study, host, domain),
            )


def control_run(experiment: Experiment, host: RunName) -> RunName | None:
    """The next seed of the host's arm, after the last one the first; None where there is one seed."""
    seeds = experiment.seeds
    return RunName(host.arm, seeds[(seeds.index(host.seed) + 1) % len(seeds)]) if len(seeds) > 1 else None


def plan_of_grafts(experiment: Experiment, host: RunName) -> GraftPlan:
    """What will be grafted into a host, without reading any network."""
    settings = experiment.graft
    assert settings is not None
    there = [name for name in settings.controls if name != CONTROL or control_run(experiment, host) is not None]
    return graft_plan(
        layer_map(experiment, host.arm),
        blocks=settings.parts or None,
        forms=settings.forms,
        controls=[name for name in (CONTROL, REWIND, UNTRAINED) if name in there],
        orders=settings.orders,
    )


def graft_cost_of(study: Study, host: RunName, domain: str) -> UnitCost:
    """How many networks are evaluated for a unit, and how long that takes if one takes what it took before."""
    experiment, settings = study.experiment, study.experiment.graft
    assert settings is not None
    recipes = plan_of_grafts(experiment, host).recipes
    kinds = KINDS_OF_STATISTICS[settings.statistics]
    twice = "" if len(kinds) == 1 else ", each with both kinds of batch statistics"
    record = study.folder.read_record(f"evaluate/{host.arm}/seed{host.seed}/{domain}")
    seconds = None
    if record is not None:
        share = _share_of_operations(experiment, host, recipes)
        seconds = len(recipes) * len(kinds) * share * float(record.get("seconds", 0)) * _share_of_images(study, domain)
    return UnitCost(f"{number_of(len(recipes), 'network')} to evaluate{twice}", seconds)


def _share_of_operations(experiment: Experiment, host: RunName, recipes: Sequence[Recipe]) -> float:
    """What grafts cost in parts of separate passes; those of guests are separate passes."""
    model = experiment.model_of(host.arm)
    if is_guest(model.name):
        return 1.0
    layers = plan_of_model(model, len(experiment.data.classes)).layers
    return share_of_operations(layers, recipes, experiment.data.image_size)


def _share_of_images(study: Study, domain: str) -> float:
    """How much of the test images is scored on."""
    settings = study.experiment.graft
    assert settings is not None
    try:
        there = read_json(study.folder.summary(domain))["images"]["test"]
    except OTHER_CONTENT:
        return 1.0  # not read yet
    return min(1.0, settings.images / there) if settings.images and there else 1.0


def graft_runs(study: Study, keys: UnitKeys, *, host: RunName, donor: RunName, domain: str) -> None:
    """Every graft of one network in another, scored on one domain's test images."""
    experiment, settings, folder = study.experiment, study.experiment.graft, study.folder
    assert settings is not None
    asked = ask(study, host, donor)
    table = scored_images(study, domain)
    kinds, size = KINDS_OF_STATISTICS[settings.statistics], experiment.data.image_size
    seen: AnnotationTable | None = None
    known: AnyStatistics | None = None
    if "estimated" in kinds:
        seen = diet_of(study, host).samples.table
        known = study.once(f"statistics of grafts, {host}, {donor}", partial(_estimate, study, asked, seen))
    result = score_question(
        asked,
        table,
        size,
        experiment.evaluate,
        headline=experiment.headline_classes,
        statistics=kinds,
        unlabelled=seen,
        estimated=known,
        device=study.device,
        what=f"grafts of {donor.arm} in {host.arm}, seed {host.seed}, on {domain}",
        progress=study.progress,
    )
    weights = {name: hash_file(folder.weights(run)) for name, run in (("host", host), ("donor", donor))}
    other = control_run(experiment, host) if CONTROL in asked.controls else None
    facts = {"domain": domain, "control_seed": other.seed if other else None, "weights_sha256": weights}
    result.with_facts(
        host={"arm": host.arm, "seed": host.seed}, donor={"arm": donor.arm, "seed": donor.seed}, **facts
    ).save(folder.grafts(host, donor, domain))


def _estimate(study: Study, asked: Question, seen: AnnotationTable) -> AnyStatistics:
    return estimated_statistics(asked, seen, study.experiment.data.image_size, study.device)


def ask(study: Study, host: RunName, donor: RunName) -> Question:
    """The question about two trained networks and the controls that the experiment has.

    Raises:
        InputError: A weights file is broken, or is of another network.
    """
    experiment, settings = study.experiment, study.experiment.graft
    assert settings is not None
    other = control_run(experiment, host) if CONTROL in settings.controls else None
    asked = question(
        _trained(study, host),
        _trained(study, donor),
        blocks=settings.parts or None,
        forms=settings.forms,
        control=None if other is None else _trained(study, other),
        start=rewound(study, host) if REWIND in settings.controls else None,
        untrained=UNTRAINED in settings.controls,
        orders=settings.orders,
    )
    return replace(asked, untold=tuple(why_untold(experiment, settings, host, part) for part in asked.parts))


def _trained(study: Study, run: RunName) -> Network:
    return load_network(study.folder.weights(run), study.experiment.model_of(run.arm).name)


def rewound(study: Study, host: RunName) -> Network:
    """A host as its training found it."""
    return start_network(study, host).eval()


def why_untold(experiment: Experiment, settings: Graft, host: RunName, part: Part) -> str:
    """Why nothing can be told of a part whatever is found; empty where another seed's part can be held against it."""
    if CONTROL not in settings.controls:
        return ""
    if control_run(experiment, host) is None:
        return NO_SECOND_SEED
    return "" if trained_layers(experiment, host.arm)[list(part.layers)].any() else FROZEN


def scored_images(study: Study, domain: str) -> AnnotationTable:
    """The test images that grafts are scored on: all of them, or as many as the settings say, spread evenly."""
    experiment, folder = study.experiment, study.folder
    table = load_domain(domain, experiment.domains[domain], folder, study.data_root)
    test = load_split(table, domain, "test", folder)
    most = experiment.graft.images if experiment.graft else None
    if most is not None and most < len(test):
        test = test[np.unique(np.linspace(0, len(test) - 1, most).round().astype(np.int64))]
    return table.select(test)


def check_grafts(study: Study) -> None:
    """Refuse, before anything is done, a graft stage that has nothing to do.

    Raises:
        InputError: The experiment has no [graft], or no two arms of different domains.
    """
    experiment = study.experiment
    if experiment.graft is None:
        raise InputError(
            "there is no [graft] in the experiment file, so nothing is grafted. Add the table, empty for the defaults."
        )
    if not experiment.grafted_pairs:
        raise InputError(
            "[graft]: no two reported arms are trained on different domains, so there is no pair to graft. Name pairs."
        )
