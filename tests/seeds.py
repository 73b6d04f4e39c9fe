"""Whole files of every kind that gapscope reads, small, and functions that read them: where a fuzz campaign starts."""

import io
import json
import random
import shutil
import struct
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import torch
import xarray as xr
from made_up_grafts import grafts_of
from miniature import SMALLER
from safetensors.torch import save_file
from small_data import table_of
from small_recordings import features, recorded
from torch import nn

from gapscope.data.readers.name_files import find_names
from gapscope.data.source_files import changed_files
from gapscope.data.splits import read_list, write_list
from gapscope.data.splits_there import found_splits
from gapscope.data.table import AnnotationTable
from gapscope.detector.cfg_plan import read_cfg
from gapscope.detector.class_names import read_names
from gapscope.detector.foreign_weights import fill_guest
from gapscope.detector.guests import build_guest, built_with, guest_file, save_network, start_guest
from gapscope.detector.network import Darknet
from gapscope.detector.network_map import yolov3_map
from gapscope.detector.protocol import Guest
from gapscope.detector.timm_weights import NORM_PARTS, timm_modules
from gapscope.detector.weights import load_weights, read_weights, save_weights
from gapscope.errors import InputError
from gapscope.evaluation.coco_results import read_results as coco_results
from gapscope.evaluation.columns import Boxes
from gapscope.evaluation.detection_files import read_detections, save_detections
from gapscope.evaluation.placed_results import place_results
from gapscope.experiment_file import parse_config, read_config, read_run_config
from gapscope.files import write_json
from gapscope.findings.run_reader import read_results
from gapscope.findings.stage_times import stage_times
from gapscope.grafting.result import Change, read_grafts
from gapscope.grafting.stitch_result import CutResult, StitchResult, TensorMatch, read_stitches
from gapscope.paper.verdict_files import verdict_lines
from gapscope.recording.recording import hash_names, read_recording, write_dataset
from gapscope.run_folder import RunFolder, RunName
from gapscope.similarity.compare import read_similarity
from gapscope.study.file_list import damaged_in_list
from gapscope.study.plan import plan
from gapscope.study.probe import HASH_LINE, read_probe
from gapscope.study.stages import units_of
from gapscope.study.status import score
from gapscope.study.study import Study
from gapscope.training.checkpoint import Reached, load_checkpoint, save_checkpoint
from gapscope.training.metrics import EpochSums, read_epochs

CFG = """
[net]
width=64
height=64
[convolutional]
batch_normalize=1
filters=8
size=3
stride=2
pad=1
activation=leaky
[maxpool]
size=2
stride=2
[convolutional]
filters=14
size=1
activation=linear
[route]
layers=-1
[yolo]
mask=0,1
anchors=10,13, 16,30
classes=2
num=2
"""
SUMMARY = {
    "images": {"train": 2, "val": 1, "test": 1},
    "boxes": {split: {"car": 1} for split in ("train", "val", "test")},
    "ignored": {"train": 0, "val": 0, "test": 0},
    "label_map": {"car": {"Car": 3}},
    "dropped": {"tree": 2},
    "ignored_sources": {},
    "removed": {"min_area": 1},
    "fingerprint": "0" * 64,
    "files_sha256": "1" * 64,
    "root": "/nowhere",
    "split": "by hand",
    "leaks": {"shared_groups": 0, "near_duplicates": 1, "adjacent_frames": 0, "examples": [["a.png", "b.png"]]},
}
EPOCH = {"epoch": 1, "loss": 2.5, "val_map50": 0.25, "seconds": 1.5, "learning_rate": 0.001}
EVALUATION = {
    "num_images": 2,
    "targets": {"car": 2},
    "rules": {
        "coco": {
            "headline_map50": 0.5,
            "ap50": {"car": 0.5},
            "interval": {"headline_map50": [0.4, 0.6], "ap50": {"car": [0.4, 0.6]}},
            "headline_draws": [0.4, None, 0.6],
            "by_size": {"small": {"targets": 1, "map50": None}},
        }
    },
    "curves": {"recall": [0, 1], "coco": {"car": {"precision": [1, None], "confidence": [0.9, None], "best": None}}},
    "confusion": {"confidence": 0.5, "counts": {"car": {"car": 1, "background": 1}}},
    "calibration": {
        "bins": [{"count": 1, "confidence": 0.5, "precision": None}],
        "error": 0.1,
        "from_confidence": 0.05,
        "error_from": None,
    },
    "errors": {"iou": 0.5, "kinds": {"missed": {"count": 1, "delta_map50": 0.1}}},
}
TRAINING = {
    **{"epochs": 2, "best_epoch": 1, "best_val_map50": 0.5, "stopped_early": False, "freeze": "0-74"},
    **{"train_images": 4, "parameters": 9, "trainable_parameters": 5, "weights_sha256": "0" * 64, "seconds": 1.5},
    **{"device": "cpu", "images": {"camera": 4}, "average": {"u-real": 0.5}, "path": [{"shares": {"a": 0.5}}]},
}
RESULT = {"image_id": "images/000.png", "category_name": "car", "category_id": None, "bbox": [1, 1, 9, 9], "score": 0.5}
IDS = {"images": [{"id": 1, "file_name": "images/000.png", "width": 640}], "categories": [{"id": 1, "name": "car"}]}
CLASSES = ["person", "cycle", "car", "bus", "truck"]


