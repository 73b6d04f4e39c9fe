"""The graft stage of a study: which units there are, what they hang on, what they cost, and what they leave behind."""

import json
import random
import shutil
from dataclasses import asdict
from pathlib import Path

import pytest
from test_intact import cut, emptied, flipped, longer
from two_domains import TEXT, drawn_as_trained, study_of, write_two_domains

from gapscope.config import Experiment
from gapscope.errors import InputError
from gapscope.experiment_file import parse_config
from gapscope.findings.grafts import graft_findings
from gapscope.findings.run_reader import read_results
from gapscope.grafting.result import read_grafts
from gapscope.run_folder import RunName
from gapscope.study.graft_units import FROZEN, NO_SECOND_SEED, graft_cost_of
from gapscope.study.plan import plan
from gapscope.study.plan_words import everything, to_graft
from gapscope.study.run import do, run, write_settings
from gapscope.study.stages import units_of
from gapscope.study.state import Watched
from gapscope.study.units import keys_of, ledger, note_done

pytestmark = pytest.mark.slow

SMALL = """
[graft]
parts = ["backbone", "head"]
domains = ["real"]
orders = 2
"""
U, F = RunName("u-real", 0), RunName("f-game", 0)


def experiment(graft: str = SMALL, **changes: str) -> Experiment:
    text = TEXT.replace('start = "streets"\n', "") + graft  # which is a file for wider networks
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    return parse_config(text)


