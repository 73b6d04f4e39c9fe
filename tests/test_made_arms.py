"""Arms that need no training: what they are made of, bit for bit, and that no label is within their reach."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from two_domains import TEXT, study_of, write_two_domains

from gapscope.detector.network import yolov3
from gapscope.detector.weights import load_weights, save_weights
from gapscope.errors import InputError
from gapscope.experiment_file import parse_config
from gapscope.files import hash_file, write_json, write_text
from gapscope.run_folder import RunName
from gapscope.study import made_arms
from gapscope.study.arm_training import start_network
from gapscope.study.made_arms import PATH, statistics_images
from gapscope.study.plan import plan
from gapscope.study.run import do
from gapscope.study.stages import units_of
from gapscope.study.study import Study
from gapscope.study.units import ledger, note_done, pending
from gapscope.training.averaging import average_of

pytestmark = pytest.mark.slow

ONE_START = TEXT.replace('start = "streets"\nfreeze = "0-74"', "")
MADE = """
[arms.adapted]
start = "f-game"
adapt = { batchnorm = "real", images = 12 }
record = false
[arms.adapted-early]
start = "f-game"
adapt = { batchnorm = ["real", "game"], images = 8, layers = "0-4, 12", keep = 0.25 }
record = false
[arms.same]
average = { f-game = 1, u-real = 0 }
record = false
[arms.between]
average = { f-game = 0.25, u-real = 0.75 }
record = false
[arms.best]
average = ["f-game", "u-real"]
choose = "real"
record = false
"""
WHOLE = ONE_START.replace("[train]", f"{MADE}\n[train]")


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Data read; the two trained arms put on record with networks whose statistics are not those of any image."""
    root = tmp_path_factory.mktemp("made")
    write_two_domains(root / "data")
    before = study_of(parse_config(ONE_START), root / "run", root / "data")
    units = units_of(before)
    do(units, before, only="data")
    for number, unit in enumerate(unit for unit in units if unit.stage == "train"):
        assert unit.run is not None
        pretend_trained(before, unit.run, number)
        note_done(ledger(units, before.folder)[unit.name], before.folder, 600.0)
    return study_of(parse_config(WHOLE), root / "run", root / "data")


def pretend_trained(study: Study, run: RunName, number: int) -> None:
    generator = torch.Generator().manual_seed(number)
    network = yolov3(study.experiment.data.classes, study.experiment.model.width, generator=generator)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1, generator=generator)
    save_weights(network, study.folder.weights(run), {})
    write_text(study.folder.metrics(run), "")
    write_json(study.folder.training_summary(run), {"weights_sha256": hash_file(study.folder.weights(run))})


@pytest.fixture(scope="module")
def made(ready: Study) -> Study:
    """All of them made; on the way: nothing was trained, and plan knew that it would be quick."""
    todo = {one.unit.name: one for one in plan(ready, units_of(ready)) if one.unit.stage == "train"}
    assert set(todo) == {f"train/{arm}/seed{seed}" for arm in arms() for seed in (0, 1)}
    assert {one.seconds for one in todo.values()} == {None}  # not the ten minutes of a training
    assert set(do(units_of(ready), ready, only="train")) == set(todo)
    return ready


def arms() -> list[str]:
    return [line[6:-1] for line in MADE.splitlines() if line.startswith("[arms.")]


def tensors(study: Study, arm: str, seed: int = 0) -> dict[str, torch.Tensor]:
    return load_file(study.folder.weights(RunName(arm, seed)))


def summary(study: Study, arm: str, seed: int = 0) -> dict:
    return json.loads(study.folder.training_summary(RunName(arm, seed)).read_text())


def is_statistic(name: str) -> bool:
    return name.endswith(("running_mean", "running_var"))


def test_an_adapted_arm_has_the_weights_of_its_start_and_only_other_statistics(made):
    before, after = tensors(made, "f-game"), tensors(made, "adapted")
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {name for name in before if is_statistic(name)}
    assert summary(made, "adapted")["unlabelled_images"] == {"real": 12}


