"""A mean teacher: what it teaches, that no label is within its reach, and that nothing hangs on how batches come."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from small_data import noise, table_of
from small_training import QUICK, network, two_batches
from two_domains import TEXT, study_of, write_two_domains

from gapscope.arms import baseline_of, is_plain, unlabelled_domains
from gapscope.config import Adapt, Train
from gapscope.data.augment import Augmentation
from gapscope.data.batches import Views
from gapscope.data.samples import Samples
from gapscope.data.views import hidden, views
from gapscope.detector.decode import Detections
from gapscope.detector.network import fingerprint, freeze
from gapscope.errors import InputError
from gapscope.experiment_file import parse_config
from gapscope.files import read_json
from gapscope.run_folder import RunName
from gapscope.study.run import do
from gapscope.study.stages import units_of
from gapscope.study.study import Study
from gapscope.study.units import keys_of, pending
from gapscope.training import teacher
from gapscope.training.processes import make_fabric
from gapscope.training.teacher import Teacher
from gapscope.training.train import Training

AUGMENT = Augmentation(flip=0.5, hsv=(0.1, 0.1, 0.1), scale=0.2, translate=0.1, mosaic=1.0)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    root = tmp_path_factory.mktemp("views")
    for i in range(7):
        noise(root / f"images/{i:03}.png", (40, 32), seed=i)
    return Samples(table_of([()] * 7, root=root, size=(40, 32)), size=32)


def seen(samples: Samples, epoch: int = 1, **how: object) -> list[Views]:
    return list(views(samples, 4, 5, seed=1, epoch=epoch, augment=AUGMENT, **how))  # type: ignore[arg-type]


def test_both_views_are_from_the_same_place(tmp_path):
    """Of images whose one half is black and whose other is white, also when they are mirrored, zoomed and moved."""
    for i in range(2):
        half = np.zeros((32, 32, 3), np.uint8)
        half[:, 16:] = 255
        (tmp_path / "images").mkdir(exist_ok=True)
        Image.fromarray(half).save(tmp_path / f"images/{i:03}.png")
    halves = Samples(table_of([()] * 2, root=tmp_path, size=(32, 32)), size=32)
    for one in views(halves, 2, 6, seed=0, epoch=0, augment=replace(AUGMENT, hsv=(0.0, 0.0, 0.0))):
        for weak, strong in zip(one.weak[:, 0], one.strong.float().mean(1), strict=True):
            assert strong[weak > 250].median() > strong[weak < 5].median() + 30


@pytest.mark.parametrize("how", [{"workers": 1}, {"workers": 3}])
def test_views_are_the_same_for_any_number_of_workers(samples, how):
    for one, other in zip(seen(samples), seen(samples, **how), strict=True):
        assert torch.equal(one.weak, other.weak) and torch.equal(one.strong, other.strong)
        assert not torch.equal(one.weak, one.strong)


def test_an_epoch_that_goes_on_and_processes_that_share_it_see_what_would_have_come(samples):
    whole = seen(samples)
    assert all(
        torch.equal(one.strong, other.strong) for one, other in zip(whole[3:], seen(samples, start=3), strict=True)
    )
    halves = [seen(samples, share=(rank, 2)) for rank in (0, 1)]
    for one, first, second in zip(whole, *halves, strict=True):
        assert torch.equal(one.weak[0::2], first.weak) and torch.equal(one.weak[1::2], second.weak)
    assert not torch.equal(whole[0].weak, seen(samples, epoch=2)[0].weak)


def test_hiding_leaves_the_image_that_it_is_given_as_it_is():
    image = torch.full((3, 32, 32), 128, dtype=torch.uint8)
    found = [hidden(image, np.random.default_rng(seed)) for seed in range(20)]
    shares = [float((one != 128).any(0).float().mean()) for one in found]
    assert (image == 128).all() and 0 <= min(shares) <= 0.01 and 0.03 < max(shares) < 3 * 0.35**2


def test_what_it_is_sure_of_is_taught_what_it_half_believes_is_neither_object_nor_background(monkeypatch):
    def found(network, images, least, *_):
        boxes = torch.tensor([[0.0, 0, 8, 8], [8.0, 8, 16, 16], [1.0, 1, 9, 9]])
        both = Detections(boxes[:2], torch.tensor([0.7, 0.3]), torch.tensor([1, 0]))
        assert least == pytest.approx(0.1)
        return [both, Detections(boxes[:0], torch.empty(0), torch.empty(0, dtype=torch.int64))] * (len(images) // 2)

    monkeypatch.setattr(teacher, "detect", found)
    one = Teacher(network(), Adapt(teacher="real", confidence=0.5), frozen_statistics=True)
    boxes, classes, ignore, image = one.lesson(torch.zeros(4, 3, 32, 32, dtype=torch.uint8))
    assert classes.tolist() == [1, 0, 1, 0] and ignore.tolist() == [False, True] * 2 and image.tolist() == [0, 0, 2, 2]
    assert boxes[2].tolist() == [0, 0, 8, 8] and ignore.dtype == torch.bool


def seen_batches():
    def epoch_batches(epoch: int, start: int = 0):
        generator = torch.Generator().manual_seed(epoch)
        for at, batch in enumerate(two_batches(epoch)):
            pair = torch.randint(0, 256, (2, 2, 3, 32, 32), dtype=torch.uint8, generator=generator)
            if at >= start:
                yield replace(batch, views=Views(*pair))

    return epoch_batches


def early_frozen():
    net = network()
    freeze(net, 0, 2)
    return net


def train(folder: Path, adapt: Adapt | None, *, more: dict | None = None, net=None) -> Training:
    config = Train(**QUICK | {"epochs": 2} | (more or {}))
    given = (make_fabric(config), net or network(), seen_batches(), 2, lambda _: 0.1 * (1 + one.at.epoch), config)
    one = Training(*given, folder=folder, key="k", adapt=adapt)
    return one


TAUGHT = Adapt(teacher="real", confidence=0.05, decay=0.9)


@pytest.mark.slow
def test_a_teacher_of_weight_0_changes_no_bit_and_one_of_weight_1_does(tmp_path):
    plain = train(tmp_path / "plain", None).run()
    nothing = train(tmp_path / "nothing", TAUGHT.model_copy(update={"weight": 0.0})).run()
    taught = train(tmp_path / "taught", TAUGHT).run()
    assert fingerprint(plain.network) == fingerprint(nothing.network) != fingerprint(taught.network)
    read = [(tmp_path / name / "metrics.jsonl").read_text() for name in ("plain", "nothing", "taught")]
    assert "taught" not in read[0] + read[1]
    assert '"taught_boxes": ' in read[2] and '"loss_taught": ' in read[2]


@pytest.mark.slow
@pytest.mark.parametrize("more", [{}, {"ema": 0.8, "accumulate": 2}], ids=["plain", "average and accumulation"])
def test_a_taught_training_that_is_killed_and_goes_on_ends_with_the_same_bits(tmp_path, more):
    expected = train(tmp_path / "whole", TAUGHT, more=more, net=early_frozen()).run()
    before = network().layers[1].conv.weight
    killed = train(tmp_path / "killed", TAUGHT, more=more, net=early_frozen())
    step, taken = killed.learner.step, []

    def stopping(*given):
        if len(taken) == 1:
            killed.save()
            raise KeyboardInterrupt
        taken.append(1)
        return step(*given)

    killed.learner.step = stopping  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        killed.run()
    went_on = train(tmp_path / "killed", TAUGHT, more=more, net=early_frozen()).run()
    assert fingerprint(went_on.network) == fingerprint(expected.network)
    assert torch.equal(went_on.network.layers[1].conv.weight, before)  # and frozen layers stay as they were


TEACHING = TEXT.replace('start = "streets"\nfreeze = "0-74"', "").replace("seeds = [0, 1]", "seeds = [0]")
TEACHING = TEACHING.replace(
    "[train]",
    """[arms.taught]
