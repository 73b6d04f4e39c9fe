"""What a study consists of: an experiment -> its units of work, each after those it needs."""

from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from itertools import combinations
from typing import Any

from gapscope.config import NUMBERS_DO_NOT_DEPEND_ON, Experiment
from gapscope.data.label_maps import label_map
from gapscope.files import hash_file
from gapscope.study import arm_training, work
from gapscope.study.domains import domain_root, files_fingerprint
from gapscope.study.study import Run, Study, run_name, weights_file
from gapscope.study.units import Unit


def units_of(study: Study) -> list[Unit]:
    """All units of a study in an order in which they can be done."""
    units = [
        *data_units(study),
        *train_units(study),
        *evaluate_units(study),
        *record_units(study),
        *compare_units(study),
    ]
    return [*units, report_unit(study, units)]


def runs_of(experiment: Experiment, *, reported: bool = False) -> Iterator[Run]:
    """Every arm with every seed."""
    for arm in experiment.reported_arms if reported else experiment.arms:
        for seed in experiment.seeds:
            yield arm, seed


def data_units(study: Study) -> Iterator[Unit]:
    experiment, folder = study.experiment, study.folder
    for name, domain in experiment.domains.items():
        source: Any = domain.generate.model_dump() if domain.generate else None
        if source is None:
            source = files_fingerprint(domain_root(name, domain, folder, study.data_root))
        settings = domain.model_dump(exclude={"generate", "root"})
        is_probe = name == experiment.probe.domain
        files = ["annotations.npz", "train.txt", "val.txt", "test.txt", "summary.json"]
        files += ["left_out.jsonl"] if domain.skip_bad else []
        outputs = [folder.domain(name) / file for file in files] + ([folder.probe(name)] if is_probe else [])
        probe = experiment.probe.model_dump() if is_probe else None
        named = asdict(label_map(domain.label_map)) if domain.label_map else None
        size = experiment.data.image_size if domain.min_area_at == "network" else None
        made_from = [settings, source, experiment.data.classes, probe, named, size]
        yield Unit("data", f"data/{name}", made_from, (), tuple(outputs), partial(work.prepare_data, name=name))


def train_units(study: Study) -> Iterator[Unit]:
    experiment, folder = study.experiment, study.folder
    for name, seed in runs_of(experiment):
        arm = experiment.arms[name]
        needs = [f"data/{domain}" for domain in arm.domains]
        start: str = arm.start
        if start in experiment.arms:
            needs.append(f"train/{start}/seed{seed}")
        elif start != "scratch":
            start = hash_file(weights_file(arm.start))
        train = experiment.train.model_dump(exclude=NUMBERS_DO_NOT_DEPEND_ON)
        made_from = [
            arm.domains,
            start,
            arm.freeze,
            seed,
            train,
            experiment.model.model_dump(),
            experiment.data.model_dump(exclude={"cache", "cache_folder"}),
        ]
        made_from.append(experiment.evaluate.model_dump(include={"confidence", "nms_iou", "headline"}))
        here = folder.arm(name, seed)
        outputs = (here / "weights.safetensors", here / "metrics.jsonl", here / "summary.json")
        call = partial(arm_training.train_run, name=name, seed=seed)
        yield Unit("train", f"train/{name}/seed{seed}", made_from, tuple(needs), outputs, call)


def evaluate_units(study: Study) -> Iterator[Unit]:
    experiment, folder = study.experiment, study.folder
    for name, seed in runs_of(experiment):
        for domain in experiment.evaluated_domains:
            path = folder.evaluation(name, seed, domain)
            needs = (f"train/{name}/seed{seed}", f"data/{domain}")
            made_from = [experiment.evaluate.model_dump(exclude={"domains"}), experiment.data.image_size]
            outputs = (path, path.with_suffix(".detections.json"))
            call = partial(work.evaluate_run, name=name, seed=seed, domain=domain)
            yield Unit("evaluate", f"evaluate/{name}/seed{seed}/{domain}", made_from, needs, outputs, call)


def record_units(study: Study) -> Iterator[Unit]:
    experiment, folder = study.experiment, study.folder
    probe = experiment.probe.domain
    for name, seed in runs_of(experiment, reported=True):
        for size in experiment.record.sizes:
            needs = (f"train/{name}/seed{seed}", f"data/{probe}")
            outputs = (folder.recording(name, seed, probe, size),)
            call = partial(work.record_run, name=name, seed=seed, size=size)
            yield Unit("record", f"record/{name}/seed{seed}/{size}", [size], needs, outputs, call)


def compare_units(study: Study) -> Iterator[Unit]:
    experiment, folder = study.experiment, study.folder
    settings = experiment.similarity.model_dump()
    for a, b in compared_pairs(experiment):
        for size in experiment.record.sizes:
            needs = tuple(dict.fromkeys(f"record/{arm}/seed{seed}/{size}" for arm, seed in (a, b)))
            outputs = (folder.similarity(run_name(a), run_name(b), experiment.probe.domain, size),)
            call = partial(work.compare_runs, a=a, b=b, size=size)
            yield Unit("compare", f"compare/{run_name(a)}/{run_name(b)}/{size}", settings, needs, outputs, call)


def compared_pairs(experiment: Experiment) -> Iterator[tuple[Run, Run]]:
    """Per seed every arm with itself and with the others; and the seeds of one arm, which make the ceiling."""
    arms = experiment.reported_arms
    for seed in experiment.seeds:
        yield from (((arm, seed), (arm, seed)) for arm in arms)
        yield from (((a, seed), (b, seed)) for a, b in combinations(arms, 2))
    for arm in arms:
        yield from (((arm, s), (arm, t)) for s, t in combinations(experiment.seeds, 2))


def report_unit(study: Study, units: list[Unit]) -> Unit:
    shown = study.experiment.model_dump(mode="json")
    needs = tuple(unit.name for unit in units)
    return Unit("report", "report", shown, needs, (study.folder.report,), work.report_run)
