"""What a study consists of: an experiment -> its units of work, each after those it needs."""

from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from itertools import combinations, product
from pathlib import Path
from typing import Any

from pydantic_core import to_jsonable_python

from gapscope.arms import arms_before, images_without_labels, shared_names, statistics_domains
from gapscope.config import NUMBERS_DO_NOT_DEPEND_ON, Experiment
from gapscope.data.label_maps import label_map
from gapscope.data.splits import SPLITS
from gapscope.detector.factories import ANCHOR_FREE, factory_file, is_factory, is_guest
from gapscope.files import hash_file
from gapscope.run_folder import RunName
from gapscope.study import arm_training, diets, former_keys, given_arms, made_arms, work
from gapscope.study.domain_files import IMAGES, LEFT_OUT, data_left, data_parts
from gapscope.study.domains import check_roots, domain_root, files_fingerprint
from gapscope.study.graft_units import graft_units
from gapscope.study.made_from import Part, all_settings, settings_of
from gapscope.study.study import Study, weights_file
from gapscope.study.units import Unit, training_unit
from gapscope.study.untrained import untrained_runs

READERS_VERSION = 5
"""Raised when readers or label maps give other boxes than before, so that domains of the user's are read again."""

SHAPES_VERSION, SHAPES = 2, "version of the distances of shapes"
"""Raised when Procrustes and angular distances are others than before: studies that ask for them compare again."""

COVERING_VERSION, COVERING = 2, "version of what detectors of other makes see of ignore regions"
HEAD_VERSION, HEAD = 2, f"version of the head of {ANCHOR_FREE}"
"""Raised when these networks are taught otherwise than before: they are trained again, and no other ones."""

NETWORK_FILE = "the file of its network"
"""What a network is made from besides its settings."""

READERS, FILES = "version of the readers", "its files"
"""What a domain of the user's is made from besides its settings."""

ONLY_SHOWN = {"title", "source"}
"""Keys of a domain that only pages and figures show, which take them from the experiment."""

NOT_IN_TRAINING = {"title", "model", "report", "record", "start", "epochs", "learning_rate", "augment"}
"""Keys of an arm on which its weights do not depend, or that are looked at apart."""

NOT_IN_VALIDATION = {"rule", "multi_label", "operating_confidence", "bootstraps", "domains"}
"""Keys of [evaluate] on which the choice of the best epoch does not depend."""

NOT_IN_A_PROBE = {"domain", "also", "separability"}
"""Keys of [probe] that say which probes there are, not what is in one."""


def units_of(study: Study) -> list[Unit]:
    """All units of a study in an order in which they can be done.

    Raises:
        InputError: The folder of a domain, or a weights file, is not there.
    """
    check_roots(study.experiment.domains, study.folder, study.data_root)
    units = [
        *data_units(study),
        *probe_units(study),
        *train_units(study),
        *evaluate_units(study),
        *record_units(study),
        *untrained_units(study),
        *recordings_of_both(study),
        *graft_units(study),
        *compare_units(study),
        *separability_units(study),
    ]
    return [*units, report_unit(study, units)]


def runs_of(experiment: Experiment, *, recorded: bool = False) -> Iterator[RunName]:
    """Every arm with every seed, or those whose layers are recorded."""
    for arm in experiment.recorded_arms if recorded else experiment.arms:
        for seed in experiment.seeds:
            yield RunName(arm, seed)


