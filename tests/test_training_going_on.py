"""A finished training that may have more epochs goes on, and ends as if it had had them from the start."""

import pytest
from small_training import Scores, losses, training

from gapscope.config import Train
from gapscope.detector.network import fingerprint
from gapscope.training.checkpoint import Reached
from gapscope.training.going_on import would_come_here

pytestmark = pytest.mark.slow
RISING = (0.1, 0.2, 0.3, 0.4, 0.5)


def finished(folder, scores=RISING, **settings):
    """A training from its start, or from where it ended; what it leaves to go on from is left."""
    ended = training(folder, scores=Scores(*scores), **settings)
    begun = ended.at.epoch
    trained = ended.run()
    ended.keep_end()
    return begun, trained


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"ema": 0.9},
        {"optimizer": "sgd", "weight_decay": 0.01},
        {"optimizer": "adamw", "clip_norm": 1.0, "accumulate": 2},
        {"warmup_steps": 7},
    ],
    ids=str,
)
def test_more_epochs_end_with_the_same_bits_as_from_the_start(tmp_path, settings):
    _, whole = finished(tmp_path / "whole", epochs=5, **settings)
    finished(tmp_path / "part", RISING[:3], epochs=3, **settings)
    begun, longer = finished(tmp_path / "part", RISING[3:], epochs=5, **settings)
    assert begun == 3
    assert fingerprint(longer.network) == fingerprint(whole.network)
    assert all((longer.last[name] == whole.last[name]).all() for name in whole.last)
    assert losses(tmp_path / "part") == losses(tmp_path / "whole")


def test_a_last_epoch_that_was_validated_only_for_being_the_last_is_not_the_best_of_more(tmp_path):
    """Of 3 epochs with a validation every second one, the third is validated too; of 5 it is not."""
    settings = {"validate_every": 2, "ema": 0.9}
    _, whole = finished(tmp_path / "whole", (0.1, 0.3, 0.2), epochs=5, **settings)
    _, part = finished(tmp_path / "part", (0.1, 0.9), epochs=3, **settings)
    assert part.best_epoch == 3
    begun, longer = finished(tmp_path / "part", (0.3, 0.2), epochs=5, **settings)
    assert begun == 2  # the third epoch is over but for its validation
    assert (longer.best_epoch, longer.best_map50) == (whole.best_epoch, whole.best_map50) == (4, 0.3)
    assert fingerprint(longer.network) == fingerprint(whole.network)
    assert losses(tmp_path / "part") == losses(tmp_path / "whole")


def test_more_patience_goes_on_where_it_had_run_out(tmp_path):
    scores = (0.3, 0.1, 0.1, 0.4, 0.1)
    _, whole = finished(tmp_path / "whole", scores, epochs=5, patience=3)
    _, part = finished(tmp_path / "part", scores[:3], epochs=5, patience=2)
    assert part.stopped_early and part.epochs == 3
    begun, longer = finished(tmp_path / "part", scores[3:], epochs=5, patience=3)
    assert begun == 3 and longer.best_epoch == whole.best_epoch == 4
    assert fingerprint(longer.network) == fingerprint(whole.network)


def test_fewer_epochs_are_trained_anew(tmp_path):
    finished(tmp_path, RISING[:3], epochs=3)
    begun, trained = finished(tmp_path, RISING[:2], epochs=2)
    assert begun == 0 and trained.epochs == 2


def test_a_training_that_stopped_before_stays_as_it_is_with_more_epochs(tmp_path):
    _, part = finished(tmp_path, (0.3, 0.1, 0.1), epochs=4, patience=2)
    begun, longer = finished(tmp_path, (), epochs=9, patience=2)
    assert begun == 3 and longer.epochs == part.epochs == 3
    assert fingerprint(longer.network) == fingerprint(part.network)


def test_with_a_schedule_that_looks_at_all_epochs_nothing_is_kept_to_go_on_from(tmp_path):
    finished(tmp_path, RISING[:3], epochs=3, schedule="cosine")
    assert not (tmp_path / "end.pt").exists() and not (tmp_path / "checkpoint.pt").exists()


def test_what_is_kept_is_one_file(tmp_path):
    finished(tmp_path, RISING[:3], epochs=3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["end.pt", "metrics.jsonl"]


def rows(*scores: float | None) -> list[dict]:
    return [{"epoch": number, "val_map50": score} for number, score in enumerate(scores, start=1)]


@pytest.mark.parametrize(
    ("scores", "settings", "comes"),
    [
        ((0.1, 0.2), {"epochs": 5}, True),
        ((0.1, 0.2), {"epochs": 1}, False),
        ((0.3, 0.1, 0.1), {"epochs": 5, "patience": 2}, True),
        ((0.3, 0.1, 0.1), {"epochs": 5, "patience": 1}, False),
        ((None, 0.1), {"epochs": 5, "validate_every": 2}, True),
        ((None, 0.1, 0.2), {"epochs": 5, "validate_every": 2}, False),
        ((None, 0.1, None), {"epochs": 3, "validate_every": 2}, False),
    ],
)
def test_a_state_is_gone_on_from_only_if_the_same_training_would_come_to_it(scores, settings, comes):
    assert would_come_here(Reached(epoch=len(scores), history=rows(*scores)), Train(**settings)) is comes
