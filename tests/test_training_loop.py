"""What the loop does with batches, steps and epochs, and what it keeps and says."""

import time

import pytest
import torch
from small_training import batch, fit, losses, network, rows, training, two_batches

from gapscope.config import Train
from gapscope.detector.network import fingerprint
from gapscope.errors import InputError
from gapscope.training.optimization import learning_rate

pytestmark = pytest.mark.slow


def test_the_weights_of_the_best_epoch_are_kept_and_the_last_ones_too(tmp_path):
    best_first = fit(tmp_path / "a", scores=(0.3, 0.2, 0.1))
    only_first = fit(tmp_path / "b", scores=(0.3,), epochs=1)
    improving = fit(tmp_path / "c")
    assert best_first.best_epoch == 1
    assert fingerprint(best_first.network) == fingerprint(only_first.network)
    assert all(torch.equal(best_first.last[name], value) for name, value in improving.network.state_dict().items())


def test_training_stops_when_patience_runs_out(tmp_path):
    stopped = fit(tmp_path, scores=(0.3, 0.2, 0.1), epochs=9, patience=2)
    assert (stopped.epochs, stopped.stopped_early, stopped.best_epoch) == (3, True, 1)


def test_gradients_of_several_batches_make_one_step(tmp_path):
    """Two accumulated batches that are alike make the step that one of them makes."""

    def same(epoch: int, start: int):
        yield from [batch(epoch), batch(epoch)][start:]

    def once(epoch: int, start: int):
        yield from [batch(epoch)][start:]

    double = training(tmp_path / "a", batches=same, accumulate=2, optimizer="sgd", momentum=0.0, epochs=1)
    single = training(tmp_path / "b", batches=once, number=1, optimizer="sgd", momentum=0.0, epochs=1)
    weights = [one.run().network.layers[105].conv.weight for one in (double, single)]
    assert double.at.step == single.at.step == 1
    torch.testing.assert_close(*weights, rtol=1e-5, atol=1e-8)


def test_the_last_group_of_an_epoch_may_be_smaller(tmp_path):
    def three(epoch: int, start: int):
        yield from [batch(10 * epoch + i) for i in range(3)][start:]

    one = training(tmp_path, batches=three, number=3, accumulate=2, epochs=2, scores=(0.1, 0.2))
    assert (one.total_steps, one.run().epochs, one.at.step) == (4, 2, 4)


def test_clipping_bounds_the_step(tmp_path):
    start = network().state_dict()
    moved = []
    for number, clip in enumerate((0.0, 1e-3)):
        options = {"optimizer": "sgd", "momentum": 0.0, "learning_rate": 1.0, "epochs": 1, "clip_norm": clip}
        one = fit(tmp_path / str(number), batches=lambda e, s: iter([batch(0)][s:]), number=1, **options)
        names = [name for name, _ in one.network.named_parameters()]
        moved.append(sum((one.last[name] - start[name]).pow(2).sum().item() for name in names) ** 0.5)
    assert moved[0] > 1 and moved[1] == pytest.approx(1e-3, rel=1e-2)


def test_a_line_of_metrics_says_how_the_epoch_was(tmp_path):
    fit(tmp_path, epochs=1, scores=(0.25,))
    (row,) = rows(tmp_path)
    assert row["loss"] == pytest.approx(row["box"] + row["objectness"] + row["classification"], rel=1e-6)
    assert (row["epoch"], row["val_map50"], row["learning_rate"]) == (1, 0.25, 1e-3)
    assert row["images_per_second"] > 0 and 0 <= row["data_wait"] < 1 and row["seconds"] > 0


def test_waiting_for_data_is_measured(tmp_path):
    def slow(epoch: int, start: int):
        for one in two_batches(epoch, start):
            time.sleep(0.5)
            yield one

    fit(tmp_path, batches=slow, epochs=1, scores=(0.1,))
    assert rows(tmp_path)[0]["data_wait"] > 0.3


@pytest.mark.parametrize("every", [1, 4])
def test_a_loss_that_is_no_number_stops_the_training_and_saves_the_very_batch(tmp_path, every):
    """Also where losses are looked at only now and then, as on a GPU."""
    net = network()

    def poisoned(epoch: int, start: int):
        yield batch(2 * epoch)
        if epoch == 1:
            net.layers[0].conv.weight.data.fill_(float("nan"))
        yield batch(2 * epoch + 1)

    one = training(tmp_path, net=net, batches=poisoned)
    one.watch.every = every
    with pytest.raises(InputError, match=r"the loss stopped being a number at step 3 \(epoch 2\).*nan_batch\.pt"):
        one.run()
    saved = torch.load(tmp_path / "nan_batch.pt", weights_only=True)
    assert torch.equal(saved["images"], batch(3).images)
    assert len(losses(tmp_path)) == 1
    assert training(tmp_path).at.epoch == 1


def test_looking_at_losses_now_and_then_gives_the_same_numbers(tmp_path):
    rare = training(tmp_path / "rare")
    rare.watch.every = 5
    assert fingerprint(rare.run().network) == fingerprint(fit(tmp_path / "often").network)
    assert losses(tmp_path / "rare") == losses(tmp_path / "often")


def test_bf16_trains_nearly_as_float32_does_and_keeps_float32_weights(tmp_path):
    exact, rough = fit(tmp_path / "a"), fit(tmp_path / "b", precision="bf16")
    assert {value.dtype for value in rough.last.values()} == {torch.float32, torch.int64}
    assert fingerprint(exact.network) != fingerprint(rough.network)
    assert [loss for loss, _ in losses(tmp_path / "b")] == pytest.approx(
        [x for x, _ in losses(tmp_path / "a")], rel=0.1
    )


def test_a_compiled_network_is_one_graph_and_trains_the_same_weights(tmp_path, monkeypatch):
    graphs = []

    def captured(graph, _):
        graphs.append(graph)
        return graph.forward

    compile_it = torch.compile
    ours = {"backend": captured, "fullgraph": True}
    monkeypatch.setattr(torch, "compile", lambda module, **options: compile_it(module, **options | ours))
    compiled, plain = fit(tmp_path / "a", compile=True, ema=0.9), fit(tmp_path / "b", ema=0.9)
    assert len(graphs) == 1
    assert fingerprint(compiled.network) == fingerprint(plain.network)


def test_the_learning_rate_climbs_then_falls_to_a_hundredth():
    config = Train(learning_rate=1.0, warmup_steps=4, schedule="cosine")
    rates = [learning_rate(step, 104, config) for step in range(105)]
    assert rates[:4] == [0.25, 0.5, 0.75, 1.0]
    assert rates[4] == pytest.approx(1.0) and rates[54] == pytest.approx(0.505) and rates[104] == pytest.approx(0.01)
    assert rates[3:] == sorted(rates[3:], reverse=True)
