"""Every setting either decides exactly the right keys, or is listed here as deciding none, with the reason."""

import shutil
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import Field
from two_domains import TEXT

from gapscope import config
from gapscope.config import Experiment, Table
from gapscope.errors import InputError
from gapscope.experiment_file import parse_config
from gapscope.run_folder import RunFolder
from gapscope.study import former_keys
from gapscope.study.made_from import REQUIRED, deciding, neutral_value
from gapscope.study.plan import reasons
from gapscope.study.stages import units_of
from gapscope.study.study import Study
from gapscope.study.units import STAGE_VERSIONS, Unit, keys_of, ledger

EXTRA = """
[domains.third]
role = "control"
generate = { style = "game", images = 40 }
[resources.train]
"""
PLACES = {
    "Experiment": (),
    "Data": ("data",),
    "Model": ("model",),
    "Generate": ("domains", "third", "generate"),
    "Split": ("domains", "real", "split"),
    "Domain": ("domains", "real"),
    "Arm": ("arms", "f-game"),
    "Adapt": ("arms", "f-game", "adapt"),
    "OwnAugment": ("arms", "f-game", "augment"),
    "Restyle": ("arms", "f-game", "restyle", "game"),
    "Augment": ("train", "augment"),
    "Train": ("train",),
    "Evaluate": ("evaluate",),
    "Probe": ("probe",),
    "Record": ("record",),
    "Similarity": ("similarity",),
    "Graft": ("graft",),
    "Remedies": ("remedies",),
    "Resources": ("resources", "train"),
}
"""Where in the experiment a setting of each table is changed."""

REAL, THIRD, DATA = {"data/real"}, {"data/third"}, {"data/real", "data/game", "data/third"}
ARM, TRAIN = {"train/f-game"}, {"train/u-real", "train/f-game"}
SCORED = TRAIN | {"evaluate"}
Only = str
"""Why a setting decides no key."""
PAGE: Only = "only the page shows it, and is drawn again"
UNITS: Only = "says which units there are, not what any of them is"
PLAN: Only = "says which arms `gapscope remedies` adds, not what any of them is"
SAME: Only = "the numbers are the same"

