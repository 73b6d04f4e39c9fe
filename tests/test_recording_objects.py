"""Objects as the rows of a recording: their features against an integral written out, and all that is made of them."""

import numpy as np
import pytest
import torch
from command import gapscope as command
from full_features import full_features
from small_data import noise, table_of
from torch import nn

import gapscope
from gapscope.detector.network import yolov3
from gapscope.detector.weights import save_weights
from gapscope.errors import InputError
from gapscope.recording.box_pooling import BoxPooling, shared
from gapscope.recording.object_boxes import ObjectBoxes, object_boxes
from gapscope.recording.objects import SIZES
from gapscope.recording.recording import read_recording
from gapscope.similarity.gram import features_gram

pytestmark = pytest.mark.slow

SIZE = 64
BOXES = [
    [[3.3, 4.4, 40.7, 50.2], [10, 10, 42.5, 45]],
    [],
    [[0, 0, 64, 64], [31.9, 0.5, 64, 33.1], [8, 8, 44, 60]],
    [[20.25, 16, 63.5, 61]],
    [[5, 7, 6.5, 8]],  # smaller than any cell but those of a stride of 1
]


def integral(values, box, size):
    """Of a map (c, h, w), each cell constant, over a box, by the box's area: cell by cell, in plain floats."""
    c, h, w = values.shape
    x1, y1, x2, y2 = box
    total = [0.0] * c
    for i in range(h):
        for j in range(w):
            wide = min(x2, (j + 1) * size / w) - max(x1, j * size / w)
            high = min(y2, (i + 1) * size / h) - max(y1, i * size / h)
            if wide > 0 and high > 0:
                for channel in range(c):
                    total[channel] += wide * high * float(values[channel, i, j])
    return np.array(total) / ((x2 - x1) * (y2 - y1))


