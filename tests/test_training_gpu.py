"""On a GPU: no step waits for it, and it trains what the CPU trains. Skipped where there is none."""

import pytest
import torch
from small_training import batch, fit, losses, rows, training

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


@pytest.mark.parametrize("loss", ["giou", "darknet"])
def test_no_step_waits_for_the_gpu(tmp_path, loss):
    """Targets are worked out on the CPU and losses stay on the GPU; PyTorch complains about any waiting."""
    one = training(tmp_path, device="cuda", loss=loss, precision="bf16", ema=0.9, clip_norm=10.0)
    data = [batch(i, size=64) for i in range(4)]
    data[1].ignore[0] = True
    one.learner.training_mode()
    for each in data:  # constants go to the GPU once, and libraries look for their quickest way once per shape
        one.learner.step([each], 1e-4)
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for each in data:
            one.watch.add(0, 1e-4, [each], one.learner.step([each], 1e-4))
    finally:
        torch.cuda.set_sync_debug_mode("default")
    one.watch.look(one.at)
    assert one.at.running.steps == 4 and one.at.running.losses[0] > 0


def test_the_gpu_trains_nearly_what_the_cpu_trains(tmp_path):
    fit(tmp_path / "gpu", device="cuda", learning_rate=1e-4)
    fit(tmp_path / "cpu", device="cpu", learning_rate=1e-4)
    (a, *_), (b, *_) = losses(tmp_path / "gpu"), losses(tmp_path / "cpu")
    assert a == pytest.approx(b, rel=1e-2)
    assert rows(tmp_path / "gpu")[0]["gpu_memory_gib"] > 0


def test_a_compiled_network_trains_on(tmp_path):
    fit(tmp_path, device="cuda", precision="bf16", compile=True, ema=0.9)
    first, *_, last = losses(tmp_path)
    assert last[0] < first[0]


def test_a_training_goes_on_from_its_checkpoint(tmp_path):
    fit(tmp_path, device="cuda", precision="bf16", ema=0.9)
    again = training(tmp_path, device="cuda", precision="bf16", ema=0.9, epochs=5, scores=(0.4, 0.5))
    assert again.at.step == 6
    assert again.run().epochs == 5