@pytest.fixture(scope="module")
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_two_domains(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def evaluated_run(tmp_path_factory: pytest.TempPathFactory, data_root: Path) -> Path:
    """Evaluated for real; the trainings are networks as they were drawn. Nothing in its file speaks of grafts."""
    folder = tmp_path_factory.mktemp("grafts") / "run"
    study = study_of(experiment(""), folder, data_root)
    write_settings(study, TEXT)
    units = units_of(study)
    do(units, study, only="data")
    drawn_as_trained(study)
    do(units, study, only="evaluate")
    return folder


@pytest.fixture(scope="module")
def grafted_run(tmp_path_factory: pytest.TempPathFactory, evaluated_run: Path, data_root: Path) -> Path:
    folder = tmp_path_factory.mktemp("grafted") / "run"
    shutil.copytree(evaluated_run, folder)
    run(experiment(), folder, config_text=TEXT + SMALL, data_root=data_root, only="graft")
    return folder


@pytest.mark.parametrize("damage", [flipped, cut, longer, emptied])
def test_grafts_that_are_no_longer_what_was_written_are_refused_by_name(grafted_run, damage):
    path = next((grafted_run / "grafts").glob("*.json"))
    content = path.read_bytes()
    path.write_bytes(damage(content, random.Random(1)))
    try:
        with pytest.raises(InputError, match="is damaged: it does not hold what graft/"):
            read_results(grafted_run)
    finally:
        path.write_bytes(content)


def names(units) -> list[str]:
    return [unit.name for unit in units if unit.stage == "graft"]


def test_a_file_without_the_table_has_no_such_units_and_asking_for_the_stage_is_refused(evaluated_run, data_root):
    study = study_of(experiment(""), evaluated_run, data_root)
    assert names(units_of(study)) == []
    assert "graft" not in [stage.name for stage in Watched(evaluated_run, data_root).state().stages]
    with pytest.raises(InputError, match=r"^there is no \[graft\] in the experiment file, so nothing is grafted\. Add"):
        run(experiment(""), evaluated_run, data_root=data_root, only="graft")


def test_by_default_arms_of_different_domains_are_grafted_both_ways_on_every_evaluated_domain(tmp_path, data_root):
    units = names(units_of(study_of(experiment("[graft]"), tmp_path, data_root)))
    both = [(f"u-real-seed{s}", f"f-game-seed{s}") for s in (0, 1)] + [
        (f"f-game-seed{s}", f"u-real-seed{s}") for s in (0, 1)
    ]
    assert units == [f"graft/{host}/{donor}/{domain}" for host, donor in both for domain in ("real", "game")]


def test_arms_of_one_domain_are_grafted_only_where_they_are_named(tmp_path, data_root):
    alike = experiment("[graft]", **{'domains = ["game"]': 'domains = ["real"]'})
    assert names(units_of(study_of(alike, tmp_path, data_root))) == []
    with pytest.raises(InputError, match=r"^\[graft\]: no two reported arms are trained on different domains, so ther"):
        run(alike, tmp_path, data_root=data_root)
    named = experiment('[graft]\npairs = [["f-game", "u-real"]]', **{'domains = ["game"]': 'domains = ["real"]'})
    assert len(names(units_of(study_of(named, tmp_path, data_root)))) == 4


@pytest.mark.parametrize(
    ("graft", "message"),
    [
        ('pairs = [["u-rael", "f-game"]]', r"\[graft\] pairs: there is no arm 'u-rael'\. Did you mean 'u-real'\?"),
        ('pairs = [["u-real", "u-real"]]', r"\[graft\] pairs: 'u-real' is host and donor\. Name two arms\."),
        ('domains = ["rael"]', r"\[graft\] domains: there is no domain 'rael'\. Did you mean 'real'\?"),
        ('parts = ["0-4", "stage 1"]', r"\[graft\] parts: layer 1 is in two blocks, '0-4' and 'stage 1' - each layer"),
        ('parts = ["0-200"]', r"\[graft\] parts: layers 0-200 are out of range - YOLOv3 has layers 0-106"),
        ('forms = ["left out"]', r"\[graft\]: forms = \['left out'\]: verdicts rest on 'alone', so it must be among"),
        ("orders = 1", r"\[graft\]: orders = 1: one order tells no error; give 0 for no shares, or 2 and more\."),
    ],
)
def test_what_cannot_be_grafted_is_said_before_anything_is_done(graft, message):
    with pytest.raises(InputError, match=message):
        experiment(f"[graft]\n{graft}")


def test_a_domain_that_is_not_evaluated_on_has_no_score_to_hold_grafts_against():
    with pytest.raises(InputError, match=r"\[graft\] domains: 'game' is not evaluated on\. Name it in \[evaluate\] d"):
        experiment('[evaluate]\ndomains = ["real"]\n[graft]\ndomains = ["game"]')


def test_a_finished_run_gains_the_stage_and_nothing_else_is_done_again(evaluated_run, data_root):
    before = study_of(experiment(""), evaluated_run, data_root)
    done = {name for name, one in ledger(units_of(before), before.folder).items() if one.done}
    after = study_of(experiment(), evaluated_run, data_root)
    todo = plan(after, units_of(after))
    assert done and not done & {one.unit.name for one in todo}
    assert {one.unit.stage for one in todo} == {"graft", "record", "compare", "report"}


def test_the_host_scores_as_its_evaluation_does_and_all_parts_as_the_donors(grafted_run, evaluated_run):
    results = read_results(grafted_run)
    for (host, donor, domain), found in results.grafts.items():
        own = next(one for one in found.grafts if one.statistics == "own")
        assert own.host == pytest.approx(results.evaluations[host, domain].rules["coco"].headline.value, abs=1e-4)
        assert own.all_grafted == pytest.approx(
            results.evaluations[donor, domain].rules["coco"].headline.value, abs=1e-4
        )
    assert len(results.grafts) == 4


def test_every_control_is_made_and_the_frozen_part_of_an_arm_has_none(grafted_run):
    found = graft_findings(read_results(grafted_run))
    assert found.kinds == ["own", "estimated"]
    for pair in found.pairs:
        assert [part.name for part in pair.parts] == ["backbone", "head"]
        assert sum(len(part.layers) for part in pair.parts) == 107
        for part in pair.parts:
            frozen = pair.host.arm == "f-game" and part.name == "backbone"
            assert (part.why == FROZEN) == frozen
            assert None not in (part.control, part.rewind, part.untrained, part.left_out)
    (frozen,) = [pair for pair in found.of("f-game") if pair.host.seed == 0]
    backbone = frozen.parts[0]
    assert not backbone.told and backbone.share is None  # whatever was found


def test_shares_of_all_parts_add_up_to_the_gap(grafted_run):
    for (_, _, _), found in read_results(grafted_run).grafts.items():
        for one in found.grafts:
            assert sum(block.share.value for block in one.blocks) == pytest.approx(one.gap)
            assert one.orders == 0  # two parts: all orders count


def test_a_run_with_one_seed_has_no_control_and_cannot_tell(tmp_path, evaluated_run, data_root):
    folder = tmp_path / "run"
    shutil.copytree(evaluated_run, folder)
    one = experiment(SMALL, **{"seeds = [0, 1]": "seeds = [0]"})
    run(one, folder, data_root=data_root, only="graft")
    parts = [part for pair in graft_findings(read_results(folder)).pairs for part in pair.parts]
    assert {(part.verdict, part.why, part.control) for part in parts} == {("cannot be told", NO_SECOND_SEED, None)}
    assert {part.share for part in parts} == {None}


def test_killed_between_two_units_it_goes_on_with_the_second_and_ends_the_same(
    tmp_path, evaluated_run, grafted_run, data_root
):
    folder = tmp_path / "run"
    shutil.copytree(evaluated_run, folder)

    class KilledError(Exception):
        pass

    def kill(what: str, done: int, total: int, note: str = "") -> None:
        if "f-game, seed 0" in what:
            raise KilledError

    with pytest.raises(KilledError):
        run(experiment(), folder, data_root=data_root, only="graft", progress=kill)
    begun = {path.name: path.stat().st_mtime_ns for path in (folder / "grafts").iterdir()}
    assert len(begun) == 2  # the other direction
    run(experiment(), folder, data_root=data_root, only="graft")
    for path in sorted((folder / "grafts").iterdir()):
        one, other = read_grafts(path), read_grafts(grafted_run / "grafts" / path.name)
        assert [asdict(grafts) for grafts in one.grafts] == [asdict(grafts) for grafts in other.grafts]
    assert {name: (folder / "grafts" / name).stat().st_mtime_ns for name in begun} == begun


def test_another_setting_makes_grafts_again_and_the_former_ones_are_taken_back_with_it(
    tmp_path, grafted_run, data_root
):
    folder = tmp_path / "run"
    shutil.copytree(grafted_run, folder)
    path = folder / f"grafts/{U}--{F}--real.json"
    before = path.read_bytes()
    fewer = experiment(SMALL + 'forms = ["alone"]\ncontrols = ["control"]\nstatistics = "own"\n')
    run(fewer, folder, data_root=data_root, only="graft")
    found = json.loads(path.read_text())
    assert [one["statistics"] for one in found["grafts"]] == ["own"]
    assert {one["left_out"] for one in found["grafts"][0]["blocks"]} == {None}
    assert read_grafts(path).grafts[0].blocks[0].from_front is None
    run(experiment(), folder, data_root=data_root, only="graft")
    assert path.read_bytes() == before


def test_grafts_depend_on_weights_images_rule_and_the_hosts_training_images(tmp_path, data_root):
    def keys(chosen: Experiment) -> dict[str, str]:
        study = study_of(chosen, tmp_path, data_root)
        return {name: key for name, key in keys_of(units_of(study), study.folder).items() if name.startswith("graft")}

    plain, host_is_f = keys(experiment()), f"graft/{F}/{U}/real"
    for change in ('rule = "paper"', "bootstraps = 50", "confidence = 0.01", "multi_label = true"):
        changed = keys(experiment(f"[evaluate]\n{change}\n" + SMALL))
        assert all(changed[name] != plain[name] for name in plain)
    assert keys(experiment("[evaluate]\noperating_confidence = 0.5\n" + SMALL)) == plain
    study = study_of(experiment(), tmp_path, data_root)
    (unit,) = [unit for unit in units_of(study) if unit.name == host_is_f]
    assert set(unit.needs) == {
        "train/f-game/seed0",
        "train/f-game/seed1",
        "train/u-real/seed0",
        "data/real",
        "data/game",
    }
    assert unit.reads == {"data/real": "scored", "data/game": "training"}


def test_a_subset_of_the_images_is_spread_over_the_test_images(tmp_path, evaluated_run, data_root):
    assert read_grafts_about(tmp_path / "few", evaluated_run, data_root, "images = 8") == 6  # there are no more


def read_grafts_about(folder: Path, run_before: Path, data_root: Path, setting: str) -> int:
    shutil.copytree(run_before, folder)
    fast = 'pairs = [["u-real", "f-game"]]\nforms = ["alone"]\ncontrols = []\nstatistics = "own"\n'
    text = f'[graft]\nparts = ["head"]\ndomains = ["real"]\n{fast}{setting}\n'
    run(experiment(text), folder, data_root=data_root, only="graft")
    return int(read_grafts(folder / f"grafts/{U}--{F}--real.json").about["num_images"])


def test_what_it_will_cost_is_said_before_anything_is_done(tmp_path, evaluated_run, data_root):
    study = study_of(experiment(), evaluated_run, data_root)
    units = units_of(study)
    for unit in units:  # as if an evaluation had taken a second
        if unit.stage == "evaluate":
            note_done(ledger(units, study.folder)[unit.name], study.folder, 1.0)
    cost = graft_cost_of(study, U, "real")
    # host, donor and control whole, two parts alone = left out, cut and half of the orders, three controls a part
    assert cost.what == "11 networks to evaluate, each with both kinds of batch statistics"
    assert 11 < cost.seconds < 22
    todo = plan(study, units)
    (line,) = to_graft(todo)
    assert line.startswith("graft: 4 to do, 88 evaluations of mixed networks, about ")
    assert any("11 networks to evaluate" in one for one in everything(todo))
    assert to_graft([one for one in todo if one.unit.stage != "graft"]) == []
    none = study_of(experiment(), tmp_path, data_root)  # where no evaluation has been made
    assert graft_cost_of(none, U, "real").seconds is None
    assert to_graft(plan(none, units_of(none))) == ["graft: 4 to do, 88 evaluations of mixed networks"]