@pytest.fixture(scope="module")
def images():
    return torch.randint(0, 256, (5, 3, SIZE, SIZE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def network():
    return yolov3(2, 0.0625, generator=torch.Generator().manual_seed(1)).eval()


@pytest.fixture(scope="module")
def recording(network, images):
    return gapscope.record(network, images, size=SIZE, boxes=BOXES)


class TestPooling:
    @pytest.mark.parametrize("cells", [(4, 4), (7, 3), (1, 1), (64, 64)])
    def test_is_the_integral_over_the_box(self, cells):
        maps = torch.randn(5, 3, *cells, generator=torch.Generator().manual_seed(2))
        given = gapscope.ObjectBoxes(
            np.repeat(np.arange(5), [len(some) for some in BOXES]),
            np.array([box for some in BOXES for box in some], dtype=float),
            *(np.full(7, "") for _ in range(3)),
        )
        pooled = BoxPooling(given, SIZE).pool(maps)
        expected = [integral(maps[at].numpy(), box, SIZE) for at, some in enumerate(BOXES) for box in some]
        np.testing.assert_allclose(pooled, np.array(expected), rtol=1e-6, atol=1e-7)

    def test_a_box_of_whole_cells_is_their_plain_mean(self):
        assert shared(16, 48, 4, 64).weights.tolist() == [0.5, 0.5]
        assert shared(16, 48, 4, 64).cells == slice(1, 3)


class TestOurNetworks:
    def test_a_row_is_the_layers_map_over_the_box(self, network, images, recording):
        held = {-1: images.float() / 255}
        with torch.no_grad():
            for layer in network.table:
                held[layer.index] = network.run_layer(layer.index, *(held[i] for i in layer.inputs))
        for layer in (0, 4, 36, 61, 74, 82, 97, 106):
            rows = [integral(held[layer][at].numpy(), box, SIZE) for at, some in enumerate(BOXES) for box in some]
            np.testing.assert_allclose(recording.pooled_of(layer), rows, rtol=1e-4, atol=1e-5)
            at = recording.layers.tolist().index(layer)
            np.testing.assert_allclose(
                recording.gram[at],
                features_gram(recording.pooled_of(layer)),
                rtol=1e-4,
                atol=1e-5 * np.abs(recording.gram[at]).max(),
            )
        assert (recording.p == recording.channels).all()

    def test_knows_its_objects(self, recording):
        assert recording.images == ("0#0", "0#1", "2#0", "2#1", "2#2", "3#0", "4#0")
        assert recording.objects.maps[[0, 1, -1]].tolist() == [[64, 64], [32, 32], [8, 8]]
        cells = recording.objects.in_cells(SIZE)
        assert cells[0, 6] == pytest.approx(1.5) and cells[1, 6] == pytest.approx(1.5 / 4)
        assert cells[2, 2] == pytest.approx(32 * 32)
        assert "7 objects in 4 images of 64 x 64 pixels" in repr(recording)

    def test_batches_and_memory_change_nothing(self, network, images, recording):
        other = gapscope.record(network, images, size=SIZE, boxes=BOXES, batch_size=2, memory="40MB")
        np.testing.assert_allclose(other.pooled, recording.pooled, rtol=1e-4, atol=1e-5)

    def test_a_file_gives_it_back(self, recording, tmp_path):
        recording.save(tmp_path / "r.nc")
        read = read_recording(tmp_path / "r.nc")
        np.testing.assert_array_equal(read.gram, recording.gram)
        for name in ("image", "xyxy", "label", "source", "group", "maps"):
            np.testing.assert_array_equal(getattr(read.objects, name), getattr(recording.objects, name))
        assert read.images == recording.images and read.input_gram is None

    def test_layers_on_which_no_box_covers_a_cell_are_left_out_and_said(self, network, images):
        small = [[[1, 1, 14, 14], [20, 20, 34, 35]]] * 5
        found = gapscope.record(network, images, size=SIZE, boxes=small)
        assert 36 in found.layers and 61 not in found.layers and 82 not in found.layers and 106 in found.layers
        assert (
            found.skipped["layer 61"] == "is a map of 4 x 4 cells, and each of the 10 boxes is smaller than one of them"
        )
        with pytest.raises(InputError, match=r"^no layer could be recorded: layer 74 is a map of 2 x 2 cells"):
            gapscope.record(network, images, size=SIZE, boxes=small, layers=[74, 82])


class TestAnyModel:
    @pytest.fixture(scope="class")
    @staticmethod
    def model():
        class Mixed(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv, self.linear, self.flat = nn.Conv2d(3, 6, 4, stride=4), nn.Linear(6, 10), nn.Linear(10, 3)
                self.pool = nn.AdaptiveAvgPool2d(1)

            def forward(self, x):
                last = self.linear(self.conv(x).permute(0, 2, 3, 1))  # channels last, as Swin has them
                return self.flat(self.pool(last.permute(0, 3, 1, 2)).flatten(1))

        torch.manual_seed(0)
        return Mixed().eval()

    @pytest.mark.parametrize("method", ["graph", "hooks"])
    def test_maps_are_pooled_whichever_way_their_axes_lie_and_the_rest_is_said(self, model, images, method):
        found = gapscope.record(model, images, size=SIZE, boxes=BOXES, method=method)
        full = {name: torch.cat(parts).numpy() for name, parts in full_features(model, images).items()}
        maps = {"conv": full["conv"], "linear": full["linear"].transpose(0, 3, 1, 2)}
        # a box that is the whole image covers the one cell of `pool`
        assert found.layers.tolist() == ["conv", "linear", "pool"]
        for name, values in maps.items():
            rows = [integral(values[at], box, SIZE) for at, some in enumerate(BOXES) for box in some]
            np.testing.assert_allclose(found.pooled_of(name), rows, rtol=1e-4, atol=1e-5)
        assert found.skipped == {"flat": "puts out (3,) for an image, which is no map that boxes could lie on"}
        assert found.objects.maps.tolist() == [[16, 16], [16, 16], [1, 1]]


class TestRefusals:
    @pytest.mark.parametrize(
        ("boxes", "words"),
        [
            ([[[0, 0, 9, 9]]] * 3, "there are boxes for 3 images, but 5 images. Give a list for each."),
            ([[[0, 0, 9, 9]], [], [], [], []], "1 boxes are too few: comparing layers needs at least 4"),
            ([[[9, 0, 9, 9]]] * 5, r"box \[9.0, 0.0, 9.0, 9.0\] is empty - expected x1 < x2 and y1 < y2"),
            ([[[70, 0, 80, 9]]] * 5, r"box \[70.0, 0.0, 80.0, 9.0\] of image 0 lies outside the 64 x 64 pixels"),
            ([[[0, 0, float("nan"), 9]]] * 5, r"box \[0.0, 0.0, nan, 9.0\] is empty"),
        ],
    )
    def test_boxes_that_lie_nowhere(self, network, images, boxes, words):
        with pytest.raises(InputError, match=f"^{words}"):
            gapscope.record(network, images, size=SIZE, boxes=boxes)

    def test_images_have_no_objects(self, network, images):
        plain = gapscope.record(network, images, size=SIZE, layers=[0, 1])
        with pytest.raises(InputError, match=r"^the rows of this recording are images. Record with boxes"):
            plain.take_objects([0, 1, 2, 3])
        with pytest.raises(InputError, match=r"which have no class. Record it with boxes"):
            gapscope.compare_objects(plain, plain, "class")

    def test_other_boxes_are_other_rows(self, network, images, recording):
        moved = [[[x1 + 1, y1, x2, y2] for x1, y1, x2, y2 in some] for some in BOXES]
        other = gapscope.record(network, images, size=SIZE, boxes=moved)
        with pytest.raises(InputError, match=r"name the same images, but the pixels differ"):
            gapscope.compare(recording, other)


@pytest.fixture(scope="module")
def two_sets(tmp_path_factory):
    """Photographs and renders of another size: labelled, wider than high, so that the letterbox moves boxes."""
    tables = {}
    for number, (name, size) in enumerate({"photos": (96, 64), "renders": (128, 128)}.items()):
        root = tmp_path_factory.mktemp("sets") / name
        boxes = []
        for i in range(6):
            noise(root / f"images/{i:03}.png", size, seed=10 * number + i)
            boxes.append([("car", 4, 8, 60, 50), ("person", 10 + i, 5, 50, 60)])
        tables[name] = table_of(boxes, root=root, size=size, class_names=("car", "person"))
    return tables


class TestLabelledSets:
    def test_boxes_follow_the_letterbox(self, two_sets):
        found = object_boxes(two_sets["photos"], 48)
        assert found.xyxy[0] == pytest.approx([2, 8 + 4, 30, 8 + 25])  # half the pixels, and bars of 8 above and below
        assert found.label[:2].tolist() == ["car", "person"] and found.image[:3].tolist() == [0, 0, 1]

    def test_some_of_each_class_and_set_are_drawn(self, two_sets):
        found = object_boxes(two_sets, 64, per_class=4)
        assert np.unique(found.source, return_counts=True)[1].tolist() == [8, 8]
        assert (np.diff(found.image) >= 0).all() and found.image.max() < 12
        sides = object_boxes(two_sets, 64).sides
        kept = object_boxes(two_sets, 64, smallest=float(np.median(sides)))
        assert len(kept) == (sides >= np.median(sides)).sum()

    def test_by_class_and_by_size(self, network, two_sets):
        other = yolov3(2, 0.0625, generator=torch.Generator().manual_seed(5)).eval()
        a, b = (gapscope.record_objects(one, two_sets, size=SIZE) for one in (network, other))
        assert a.images[0] == "photos/images/000.png#0" and a.objects.source[-1] == "renders"
        cars = a.objects.label == "car"
        found = gapscope.compare_objects(a, b, "class", at_least=10, permutations=20, bootstraps=20)
        assert list(found) == ["car", "person"] and found["car"].attrs["n"] == 12
        alone = gapscope.record_objects(
            network, {name: table.keep_boxes(table.box_class == 0) for name, table in two_sets.items()}, size=SIZE
        )
        taken = a.take_objects(cars)
        np.testing.assert_allclose(taken.pooled, alone.pooled, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(taken.gram, alone.gram, rtol=1e-3, atol=1e-5 * np.abs(alone.gram).max())
        np.testing.assert_allclose(taken.std, alone.std, rtol=1e-4)
        sizes = gapscope.compare_objects(a, b, "size", at_least=4, permutations=0, bootstraps=0)
        assert list(sizes) == [name for name in SIZES if (a.objects.size_names == name).sum() >= 4]
        with pytest.raises(InputError, match=r"^no class has 20 objects \(car 12, person 12\)"):
            gapscope.compare_objects(a, b, "class")

    def test_objects_of_one_image_are_shuffled_together(self, network, two_sets):
        found = gapscope.record_objects(network, two_sets, size=SIZE, layers=[0, 36])
        labels, groups = gapscope.sets_of(found)
        assert labels == ["photos"] * 12 + ["renders"] * 12 and len(set(groups)) == 12
        apart = gapscope.separability(found, labels, groups=groups, shuffles=20, bootstraps=20)
        assert (apart.attrs["groups_a"], apart.attrs["n_a"]) == (6, 12)
        one = gapscope.record_objects(network, two_sets["photos"], size=SIZE, layers=[0])
        with pytest.raises(InputError, match=r"are of 1 sets \(''\) - expected 2. Record objects of two labelled"):
            gapscope.sets_of(one)


def test_the_terminal_records_objects_compares_them_by_class_and_tells_sets_apart(tmp_path):
    for number, name in enumerate(("photos", "renders")):
        for i in range(12):
            noise(tmp_path / f"{name}/images/{i:03}.png", (64, 64), seed=100 * number + i)
            label = tmp_path / f"{name}/labels/{i:03}.txt"
            label.parent.mkdir(parents=True, exist_ok=True)
            label.write_text("0 0.5 0.5 0.7 0.6\n1 0.4 0.5 0.5 0.6\n2 0.5 0.5 0.2 0.2\n")
        (tmp_path / name / "data.yaml").write_text("names: [car, person, sign]\n")
    for seed in (0, 1):
        network = yolov3(2, 0.0625, generator=torch.Generator().manual_seed(seed))
        save_weights(network, tmp_path / f"w{seed}.safetensors", {})
        done = command(
            *("record", f"w{seed}.safetensors", "--objects", "photos", "--objects", "renders", "--size", "64"),
            *("--drop", "sign", "-o", f"{seed}.nc", "--layers", "0-20"),
            cwd=tmp_path,
        )
        assert done.returncode == 0, done.stderr
        assert "48 objects in 24 images, 21 layers -> " in done.stdout
    done = command("compare", "0.nc", "1.nc", "--by", "class", "-o", "grid.nc", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "car, 24 objects -> grid.car.nc" in done.stdout and (tmp_path / "grid.person.nc").is_file()
    done = command("separability", "0.nc", "--csv", "s.csv", "--shuffles", "50", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "photos: 24 rows in 12 groups; renders: 24 in 12" in done.stdout
    assert len((tmp_path / "s.csv").read_text().splitlines()) == 22
    done = command("record", "w0.safetensors", cwd=tmp_path)
    assert done.returncode != 0 and "either --images or --objects says what is recorded" in done.stderr


def test_boxes_that_are_not_sorted_are_refused():
    nothing = np.full(2, "")
    with pytest.raises(InputError, match=r"^boxes are not sorted by image"):
        ObjectBoxes(np.array([1, 0]), np.array([[0.0, 0, 1, 1]] * 2), nothing, nothing, nothing)