@dataclass(frozen=True)
class Seed:
    """A kind of file."""

    name: str
    make: Callable[[Path], None]
    """Write a whole one."""
    read: Callable[[Path], object]
    """Read it, as a command would."""
    inputs: int = 65
    """How many a round tries: fewer where each takes long."""
    refuses: bool = True
    """Otherwise a broken one is as good as none."""


def _text(content: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)

    return write


def _network(folder: Path) -> Darknet:
    (folder / "small.cfg").write_text(CFG)
    return Darknet(read_cfg(folder / "small.cfg"), ["car", "van"])


def _weights(path: Path) -> None:
    save_weights(_network(path.parent), path, {"arm": "u-real", "seed": "0"})


def _darknet(path: Path) -> None:
    network = _network(path.parent)
    stored = {name: value for name, value in network.state_dict().items() if name.startswith("layers.")}
    values = [value.numel() for value in stored.values() if value.is_floating_point()]
    path.write_bytes(struct.pack("<iiiq", 0, 2, 0, 100) + np.ones(sum(values), "<f4").tobytes())


def _torch(path: Path) -> None:
    tensors = {f"{module}.conv.weight": torch.ones(1, 3, 1, 1) for module in timm_modules().values()}
    tensors |= {f"{module}.bn.{part}": torch.ones(1) for module in timm_modules().values() for part in NORM_PARTS}
    torch.save({"state_dict": tensors}, path)


def _checkpoint(path: Path) -> None:
    at = Reached(epoch=1, step=3, running=EpochSums(batches=1), history=[EPOCH])
    save_checkpoint(path, "key", at, {"network": {"weight": torch.ones(8)}, "best": {}})


def _recording(path: Path) -> None:
    recorded(features(6, 3, 0), features(6, 5, 1)).save(path)


def _grid(path: Path) -> None:
    values = np.random.default_rng(0).random((1, 2, 2))
    grid = xr.Dataset(
        {"value": (("measure", "layer_a", "layer_b"), values), "floor": (("measure", "layer"), values[:, 0])},
        coords={"measure": ["cka_debiased"], "layer_a": [0, 1], "layer_b": [0, 1]},
        attrs={"format": "gapscope similarity 1", "a": "u-real", "b": "u-synthetic"},
    )
    write_dataset(grid, path)


