"""Darknet's weights files: every byte has its place, whatever the header, and a file that does not fit is refused."""

from pathlib import Path

import numpy as np
import pytest
import torch

from gapscope.detector.darknet_weights import (
    DarknetHeader,
    load_darknet_weights,
    save_darknet_weights,
    stored_tensors,
)
from gapscope.detector.fits import stored_values
from gapscope.detector.layers import yolov3_layers
from gapscope.detector.modules import Convolution
from gapscope.detector.network import YOLOv3, darknet, fingerprint, yolov3
from gapscope.errors import InputError

pytestmark = pytest.mark.slow


def thin(classes: int = 2, seed: int = 0) -> YOLOv3:
    return yolov3(classes, width=0.03, generator=torch.Generator().manual_seed(seed))


def num_values(network: YOLOv3, last: int) -> int:
    return sum(tensor.numel() for tensor in stored_tensors(network, last))


def write_file(path: Path, num_floats: int, header: DarknetHeader | None = None) -> np.ndarray:
    """A file of counted values, written by hand."""
    header = header or DarknetHeader(seen=64)
    values = (np.arange(num_floats) / 1000 + 0.001).astype("<f4")
    head = np.array([header.major, header.minor, header.revision], "<i4").tobytes()
    path.write_bytes(head + np.array(header.seen, header.count_type).tobytes() + values.tobytes())
    return values


@pytest.mark.parametrize(("classes", "size"), [(80, 248_007_048), (5, 4 * 61_597_882 + 20)])
def test_the_whole_network_has_the_length_of_the_published_file(classes, size):
    assert 20 + 4 * sum(stored_values(layer) for layer in yolov3_layers(classes)) == size


def test_the_backbone_has_the_length_of_the_published_file():
    assert 20 + 4 * sum(stored_values(layer) for layer in yolov3_layers(80)[:75]) == 162_482_580


def test_counting_from_the_table_is_counting_the_tensors():
    network = thin()
    assert num_values(network, 106) == sum(stored_values(layer) for layer in network.table)


@pytest.mark.parametrize(
    ("header", "num_bytes"),
    [
        (DarknetHeader(0, 1, 0, seen=7), 16),
        (DarknetHeader(0, 2, 0, seen=32_013_312), 20),
        (DarknetHeader(0, 2, 5, seen=2**40), 20),
        (DarknetHeader(1, 0, 0, seen=0), 20),
        (DarknetHeader(1001, 2, 0, seen=3), 16),
    ],
)
def test_a_file_comes_back_byte_for_byte_whatever_its_header(tmp_path, header, num_bytes):
    network, path, again = thin(), tmp_path / "one.weights", tmp_path / "two.weights"
    write_file(path, num_values(network, 106), header)
    assert header.num_bytes == num_bytes
    found = load_darknet_weights(network, path)
    assert found == header
    save_darknet_weights(network, again, found)
    assert again.read_bytes() == path.read_bytes()


def test_values_go_where_darknet_puts_them(tmp_path):
    network, path = thin(), tmp_path / "one.weights"
    values = write_file(path, num_values(network, 106))
    load_darknet_weights(network, path)
    first = network.layers[0]
    parts = [first.norm.bias, first.norm.weight, first.norm.running_mean, first.norm.running_var]
    for i, part in enumerate(parts):
        assert part.tolist() == values[8 * i : 8 * i + 8].tolist()
    # Kernels follow as (out, in, row, column): 3 x 3 x 3 values for each output.
    assert first.conv.weight[1, 2, 0, 1].item() == values[32 + 27 + 2 * 9 + 0 * 3 + 1]
    last = network.layers[105]
    assert last.conv.weight.flatten().tolist() == values[-last.conv.weight.numel() :].tolist()
    before_last = len(values) - last.conv.weight.numel()
    assert last.conv.bias.tolist() == values[before_last - 21 : before_last].tolist()


def test_a_backbone_file_fills_the_backbone_only(tmp_path):
    source, network, path = thin(seed=1), thin(classes=5, seed=2), tmp_path / "darknet53.conv.74"
    save_darknet_weights(source, path, last=74)
    head = fingerprint(network, 75, 106)
    assert load_darknet_weights(network, path, last=74) == DarknetHeader(0, 2, 0, 0)
    assert fingerprint(network, 0, 74) == fingerprint(source, 0, 74)
    assert fingerprint(network, 75, 106) == head


def test_a_whole_file_of_other_classes_gives_its_first_layers(tmp_path):
    source, network, path = thin(classes=80, seed=1), thin(classes=5, seed=2), tmp_path / "yolov3.weights"
    save_darknet_weights(source, path)
    load_darknet_weights(network, path, last=80)
    assert fingerprint(network, 0, 80) == fingerprint(source, 0, 80)
    with pytest.raises(InputError, match=r"a whole yolov3 of 80 classes - expected at least layers 0-81"):
        load_darknet_weights(network, path, last=81)
    with pytest.raises(InputError, match=r"a whole yolov3 of 80 classes - expected the whole network and nothing else"):
        load_darknet_weights(network, path)


def test_a_partial_file_is_not_taken_for_a_network(tmp_path):
    path = tmp_path / "darknet53.conv.74"
    save_darknet_weights(thin(), path, last=74)
    with pytest.raises(
        InputError, match=r"layers 0-74 - expected the whole network .* such as 74 for YOLOv3's backbone"
    ):
        load_darknet_weights(thin(), path)