FIELDS: dict[str, tuple[Any, Any, set[str] | Only]] = {
    "Experiment.name": (REQUIRED, "other", PAGE),
    "Experiment.title": ("", "other", PAGE),
    "Experiment.note": ("", "other", PAGE),
    "Experiment.seeds": ([0, 1], [0, 1, 2], {"effect"}),  # its ceiling takes all seeds
    "Remedies.budgets": ([], [5], PLAN),
    "Remedies.block": ("", "62-74", PLAN),
    "Remedies.teacher": (False, True, PLAN),
    "Resources.gpus": (None, 1.0, SAME),
    "Resources.cpus": (None, 4, SAME),
    "Resources.memory": ("", "8 GiB", SAME),
    "Data.classes": (REQUIRED, ["bus", "car"], DATA | TRAIN),
    "Data.image_size": (416, 64, SCORED),
    "Data.cache": ("memory", "off", SAME),
    "Data.cache_folder": ("", {"cache": "disk", "cache_folder": "x"}, SAME),
    "Model.name": ("yolov3", "yolov3-spp", TRAIN),
    "Model.width": (1.0, 0.125, TRAIN),
    "Model.anchor_scale": (1.0, 0.5, TRAIN),
    "Model.prior": (0.01, 0.0, TRAIN),
    "Generate.style": (REQUIRED, "camera", THIRD),
    "Generate.images": (REQUIRED, 50, THIRD),
    "Generate.size": (256, 64, THIRD),
    "Generate.seed": (0, 1, THIRD),
    "Generate.severity": (0.4, 0.5, THIRD),
    "Generate.same_scenes": (False, True, THIRD),
    "Generate.hood": (None, True, THIRD),
    "Split.method": ("auto", "random", REAL),
    "Split.fractions": ([0.6, 0.2, 0.2], [0.5, 0.3, 0.2], REAL),
    "Split.seed": (0, 1, REAL),
    "Split.train": ("", "a", REAL),
    "Split.val": ("", "a", REAL),
    "Split.test": ("", "a", REAL),
    "Split.allow_missing": (False, True, REAL),
    "Split.val_from_train": (0.0, 0.5, REAL),
    "Split.max_train": (None, 5, REAL),
    "Split.max_val": (None, 5, REAL),
    "Split.max_test": (None, 5, REAL),
    "Domain.title": ("", "other", PAGE),
    "Domain.role": (REQUIRED, "control", REAL),
    "Domain.source": ("", "other", PAGE),
    "Domain.generate": (None, {"style": "camera", "images": 40}, REAL),
    "Domain.root": (None, "copied", "what lies there decides, not where"),
    "Domain.format": (None, "yolo", REAL),
    "Domain.images": ("", "a", REAL),
    "Domain.annotations": ("", "a", REAL),
    "Domain.reader_options": ({}, {"a": "b"}, REAL),
    "Domain.label_map": ("", "bdd100k-2018", REAL),
    "Domain.labels": ({}, {"car": ["van"]}, REAL),
    "Domain.drop": ([], ["bus"], REAL),
    "Domain.ignore": ([], ["bus"], REAL),
    "Domain.groups": ("", "(.)", REAL),
    "Domain.min_area": (0.0, 5.0, REAL),
    "Domain.min_area_at": ("native", "network", REAL),
    "Domain.max_aspect": (None, 2.0, REAL),
    "Domain.max_truncation": (None, 0.5, REAL),
    "Domain.max_occlusion": (None, 0.5, REAL),
    "Domain.remove_hood": (False, True, REAL),
    "Domain.keep_hood": ([], ["a"], REAL),
    "Domain.clip": (False, True, REAL),
    "Domain.skip_bad": (False, True, REAL),
    "Domain.max_bad": (0.05, 0.1, REAL),
    "Arm.title": ("", "other", PAGE),
    "Arm.domains": ([], ["real"], ARM),
    "Arm.model": ("", "other", "the settings of the network that it names decide, not their name"),
    "Arm.start": ("scratch", "scratch", ARM),
    "Arm.freeze": ("", "0-12", ARM),
    "Arm.train": ("", "62-106", ARM),
    "Arm.keep_head": (False, True, ARM),
    "Arm.average": ({}, {"domains": [], "average": {"u-real": 1.0}}, ARM),
    "Arm.trained": ("", {"trained": [__file__, __file__], "start": "scratch", "freeze": ""}, ARM),
    "Arm.detections": ({}, {"detections": {"real": [__file__] * 2}, "start": "scratch", "freeze": ""}, ARM),
    "Arm.ids": ({}, {"real": __file__}, ARM),
    "Arm.names": ({}, {"car": ["van"]}, ARM),
    "Arm.choose": ("", "real", ARM),
    "Arm.images": ({}, {"game": 5}, ARM),
    "Arm.half": ("", "first", ARM),
    "Arm.shares": ({}, {"game": 1.0}, ARM),
    "Arm.steps": (0, 50, ARM),
    "Arm.epochs": (None, 5, ARM),
    "Arm.learning_rate": (None, 0.5, ARM),
    "Arm.report": (True, False, UNITS),
    "Arm.record": (True, False, UNITS),
    "Adapt.batchnorm": ("", "real", ARM),
    "Adapt.images": (200, 20, ARM),
    "Adapt.layers": ("", "0-74", ARM),
    "Adapt.keep": (0.0, 0.5, ARM),
    "Adapt.teacher": ("", "real", ARM),
    "Adapt.weight": (1.0, 0.5, ARM),
    "Adapt.confidence": (0.5, 0.8, ARM),
    "Adapt.decay": (0.999, 0.9, ARM),
    "Restyle.towards": ("", "real", ARM),
    "Restyle.share": (0.5, 0.25, ARM),
    "Restyle.fourier": (0.0, 0.01, ARM),
    "Restyle.colours": (0.0, 1.0, ARM),
    "Restyle.camera": (0.0, 1.0, ARM),
    "Restyle.randomise": (0.0, 1.0, ARM),
    "OwnAugment.flip": (None, 0.25, ARM),
    "OwnAugment.hsv": (None, [0.0, 0.0, 0.0], ARM),
    "OwnAugment.scale": (None, 0.0, ARM),
    "OwnAugment.translate": (None, 0.0, ARM),
    "OwnAugment.mosaic": (None, 1.0, ARM),
    "OwnAugment.rotate": (None, 5.0, ARM),
    "OwnAugment.shear": (None, 5.0, ARM),
    "Augment.flip": (0.5, 0.0, TRAIN),
    "Augment.hsv": ([0.015, 0.6, 0.4], [0.0, 0.0, 0.0], TRAIN),
    "Augment.scale": (0.3, 0.0, TRAIN),
    "Augment.translate": (0.1, 0.0, TRAIN),
    "Augment.mosaic": (0.0, 1.0, TRAIN),
    "Augment.rotate": (0.0, 5.0, TRAIN),
    "Augment.shear": (0.0, 5.0, TRAIN),
    "Train.preset": (None, "paper", "it fills in other keys, and these decide"),
    "Train.epochs": (100, 7, TRAIN),
    "Train.batch_size": (8, 4, TRAIN),
    "Train.accumulate": (1, 2, TRAIN),
    "Train.optimizer": ("adam", "sgd", TRAIN),
    "Train.learning_rate": (1e-4, 1e-3, TRAIN),
    "Train.momentum": (0.937, 0.9, TRAIN),
    "Train.weight_decay": (0.0, 0.1, TRAIN),
    "Train.schedule": ("constant", "cosine", TRAIN),
    "Train.warmup_steps": (0, 5, TRAIN),
    "Train.clip_norm": (0.0, 1.0, TRAIN),
    "Train.patience": (10, 5, TRAIN),
    "Train.validate_every": (1, 2, TRAIN),
    "Train.ema": (0.0, 0.9, TRAIN),
    "Train.bn": ("frozen", "track", TRAIN),
    "Train.loss": ("giou", "darknet", TRAIN),
    "Train.box_gain": (3.54, 1.0, TRAIN),
    "Train.objectness_gain": (64.3, 1.0, TRAIN),
    "Train.class_gain": (37.4, 1.0, TRAIN),
    "Train.label_smoothing": (0.0, 0.1, TRAIN),
    "Train.iou_threshold": (0.225, 0.3, TRAIN),
    "Train.always_best": (True, False, TRAIN),
    "Train.giou_ratio": (0.0, 0.5, TRAIN),
    "Train.ignore_threshold": (0.7, 0.5, TRAIN),
    "Train.precision": ("32", "bf16", TRAIN),
    "Train.device": ("auto", "cuda", "where it runs; results of other devices differ in the last digits"),
    "Train.devices": (1, 2, TRAIN),
    "Train.sync_batchnorm": (False, True, TRAIN),
    "Train.compile": (False, True, SAME),
    "Train.workers": (0, 2, SAME),
    "Train.checkpoint_minutes": (10.0, 1.0, SAME),
    "Train.loggers": ([], ["tensorboard"], SAME),
    "Evaluate.rule": ("coco", "paper", PAGE),  # both are computed
    "Evaluate.headline": ([], ["car"], SCORED),
    "Evaluate.confidence": (0.001, 0.01, SCORED),
    "Evaluate.nms_iou": (0.6, 0.5, SCORED),
    "Evaluate.multi_label": (False, True, {"evaluate"}),  # epochs are chosen without it
    "Evaluate.operating_confidence": (0.25, 0.5, {"evaluate"}),
    "Evaluate.bootstraps": (1000, 100, {"evaluate"}),
    "Evaluate.domains": ([], ["real"], UNITS),
    "Probe.domain": (REQUIRED, "third", REAL | THIRD | {"record"}),
    "Probe.also": ([], ["game", "third"], UNITS),
    "Probe.separability": ([], ["game", "third"], UNITS),
    "Probe.images": (200, 4, REAL | {"probe/game"}),
    "Probe.seed": (0, 1, REAL | {"probe/game"}),
    "Record.sizes": ([416, 32], [32, 64], UNITS),
    "Record.memory": ("8GiB", "1GiB", SAME),
    "Similarity.measures": (["cka_debiased", "cka_biased", "cka_deconfounded", "rsa"], ["cka_debiased"], {"compare"}),
    "Similarity.permutations": (100, 30, {"compare", "effect"}),
    "Similarity.bootstraps": (200, 30, {"compare", "effect"}),
    "Graft.pairs": ([], [["f-game", "u-real"]], UNITS),
    "Graft.parts": ([], ["0-74", "head"], {"graft"}),
    "Graft.forms": (["alone", "left out", "from the front", "from the back"], ["alone"], {"graft"}),
    "Graft.controls": (["control", "rewind", "untrained"], ["control", "rewind"], {"graft"}),
    "Graft.orders": (0, 10, {"graft"}),
    "Graft.statistics": ("both", "estimated", {"graft"}),
    "Graft.domains": ([], ["real"], UNITS),
    "Graft.images": (None, 20, {"graft"}),
    "Similarity.untrained": (0, 2, {"effect"}),
}
"""Setting -> (its neutral value, which changes nothing: that of a time without the setting; another value, or several
settings of the table with it; whose keys that changes besides the report's, or why it changes none)."""

