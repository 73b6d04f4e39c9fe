"""What lies in an ignore region teaches a detector of another make nothing; what lies in a taught box does."""

from dataclasses import replace

import pytest
import torch
from small_training import batch, rows, training

from gapscope.data.batches import Batch
from gapscope.data.letterbox import FILL
from gapscope.detector.guests import build_guest
from gapscope.training.covering import covered


def one_image(boxes, ignore, size=8) -> Batch:
    count = len(boxes)
    return Batch(
        images=torch.arange(3 * size * size, dtype=torch.uint8).reshape(1, 3, size, size),
        boxes=torch.tensor(boxes, dtype=torch.float32).reshape(count, 4),
        classes=torch.tensor([-1 if one else 0 for one in ignore], dtype=torch.int64),
        ignore=torch.tensor(ignore, dtype=torch.bool),
        image_index=torch.zeros(count, dtype=torch.int64),
        indices=torch.zeros(1, dtype=torch.int64),
    )


def hidden(found: Batch) -> set[tuple[int, int]]:
    """(column, row) of the pixels that changed, all of them to the grey of the bars."""
    images = covered(found)
    changed = (images != found.images).any(1)[0]
    assert (images[0][:, changed] == FILL).all()
    return {(column, row) for row, column in changed.nonzero().tolist()}


def block(left, top, right, bottom):
    return {(column, row) for column in range(left, right) for row in range(top, bottom)}


def test_a_region_hides_the_pixels_whose_centre_it_holds():
    assert hidden(one_image([[1, 2, 4, 5]], [True])) == block(1, 2, 4, 5)
    assert hidden(one_image([[1.4, 2.6, 4.4, 4.6]], [True])) == block(1, 3, 4, 5)
    assert hidden(one_image([[1.5, 1.5, 2.5, 2.5]], [True])) == {(1, 1)}
    assert hidden(one_image([[-3, -3, 2, 20]], [True])) == block(0, 0, 2, 8)


def test_what_a_taught_box_holds_is_seen_whatever_the_order():
    around = block(0, 0, 6, 6) - block(2, 2, 4, 4)
    assert hidden(one_image([[0, 0, 6, 6], [2, 2, 4, 4]], [True, False])) == around
    assert hidden(one_image([[2, 2, 4, 4], [0, 0, 6, 6]], [False, True])) == around
    assert hidden(one_image([[2, 2, 4, 4], [2, 2, 4, 4]], [False, True])) == set()


def test_images_without_ignore_regions_are_the_very_tensor():
    plain = one_image([[1, 2, 4, 5]], [False])
    assert covered(plain) is plain.images
    empty = one_image([], [])
    assert covered(empty) is empty.images


def test_a_region_hides_pixels_of_its_own_image_alone_and_leaves_the_batch_as_it_is():
    two = batch(0, images=2)
    both = replace(two, ignore=torch.tensor([False, True]))
    before = both.images.clone()
    found = covered(both)
    assert torch.equal(found[0], two.images[0]) and not torch.equal(found[1], two.images[1])
    assert torch.equal(both.images, before)


def other_pixels(of: Batch, index: int) -> Batch:
    """The same batch with other pixels in one of its boxes."""
    left, top, right, bottom = of.boxes[index].ceil().long().tolist()
    images = of.images.clone()
    images[of.image_index[index], :, top : bottom - 1, left : right - 1] ^= 255
    return replace(of, images=images)


@pytest.mark.slow
@pytest.mark.parametrize(("is_ignored", "teaches"), [(True, False), (False, True)])
@pytest.mark.parametrize("name", ["fcos_mobilenet_v3_small_fpn", "yolov3-anchor-free"])
def test_pixels_of_an_ignore_region_change_no_bit_of_what_is_learnt(tmp_path, name, is_ignored, teaches):
    plain = replace(batch(3, images=2), ignore=torch.tensor([False, is_ignored]))
    learnt = {}
    for folder, shown in (("plain", plain), ("other", other_pixels(plain, 1))):
        network = build_guest(name, ["a", "b"], 32, 0, width=0.25 if "fcos" in name else 0.05)

        def one_batch(epoch, start=0, shown=shown):
            return iter([shown])

        training(tmp_path / folder, net=network, batches=one_batch, number=1, epochs=1).run()
        learnt[folder] = (rows(tmp_path / folder)[0]["loss"], network.state_dict())
    (loss, weights), (other_loss, other_weights) = learnt["plain"], learnt["other"]
    same = all(torch.equal(value, other_weights[key]) for key, value in weights.items())
    assert (loss != other_loss, not same) == (teaches, teaches)