def test_its_statistics_are_those_of_its_own_maps_in_float64(made):
    network = load_weights(made.folder.weights(RunName("adapted", 1)))
    images = statistics_images(made, "adapted")["real"].float() / 255
    maps: dict[int, torch.Tensor] = {}
    for index, layer in enumerate(network.layers):
        if getattr(layer, "norm", None) is not None:
            layer.conv.register_forward_hook(lambda m, i, out, index=index: maps.__setitem__(index, out.double()))
    with torch.no_grad():
        network(images)
    assert len(maps) == 72
    for index, found in maps.items():
        norm = network.layers[index].norm
        torch.testing.assert_close(norm.running_mean.double(), found.mean((0, 2, 3)), rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(norm.running_var.double(), found.var((0, 2, 3), correction=0), rtol=1e-5, atol=1e-5)


def test_statistics_estimated_again_on_the_same_images_stay_as_they_are(made):
    network = load_weights(made.folder.weights(RunName("adapted", 0)))
    again = made_arms.with_statistics(made, "adapted", network, statistics_images(made, "adapted")).state_dict()
    for name, value in tensors(made, "adapted").items():
        torch.testing.assert_close(again[name], value, rtol=1e-4, atol=1e-5)


def test_named_layers_change_alone_and_keep_a_share_of_what_they_had(made):
    before, after = tensors(made, "f-game"), tensors(made, "adapted-early")
    changed = {int(name.split(".")[1]) for name in before if not torch.equal(before[name], after[name])}
    assert changed == {0, 1, 2, 3, 12}
    network = load_weights(made.folder.weights(RunName("f-game", 0)))
    images = statistics_images(made, "adapted-early")
    assert {domain: len(one) for domain, one in images.items()} == {"real": 4, "game": 4}
    with torch.no_grad():
        maps = network.layers[0].conv(torch.cat(list(images.values())).float() / 255).double()
    name = "layers.0.norm.running_mean"
    expected = 0.25 * before[name].double() + 0.75 * maps.mean((0, 2, 3))
    torch.testing.assert_close(after[name].double(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("seed", [0, 1])
def test_an_average_with_share_1_is_that_arm_bit_for_bit(made, seed):
    before, after = tensors(made, "f-game", seed), tensors(made, "same", seed)
    assert set(before) == set(after)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_an_average_is_the_weighted_mean_of_all_weights_with_statistics_of_images_of_both_domains(made):
    one, other, between = (tensors(made, arm) for arm in ("f-game", "u-real", "between"))
    for name in (name for name in one if not is_statistic(name) and one[name].is_floating_point()):
        expected = (0.25 * one[name].double() + 0.75 * other[name].double()).float()
        torch.testing.assert_close(between[name], expected, rtol=0, atol=0)
    counts = summary(made, "between")["unlabelled_images"]
    assert set(counts) == {"game", "real"} and max(counts.values()) - min(counts.values()) <= 1
    name = "layers.0.norm.running_mean"
    assert not torch.allclose(between[name], 0.25 * one[name] + 0.75 * other[name])


def test_networks_are_left_as_they_are_by_averaging_them():
    networks = [yolov3(2, 0.02, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1)]
    weight = networks[0].layers[0].conv.weight
    weight.data[0, 0, 0, 0] = -0.0
    before = [network.layers[0].conv.weight.clone() for network in networks]
    alone = average_of(networks, [1.0, 0.0]).layers[0].conv.weight
    assert torch.signbit(alone[0, 0, 0, 0])  # adding nothing would have made it 0.0
    average_of(networks, [0.5, 0.5])
    assert all(torch.equal(network.layers[0].conv.weight, old) for network, old in zip(networks, before, strict=True))


def test_shares_are_chosen_by_the_validation_images_that_are_named(made, monkeypatch, tmp_path):
    path = summary(made, "best")["path"]
    assert [point["shares"]["u-real"] for point in path] == list(PATH)
    assert all(set(point["val_map50"]) == {"real", "game"} for point in path)

    class Judged:
        def __init__(self, value: float) -> None:
            self.rules = {"coco": self}
            self.value = value

        def mean50(self, _: object) -> float:
            return self.value

    asked = []

    def judge(network, samples, *_, **__) -> Judged:
        asked.append(samples)
        return Judged([0.1, 0.0, 0.2, 0.0, 0.5, 0.0, 0.3, 0.0, 0.4, 0.9][len(asked) - 1])  # real, game by turns

    monkeypatch.setattr(made_arms, "evaluate", judge)
    networks = [made_arms.start_of(made, RunName(arm, 0)) for arm in ("f-game", "u-real")]
    shares, points = made_arms.chosen_shares(made, "best", networks, statistics_images(made, "best"))
    assert shares == {"f-game": 0.5, "u-real": 0.5}
    assert [point.val_map50["game"] for point in points][-1] == 0.9  # looked at, but not chosen by
    names = {str(samples.table.path(0)) for samples in asked}
    assert all(
        made.folder.split(domain, "val").read_text().split()[0] in " ".join(names) for domain in ("real", "game")
    )


def nonsense_label(study: Study, root: Path) -> None:
    """The label of a training image of the target says something else."""
    image = study.folder.split("real", "train").read_text().split()[0]
    label = root / "real/labels" / Path(image).with_suffix(".txt").name
    label.write_text("1 0.1 0.9 0.05 0.05\n0 0.7 0.2 0.1 0.3\n")


def test_wrong_labels_of_the_target_change_no_bit_and_do_not_even_make_the_arm_again(made):
    data_root = made.data_root
    assert data_root is not None
    names = [made.folder.weights(RunName("adapted", seed)) for seed in (0, 1)]
    before = [path.read_bytes() for path in names]
    nonsense_label(made, data_root)
    again = study_of(made.experiment, made.folder.root, data_root)
    do(units_of(again), again, only="data")
    waiting = {unit.name for unit in pending(units_of(again), again.folder)}
    assert "train/u-real/seed0" in waiting and "train/adapted/seed0" not in waiting

    labels = made.folder.annotations("real")
    kept = labels.read_bytes()
    labels.write_bytes(b"no labels at all")  # what is made from images alone does not even open it
    try:
        for seed in (0, 1):
            made_arms.make_run(again, units_keys(again, f"train/adapted/seed{seed}"), run=RunName("adapted", seed))
    finally:
        labels.write_bytes(kept)
    assert [path.read_bytes() for path in names] == before


def units_keys(study: Study, name: str):
    return ledger(units_of(study), study.folder)[name].keys


def test_an_arm_that_is_not_recorded_is_evaluated_and_appears_in_no_recording_or_comparison(ready):
    names = [unit.name for unit in units_of(ready)]
    assert "evaluate/adapted/seed0/real" in names
    assert not [name for name in names if "adapted" in name and name.startswith(("record/", "compare/", "effect/"))]
    recorded = study_of(parse_config(WHOLE.replace("record = false", "")), ready.folder.root, ready.data_root)
    names = [unit.name for unit in units_of(recorded)]
    assert "record/adapted/seed1/32" in names and "effect/u-real-seed0/between-seed0/game-32" in names


def test_weights_of_other_classes_cannot_be_adapted(ready, tmp_path):
    save_weights(yolov3(["bus", "car"], 0.0625), tmp_path / "other.safetensors", {})
    text = WHOLE.replace('start = "f-game"', f'start = "{tmp_path / "other.safetensors"}"')
    study = study_of(parse_config(text), ready.folder.root, ready.data_root)
    with pytest.raises(InputError, match=r"its classes are bus, car - expected those of \[data\], car, bus, in this"):
        made_arms.start_file(study, "adapted")
    save_weights(yolov3(["car", "bus"], 0.125), tmp_path / "other.safetensors", {})
    with pytest.raises(InputError, match=r"it holds yolov3 of width 0.125 - expected yolov3 of width 0.0625"):
        made_arms.start_file(study, "adapted")


def test_an_arm_can_start_from_a_whole_network_with_its_head(ready, tmp_path):
    arm = ONE_START.replace("[train]", '[arms.on]\ndomains = ["real"]\nstart = "f-game"\nkeep_head = true\n\n[train]')
    study = study_of(parse_config(arm), ready.folder.root, ready.data_root)
    started, before = start_network(study, RunName("on", 1)), tensors(study, "f-game", 1)
    assert all(torch.equal(value, before[name]) for name, value in started.state_dict().items() if name in before)
    at_random = start_network(study, RunName("u-real", 1))
    assert not torch.equal(started.layers[81].conv.weight, at_random.layers[81].conv.weight)

    save_weights(yolov3(["bus", "car"], 0.0625), tmp_path / "other.safetensors", {})
    file = arm.replace('start = "f-game"', f'start = "{tmp_path / "other.safetensors"}"')
    study = study_of(parse_config(file), ready.folder.root, ready.data_root)
    with pytest.raises(InputError, match=r"its head knows bus, car - expected car, bus, in this order, to keep it"):
        start_network(study, RunName("on", 1))


def test_only_arms_of_one_start_are_averaged():
    with pytest.raises(InputError, match=r"\[arms.same\] average: these arms began at scratch and at streets - the av"):
        parse_config(WHOLE.replace('domains = ["game"]\n', 'domains = ["game"]\nstart = "streets"\n'))


def test_the_images_are_drawn_from_the_training_images_alone_and_are_the_same_for_every_seed(ready):
    names = ready.folder.split("real", "train").read_text().split()
    assert len(statistics_images(ready, "adapted")["real"]) == 12 < len(names)
    twice = [statistics_images(ready, "adapted")["real"].numpy() for _ in range(2)]
    np.testing.assert_array_equal(*twice)