HELP = (
    "is in no row of FIELDS in tests/test_study_keys.py. Say there at which value the new setting changes nothing (its "
    "default, or what its field names as 'neutral'), and the keys of which units another value changes, or why of none."
)


def models() -> list[type[Table]]:
    """Every table of an experiment file, nested ones too."""
    tables = [value for value in vars(config).values() if isinstance(value, type) and issubclass(value, Table)]
    return [table for table in tables if table is not Table]


def settings() -> list[str]:
    """Every key that is no table itself."""
    return [
        f"{table.__name__}.{key}"
        for table in models()
        for key, field in table.model_fields.items()
        if not holds_tables(field.annotation) or key == "generate"  # which may be left out as a whole
    ]


def holds_tables(annotation: Any) -> bool:
    if isinstance(annotation, type) and not get_args(annotation):
        return issubclass(annotation, Table)
    return any(holds_tables(part) for part in get_args(annotation))


@pytest.fixture
def roots(tmp_path: Path) -> Path:
    for name in ("real", "game"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "data.yaml").write_text("names: [car, bus]\n")
    shutil.copytree(tmp_path / "real", tmp_path / "copied")
    return tmp_path


def experiment(*path_and_values: Any) -> Experiment:
    """The small one, with changes: (path to a table, {key: value})."""
    whole = parse_config(TEXT + EXTRA).model_dump()
    for path, values in path_and_values:
        table = whole
        for part in path:
            table[part] = table.get(part) or {}  # a table that is off where it is left out
            table = table[part]
        table.update(values)
    return Experiment.model_validate(whole)