class Tiny(nn.Module):
    """A detector behind the protocol, of two layers."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 1, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(images))

    def detect(self, images: torch.Tensor) -> list[tuple[torch.Tensor, ...]]:
        return [(torch.zeros(0, 4), torch.zeros(0), torch.zeros(0, dtype=torch.int64))] * len(images)

    def blocks(self) -> dict[str, dict[str, list[str]]]:
        return {"backbone": {"stem": ["body"]}, "head": {"head": ["head"]}}


def _tiny() -> Guest:
    return Guest(Tiny(), "own.py:build", ["car"], learns=False)


def _torchvisions(path: Path) -> None:
    save_network(build_guest("fcos_mobilenet_v3_small_fpn", ["car"], 64, width=0.05, learns=False), path, {})


def _read_torchvisions(path: Path) -> None:
    """Without its tensors, whose reading takes a second."""
    about = guest_file(path)
    if about is None:
        raise InputError("not one of gapscope's")
    built_with(path, about)
    with suppress(InputError):
        start_guest(_tiny(), path, keep_head=True)


def _fill(path: Path) -> None:
    fill_guest(_tiny(), path, "it")


def _place(path: Path) -> None:
    """Results of a detector, on three images that are labelled."""
    table = table_of([[("car", 1, 1, 20, 20)], [], [("van", 5, 5, 9, 9)]])
    place_results(coco_results(path), table, ["car", "van"])


def _place_by(path: Path) -> None:
    """The same, whose ids are explained by the file."""
    results = path.parent / "run/results.json"
    results.parent.mkdir(exist_ok=True)
    entry = {"image_id": 1, "category_id": 1, "bbox": [1, 1, 9, 9], "score": 0.5}
    results.write_text(json.dumps([entry]))
    place_results(coco_results(results, [path]), table_of([[("car", 1, 1, 20, 20)]]), ["car"])


def _grafts(path: Path) -> None:
    grafts_of({"stem": 0.06}).save(path)


def _stitches(path: Path) -> None:
    tensor = TensorMatch(3, 0.5, (0.4, 0.6), {"noise": 0.1}, 100, 8)
    one = Change(0.3, -0.1, (-0.2, 0.0))
    StitchResult({"num_layers": 107}, 0.4, 0.4, (tensor,), (CutResult(3, (3,), 0.5, one, {"noise": one}),)).save(path)


def _splits(path: Path) -> None:
    found_splits(table_of([[], [], []], root=path.parent))


def _planned(path: Path) -> None:
    """What is on record of a run's units, and which of them are to be done."""
    run = RunFolder(path.parent / "run/planned")
    _text(SMALLER)(run.config)
    run.records.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, run.record_of("data/camera"))
    study = Study(read_config(run.config), run)
    plan(study, units_of(study))
    stage_times(run)


def _noted(path: Path) -> None:
    run = RunFolder(path.parent / "run")
    (run.root / "experiment.resolved.toml").parent.mkdir(exist_ok=True)
    _text(SMALLER)(run.config)
    shutil.copyfile(path, run.networks)
    try:
        read_run_config(run)
    finally:
        run.networks.unlink()


def _said(path: Path) -> None:
    """The answers of a run, as a terminal shows them."""
    verdict_lines(path.parent)


def _scored(path: Path) -> None:
    run = RunFolder(path.parent / "run/scored")
    place = run.evaluation(RunName("u-real", 0), "camera")
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, place)
    score(run, parse_config(SMALLER), "u-real", 0, "camera")


def _table(path: Path) -> None:
    table_of([[("car", 1, 1, 20, 20)], [], [("van", 5, 5, 9, 9)]]).save(path)


def _detections(path: Path) -> None:
    n = 5
    save_detections(path, Boxes.of(np.arange(n), np.zeros(n), np.ones((n, 4)), np.ones(n)))


def _run_with(name: str) -> Callable[[Path], object]:
    """Read a run folder in which the file has this name."""

    def read(path: Path) -> object:
        root = path.parent / "run"
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        (root / "experiment.resolved.toml").write_text(SMALLER)
        place.write_bytes(path.read_bytes())
        try:
            return read_results(root)
        finally:
            place.unlink()

    return read


def _record(path: Path) -> None:
    RunFolder(path.parent).write_record("x", {"unit": "train/a/seed0", "key": "k", "files": [], "seconds": 1.0})
    RunFolder(path.parent).record_of("x").rename(path)