domains = ["game"]
start = "f-game"
keep_head = true
adapt = { teacher = "real", confidence = 0.004, decay = 0.9 }
record = false
[train]
epochs = 1
batch_size = 6
learning_rate = 1e-3
""",
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Study:
    root = tmp_path_factory.mktemp("taught")
    write_two_domains(root / "data")
    study = study_of(parse_config(TEACHING), root / "run", root / "data")
    do(units_of(study), study, only="data")
    do(units_of(study), study, only="train")
    return study


@pytest.mark.slow
def test_wrong_labels_of_the_target_change_no_bit_of_what_is_taught(made):
    weights = made.folder.weights(RunName("taught", 0))
    before, root = load_file(weights), made.data_root
    assert root is not None
    summary = read_json(made.folder.training_summary(RunName("taught", 0)))
    assert summary["unlabelled_images"] == {"real": 18} and summary["taught_boxes"] > 0
    for label in (root / "real/labels").glob("*.txt"):
        label.write_text("1 0.1 0.9 0.05 0.05\n0 0.7 0.2 0.1 0.3\n")
    again = study_of(made.experiment, made.folder.root, root)
    do(units_of(again), again, only="data")
    waiting = {unit.name for unit in pending(units_of(again), again.folder)}
    assert "train/u-real/seed0" in waiting and "train/taught/seed0" not in waiting

    unit = next(one for one in units_of(again) if one.name == "train/taught/seed0")
    assert unit.reads == {"data/game": "training", "data/real": "images"}
    labels = made.folder.annotations("real")
    kept = labels.read_bytes()
    labels.write_bytes(b"no labels at all")
    weights.unlink()
    try:
        do(
            [one for one in units_of(again) if one.name in ("data/game", "data/real", "train/f-game/seed0", unit.name)],
            again,
        )
    finally:
        labels.write_bytes(kept)
    after = load_file(weights)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_teacher_decides_the_key_and_one_of_weight_0_needs_no_image_of_the_domain(tmp_path):
    write_two_domains(tmp_path / "data")
    units, keys = {}, {}
    for name, old, new in (("taught", "", ""), ("none", "teacher = ", "weight = 0, teacher = ")):
        study = study_of(parse_config(TEACHING.replace(old, new, 1)), tmp_path / name, tmp_path / "data")
        units[name] = next(unit for unit in units_of(study) if unit.name == "train/taught/seed0")
        keys[name] = keys_of(units_of(study), study.folder)["train/taught/seed0"]
    assert "data/real" in units["taught"].needs and "data/real" not in units["none"].needs
    assert keys["taught"] != keys["none"]


def test_a_taught_arm_is_a_remedy_of_the_arm_without_a_teacher():
    experiment = parse_config(TEACHING)
    arms = list(experiment.arms)
    assert baseline_of(experiment, arms, "taught", "real") == "f-game" and not is_plain(experiment, "taught")
    assert unlabelled_domains(experiment, "taught") == ["real"]
    alone = parse_config(TEACHING.replace('start = "f-game"\nkeep_head = true\n', ""))
    assert baseline_of(alone, arms, "taught", "real") == "f-game"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"real", c', '"reel", c', r"\[arms.taught\] adapt.teacher: there is no domain 'reel'. Did you mean 'real'"),
        ('teacher = "real", ', "", r"adapt: it says how a teacher teaches, but not on which images. Give teacher"),
        ("confidence", "layers = '0-5', confidence", r"adapt: it says how statistics are estimated, but not on which"),
        (
            'domains = ["game"]\nstart = "f-game"\nkeep_head = true\nadapt = {',
            'start = "f-game"\nadapt = { batchnorm = "real", ',
            r"adapt.teacher: 'real' teaches an arm while it is trained, and with 'adapt.batchnorm' this one is not",
        ),
    ],
)
def test_teachers_that_cannot_be_are_refused(old, new, message):
    assert old in TEACHING
    with pytest.raises(InputError, match=message):
        parse_config(TEACHING.replace(old, new))