def units(chosen: Experiment, roots: Path) -> dict[str, Unit]:
    return {unit.name: unit for unit in units_of(Study(chosen, RunFolder(roots / "run"), roots))}


def keys(chosen: Experiment, roots: Path) -> dict[str, str]:
    study = Study(chosen, RunFolder(roots / "run"), roots)
    return keys_of(units_of(study), study.folder)


def kind(name: str) -> str:
    """`data/real`, `train/u-real`, or the first word of any other unit."""
    first, _, rest = name.partition("/")
    return f"{first}/{rest.partition('/')[0]}" if first in ("data", "probe", "train") else first


def test_there_is_a_row_for_every_setting_and_no_other():
    new = [name for name in settings() if name not in FIELDS]
    assert not new, f"{', '.join(new)} {HELP}"
    assert not set(FIELDS) - set(settings())


@pytest.mark.parametrize("name", FIELDS)
def test_the_neutral_value_of_a_setting_never_changes(name):
    """It is what finished runs were made with. A changed default names it: see `neutral_value`."""
    table, key = name.split(".")
    assert neutral_value(getattr(config, table).model_fields[key]) == FIELDS[name][0]


@pytest.mark.parametrize("name", FIELDS)
def test_a_setting_changes_exactly_the_keys_that_it_decides(name, roots):
    table, key = name.split(".")
    _, other, decides = FIELDS[name]
    several = isinstance(other, dict) and key in other
    change = other if several else {key: other}
    if name == "Domain.generate":
        change = change | {"root": None}
    before = experiment((PLACES[table], {})) if table == "Graft" else experiment()
    after = experiment((PLACES[table], change))
    one, two = units(before, roots), units(after, roots)
    both = [unit for unit in one if unit in two]
    direct = {
        unit
        for unit in both
        if deciding(one[unit].made_from) != deciding(two[unit].made_from) or one[unit].needs != two[unit].needs
    } - {"report"}
    expected = decides if isinstance(decides, set) else set()
    assert {kind(unit) for unit in direct} == expected

    for unit in both:  # and whatever is made from those
        if set(two[unit].needs) & direct and unit != "report":
            direct.add(unit)
    first, second = keys(before, roots), keys(after, roots)
    changed = {unit for unit in both if first[unit] != second[unit]}
    assert changed - {"report"} == direct
    assert "report" in changed


