"""Batches: each image once, in an order that only seed and epoch decide, with any number of workers."""

from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch
from small_data import noise, table_of

from gapscope.data.augment import Augmentation
from gapscope.data.batches import Batch, batches, collate, epoch_order, letterbox, num_batches
from gapscope.data.samples import Samples
from gapscope.errors import InputError

BOXES = [[("car", 10, 20, 40, 45)] * (i % 3) for i in range(11)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("street")
    for i in range(len(BOXES)):
        noise(folder / f"images/{i:03}.png", seed=i)
    return folder


@pytest.fixture
def samples(folder) -> Samples:
    return Samples(table_of(BOXES, root=folder), size=64)


def same(a: Batch, b: Batch) -> bool:
    return a.views is None is b.views and all(torch.equal(value, vars(b)[name]) for name, value in columns(a))


def columns(batch: Batch) -> list[tuple[str, torch.Tensor]]:
    """Everything but the views, which are of batches that a mean teacher sees."""
    return [(name, value) for name, value in vars(batch).items() if name != "views"]


def test_an_epoch_serves_every_image_once(samples):
    served = list(batches(samples, 4, seed=0, epoch=0, shuffle=True))
    assert [len(batch) for batch in served] == [4, 4, 3]
    assert sorted(torch.cat([batch.indices for batch in served]).tolist()) == list(range(11))
    kept = list(batches(samples, 4, seed=0, epoch=0, shuffle=True, drop_last=True))
    assert len(kept) == 2 and all(map(same, kept, served))


def test_boxes_stay_with_their_images(samples):
    for batch in batches(samples, 4, seed=0, epoch=0, shuffle=True):
        assert (batch.images.dtype, tuple(batch.images.shape[1:])) == (torch.uint8, (3, 64, 64))
        per_image = torch.bincount(batch.image_index, minlength=len(batch)).tolist()
        assert per_image == [len(BOXES[i]) for i in batch.indices]
        for position, index in enumerate(batch.indices.tolist()):
            assert torch.equal(batch.images[position], samples[index].image)


def test_unshuffled_batches_keep_the_order_of_the_samples(folder):
    samples = Samples(table_of(BOXES, root=folder), [7, 3, 5], size=64)
    (batch,) = batches(samples, 8, seed=0, epoch=0, shuffle=False)
    assert batch.indices.tolist() == [7, 3, 5]


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_any_number_of_workers_gives_the_same_batches(samples, workers):
    augment = Augmentation(mosaic=0.5)
    inline, ahead = (
        list(batches(samples, 3, seed=5, epoch=2, augment=augment, shuffle=True, workers=n)) for n in (0, workers)
    )
    assert len(inline) == len(ahead) == 4
    assert all(map(same, inline, ahead))


def test_the_order_changes_with_epoch_and_seed_alone():
    orders = {(s, e): epoch_order(50, s, e).tolist() for s in range(3) for e in range(3)}
    assert len({tuple(order) for order in orders.values()}) == 9
    assert orders[1, 2] == epoch_order(50, 1, 2).tolist()
    assert sorted(orders[0, 0]) == list(range(50))


def test_the_global_random_state_neither_decides_nor_changes(samples):
    before = torch.get_rng_state().clone(), np.random.get_state()[1].tolist()
    list(batches(samples, 3, seed=5, epoch=2, augment=Augmentation(mosaic=0.5), shuffle=True))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_broken_file_stops_the_epoch_with_its_name(tmp_path, workers):
    for i in range(6):
        noise(tmp_path / f"images/{i:03}.png", seed=i)
    samples = Samples(table_of(BOXES[:6], root=tmp_path), size=64)
    (tmp_path / "images/004.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"004\.png is an empty file"):
        list(batches(samples, 2, seed=0, epoch=0, shuffle=False, workers=workers))


def test_a_caller_may_stop_early(samples):
    served = batches(samples, 2, seed=0, epoch=0, shuffle=False, workers=2)
    assert next(served).indices.tolist() == [0, 1]
    served.close()


def test_images_without_boxes_make_a_batch(folder):
    (batch,) = batches(Samples(table_of(BOXES, root=folder), [0, 3], size=64), 4, seed=0, epoch=0, shuffle=False)
    assert tuple(batch.boxes.shape) == (0, 4)
    assert batch.image_index.tolist() == []
    assert list(batches(Samples(table_of(BOXES, root=folder), [], size=64), 4, seed=0, epoch=0, shuffle=True)) == []


def test_a_batch_moves_to_a_device_as_a_whole(samples):
    moved = collate([samples[0], samples[1]]).to("meta")
    assert {value.device.type for _, value in columns(moved)} == {"meta"}


def test_an_empty_batch_size_is_refused(samples):
    with pytest.raises(InputError, match="batch_size = 0 - expected at least 1"):
        batches(samples, 0, seed=0, epoch=0, shuffle=True)


def test_letterboxing_is_found_beside_the_batches():
    assert letterbox(torch.zeros(3, 4, 8, dtype=torch.uint8), 32)[0].shape == (3, 32, 32)


@pytest.mark.parametrize("start", [0, 1, 3, 4])
@pytest.mark.parametrize("workers", [0, 2])
def test_an_epoch_goes_on_where_it_stopped(samples, start, workers):
    augment = Augmentation(mosaic=0.5)
    options = {"seed": 5, "epoch": 2, "augment": augment, "shuffle": True}
    whole = list(batches(samples, 3, **options))
    rest = list(batches(samples, 3, **options, start=start, workers=workers))
    assert len(rest) == len(whole) - start and all(map(same, rest, whole[start:]))


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_processes_divide_every_batch_among_them(samples, processes):
    whole = list(batches(samples, 4, seed=5, epoch=2, shuffle=True))
    shares = [list(batches(samples, 4, seed=5, epoch=2, shuffle=True, share=(i, processes))) for i in range(processes)]
    assert {len(share) for share in shares} == {num_batches(len(samples), 4, processes)} == {len(whole)}
    for number, batch in enumerate(whole):
        found = [share[number].indices.tolist() for share in shares]
        assert sorted(chain(*found)) == sorted(batch.indices.tolist())
        assert max(map(len, found)) - min(map(len, found)) <= 1


def test_a_last_batch_with_too_few_images_for_all_processes_is_left_out(samples):
    """11 images in batches of 5: the last one would leave a process without any."""
    assert num_batches(11, 5) == 3 and num_batches(11, 5, least=2) == 2 and num_batches(10, 5, least=2) == 2
    assert [len(list(batches(samples, 5, seed=0, epoch=0, shuffle=True, share=(i, 2)))) for i in (0, 1)] == [2, 2]
