"""What a study consists of: an experiment -> its units of work, each after those it needs."""

from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from itertools import combinations, product
from typing import Any

from gapscope.config import NUMBERS_DO_NOT_DEPEND_ON, Experiment
from gapscope.data.label_maps import label_map
from gapscope.data.splits import SPLITS
from gapscope.files import hash_file
from gapscope.run_folder import RunName
from gapscope.study import arm_training, work
from gapscope.study.domain_files import LEFT_OUT, data_left
from gapscope.study.domains import domain_root, files_fingerprint
from gapscope.study.study import Study, weights_file
from gapscope.study.units import Unit

READERS_VERSION = 4
"""Raised when readers or label maps give other boxes than before, so that domains of the user's are read again."""


def units_of(study: Study) -> list[Unit]:
    """All units of a study in an order in which they can be done."""
    units = [
        *data_units(study),
        *probe_units(study),
        *train_units(study),
        *evaluate_units(study),
        *record_units(study),
        *compare_units(study),
    ]
    return [*units, report_unit(study, units)]


def runs_of(experiment: Experiment, *, reported: bool = False) -> Iterator[RunName]:
    """Every arm with every seed."""
    for arm in experiment.reported_arms if reported else experiment.arms:
        for seed in experiment.seeds:
            yield RunName(arm, seed)


def data_units(study: Study) -> Iterator[Unit]:
    experiment, folder = study.experiment, study.folder
    for name, domain in experiment.domains.items():
        source: Any = domain.generate.model_dump() if domain.generate else None
        if source is None:
            source = [READERS_VERSION, files_fingerprint(domain_root(name, domain, folder, study.data_root))]
        settings = domain.model_dump(exclude={"generate", "root"})
        is_probe = name == experiment.probe.domain
        splits = [folder.split(name, split) for split in SPLITS]
        outputs = [folder.annotations(name), *splits, folder.summary(name)]
        outputs += [folder.domain(name) / LEFT_OUT] if domain.skip_bad else []
        outputs += [folder.probe(name)] if is_probe else []
        probe = experiment.probe.model_dump(exclude={"also"}) if is_probe else None
        named = asdict(label_map(domain.label_map)) if domain.label_map else None
        size = experiment.data.image_size if domain.min_area_at == "network" else None
        made_from = [settings, source, experiment.data.classes, probe, named, size]
        call, left = partial(work.prepare_data, name=name), partial(data_left, folder, name, is_probe=is_probe)
        yield Unit("data", f"data/{name}", made_from, (), tuple(outputs), call, left)


def training_unit(run: RunName) -> str:
    """The name of the unit that trains a run."""
    return f"train/{run.arm}/seed{run.seed}"


def train_units(study: Study) -> Iterator[Unit]:
    experiment, folder = study.experiment, study.folder
    for run in runs_of(experiment):
        arm = experiment.arms[run.arm]
        needs = [f"data/{domain}" for domain in arm.domains]
        start: str = arm.start
        if start in experiment.arms:
            needs.append(training_unit(RunName(start, run.seed)))
        elif start != "scratch":
            start = hash_file(weights_file(arm.start))
        train = experiment.train.model_dump(exclude=NUMBERS_DO_NOT_DEPEND_ON)
        made_from = [
            arm.domains,
            start,
            arm.freeze,
            run.seed,
            train,
            experiment.model.model_dump(),
            experiment.data.model_dump(exclude={"cache", "cache_folder"}),
        ]
        made_from.append(experiment.evaluate.model_dump(include={"confidence", "nms_iou", "headline"}))
        outputs = (folder.weights(run), folder.metrics(run), folder.training_summary(run))
        call = partial(arm_training.train_run, run=run)
        yield Unit("train", training_unit(run), made_from, tuple(needs), outputs, call)


def evaluate_units(study: Study) -> Iterator[Unit]:
    experiment, folder = study.experiment, study.folder
    for run in runs_of(experiment):
        for domain in experiment.evaluated_domains:
            needs = (training_unit(run), f"data/{domain}")
            made_from = [experiment.evaluate.model_dump(exclude={"domains"}), experiment.data.image_size]
            outputs = (folder.evaluation(run, domain), folder.detections(run, domain))
            call = partial(work.evaluate_run, run=run, domain=domain)
            yield Unit("evaluate", f"evaluate/{run.arm}/seed{run.seed}/{domain}", made_from, needs, outputs, call)


def probe_units(study: Study) -> Iterator[Unit]:
    """The probes of further domains, apart from their data: what is trained on these does not depend on them."""
    plan = study.experiment.probe
    for name in plan.also:
        made_from, call = [plan.images, plan.seed], partial(work.draw_probe, name=name)
        yield Unit("data", f"probe/{name}", made_from, (f"data/{name}",), (study.folder.probe(name),), call)


def record_units(study: Study) -> Iterator[Unit]:
    experiment, folder = study.experiment, study.folder
    for probe, size in looks_of(experiment):
        main = probe == experiment.probe.domain
        for run in runs_of(experiment, reported=True):
            needs = (training_unit(run), f"{'data' if main else 'probe'}/{probe}")
            outputs = (folder.recording(run, probe, size),)
            call = partial(work.record_run, run=run, probe=probe, size=size)
            yield Unit("record", recorded(experiment, run, probe, size), [size], needs, outputs, call)


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
    settings = experiment.similarity.model_dump()
    for probe, size in looks_of(experiment):
        for a, b in compared_pairs(experiment):
            needs = tuple(dict.fromkeys(recorded(experiment, run, probe, size) for run in (a, b)))
            outputs = (folder.grid(a, b, probe, size),)
            call = partial(work.compare_runs, a=a, b=b, probe=probe, size=size)
            name = f"compare/{a}/{b}/{look_name(experiment, probe, size)}"
            yield Unit("compare", name, settings, needs, outputs, call)
        yield from effect_units(study, probe, size)


def effect_units(study: Study, probe: str, size: int) -> Iterator[Unit]:
    """Pairs of different arms between floor and ceiling; without a second seed there is no ceiling."""
    experiment, folder = study.experiment, study.folder
    settings = experiment.similarity.model_dump(include={"permutations", "bootstraps"})
    for a, b in compared_pairs(experiment):
        if a.arm == b.arm or len(experiment.seeds) < 2:
            continue
        runs = [RunName(arm, seed) for arm in (a.arm, b.arm) for seed in experiment.seeds]
        needs = tuple(recorded(experiment, run, probe, size) for run in runs)
        outputs = (folder.effect(a, b, probe, size),)
        call = partial(work.effect_of_runs, a=a, b=b, probe=probe, size=size)
        name = f"effect/{a}/{b}/{look_name(experiment, probe, size)}"
        yield Unit("compare", name, settings, needs, outputs, call)


def compared_pairs(experiment: Experiment) -> Iterator[tuple[RunName, RunName]]:
    """Per seed every arm with itself and with the others; and the seeds of one arm, which make the ceiling."""
    arms = experiment.reported_arms
    for seed in experiment.seeds:
        yield from ((RunName(arm, seed), RunName(arm, seed)) for arm in arms)
        yield from ((RunName(a, seed), RunName(b, seed)) for a, b in combinations(arms, 2))
    for arm in arms:
        yield from ((RunName(arm, s), RunName(arm, t)) for s, t in combinations(experiment.seeds, 2))


def report_unit(study: Study, units: list[Unit]) -> Unit:
    shown = study.experiment.model_dump(mode="json")
    needs = tuple(unit.name for unit in units)
    return Unit("report", "report", shown, needs, (study.folder.report,), work.report_run)