def test_a_new_setting_that_is_left_alone_changes_no_key_and_one_that_is_set_those_of_its_stage(roots):
    class Train(config.Train):
        blur: float = Field(0.5, json_schema_extra={"neutral": 0.0})

    def with_blur(value: float) -> Experiment:
        old = experiment()
        return old.model_copy(update={"train": Train(**old.train.model_dump(), blur=value)})

    before, neutral, blurred = keys(experiment(), roots), keys(with_blur(0.0), roots), keys(with_blur(0.5), roots)
    assert neutral == before
    changed = {kind(name) for name in before if blurred[name] != before[name]}
    assert changed == {"train/u-real", "train/f-game", "evaluate", "record", "compare", "effect", "report"}


def test_a_head_that_learns_otherwise_than_before_is_trained_again_and_no_other_network(roots, monkeypatch):
    anchors, free = experiment(), experiment((("model",), {"name": "yolov3-anchor-free"}))
    before = keys(anchors, roots), keys(free, roots)
    monkeypatch.setattr("gapscope.study.stages.HEAD_VERSION", 99)
    after = keys(anchors, roots), keys(free, roots)
    assert after[0] == before[0]
    changed = {kind(name) for name in before[1] if after[1][name] != before[1][name]}
    assert {"train/u-real", "train/f-game", "evaluate", "record", "compare"} <= changed and "data/real" not in changed


def test_former_keys_are_those_of_the_time_before(roots):
    """Worked out here once more, as the code of then had it: a hash over lists of whole tables."""
    from gapscope.files import hash_file, hash_value
    from gapscope.study.study import STREETS_BACKBONE

    chosen = experiment()
    study = Study(chosen, RunFolder(roots / "run"), roots)
    found = {name: one.keys.former for name, one in ledger(units_of(study), study.folder).items()}
    without = {"preset", "device", "compile", "workers", "checkpoint_minutes", "loggers", "giou_ratio"}
    train = chosen.train.model_dump(exclude=without)
    validated = chosen.evaluate.model_dump(include={"confidence", "nms_iou", "headline"})
    data, model = chosen.data.model_dump(exclude={"cache", "cache_folder"}), chosen.model.model_dump(exclude={"name"})
    made_from = [["game"], hash_file(STREETS_BACKBONE), "0-74", 1, train, model, data, validated]
    expected = hash_value(["train", 2, made_from, [found["data/game"]]])
    assert found["train/f-game/seed1"] == expected
    # Evaluations are scored anew since: their key of then says whose detections are still right.
    scored = [chosen.evaluate.model_dump(exclude={"domains", "multi_label"}), 32]
    was = hash_value(["evaluate", 2, scored, [expected, found["data/real"]]])
    assert found["evaluate/f-game/seed1/real"] is None
    assert was in ledger(units_of(study), study.folder)["evaluate/f-game/seed1/real"].keys.detected
    third = chosen.domains["third"]
    settings = third.model_dump(exclude={"generate", "root"})
    source = third.generate.model_dump(exclude={"same_scenes", "hood"})
    assert found["data/third"] == hash_value(["data", 2, [settings, source, ["car", "bus"], None, None, None], []])
    assert found["report"] is None