def data_units(study: Study) -> Iterator[Unit]:
    experiment, folder = study.experiment, study.folder
    for name, domain in experiment.domains.items():
        is_probe = name == experiment.probe.domain
        place = f"[domains.{name}]"
        made_from = settings_of(domain, place, {"root", *ONLY_SHOWN})
        made_from["[data] classes"] = Part(experiment.data.classes)
        source: Any = None
        if domain.generate is None:
            source = [READERS_VERSION, files_fingerprint(domain_root(name, domain, folder, study.data_root))]
            made_from[READERS], made_from[FILES] = Part(source[0]), Part(source[1])
        if domain.min_area_at == "network":
            made_from["[data] image_size"] = Part(experiment.data.image_size)
        if is_probe:
            made_from |= settings_of(experiment.probe, "[probe]", NOT_IN_A_PROBE) | {"is the probe": Part(True)}
        named = asdict(label_map(domain.label_map)) if domain.label_map else None
        if named is not None:
            made_from[f"label map {domain.label_map}"] = Part(to_jsonable_python(named))
        splits = [folder.split(name, split) for split in SPLITS]
        outputs = [folder.annotations(name), *splits, folder.summary(name)]
        outputs += [folder.domain(name) / LEFT_OUT] if domain.skip_bad else []
        outputs += [folder.probe(name)] if is_probe else []
        listed = folder.file_list(name) if domain.generate else None
        yield Unit(
            "data",
            f"data/{name}",
            made_from,
            (),
            tuple(outputs),
            partial(work.prepare_data, name=name),
            partial(data_left, folder, name, is_probe=is_probe),
            partial(data_parts, folder, name, is_probe=is_probe),
            domain=name,
            beside=() if listed is None else (listed,),
            lists=listed,
            once_from=settings_of(domain, place, set(type(domain).model_fields) - ONLY_SHOWN),
            formerly=former_keys.data(experiment, domain, source, named, is_probe=is_probe),
        )


def train_units(study: Study) -> Iterator[Unit]:
    experiment, folder = study.experiment, study.folder
    constant = experiment.train.schedule == "constant"  # otherwise rates depend on how many epochs follow
    ends_by = frozenset({"[train] patience", "[train] epochs"} if constant else {"[train] patience"})
    for run in runs_of(experiment):
        arm = experiment.arms[run.arm]
        if not arm.is_trained:
            yield given_unit(study, run) if arm.is_given else made_unit(study, run)
            continue
        read = [f"data/{domain}" for domain in (*arm.domains, *diets.domains_of_pace(experiment, run.arm))]
        lent = [f"data/{domain}" for domain in images_without_labels(arm) if f"data/{domain}" not in read]
        needs = [*read, *lent]
        start: str = arm.start
        if start in experiment.arms:
            needs.append(training_unit(RunName(start, run.seed)))
        elif start != "scratch":
            start = hash_file(weights_file(arm.start))
        made_from = settings_of(arm, f"[arms.{run.arm}]", NOT_IN_TRAINING)
        made_from |= {f"[arms.{run.arm}] start": Part(start), "seed": Part(run.seed)}
        made_from |= settings_of(experiment.train_of(run.arm), "[train]", NUMBERS_DO_NOT_DEPEND_ON)
        made_from |= network_settings(experiment, run.arm)
        made_from[COVERING] = Part(COVERING_VERSION if is_guest(experiment.model_of(run.arm).name) else 1, 1)
        made_from |= settings_of(experiment.data, "[data]", {"cache", "cache_folder"})
        made_from |= settings_of(experiment.evaluate, "[evaluate]", NOT_IN_VALIDATION)
        yield Unit(
            "train",
            training_unit(run),
            made_from,
            tuple(needs),
            (folder.weights(run), folder.metrics(run), folder.training_summary(run)),
            partial(arm_training.train_run, run=run),
            partial(arm_training.training_left, folder, run),
            reads=dict.fromkeys(lent, IMAGES) | dict.fromkeys(read, "training"),
            run=run,
            ends_by=ends_by if not arm.has_diet else ends_by - {"[train] epochs"},
            beside=(folder.last_weights(run), folder.end_state(run)),
            formerly=former_keys.training(experiment, run.arm, run.seed, start),
        )


def network_settings(experiment: Experiment, arm: str) -> dict[str, Part]:
    """What decides an arm's network: its settings, and what is in the file that it is read from."""
    model = experiment.model_of(arm)
    file = Path(model.name) if model.name.endswith(".cfg") else None
    if is_factory(model.name):
        file = factory_file(model.name)
    read = {} if file is None else {NETWORK_FILE: Part(hash_file(file))}
    if model.name == ANCHOR_FREE:
        read[HEAD] = Part(HEAD_VERSION, 1)
    return settings_of(model, "[model]") | read


