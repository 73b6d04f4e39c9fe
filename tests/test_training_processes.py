"""Several processes train what one would: the same batches, the same weights, one writer, one end."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from small_data import noise, table_of
from small_training import QUICK, Scores, fit, losses, network
from torch import nn

from gapscope.config import Evaluate, Train
from gapscope.data.batches import Batch, batches
from gapscope.data.samples import Sample, Samples
from gapscope.errors import InputError
from gapscope.evaluation.evaluate import evaluate
from gapscope.run_folder import RunFolder
from gapscope.training.processes import check_devices, launch, make_fabric, num_devices, share_statistics
from gapscope.training.train import Training

pytestmark = pytest.mark.slow

SHARED = QUICK | {"batch_size": 4, "epochs": 2, "optimizer": "sgd", "learning_rate": 1e-4, "ema": 0.9}


class MadeUp:
    """Ten images of 32 pixels; the first two without an object, so that shares of a batch differ."""

    def __len__(self) -> int:
        return 10

    def __getitem__(self, index: int) -> Sample:
        generator = torch.Generator().manual_seed(index)
        image = torch.randint(0, 256, (3, 32, 32), dtype=torch.uint8, generator=generator)
        boxes = torch.tensor([[2.0, 2.0, 9.0 + index, 20.0], [8.0, 8.0, 30.0, 28.0]])[: min(index, 2)]
        ignore = torch.tensor([False, index % 3 == 0])[: len(boxes)]
        return Sample(image, boxes, torch.tensor([0, 1])[: len(boxes)], ignore, index)


def without_batchnorm():
    """A network whose images do not see each other: what one process computes of a batch, several can too."""
    net = network()
    for layer in net.layers:
        if getattr(layer, "norm", None) is not None:
            layer.norm = nn.GroupNorm(1, layer.norm.num_features)
    return net


def train_share(fabric, report, run: RunFolder, count: int) -> None:
    """What every process does, by each loss; the first keeps the weights."""
    share = fabric.global_rank, fabric.world_size

    def epoch_batches(epoch: int, start: int) -> list[Batch]:
        return batches(MadeUp(), 4, seed=0, epoch=epoch, shuffle=True, start=start, share=share)

    for loss in ("giou", "darknet"):
        config, here = Train(**SHARED | {"devices": count, "accumulate": 2, "loss": loss}), run.root / loss
        given = fabric, without_batchnorm(), epoch_batches, 3, Scores(0.1, 0.2), config
        trained = Training(*given, folder=here, key="k", what=loss, report=report).run()
        if fabric.is_global_zero:
            torch.save(trained.last, here / "last.pt")


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_two_processes_train_the_weights_of_one(tmp_path, one_thread):
    """Up to the rounding of float32: objects are counted over the whole batch, and gradients are averaged."""
    news = []
    train_share(make_fabric(Train(**SHARED)), lambda *_: None, RunFolder(tmp_path / "1"), 1)
    two = make_fabric(Train(**SHARED | {"devices": 2}))
    launch(two, train_share, RunFolder(tmp_path / "2"), 2, report=lambda *what: news.append(what))
    start = without_batchnorm().state_dict()
    for loss in ("giou", "darknet"):
        alone, together = (torch.load(tmp_path / count / loss / "last.pt") for count in "12")
        for name, value in alone.items():
            torch.testing.assert_close(together[name], value, rtol=1e-4, atol=1e-6)
        moved = [(alone[name] - value).abs().max().item() for name, value in start.items() if name.endswith("weight")]
        assert min(moved) > 0
        assert losses(tmp_path / "1" / loss) == [pytest.approx(row, rel=1e-5) for row in losses(tmp_path / "2" / loss)]
        assert [one[1:3] for one in news if one[0] == loss][-1] == (4, 4)
        written = sorted(path.name for path in (tmp_path / "2" / loss).iterdir())
        assert written == ["checkpoint.previous.pt", "checkpoint.pt", "last.pt", "metrics.jsonl"]


def refuse_in_second(fabric, report) -> None:
    if fabric.global_rank == 1:
        raise InputError("image 7 is broken.")
    fabric.barrier()


def test_a_refusal_in_any_process_is_the_refusal(one_thread):
    with pytest.raises(InputError, match=r"^image 7 is broken\.$"):
        launch(make_fabric(Train(**SHARED | {"devices": 2})), refuse_in_second)
    assert "MASTER_PORT" not in os.environ


def refuse_while_the_first_one_reports(fabric, report) -> None:
    if fabric.global_rank == 1:
        time.sleep(0.5)
        raise InputError("image 7 is broken.")
    while True:
        report("x" * 10**6, 0, 1)


def test_a_process_that_is_ended_while_it_reports_leaves_the_refusal_to_arrive(one_thread):
    """What a pipe cannot hold is in the middle of being sent nearly all the time, and the first process is killed."""
    fabric = make_fabric(Train(**SHARED | {"devices": 2}))
    with pytest.raises(InputError, match=r"^image 7 is broken\.$"):
        launch(fabric, refuse_while_the_first_one_reports, report=lambda *_: time.sleep(0.01))


def run_until_stopped(fabric, report, folder: Path) -> None:
    share = fabric.global_rank, fabric.world_size

    def endless(epoch: int, start: int):
        while True:
            yield next(iter(batches(MadeUp(), 4, seed=0, epoch=0, shuffle=False, share=share)))

    config = Train(**SHARED)
    Training(fabric, network(), endless, 10**6, Scores(), config, folder=folder, key="k", report=report).run()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to pass on")
def test_a_signal_to_the_parent_stops_all_with_one_checkpoint(tmp_path, one_thread):
    def stop_at_third_step(what: str, done: int, total: int, note: str = "") -> None:
        if done == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    handler = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        fabric = make_fabric(Train(**SHARED | {"devices": 2}))
        launch(fabric, run_until_stopped, tmp_path, report=stop_at_third_step)
    assert signal.getsignal(signal.SIGTERM) is handler
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]
    assert threading.active_count() < 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"devices": 3, "batch_size": 2}, r"batch_size = 2: 3 devices share each batch, so it needs at least 3 images"),
        ({"sync_batchnorm": True}, r"needs several GPUs, and this training has 1 cpu device\. Set sync_batchnorm = f"),
        ({"sync_batchnorm": True, "devices": 2}, r"this training has 2 cpu devices\."),
    ],
)
def test_what_devices_cannot_do_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        check_devices(Train(**QUICK | options))


def test_a_gpu_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match=r"device = 'cuda': PyTorch finds none here\. Take 'auto' or 'cpu'"):
        make_fabric(Train(device="cuda"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert num_devices(Train(device="cuda", devices="auto")) == 2
    with pytest.raises(InputError, match=r"devices = 4: there are 2 cuda devices\. Lower it"):
        num_devices(Train(device="cuda", devices=4))


def test_auto_takes_one_process_on_the_cpu(tmp_path):
    assert num_devices(Train(device="cpu", devices="auto")) == 1
    assert fit(tmp_path, devices="auto", epochs=1, scores=(0.1,)).epochs == 1


def eleven_images(folder: Path) -> Samples:
    boxes = [[("ab"[i % 2], 5.0 + i, 5.0, 60.0, 50.0)] for i in range(11)]
    return Samples(table_of(boxes, root=folder, class_names=("a", "b")), size=32)


def evaluate_share(fabric, report, folder: Path) -> None:
    """What every process learns of an evaluation that all of them share, whatever its own batch statistics were."""
    samples, net = eleven_images(folder), network()
    for name, value in net.named_buffers():
        value += fabric.global_rank if name.endswith("running_mean") else 0
    share_statistics(fabric, net)
    share = fabric.global_rank, fabric.world_size
    found = evaluate(net, samples, Evaluate(confidence=0.0), batch_size=2, share=share, progress=report)
    torch.save((found.detections, found.rules["coco"].ap50), folder / f"{fabric.global_rank}-of-{fabric.world_size}.pt")


def test_an_evaluation_shared_by_processes_finds_what_one_process_finds(tmp_path, one_thread):
    """Bit for bit, in every process: each image is in the batch that it always is in."""
    news = []
    for i in range(11):
        noise(tmp_path / "images" / f"{i:03}.png", seed=i)
    evaluate_share(make_fabric(Train(**SHARED)), lambda *_: None, tmp_path)
    launch(
        make_fabric(Train(**SHARED | {"devices": 3})), evaluate_share, tmp_path, report=lambda *what: news.append(what)
    )
    assert [one[1:3] for one in news] == [(2, 4), (4, 4)]  # the first of three has batches 0 and 3 of 6
    (alone, ap), *others = (
        torch.load(path, weights_only=False) for path in sorted(tmp_path.glob("*.pt"), key=lambda path: path.stem[-1])
    )
    assert len(alone.image) > 100
    for detections, shared_ap in others:
        assert shared_ap == ap
        for name, column in vars(alone).items():
            np.testing.assert_array_equal(column, getattr(detections, name))
