"""Training is exact: the same seed gives the same weights, interrupted or not."""

import signal

import numpy as np
import pytest
import torch
from small_training import Scores, batch, fit, losses, network, rows, training, two_batches

from gapscope.detector.network import fingerprint
from gapscope.training.train import Training

pytestmark = pytest.mark.slow


class StoppedError(Exception):
    """As if the process had been stopped here."""


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(tmp_path):
    first, again = fit(tmp_path / "a"), fit(tmp_path / "b")
    other = fit(tmp_path / "c", net=network(seed=1))
    assert fingerprint(first.network) == fingerprint(again.network) != fingerprint(other.network)


OPTIONS = [
    pytest.param({"ema": 0.9, "optimizer": "adamw", "weight_decay": 0.1}, id="average"),
    pytest.param(
        {"loss": "darknet", "optimizer": "sgd", "learning_rate": 1e-4, "precision": "bf16", "clip_norm": 1.0}
        | {"schedule": "cosine", "warmup_steps": 2},
        id="darknet-sgd-bf16",
    ),
]


@pytest.mark.parametrize("options", OPTIONS)
def test_a_training_that_is_killed_after_any_step_ends_with_the_same_weights(tmp_path, options):
    whole = fit(tmp_path / "whole", **options)
    scores = Scores(0.1, 0.2, 0.3)
    for fatal in range(6):  # each time a new process would start, and die one step later

        def until(epoch: int, start: int, fatal: int = fatal):
            for number in range(start, 2):
                if 2 * epoch + number > fatal:
                    raise StoppedError
                yield batch(2 * epoch + number)

        try:
            fit(tmp_path / "killed", batches=until, scores=scores, checkpoint_minutes=1e-9, **options)
        except StoppedError:
            continue
    resumed = fit(tmp_path / "killed", scores=scores, **options)
    assert fingerprint(resumed.network) == fingerprint(whole.network)
    assert all(torch.equal(resumed.last[name], value) for name, value in whole.last.items())
    assert losses(tmp_path / "killed") == losses(tmp_path / "whole")
    assert scores.asked == 3


def test_between_checkpoints_nothing_but_time_is_lost(tmp_path):
    def until(epoch: int, start: int):
        yield from two_batches(epoch, start)
        if epoch == 1:
            raise StoppedError

    whole = fit(tmp_path / "whole", ema=0.9)
    with pytest.raises(StoppedError):
        fit(tmp_path / "killed", batches=until, ema=0.9)
    assert len(losses(tmp_path / "killed")) == 1
    resumed = fit(tmp_path / "killed", scores=(0.2, 0.3), ema=0.9)
    assert fingerprint(resumed.network) == fingerprint(whole.network)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_the_step_end_and_leaves_a_checkpoint(tmp_path, number):
    def signalled(epoch: int, start: int):
        for one in range(start, 2):
            if (epoch, one) == (1, 0):
                signal.raise_signal(number)
            yield batch(2 * epoch + one)

    handlers = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    whole = fit(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "stopped", batches=signalled)
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == handlers
    resumed = training(tmp_path / "stopped", scores=(0.2, 0.3))
    assert (resumed.at.epoch, resumed.at.step, resumed.at.running.batches) == (1, 3, 1)
    assert fingerprint(resumed.run().network) == fingerprint(whole.network)


def test_a_second_signal_does_not_wait_for_the_step(tmp_path):
    def twice(epoch: int, start: int):
        yield batch(0)
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("still running")

    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path, batches=twice)
    assert not (tmp_path / "checkpoint.pt").exists()


def test_validation_that_is_interrupted_is_done_again_and_no_step_is(tmp_path):
    def interrupted(_) -> float:
        signal.raise_signal(signal.SIGTERM)
        raise AssertionError("still validating")

    whole = fit(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "stopped", scores=interrupted)
    resumed = training(tmp_path / "stopped")
    assert (resumed.at.epoch, resumed.at.running.batches) == (0, 2)
    assert fingerprint(resumed.run().network) == fingerprint(whole.network)


@pytest.mark.parametrize("moment", ["validating", "saving"])
def test_a_signal_that_comes_after_the_last_step_is_not_forgotten(tmp_path, moment):
    last = training(tmp_path)
    save = last.save

    def late(epoch: int, start: int):
        yield from two_batches(epoch, start)
        if epoch == 2 and moment == "validating":  # asked for one more batch, after the last step
            signal.raise_signal(signal.SIGTERM)

    def saving() -> None:
        save()
        if last.at.epoch == 3:
            signal.raise_signal(signal.SIGTERM)

    last.batches = late
    if moment == "saving":
        last.save = saving
    with pytest.raises(KeyboardInterrupt):
        last.run()
    assert fit(tmp_path, scores=(0.3,)).epochs == 3


def test_no_random_state_decides_or_changes(tmp_path):
    first = fit(tmp_path / "a", ema=0.9)
    torch.manual_seed(3)
    np.random.seed(3)
    before = torch.get_rng_state(), np.random.get_state()[1].tolist()
    again = fit(tmp_path / "b", ema=0.9)
    assert torch.equal(torch.get_rng_state(), before[0]) and np.random.get_state()[1].tolist() == before[1]
    assert fingerprint(first.network) == fingerprint(again.network)


def test_patience_survives_an_interruption(tmp_path):
    def until(epoch: int, start: int):
        if epoch == 2:
            raise StoppedError
        yield from two_batches(epoch, start)

    with pytest.raises(StoppedError):
        fit(tmp_path, batches=until, scores=(0.3, 0.2), epochs=9, patience=2)
    stopped = fit(tmp_path, scores=(0.1,), epochs=9, patience=2)
    assert (stopped.epochs, stopped.best_epoch) == (3, 1)


def test_metrics_are_whole_when_the_last_checkpoint_is_the_last_thing_written(tmp_path, monkeypatch):
    """Killed between the last line and the end, a training must not lack its last line."""
    save = Training.save

    def killed(self: Training) -> None:
        save(self)
        if self.at.epoch == 3:
            raise StoppedError

    monkeypatch.setattr(Training, "save", killed)
    with pytest.raises(StoppedError):
        fit(tmp_path)
    monkeypatch.undo()
    fit(tmp_path)
    assert [row["epoch"] for row in rows(tmp_path)] == [1, 2, 3]