def test_data_that_were_read_when_titles_still_decided_stay_as_they_are(roots):
    from gapscope.files import hash_value

    titled = experiment((("domains", "real"), {"title": "Photographs", "source": "taken by us"}))
    study = Study(titled, RunFolder(roots / "run"), roots)
    unit = next(unit for unit in units_of(study) if unit.name == "data/real")
    then = deciding(unit.made_from) | {"[domains.real] title": "Photographs", "[domains.real] source": "taken by us"}
    study.folder.write_record("data/real", {"key": hash_value(["data", 2, then, []]), "files": [], "made_from": then})
    one = ledger(units_of(study), study.folder)["data/real"]
    assert one.known and one.keys.now == keys(experiment(), roots)["data/real"]
    other = Study(experiment((("domains", "real"), {"title": "Photos"})), RunFolder(roots / "run"), roots)
    assert not ledger(units_of(other), other.folder)["data/real"].known  # of that time, with another title
    assert not [why for why in reasons(ledger(units_of(other), other.folder)["data/real"], other) if "title" in why]


def test_where_a_later_setting_is_in_use_no_former_key_fits(roots):
    class Train(config.Train):
        blur: float = 0.0

    old = experiment()

    def former(value: float) -> str | None:
        new = old.model_copy(update={"train": Train(**old.train.model_dump(), blur=value)})
        study = Study(new, RunFolder(roots / "run"), roots)
        return ledger(units_of(study), study.folder)["train/u-real/seed0"].keys.former

    assert former(0.0) is not None and former(0.5) is None


def test_the_frozen_lists_name_settings_that_there_are():
    there = {f"{table.__name__}.{key}" for table in models() for key in table.model_fields}
    assert {f"{table}.{key}" for table, keys in former_keys.KEYS.items() for key in keys.split()} <= there
    assert set(former_keys.VERSIONS) <= set(STAGE_VERSIONS)


def test_untrained_networks_are_recorded_only_where_asked_for_and_no_other_recording_changes(roots):
    """Two seeds an arm, so that there are effects, which read them."""
    plain, asked = experiment(), experiment((("similarity",), {"untrained": 2}))
    before, after = units(plain, roots), units(asked, roots)
    new = sorted(set(after) - set(before))
    assert new == sorted(
        f"record/untrained/seed{k}/{look}" for k in (0, 1) for look in {name.split("/", 3)[3] for name in new}
    )
    assert len(new) == 2 * len({name.split("/", 3)[3] for name in new}) > 0
    keys_before, keys_after = keys(plain, roots), keys(asked, roots)
    changed = {name for name in before if keys_before[name] != keys_after[name]}
    assert {kind(name) for name in changed} == {"effect", "report"}
    effect = next(unit for name, unit in after.items() if name.startswith("effect/"))
    assert {"record/untrained/seed0", "record/untrained/seed1"} <= {need.rsplit("/", 1)[0] for need in effect.needs}
    named = experiment(
        (("arms",), {"untrained": plain.arms["u-real"].model_dump()}), (("similarity",), {"untrained": 1})
    )
    with pytest.raises(InputError, match=r"\[similarity\] untrained = 1: an arm is called 'untrained'"):
        units(named, roots)