def made_unit(study: Study, run: RunName) -> Unit:
    """What makes an arm that needs no training. It hangs on the arms before it, on images without their labels, and on
    labels only where shares are chosen by them; on no setting of [train]."""
    experiment, folder, arm = study.experiment, study.folder, study.experiment.arms[run.arm]
    made_from = settings_of(arm, f"[arms.{run.arm}]", NOT_IN_TRAINING)
    if not arm.average and arm.start not in experiment.arms:
        made_from[f"[arms.{run.arm}] start"] = Part(hash_file(weights_file(arm.start)))
    made_from["[data] image_size"] = Part(experiment.data.image_size)
    if arm.choose:
        made_from |= settings_of(experiment.evaluate, "[evaluate]", NOT_IN_VALIDATION)
    reads = {f"data/{domain}": IMAGES for domain in statistics_domains(experiment, run.arm)}
    reads |= {f"data/{domain}": "training" for domain in made_arms.judging_domains(experiment, run.arm)}
    return Unit(
        "train",
        training_unit(run),
        made_from,
        (*(training_unit(RunName(one, run.seed)) for one in arms_before(experiment, run.arm)), *reads),
        (folder.weights(run), folder.training_summary(run)),
        partial(made_arms.make_run, run=run),
        partial(arm_training.training_left, folder, run),
        reads=reads,
        run=run,
        is_quick=True,
        beside=(folder.metrics(run), folder.last_weights(run), folder.end_state(run)),
    )


def given_unit(study: Study, run: RunName) -> Unit:
    """What takes over an arm that was trained elsewhere. It hangs on the bytes of its files, not on where they lie."""
    folder, arm = study.folder, study.experiment.arms[run.arm]
    place = f"[arms.{run.arm}]"
    made_from = settings_of(arm, place, {*NOT_IN_TRAINING, *given_arms.FILES, "domains"})
    for name, path in given_arms.given_files(study, run).items():
        made_from[f"{place} {name}"] = Part(hash_file(path))
    if arm.trained:
        made_from |= network_settings(study.experiment, run.arm)
        made_from["[data] classes"] = Part(study.experiment.data.classes)
        if is_guest(study.experiment.model_of(run.arm).name):
            made_from["[data] image_size"] = Part(study.experiment.data.image_size)
    weights = (folder.weights(run),) if arm.has_network else ()
    return Unit(
        "train",
        training_unit(run),
        made_from,
        (),
        (*weights, folder.training_summary(run)),
        partial(given_arms.take_over, run=run),
        partial(arm_training.training_left, folder, run),
        run=run,
        is_quick=True,
        beside=(folder.metrics(run), folder.last_weights(run), folder.end_state(run)),
    )


def evaluate_units(study: Study) -> Iterator[Unit]:
    experiment, folder = study.experiment, study.folder
    made_from = settings_of(experiment.evaluate, "[evaluate]", {"rule", "domains"})
    made_from["[data] image_size"] = Part(experiment.data.image_size)
    for run in runs_of(experiment):
        for domain in experiment.evaluated_domains:
            yield Unit(
                "evaluate",
                f"evaluate/{run.arm}/seed{run.seed}/{domain}",
                made_from,
                (training_unit(run), f"data/{domain}"),
                (folder.evaluation(run, domain), folder.detections(run, domain)),
                partial(work.evaluate_run, run=run, domain=domain),
                reads={f"data/{domain}": "scored"},
                run=run,
                domain=domain,
                formerly=former_keys.evaluation(experiment),
            )


def probe_units(study: Study) -> Iterator[Unit]:
    """The probes of further domains, apart from their data: what is trained on these does not depend on them."""
    experiment = study.experiment
    for name in experiment.probe.further:
        yield Unit(
            "data",
            f"probe/{name}",
            settings_of(experiment.probe, "[probe]", NOT_IN_A_PROBE),
            (f"data/{name}",),
            (study.folder.probe(name),),
            partial(work.draw_probe, name=name),
            reads={f"data/{name}": "test"},
            domain=name,
            formerly=former_keys.probe(experiment),
        )


