"""How a model is found by name and given the images, and what is refused."""

import numpy as np
import pytest
import torch
from full_features import (
    largest_gram_difference,
    plain_gram,
    probe,
)
from PIL import Image
from random_models import Deciding
from torch import nn
from torch.utils.data import DataLoader, Dataset

from gapscope.detector.network import yolov3
from gapscope.errors import InputError
from gapscope.recording.live_tensors import parse_memory
from gapscope.recording.named_models import load_model
from gapscope.recording.record import record

pytestmark = pytest.mark.slow

IMAGES = probe(n=12)


def test_preprocessing_is_done_before_the_model_and_written_down():
    def halved(batch):
        assert batch.dtype == torch.float32 and 0 <= batch.min() and batch.max() <= 1
        return batch / 2

    seen = nn.Identity()
    images = IMAGES.float() / 255
    mean, std = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    for preprocess, name, wanted in [
        ("0-1", "0-1", images),
        ("imagenet", "imagenet", (images - mean) / std),
        (halved, "halved", images / 2),
    ]:
        recording = record(nn.Sequential(seen), IMAGES, size=32, preprocess=preprocess)
        np.testing.assert_allclose(recording.gram[0], plain_gram([wanted.double()]), rtol=1e-5, atol=1e-3)
        assert recording.provenance["preprocess"] == name


class Choosy(nn.Module):
    """Takes its images by name, beside a mask, and answers with an object."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 1)

    def forward(self, *, pixel_values, mask):
        return {"scores": self.conv(pixel_values), "boxes": 2 * mask}


def test_inputs_say_how_a_model_is_called():
    options = {"size": 32, "preprocess": "imagenet"}
    recording = record(Choosy(), IMAGES, inputs=lambda x: {"pixel_values": x, "mask": torch.ones(len(x), 5)}, **options)
    assert recording.layers.tolist() == ["conv", "output[boxes]"]
    assert recording.p.tolist() == [2 * 32 * 32, 5]
    two = nn.Bilinear(3072, 3072, 2)
    flat = record(two, IMAGES, inputs=lambda x: (x.flatten(1), x.flatten(1) / 2), **options)
    assert flat.layers.tolist() == ["output"]
    assert flat.pooled.shape == (12, 2)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_a_model_computes_in_the_type_of_its_weights(dtype):
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3)).to(dtype)
    either, hooked = (record(model, IMAGES, size=32, method=method) for method in ("auto", "hooks"))
    assert either.dtype == str(dtype).removeprefix("torch.")
    # between the steps of a graph tensors are kept in float32, which holds no float64
    assert either.provenance["recorded_by"].startswith("hooks" if dtype == torch.float64 else "graph")
    np.testing.assert_array_equal(either.gram, hooked.gram)


@pytest.mark.parametrize(
    ("model", "options", "wording"),
    [
        (nn.Conv2d(4, 2, 1), {}, r"Conv2d failed on images of shape \(2, 3, 32, 32\): RuntimeError: .*expected input"),
        (
            nn.Identity(),
            {"inputs": lambda x: {"a": x}},
            "Identity failed on images .* say by `preprocess` and `inputs`",
        ),
        (nn.Identity(), {"preprocess": "image-net"}, "no preprocessing 'image-net'. Choose from 0-1, imagenet"),
        (nn.Identity(), {"preprocess": lambda x: x[:1]}, "preprocess turned 2 images into shape"),
        (nn.Identity(), {"preprocess": lambda x: [x]}, "preprocess turned 2 images into list"),
        (nn.Identity(), {"batch_size": 0}, "batch_size is 0"),
        (
            nn.Conv2d(3, 9, 1),
            {"memory": "100KiB"},
            "'100 KiB' is too little: the recording and one step of .* for 12 images at 32",
        ),
        (nn.LazyConv2d(2, 1), {}, "lazy weights without a shape. Run one batch through it first"),
        (torch.jit.ScriptModule(), {}, "is TorchScript, which does not show what its layers put out"),
        (
            nn.Sequential(nn.Conv2d(3, 6, 1), Deciding()),
            {"method": "graph"},
            "cannot be recorded by its graph: TypeError",
        ),
        (nn.Flatten(0), {}, "the model puts out nothing that can be recorded: output has the shapes"),
    ],
)
def test_what_cannot_be_recorded_is_refused(model, options, wording):
    with pytest.raises(InputError, match=wording):
        record(model, IMAGES, size=32, **options)


@pytest.mark.parametrize("images", [probe(n=3), IMAGES.int(), probe(size=64)])
def test_images_that_do_not_fit_are_refused_as_for_our_own_network(images):
    found = []
    for model in (nn.Identity(), yolov3(2, width=0.0625)):
        with pytest.raises(InputError) as caught:
            record(model, images, size=32)
        found.append(str(caught.value))
    assert found[0] == found[1]


@pytest.mark.parametrize("method", ["graph", "hooks"])
def test_the_amount_that_a_refusal_asks_for_is_enough_and_changes_no_digit(resnet, method, resnet_recording):
    with pytest.raises(InputError) as caught:
        record(resnet, IMAGES, size=32, batch_size=5, method=method, memory="10KiB")
    memory = str(caught.value).split("take ")[1].split(". ")[0]
    assert parse_memory(memory) > resnet_recording.gram.nbytes  # which stay until the end
    assert (
        largest_gram_difference(record(resnet, IMAGES, size=32, batch_size=5, memory=memory), resnet_recording) < 1e-6
    )


MODELS = """
import torch
ready = torch.nn.Conv2d(3, 2, 1)
number = 7
def build():
    import beside
    return torch.nn.Sequential(torch.nn.Conv2d(3, beside.CHANNELS, 1), torch.nn.ReLU())
