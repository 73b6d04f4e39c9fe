"""Training is exact: the same seed gives the same weights, interrupted or not, and what is frozen stays."""

import json
from pathlib import Path

import pytest
import torch

from gapscope.config import Train
from gapscope.data.batches import Batch
from gapscope.detector.network import fingerprint, freeze, yolov3
from gapscope.errors import InputError
from gapscope.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from gapscope.training.optimization import learning_rate, make_optimizer, num_parameters
from gapscope.training.train import train

QUICK = {"epochs": 3, "batch_size": 2, "learning_rate": 1e-3, "device": "cpu", "patience": 3}


def batch(seed: int) -> Batch:
    """Two random images of 32 pixels with a box each."""
    generator = torch.Generator().manual_seed(seed)
    boxes = torch.tensor([[2.0, 2.0, 20.0, 20.0], [8.0, 8.0, 30.0, 28.0]])
    return Batch(
        images=torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8, generator=generator),
        boxes=boxes,
        classes=torch.tensor([0, 1]),
        ignore=torch.tensor([False, False]),
        image_index=torch.tensor([0, 1]),
        indices=torch.tensor([0, 1]),
    )


def two_batches(epoch: int):
    yield batch(2 * epoch)
    yield batch(2 * epoch + 1)


def network(seed: int = 0):
    return yolov3(["a", "b"], 0.0625, 0.1, torch.Generator().manual_seed(seed))


class Scores:
    """Stands in for validation: one score per epoch, in order."""

    def __init__(self, *scores: float) -> None:
        self.scores = list(scores)

    def __call__(self, _) -> float:
        return self.scores.pop(0)


def fit(folder: Path, *, net=None, batches=two_batches, scores=(0.1, 0.2, 0.3), **changes):
    config = Train(**QUICK | changes)
    return train(net or network(), batches, 2, Scores(*scores), config, folder=folder, key="k")


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(tmp_path):
    first, again = fit(tmp_path / "a"), fit(tmp_path / "b")
    other = fit(tmp_path / "c", net=network(seed=1))
    assert fingerprint(first.network) == fingerprint(again.network) != fingerprint(other.network)


@pytest.mark.parametrize("ema", [0.0, 0.9])
@pytest.mark.parametrize("stop_in_epoch", [0, 1, 2])
def test_a_training_that_was_interrupted_ends_with_the_same_weights(tmp_path, stop_in_epoch, ema):
    class StoppedError(Exception):
        """As if the process had been stopped here."""

    def until(epoch: int):
        yield batch(2 * epoch)
        if epoch == stop_in_epoch:
            raise StoppedError
        yield batch(2 * epoch + 1)

    whole = fit(tmp_path / "whole", ema=ema)
    with pytest.raises(StoppedError):
        fit(tmp_path / "killed", batches=until, ema=ema)
    resumed = fit(tmp_path / "killed", scores=(0.1, 0.2, 0.3)[stop_in_epoch:], ema=ema)
    assert fingerprint(resumed.network) == fingerprint(whole.network)
    assert losses(tmp_path / "killed") == losses(tmp_path / "whole")


def losses(folder: Path) -> list[tuple[float, float]]:
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [(row["loss"], row["val_map50"]) for row in rows]


def test_the_weights_of_the_best_epoch_are_kept_not_the_last(tmp_path):
    best_first = fit(tmp_path / "a", scores=(0.3, 0.2, 0.1))
    only_first = fit(tmp_path / "b", scores=(0.3,), epochs=1)
    assert best_first.best_epoch == 1
    assert fingerprint(best_first.network) == fingerprint(only_first.network)


def test_training_stops_when_patience_runs_out(tmp_path):
    stopped = fit(tmp_path, scores=(0.3, 0.2, 0.1), epochs=9, patience=2)
    assert (stopped.epochs, stopped.stopped_early, stopped.best_epoch) == (3, True, 1)


def test_frozen_layers_end_as_they_began_even_with_weight_decay(tmp_path):
    net = network()
    net.layers[0].conv.weight.data[0, 0, 0, 0] = -0.0  # an average would make it 0.0
    freeze(net, 0, 74)
    before, head_before = fingerprint(net, 0, 74), fingerprint(net, 75, 106)
    trained = fit(tmp_path, net=net, optimizer="adamw", weight_decay=0.1, ema=0.9)
    assert fingerprint(trained.network, 0, 74) == before
    assert fingerprint(trained.network, 75, 106) != head_before


def test_frozen_parameters_are_not_handed_to_the_optimizer():
    net = network()
    freeze(net, 0, 74)
    held = sum(p.numel() for group in make_optimizer(net, Train()).param_groups for p in group["params"])
    assert held == num_parameters(net)[1] < num_parameters(net)[0]


def test_a_loss_that_is_no_number_stops_the_training_and_saves_the_batch(tmp_path):
    net = network()

    def poisoned(epoch: int):
        yield batch(0)
        if epoch == 1:
            net.layers[0].conv.weight.data.fill_(float("nan"))
        yield batch(1)

    with pytest.raises(InputError, match=r"the loss stopped being a number at step 3 \(epoch 2\).*nan_batch\.pt"):
        fit(tmp_path, net=net, batches=poisoned)
    assert torch.load(tmp_path / "nan_batch.pt", weights_only=True)["images"].shape == (2, 3, 32, 32)
    assert len(losses(tmp_path)) == 1


def test_a_checkpoint_of_another_training_is_not_gone_on_with(tmp_path):
    save_checkpoint(tmp_path / "c.pt", "one", Progress(epoch=3), {})
    assert load_checkpoint(tmp_path / "c.pt", "other") is None
    at, _ = load_checkpoint(tmp_path / "c.pt", "one")
    assert at.epoch == 3


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut short", b"no zip at all"])
def test_a_broken_checkpoint_is_named(tmp_path, content):
    (tmp_path / "checkpoint.pt").write_bytes(content)
    with pytest.raises(InputError, match=r"checkpoint\.pt: is no checkpoint that can be read\. Delete it"):
        load_checkpoint(tmp_path / "checkpoint.pt", "k")


def test_the_learning_rate_climbs_then_falls_to_a_hundredth():
    config = Train(learning_rate=1.0, warmup_steps=4, schedule="cosine")
    rates = [learning_rate(step, 104, config) for step in range(105)]
    assert rates[:4] == [0.25, 0.5, 0.75, 1.0]
    assert rates[4] == pytest.approx(1.0) and rates[54] == pytest.approx(0.505) and rates[104] == pytest.approx(0.01)
    assert rates[3:] == sorted(rates[3:], reverse=True)