def record_units(study: Study) -> Iterator[Unit]:
    experiment, folder = study.experiment, study.folder
    settings = settings_of(experiment.record, "[record]", {"sizes", "memory"})
    for probe, size in looks_of(experiment):
        drawn_by = "data" if probe == experiment.probe.domain else "probe"
        for run in runs_of(experiment, recorded=True):
            yield Unit(
                "record",
                recorded(experiment, run, probe, size),
                settings | {"size": Part(size)},
                (training_unit(run), f"{drawn_by}/{probe}"),
                (folder.recording(run, probe, size),),
                partial(work.record_run, run=run, probe=probe, size=size),
                reads={f"data/{probe}": "probe"},
                run=run,
                domain=probe,
                formerly=[size],
            )


def untrained_units(study: Study) -> Iterator[Unit]:
    """Recordings of networks that were never trained."""
    experiment, folder = study.experiment, study.folder
    for network, (probe, size) in product(experiment.networks, looks_of(experiment)):
        first = experiment.arms_of(network)[0]
        settings = settings_of(experiment.record, "[record]", {"sizes", "memory"})
        settings |= network_settings(experiment, first) | {"[data] classes": Part(experiment.data.classes)}
        drawn_by = "data" if probe == experiment.probe.domain else "probe"
        for run in untrained_runs(experiment, network):
            yield Unit(
                "record",
                recorded(experiment, run, probe, size),
                settings | {"size": Part(size), "seed": Part(run.seed)},
                (f"{drawn_by}/{probe}",),
                (folder.recording(run, probe, size),),
                partial(work.record_untrained, arm=first, run=run, probe=probe, size=size),
                reads={f"data/{probe}": "probe"},
                domain=probe,
            )


def looks_of(experiment: Experiment) -> Iterator[tuple[str, int]]:
    """Every probe at every size."""
    return product(experiment.probe.domains, experiment.record.sizes)


def recorded(experiment: Experiment, run: RunName, probe: str, size: int) -> str:
    """The name of the unit that records a run."""
    return f"record/{run.arm}/seed{run.seed}/{look_name(experiment, probe, size)}"


def look_name(experiment: Experiment, probe: str, size: int) -> str:
    """`416`, or `synthetic-416` of another probe than the main one."""
    return str(size) if probe == experiment.probe.domain else f"{probe}-{size}"


def compare_units(study: Study) -> Iterator[Unit]:
    experiment, folder = study.experiment, study.folder
    for probe, size in looks_of(experiment):
        main = (probe, size) == (experiment.probe.domain, experiment.record.sizes[0])
        for a, b in (*compared_pairs(experiment), *(pairs_across(experiment) if main else ())):
            yield Unit(
                "compare",
                f"compare/{a}/{b}/{look_name(experiment, probe, size)}",
                settings_of(experiment.similarity, "[similarity]", {"untrained"}) | _shapes(experiment),
                tuple(dict.fromkeys(recorded(experiment, run, probe, size) for run in (a, b))),
                (folder.grid(a, b, probe, size),),
                partial(work.compare_runs, a=a, b=b, probe=probe, size=size),
                domain=probe,
                formerly=former_keys.comparison(experiment),
            )
        yield from effect_units(study, probe, size)


def _shapes(experiment: Experiment) -> dict[str, Part]:
    asked = {"procrustes", "shape_angle"} & set(experiment.similarity.measures)
    return {SHAPES: Part(SHAPES_VERSION if asked else 1, 1)}