@pytest.mark.parametrize(
    ("last", "surplus", "message"),
    [
        (None, -1, r"end inside layer 105 \(21 filters\): 1 of its 189 lack"),
        (None, 1, "4 bytes more than the whole network takes"),
        (None, 1000, "4,000 bytes more than the whole network takes"),
        (74, -1, r"end inside layer 73 \(32 filters\): 1 of its 4,736 lack"),
        (74, 1, r"end inside layer 75 \(16 filters\): 575 of its 576 lack"),
    ],
)
def test_one_value_too_many_or_too_few_is_refused_and_changes_nothing(tmp_path, last, surplus, message):
    network, path = thin(), tmp_path / "odd.weights"
    before = fingerprint(network)
    write_file(path, num_values(network, 106 if last is None else last) + surplus)
    with pytest.raises(InputError, match=message):
        load_darknet_weights(network, path, last=last)
    assert fingerprint(network) == before


def test_values_that_are_no_numbers_are_refused_and_change_nothing(tmp_path):
    network, path = thin(), tmp_path / "nan.weights"
    write_file(path, num_values(network, 106))
    content = bytearray(path.read_bytes())
    content[-4:] = np.array(np.nan, "<f4").tobytes()
    path.write_bytes(content)
    before = fingerprint(network)
    with pytest.raises(InputError, match="no finite numbers"):
        load_darknet_weights(network, path)
    assert fingerprint(network) == before


def test_a_count_of_8_bytes_is_found_in_an_old_file_where_only_that_fits(tmp_path):
    network, path, again = thin(), tmp_path / "one.weights", tmp_path / "two.weights"
    header = DarknetHeader(0, 1, 0, seen=2**33, always_long=True)
    write_file(path, num_values(network, 106), header)
    assert load_darknet_weights(network, path) == header
    save_darknet_weights(network, again, header)
    assert again.read_bytes() == path.read_bytes()


def test_a_new_file_cut_by_one_value_is_not_taken_for_one_with_a_short_count(tmp_path):
    network, path = thin(), tmp_path / "cut.weights"
    write_file(path, num_values(network, 106) - 1, DarknetHeader(0, 2, 0, seen=7))
    with pytest.raises(InputError, match="end inside layer 105"):
        load_darknet_weights(network, path)


@pytest.mark.parametrize(
    ("weights", "cfg", "seen", "revision"),
    [
        ("yolov3-tiny.weights", "yolov3-tiny.mask123.cfg", 32_013_312, 0),
        ("yolo-fastest-1.1.weights", "yolo-fastest-1.1.cfg", 14_231_680, 5),
        ("yolo-fastest-1.1-xl.weights", "yolo-fastest-1.1-xl.cfg", 16_000_000, 5),
    ],
)
def test_published_files_are_read_to_their_last_byte_and_written_again(
    shared_data, tmp_path, weights, cfg, seen, revision
):
    path, again = shared_data / "weights_darknet" / weights, tmp_path / "again.weights"
    network = darknet(shared_data / "weights_darknet" / cfg)
    header = load_darknet_weights(network, path)
    assert header == DarknetHeader(0, 2, revision, seen)
    last = [layer.conv for layer in network.layers if isinstance(layer, Convolution)][-1]
    assert path.read_bytes().endswith(last.weight.detach().numpy().tobytes())
    assert all((layer.norm.running_var > 0).all() for layer in network.layers if getattr(layer, "norm", None))
    save_darknet_weights(network, again, header)
    assert again.read_bytes() == path.read_bytes()


def test_the_start_of_tiny_fills_layers_0_to_14(shared_data, tmp_path):
    whole, path = darknet("yolov3-tiny"), tmp_path / "yolov3-tiny.conv.15"
    load_darknet_weights(whole, shared_data / "weights_darknet" / "yolov3-tiny.weights")
    save_darknet_weights(whole, path, last=14)
    network = darknet("yolov3-tiny", 3)
    load_darknet_weights(network, path, last=14)
    assert fingerprint(network, 0, 14) == fingerprint(whole, 0, 14)
    with pytest.raises(InputError, match=r"layers 0-14 - expected the whole network .* for yolov3-tiny with 3 classes"):
        load_darknet_weights(network, path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "is a Git LFS pointer, a note of 56 bytes"),
        (b"\n<!DOCTYPE html><html>Not found</html>", "is a web page, not weights"),
        (b"PK\x03\x04 and so on, at least 16 bytes", "is a torch file - expected Darknet's"),
        (b'\x10\0\0\0\0\0\0\0{"a": 1}', "is a safetensors file - expected Darknet's"),
    ],
)
def test_a_file_of_something_else_is_called_by_its_name(tmp_path, content, message):
    path = tmp_path / "odd.weights"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        load_darknet_weights(thin(), path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has 0 bytes - a Darknet weights file has a header of 16 or 20"),
        (b"\0" * 23, "has 23 bytes - expected a header of 16"),
        (b"\0\0\0\0\2\0\0\0\0\0\0\0\0\0\0\0", r"has 16 bytes - expected a header of 20 \(version 0.2\)"),
        (b"\0" * 20, "holds 1 values after its header, which end inside layer 0"),
        (b"\0" * 16, "holds 0 values after its header, which end inside layer 0"),
    ],
)
def test_a_file_that_cannot_be_weights_is_refused(tmp_path, content, message):
    path = tmp_path / "broken.weights"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        load_darknet_weights(thin(), path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.weights: there is no such weights file"):
        load_darknet_weights(thin(), tmp_path / "none.weights")


def test_a_file_of_another_network_is_refused(shared_data):
    with pytest.raises(InputError, match="It is as long as a yolov3-tiny - load it into that network"):
        load_darknet_weights(thin(), shared_data / "weights_darknet" / "yolov3-tiny.weights", last=74)