def fails():
    raise RuntimeError("no weights here")
def forgets():
    torch.nn.Conv2d(3, 2, 1)
"""


@pytest.fixture
def models(tmp_path, monkeypatch):
    (tmp_path / "my_models_of_a_test.py").write_text(MODELS)
    (tmp_path / "beside.py").write_text("CHANNELS = 5")
    (tmp_path / "broken_of_a_test.py").write_text("import a_module_that_is_not_there")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("module", ["my_models_of_a_test", "my_models_of_a_test.py"])
def test_a_factory_builds_the_model(models, module):
    import sys

    before = list(sys.path)
    assert load_model(f"{module}:build")[0].out_channels == 5
    assert load_model(f"{module}:ready").out_channels == 2
    assert load_model("torch.nn:Identity")(3) == 3
    assert sys.path == before


@pytest.mark.parametrize(
    ("name", "wording"),
    [
        ("nowhere_at_all:build", "there is no Python module nowhere_at_all, neither installed nor in"),
        ("nowhere.py:build", r"there is no Python module nowhere\.py"),
        ("broken_of_a_test:build", "broken_of_a_test cannot be imported: ModuleNotFoundError: .*a_module_that_is_not"),
        ("my_models_of_a_test:biuld", "my_models_of_a_test has no 'biuld'"),
        ("my_models_of_a_test:number", "number is a int - expected a function that builds a model"),
        ("my_models_of_a_test:fails", "my_models_of_a_test:fails failed: RuntimeError: no weights here"),
        ("my_models_of_a_test:forgets", "forgets built a NoneType - expected a torch.nn.Module. Return the model"),
        ("lost.safetensors", "lost.safetensors: there is no such weights file"),
    ],
)
def test_a_name_without_a_model_is_refused(models, name, wording):
    with pytest.raises(InputError, match=wording):
        load_model(name)


class FromLoader(Dataset):
    def __len__(self):
        return len(IMAGES)

    def __getitem__(self, at):
        return IMAGES[at].float() / 255, f"label {at}"


@pytest.mark.parametrize("ours", [True, False])
def test_images_may_be_floats_batches_loaders_and_files(ours, tmp_path):
    model = yolov3(2, width=0.0625) if ours else nn.Conv2d(3, 2, 3)
    layers = [0] if ours else None
    wanted = record(model, IMAGES, layers=layers)
    floats = IMAGES.float() / 255
    for at, image in enumerate(IMAGES):
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(tmp_path / f"{at:02}.png")
    files = [str(tmp_path / f"{at:02}.png") for at in range(len(IMAGES))]
    forms = [
        (floats, "0"),
        (floats.double().numpy(), "0"),
        (DataLoader(FromLoader(), batch_size=5), "0"),
        (({"pixel_values": part, "labels": [1]} for part in floats.split(7)), "0"),
        (files, files[0]),
        (tmp_path, "00.png"),
    ]
    for given, name in forms:
        found = record(model, given, size=32, layers=layers)
        assert found.size == 32 and found.images[0] == name
        assert found.pixels_sha256 == wanted.pixels_sha256 or not isinstance(given, list)
        np.testing.assert_allclose(found.gram, wanted.gram, rtol=1e-5, atol=1e-5 * np.abs(wanted.gram).max())
    assert torch.equal(floats, IMAGES.float() / 255)


def test_floats_go_to_the_model_as_they_are_in_any_shape():
    drawn = torch.randn(6, 5, 8, 12, generator=torch.Generator().manual_seed(0))
    recording = record(nn.Conv2d(5, 2, 1), drawn)
    assert recording.size == 12 and recording.p.tolist() == [2 * 8 * 12]
    assert recording.provenance["images_given"] == "float32 (6, 5, 8, 12)"
    with pytest.raises(InputError, match=r"images are int64 of shape \(6, 5, 8, 12\), but recording at size 12 takes"):
        record(nn.Conv2d(5, 2, 1), drawn.long())
    with pytest.raises(InputError, match=r"boxes lie on squares, but images are 12 x 8 pixels"):
        record(nn.Conv2d(5, 2, 1), drawn, boxes=[[[0, 0, 4, 4]]] * 6)
    with pytest.raises(
        InputError, match=r"images reach from 0 to \d+ - expected floats from 0 to 1\. Divide bytes by 255"
    ):
        record(yolov3(2, width=0.0625), IMAGES.float())
    with pytest.raises(InputError, match=r"there is no folder nowhere\. Name a folder of images"):
        record(nn.Conv2d(3, 2, 1), "nowhere")


def test_a_loader_that_shuffles_gives_one_order_and_no_random_number_is_used_up():
    loader = DataLoader(FromLoader(), batch_size=4, shuffle=True)
    model = nn.Conv2d(3, 2, 3)
    torch.manual_seed(7)
    one, other = (record(model, loader) for _ in range(2))
    assert one.pixels_sha256 == other.pixels_sha256
    drawn = torch.rand(3)
    torch.manual_seed(7)
    assert torch.equal(drawn, torch.rand(3))