def effect_units(study: Study, probe: str, size: int) -> Iterator[Unit]:
    """Pairs of different arms between floor and ceiling; without a second seed there is no ceiling."""
    experiment, folder = study.experiment, study.folder
    for a, b in compared_pairs(experiment):
        if a.arm == b.arm or len(experiment.seeds) < 2:
            continue
        runs = [RunName(arm, seed) for arm in (a.arm, b.arm) for seed in experiment.seeds]
        runs += untrained_runs(experiment, experiment.network_of(a.arm))
        yield Unit(
            "compare",
            f"effect/{a}/{b}/{look_name(experiment, probe, size)}",
            settings_of(experiment.similarity, "[similarity]", {"measures"}),
            tuple(recorded(experiment, run, probe, size) for run in runs),
            (folder.effect(a, b, probe, size),),
            partial(work.effect_of_runs, a=a, b=b, probe=probe, size=size),
            domain=probe,
            formerly=former_keys.effect(experiment),
        )


def recordings_of_both(study: Study) -> Iterator[Unit]:
    """Every network over the probes of two domains together."""
    experiment, folder = study.experiment, study.folder
    main, size = experiment.probe.domain, experiment.record.sizes[0]
    for other, run in product(experiment.probe.separability, runs_of(experiment, recorded=True)):
        yield Unit(
            "record",
            recorded_both(experiment, run, other),
            settings_of(experiment.record, "[record]", {"sizes", "memory"}) | {"size": Part(size)},
            (training_unit(run), f"data/{main}", f"probe/{other}"),
            (folder.recording_of_both(run, main, other, size),),
            partial(work.record_both, run=run, other=other, size=size),
            reads={f"data/{main}": "probe"},
            run=run,
            domain=other,
        )


def recorded_both(experiment: Experiment, run: RunName, other: str) -> str:
    """The name of the unit that records a run over the main probe and another one together."""
    return f"record/{run.arm}/seed{run.seed}/{experiment.probe.domain}+{other}-{experiment.record.sizes[0]}"


def separability_units(study: Study) -> Iterator[Unit]:
    """How well the layers of every network tell two domains apart."""
    experiment, folder = study.experiment, study.folder
    main, size = experiment.probe.domain, experiment.record.sizes[0]
    for other, run in product(experiment.probe.separability, runs_of(experiment, recorded=True)):
        yield Unit(
            "compare",
            f"separability/{run}/{main}+{other}-{size}",
            settings_of(experiment.similarity, "[similarity]", {"measures", "untrained"}),
            (recorded_both(experiment, run, other), f"data/{main}", f"data/{other}"),
            (folder.separability(run, main, other, size),),
            partial(work.tell_apart, run=run, other=other, size=size),
            reads={f"data/{main}": "probe", f"data/{other}": "test"},
            run=run,
            domain=other,
        )


def compared_pairs(experiment: Experiment) -> Iterator[tuple[RunName, RunName]]:
    """Per seed every arm with itself and with the others of its network; and the seeds of one arm, which make the
    ceiling."""
    arms = experiment.recorded_arms
    for seed in experiment.seeds:
        yield from ((RunName(arm, seed), RunName(arm, seed)) for arm in arms)
        yield from ((RunName(a, seed), RunName(b, seed)) for a, b in experiment.pairs)
    for arm in arms:
        yield from ((RunName(arm, s), RunName(arm, t)) for s, t in combinations(experiment.seeds, 2))


def pairs_across(experiment: Experiment) -> Iterator[tuple[RunName, RunName]]:
    """Arms of two networks that are alike but for these, with the first seed: layers of different networks have no
    counterparts, so each is compared with all."""
    shared, seed = shared_names(experiment), experiment.seeds[0]
    recorded = [
        [arm for arm in experiment.arms_of(network) if arm in experiment.recorded_arms]
        for network in experiment.networks
    ]
    for some, others in combinations(recorded, 2):
        for a, b in product(some, others):
            if shared[a] == shared[b]:
                yield RunName(a, seed), RunName(b, seed)


def report_unit(study: Study, units: list[Unit]) -> Unit:
    return Unit(
        "report",
        "report",
        all_settings(study.experiment),
        tuple(unit.name for unit in units),
        (study.folder.report,),
        work.report_run,
        formerly=former_keys.report(study.experiment),
    )