SEEDS = (
    Seed("study.toml", _text(SMALLER), read_config),
    Seed("network.cfg", _text(CFG), read_cfg),
    Seed("classes.names", _text("car\nvan\nperson\n"), read_names),
    Seed(
        "names/data.yaml",
        _text("nc: 2\nnames: [car, van]\nkpt_shape: [17, 3]\n"),
        lambda p: find_names(p.parent, ["."]),
    ),
    Seed("names2/data.yaml", _text("names:\n  0: car\n  1: 'off'\n"), lambda p: find_names(p.parent, [p.parent])),
    Seed(
        "names3/notes.json",
        _text('{"categories": [{"id": 0, "name": "car"}]}'),
        lambda p: find_names(p.parent, [p.parent]),
    ),
    Seed("list.txt", lambda path: write_list(path, ["a.png", " b\n.png", "ä/c.png"], "# sha256 0"), read_list),
    Seed("files.sha256", _text(f"{'0' * 64}  images/a-1.png\n"), lambda path: list(damaged_in_list(path))),
    Seed("weights.safetensors", _weights, load_weights),
    Seed("network.weights", _darknet, lambda path: load_weights(path, path.parent / "small.cfg")),
    Seed("timm.pth", _torch, read_weights, 10),
    Seed("checkpoint.pt", _checkpoint, lambda path: load_checkpoint(path, "key")),
    Seed("recording.nc", _recording, read_recording, 10),
    Seed("grid.nc", _grid, read_similarity, 10),
    Seed("statistics.nc", _recording, _run_with("recordings/u-real-seed0--camera-32.nc"), 10),
    Seed("annotations.npz", _table, lambda path: AnnotationTable.load(path, path.parent)),
    Seed("a.detections.npz", _detections, lambda path: read_detections(path, np.arange(5), 2)),
    Seed("summary.json", _text(json.dumps(SUMMARY, indent=1)), _run_with("data/camera/summary.json")),
    Seed("evaluation.json", _text(json.dumps(EVALUATION)), _run_with("evaluation/u-real-seed0--camera.json")),
    Seed("scored.json", _text(json.dumps(EVALUATION)), _scored),
    Seed("training.json", _text(json.dumps(TRAINING)), _run_with("arms/u-real/seed0/summary.json")),
    Seed("epochs.jsonl", _text(json.dumps(EPOCH) + "\n"), _run_with("arms/u-real/seed0/metrics.jsonl")),
    Seed("environment.json", _text('{"device": "cpu", "libraries": {"torch": "2"}}'), _run_with("environment.json")),
    Seed("networks.json", lambda path: write_json(path, {"u-real": yolov3_map().as_json()}), _noted),
    Seed("verdict.json", _text('{"answers": [{"key": "gap", "text": "A gap."}]}'), _said),
    Seed("grafts.json", _grafts, read_grafts),
    Seed("stitches.json", _stitches, read_stitches),
    Seed("results.json", _text(json.dumps([RESULT, RESULT])), _place),
    Seed("ids.json", _text(json.dumps(IDS)), _place_by),
    Seed("guest.safetensors", _torchvisions, _read_torchvisions, 20),
    Seed(
        "foreign.pt", lambda path: torch.save(Tiny().state_dict(), path), lambda path: fill_guest(_tiny(), path, "it")
    ),
    Seed(
        "foreign.safetensors",
        lambda path: save_file(Tiny().state_dict(), path),
        lambda path: fill_guest(_tiny(), path, "it"),
    ),
    Seed("splits/data.yaml", _text("path: .\ntrain: images\nval: [a.txt, b]\n"), _splits),
    Seed(
        "source-files.jsonl",
        _text('["a.png", 12, 1700000000]\n'),
        lambda path: changed_files(path, path.parent),
        refuses=False,
    ),
    Seed(
        "probe.txt",
        lambda path: write_list(path, ["a.png", "b.png"], HASH_LINE + hash_names(["a.png", "b.png"])),
        read_probe,
    ),
    Seed("planned.json", _record, _planned),
    Seed("metrics.jsonl", _text(json.dumps(EPOCH) + "\n"), read_epochs),
    Seed("record.json", _record, lambda path: RunFolder(path.parent).read_record("x", path)),
)

VALUES = (None, True, -1, 0, 1.5, 1e308, 10**30, 10**5000, "", "x", "\0\x1b[2J", [], {}, [[]], [1, 2], {"x": 1})
TOKENS = (
    b"",
    b"nan",
    b"-1",
    b"1e999",
    b"9" * 5000,
    b"[" * 5000,
    b"{" * 2000,
    b"\0",
    b'"',
    b"\xff\xfe",
    b"=",
    b"\x1b[2J",
)


