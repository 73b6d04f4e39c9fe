"""Keys as they were before settings counted only where they differ from their neutral values.

Finished work of that time stays done: its records are taken as they stand, and get their new key when the study is run.
The lists here are frozen: they name the settings that there were then. Where a later setting is in use, or a stage's
version has been raised since, no former key fits.
"""

from typing import Any

from gapscope.config import Domain, Experiment, Table
from gapscope.files import hash_value
from gapscope.study.made_from import MadeFrom

VERSIONS = {"data": 2, "train": 2, "evaluate": 2, "record": 2, "compare": 3, "report": 2}
"""Of the stages, then."""

KEYS: dict[str, str] = {
    "Experiment": "name title note seeds data model domains arms train evaluate probe record similarity",
    "Data": "classes image_size cache cache_folder",
    "Model": "width anchor_scale prior",
    "Generate": "style images size seed severity",
    "Split": "method fractions seed train val test allow_missing val_from_train max_train max_val max_test",
    "Domain": "title role source generate root format images annotations reader_options label_map labels drop ignore "
    "groups min_area min_area_at max_aspect max_truncation max_occlusion remove_hood keep_hood clip skip_bad max_bad "
    "split",
    "Arm": "title domains start freeze report",
    "Augment": "flip hsv scale translate mosaic rotate shear",
    "Train": "preset epochs batch_size accumulate optimizer learning_rate momentum weight_decay schedule warmup_steps "
    "clip_norm patience validate_every ema bn loss box_gain objectness_gain class_gain label_smoothing iou_threshold "
    "always_best ignore_threshold augment precision device devices sync_batchnorm compile workers checkpoint_minutes "
    "loggers",
    "Evaluate": "rule headline confidence nms_iou operating_confidence bootstraps domains",
    "Probe": "domain also images seed",
    "Record": "sizes memory",
    "Similarity": "measures permutations bootstraps",
}
"""Table -> its keys, then."""

NOT_DECIDING = {"preset", "device", "compile", "workers", "checkpoint_minutes", "loggers"}
"""Keys of [train] that no training depended on."""


def former_key(stage: str, version: int, made_from: MadeFrom, formerly: Any, needs: list[str | None]) -> str | None:
    """The key that a unit had.

    Args:
        stage: Of the unit.
        version: Of the stage, now.
        made_from: What decides the unit now.
        formerly: What went into its key, from one of the functions below; None if it had no such key.
        needs: What the units that it needs passed on, then; None for one that had no such key.
    """
    if formerly is None or version != VERSIONS.get(stage) or None in needs:
        return None
    if any(part.decides and part.field and not _was_there(part.field) for part in made_from.values()):
        return None
    return hash_value([stage, version, formerly, needs])


def _was_there(field: str) -> bool:
    table, _, key = field.partition(".")
    return key in KEYS.get(table, "").split()


def _values(table: Table, without: set[str] | None = None) -> dict[str, Any]:
    """A table with every default, as far as its keys were there."""
    found: dict[str, Any] = {}
    for key in KEYS[type(table).__name__].split():
        if key not in (without or ()):
            value = getattr(table, key)
            found[key] = _values(value) if isinstance(value, Table) else value
    return found


def data(experiment: Experiment, domain: Domain, source: Any, named: Any, *, is_probe: bool) -> Any:
    """Of a domain that is rendered (`source` None) or read from files of this fingerprint."""
    drawn = _values(domain.generate) if domain.generate else source
    size = experiment.data.image_size if domain.min_area_at == "network" else None
    probe = _values(experiment.probe, {"also"}) if is_probe else None
    return [_values(domain, {"generate", "root"}), drawn, experiment.data.classes, probe, named, size]


def training(experiment: Experiment, arm: str, seed: int, start: str) -> Any:
    """Of an arm that starts from an arm, from weights of this hash, or from scratch; None for one that is trained by
    settings of its own, of which there were none."""
    if experiment.train_of(arm) != experiment.train:
        return None
    plan = experiment.arms[arm]
    validation = {key: getattr(experiment.evaluate, key) for key in ("confidence", "nms_iou", "headline")}
    train, data = _values(experiment.train, NOT_DECIDING), _values(experiment.data, {"cache", "cache_folder"})
    return [plan.domains, start, plan.freeze, seed, train, _values(experiment.model_of(arm)), data, validation]


def evaluation(experiment: Experiment) -> Any:
    return [_values(experiment.evaluate, {"domains"}), experiment.data.image_size]


def probe(experiment: Experiment) -> Any:
    return [experiment.probe.images, experiment.probe.seed]


def comparison(experiment: Experiment) -> Any:
    return _values(experiment.similarity)


def effect(experiment: Experiment) -> Any:
    return _values(experiment.similarity, {"measures"})


def report(experiment: Experiment) -> Any:
    """With every default of then, as JSON has it."""
    found = {}
    for key in KEYS["Experiment"].split():
        value = getattr(experiment, key)
        if isinstance(value, dict):
            found[key] = {name: _values(table) for name, table in value.items()}
        else:
            found[key] = _values(value) if isinstance(value, Table) else value
    return found
