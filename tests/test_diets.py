"""Diets: subsets are nested, batches hold exactly the asked shares, and all arms of a comparison take as many steps."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from small_data import noise, table_of
from small_training import QUICK, Scores, network
from two_domains import TEXT, study_of, write_two_domains

from gapscope.config import Train
from gapscope.data.augment import Augmentation
from gapscope.data.batches import batches
from gapscope.data.samples import Samples
from gapscope.data.streams import Pool, stream
from gapscope.data.subsets import nested_order, nested_subset
from gapscope.detector.network import fingerprint
from gapscope.errors import InputError
from gapscope.experiment_file import parse_config
from gapscope.run_folder import RunName
from gapscope.study.diets import diet_of
from gapscope.study.run import do
from gapscope.study.stages import units_of
from gapscope.training.processes import make_fabric
from gapscope.training.train import Training

CAR, VAN, PERSON = (("car", 1, 1, 9, 9),), (("van", 1, 1, 9, 9),), (("person", 1, 1, 9, 9),)
REAL, GAME = Pool(np.arange(0, 10), 1), Pool(np.arange(10, 33), 3)


@pytest.mark.parametrize("seed", range(5))
def test_subsets_are_nested_and_another_seed_draws_another_one(seed):
    table = table_of([CAR] * 60, groups=[f"ride{i // 7}" for i in range(60)])
    smaller: set[int] = set()
    for count in (1, 5, 17, 59, 60):
        found = nested_subset(table, count, seed)
        assert len(set(found.tolist())) == count and smaller <= set(found.tolist())
        assert (np.diff(found) > 0).all()
        smaller = set(found.tolist())
    assert nested_subset(table, 20, seed).tolist() != nested_subset(table, 20, seed + 1).tolist()


@pytest.mark.parametrize("seed", range(5))
def test_few_images_are_from_as_many_groups_as_can_be(seed):
    sizes = [30, 3, 3, 2, 1]
    groups = [f"ride{number}" for number, size in enumerate(sizes) for _ in range(size)]
    order = nested_order(table_of([CAR] * 39, groups=groups), seed)
    of_group = [groups[i] for i in order]
    assert len(set(of_group[:5])) == 5
    assert Counter(of_group[:9]) == {"ride0": 2, "ride1": 2, "ride2": 2, "ride3": 2, "ride4": 1}


@pytest.mark.parametrize("seed", range(5))
def test_every_class_is_among_the_first_however_rare(seed):
    boxes = [CAR] * 90 + [CAR + VAN] * 2 + [VAN + PERSON]
    order = nested_order(table_of(boxes), seed).tolist()
    assert order[0] == 92  # the one person, and with it a van
    assert any(i < 92 for i in order[1:2])
    ignored = table_of([CAR, PERSON], ignore=[False, True])
    assert sorted(nested_order(ignored, seed).tolist()) == [0, 1] and nested_order(ignored, seed)[0] == 0


def test_more_images_than_there_are_is_an_error():
    with pytest.raises(InputError, match=r"7 images are asked for - there are 3 training images\. Ask for fewer"):
        nested_subset(table_of([CAR] * 3), 7, 0)


def test_every_batch_of_every_epoch_holds_exactly_the_shares():
    for epoch in range(4):
        positions, _ = stream((REAL, GAME), 7, seed=3, epoch=epoch)
        of_real = (positions.reshape(7, 4) < 10).sum(1)
        assert of_real.tolist() == [1] * 7


def test_a_pool_is_gone_through_whole_before_it_begins_again():
    """Over epochs that end in the middle of it; so no image is seen twice more often than another."""
    parts = [stream((REAL, GAME), 7, seed=3, epoch=epoch) for epoch in range(6)]
    positions, rounds = (np.concatenate(part) for part in zip(*parts, strict=True))
    for pool in (REAL, GAME):
        mine = np.isin(positions, pool.positions)
        counts = Counter(positions[mine].tolist())
        assert max(counts.values()) - min(counts.get(i, 0) for i in pool.positions.tolist()) <= 1
        seen = list(zip(positions[mine].tolist(), rounds[mine].tolist(), strict=True))
        assert len(seen) == len(set(seen))  # never the same image varied in the same way
    assert stream((REAL,), 7, seed=3, epoch=0)[0].tolist() != stream((REAL,), 7, seed=4, epoch=0)[0].tolist()


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    root = tmp_path_factory.mktemp("diet")
    for i in range(33):
        noise(root / f"images/{i:03}.png", (40, 32), seed=i)
    return Samples(table_of([CAR] * 33, root=root, size=(40, 32)), size=32)


def served(samples: Samples, epoch: int, **how: object) -> list[torch.Tensor]:
    order, rounds = stream((REAL, GAME), 5, seed=1, epoch=epoch)
    augment = Augmentation(flip=0.5, hsv=(0.1, 0.1, 0.1), scale=0.2, translate=0.1)
    return list(batches(samples, 4, seed=1, epoch=epoch, augment=augment, order=order, rounds=rounds, **how))  # type: ignore[arg-type]


@pytest.mark.parametrize("workers", [1, 3])
def test_shares_are_exact_for_any_number_of_workers_and_the_same_images_come(samples, workers):
    alone, together = served(samples, 2), served(samples, 2, workers=workers)
    for one, other in zip(alone, together, strict=True):
        assert torch.equal(one.images, other.images) and torch.equal(one.boxes, other.boxes)
        assert (one.indices < 10).sum() == 1


def test_what_is_gone_on_with_in_the_middle_of_an_epoch_is_what_would_have_come(samples):
    whole, rest = served(samples, 3), served(samples, 3, start=2)
    assert [one.indices.tolist() for one in whole[2:]] == [one.indices.tolist() for one in rest]
    assert all(torch.equal(one.images, other.images) for one, other in zip(whole[2:], rest, strict=True))


def test_several_processes_share_a_batch_without_a_change_of_its_shares(samples):
    parts = [served(samples, 1, share=(rank, 2)) for rank in range(2)]
    for whole, *shares in zip(served(samples, 1), *parts, strict=True):
        assert sorted(whole.indices.tolist()) == sorted(i for one in shares for i in one.indices.tolist())


@pytest.mark.slow
def test_a_training_that_is_killed_and_goes_on_ends_with_the_same_bits(samples, tmp_path):
    def training(folder: Path, stop_at: int | None) -> Training:
        def epoch_batches(epoch: int, start: int):
            order, rounds = stream((REAL, GAME), 5, seed=1, epoch=epoch)
            made = batches(samples, 4, seed=1, epoch=epoch, order=order, rounds=rounds, start=start)
            for number, batch in enumerate(made, start=start):
                assert (batch.indices < 10).sum() == 1
                if epoch == 1 and number == stop_at:
                    one.save()
                    raise KeyboardInterrupt
                yield batch

        config = Train(**QUICK | {"batch_size": 4, "ema": 0.9})
        scores = Scores(0.1, 0.2, 0.3)
        one = Training(make_fabric(config), network(), epoch_batches, 5, scores, config, folder=folder, key="k")
        return one

    expected = fingerprint(training(tmp_path / "whole", None).run().network)
    with pytest.raises(KeyboardInterrupt):
        training(tmp_path / "killed", 3).run()
    went_on = training(tmp_path / "killed", None)
    went_on.validate = Scores(0.2, 0.3)
    assert fingerprint(went_on.run().network) == expected


DIETS = TEXT.replace('start = "streets"\nfreeze = "0-74"', "").replace(
    "[train]",
    """[arms.few]