def damaged(content: bytes, name: str, chance: random.Random) -> bytes:
    """A file made otherwise: somewhere in its bytes, or in its values and whole again."""
    inner = {".json": other_json, ".jsonl": other_json, ".safetensors": other_header, ".npz": other_entry}
    inner |= {".pt": other_entry, ".pth": other_entry, ".nc": other_netcdf}
    way = inner.get(Path(name).suffix)
    if way is not None and chance.random() < 0.6:
        try:
            return way(content, chance)
        except (ValueError, OSError, KeyError, RuntimeError, zipfile.BadZipFile):  # it cannot be put together again
            pass
    return other_bytes(content, chance)


def other_bytes(content: bytes, chance: random.Random) -> bytes:
    """Bits flipped, bytes taken away, doubled, or replaced by what parsers get wrong."""
    changed = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 5))):
        at = chance.randrange(len(changed) + 1)
        until = min(len(changed), at + chance.choice((1, 4, 40)))
        match chance.randrange(5):
            case 0 if at < len(changed):
                changed[at] ^= 1 << chance.randrange(8)
            case 1:
                del changed[at:until]
            case 2:
                changed[at:at] = changed[at:until]
            case 3:
                changed[at:until] = chance.choice(TOKENS)
            case _:
                del changed[at : len(changed) if chance.random() < 0.2 else until]
    return bytes(changed)


def _other_value(value: object, chance: random.Random) -> object:
    """Nested JSON with one value replaced or taken away."""
    places: list[tuple[dict | list, object]] = []

    def gather(inner: object) -> None:
        items = inner.items() if isinstance(inner, dict) else enumerate(inner) if isinstance(inner, list) else ()
        for key, one in items:
            places.append((inner, key))  # type: ignore[arg-type]
            gather(one)

    gather(value)
    if not places:
        return chance.choice(VALUES)
    container, key = chance.choice(places)
    if chance.random() < 0.3:
        del container[key]  # type: ignore[arg-type]
    else:
        container[key] = chance.choice(VALUES)  # type: ignore[index]
    return value


def _dumped(value: object) -> str:
    import sys

    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        return json.dumps(value)
    finally:
        sys.set_int_max_str_digits(before)


def other_json(content: bytes, chance: random.Random) -> bytes:
    return (_dumped(_other_value(json.loads(content), chance)) + "\n").encode()


def other_header(content: bytes, chance: random.Random) -> bytes:
    """A safetensors file whose header, or the text about the network in it, says something else."""
    (size,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + size])
    if chance.random() < 0.8:
        about = _other_value(json.loads(header["__metadata__"]["gapscope"]), chance)
        header["__metadata__"]["gapscope"] = _dumped(about)
    else:
        header = _other_value(header, chance)
    text = _dumped(header).encode()
    return struct.pack("<Q", len(text)) + text + content[8 + size :]


def other_entry(content: bytes, chance: random.Random) -> bytes:
    """An archive with right checksums in which one file is another one."""
    found = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(found, "w") as new:
        names = old.namelist()
        chosen = chance.choice(names)
        for name in names:
            inner = old.read(name)
            if name == chosen and chance.random() < 0.1:
                continue
            new.writestr(name, other_bytes(inner, chance) if name == chosen else inner)
    return found.getvalue()


def other_netcdf(content: bytes, chance: random.Random) -> bytes:
    """HDF5 in which an attribute or a variable is another one."""
    found = io.BytesIO(content)
    with h5py.File(found, "r+") as file:
        name = chance.choice([*file])
        owner = chance.choice([file, file[name]])
        match chance.randrange(4):
            case 0 if len(owner.attrs):
                del owner.attrs[chance.choice([*owner.attrs])]
            case 1 if len(owner.attrs):
                value = chance.choice(["", "x", 3, -1.5, np.arange(3), np.bytes_(b"\xff"), h5py.Empty("f")])
                owner.attrs[chance.choice([*owner.attrs])] = value
            case 2:
                del file[name]
            case _:
                shape = chance.choice([(), (0,), (3,), (2, 6, 6), (10**6,)])
                kind = chance.choice(["f4", "i8", "S3", "?", h5py.string_dtype()])
                del file[name]
                file.create_dataset(name, shape=shape, dtype=kind)
    return found.getvalue()