domains = ["real"]
images = { real = 5 }
[arms.mixed]
domains = ["game", "real"]
shares = { game = 0.75, real = 0.25 }
images = { real = 7 }
[arms.short]
domains = ["game", "real"]
steps = 11
epochs = 2
learning_rate = 1e-5
[train]
epochs = 6
batch_size = 4
""",
)


@pytest.mark.slow
def test_arms_with_a_diet_take_as_many_steps_as_the_first_plain_arm_unless_they_say_otherwise(tmp_path):
    write_two_domains(tmp_path / "data")
    study = study_of(parse_config(DIETS), tmp_path / "run", tmp_path / "data")
    do(units_of(study), study, only="data")
    diets = {arm: diet_of(study, RunName(arm, 0)) for arm in study.experiment.arms}
    assert {arm: one.counts for arm, one in diets.items()} == {
        "u-real": {"real": 18},
        "f-game": {"game": 18},
        "few": {"real": 5},
        "mixed": {"game": 18, "real": 7},
        "short": {"game": 18, "real": 18},
    }
    assert {arm: one.batches for arm, one in diets.items()} == {
        "u-real": 5, "f-game": 5, "few": 5, "mixed": 5, "short": 6,
    }  # fmt: skip
    order, _ = diets["mixed"].order(0, 4)
    assert order is not None
    assert ((order.reshape(5, 4) >= 18).sum(1) == 1).all()  # one real image of seven in every four
    assert diets["u-real"].order(0, 4) == (None, None)
    one, other = (diet_of(study, RunName("few", seed)).samples.table.paths.tolist() for seed in (0, 1))
    assert one != other and len(one) == len(other) == 5
    config = study.experiment.train_of("short")
    assert (config.epochs, config.learning_rate, config.batch_size) == (2, 1e-5, 4)
    assert "data/real" in next(unit.needs for unit in units_of(study) if unit.name == "train/few/seed0")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "game = 0.75, real = 0.25",
            "game = 0.7, real = 0.3",
            r"shares: 0.7 of a batch of 4 are 2.8 images of 'game'",
        ),
        ("game = 0.75, real = 0.25", "game = 0.75", r"shares: they name game - expected the arm's domains, game, real"),
        ("game = 0.75, real = 0.25", "game = 0.75, real = 0.5", r"shares: they add up to 1.25 - expected 1"),
        ("images = { real = 5 }", "images = { reel = 5 }", r"'reel' is none of the arm's domains. Did you mean 'real'"),
    ],
)
def test_diets_that_cannot_be_are_refused(old, new, message):
    with pytest.raises(InputError, match=message):
        parse_config(DIETS.replace(old, new))


def test_an_arm_has_its_own_augmentation_key_by_key():
    experiment = parse_config(DIETS.replace("steps = 11", "steps = 11\naugment = { mosaic = 0.5, flip = 0.0 }"))
    usual, own = experiment.train.augment, experiment.train_of("short").augment
    assert own == usual.model_copy(update={"mosaic": 0.5, "flip": 0.0}) != usual
    assert experiment.train_of("mixed").augment == usual
    with pytest.raises(InputError, match=r"mosaic"):
        parse_config(DIETS.replace("steps = 11", "steps = 11\naugment = { mosaic = 1.5 }"))
