"""Files made to harm are refused in one sentence: they read no other file, take no memory or time, write nothing."""

import json
import os
import re
import signal
import socket
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from miniature import SMALLER
from PIL import Image
from seeds import CFG, _network
from small_data import noise, table_of
from small_recordings import features, recorded

import gapscope
from gapscope.data.images import MAX_PIXELS, read_pixels, read_size
from gapscope.data.readers import json_stream
from gapscope.data.readers.detect import read_annotations
from gapscope.data.readers.json_stream import JsonFile
from gapscope.data.splits import read_list
from gapscope.data.table import AnnotationTable
from gapscope.detector.cfg_plan import read_cfg
from gapscope.detector.class_names import check_names, read_names
from gapscope.detector.timm_weights import read_torch_tensors
from gapscope.detector.weights import METADATA_KEY, load_weights, save_weights
from gapscope.errors import InputError
from gapscope.experiment_file import parse_config, read_config
from gapscope.files import parse_json
from gapscope.findings.result_tables import ResultTable
from gapscope.findings.run_reader import read_results
from gapscope.paper.table_files import frame_csv, to_markdown
from gapscope.recording.recording import read_recording
from gapscope.run_folder import RunFolder
from gapscope.study.domains import domain_root
from gapscope.training.checkpoint import load_checkpoint
from gapscope.training.metrics import read_epochs
from gapscope.watching.watch import HERE, make_server

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def ends_in_time() -> Iterator[None]:
    def too_long(number: int, frame: object) -> None:
        raise TimeoutError("still reading after a minute")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "recording.nc"
    recorded(features(6, 3, 0), features(6, 5, 1)).save(path)
    return path


def stored_outside(path: Path, secret: Path) -> None:
    with h5py.File(path, "r+") as file:
        shape = file["mean"].shape
        del file["mean"]
        file.create_dataset("mean", shape=shape, dtype="f8", external=[(str(secret), 0, h5py.h5f.UNLIMITED)])


def linked_outside(path: Path, secret: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["mean"]
        file["mean"] = h5py.ExternalLink(str(secret), "mean")


def linked_inside(path: Path, secret: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["mean"]
        file["mean"] = h5py.SoftLink("/std")


def viewed_outside(path: Path, secret: Path) -> None:
    with h5py.File(path, "r+") as file:
        shape = file["mean"].shape
        del file["mean"]
        layout = h5py.VirtualLayout(shape=shape, dtype="f8")
        layout[:] = h5py.VirtualSource(str(secret), "mean", shape=shape)
        file.create_virtual_dataset("mean", layout)


def claiming(path: Path, secret: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["mean"]
        file.create_dataset("mean", shape=(3 * 10**9,), dtype="f8", chunks=(10**6,), compression="gzip")


def grouped(path: Path, secret: Path) -> None:
    with h5py.File(path, "r+") as file:
        file.create_group("more")


HDF5 = {
    stored_outside: "the values of 'mean' lie in another file",
    linked_outside: "'mean' is a link, which could lead into any file of this machine",
    linked_inside: "'mean' is a link",
    viewed_outside: "the values of 'mean' lie in another file",
    claiming: "it claims 24,000,000,",
    grouped: "'more' is a group, and only variables are expected",
}


@pytest.mark.parametrize("change", HDF5, ids=lambda change: change.__name__)
def test_values_of_a_recording_lie_in_it_and_nowhere_else(tmp_path, recording, change):
    secret = tmp_path / "secret.nc"
    recorded(features(6, 3, 5), features(6, 5, 6)).save(secret)
    change(recording, secret)
    with pytest.raises(InputError, match=HDF5[change]):
        read_recording(recording)
    run = tmp_path / "run"
    place = run / "recordings/u-real-seed0--camera-32.nc"
    place.parent.mkdir(parents=True)
    recording.rename(place)
    (run / "experiment.resolved.toml").write_text(SMALLER)
    with pytest.raises(InputError, match=HDF5[change]):
        read_results(run)


def fifo_folder(kind: str, root: Path) -> Callable[[], object]:
    """A data set or file in which what is read is a pipe."""
    noise(root / "images/a.png", (64, 64), seed=0)
    (root / "labels").mkdir()
    (root / "labels/a.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    (root / "classes.txt").write_text("car\n")
    place, read = {
        "image": (root / "images/b.png", lambda: read_size(root / "images/b.png")),
        "pixels": (root / "images/b.png", lambda: read_pixels(root / "images/b.png")),
        "label": (root / "labels/a.txt", lambda: read_annotations(root, "yolo")),
        "names": (root / "classes.txt", lambda: read_annotations(root, "yolo")),
        "json": (root / "all.json", lambda: JsonFile(root / "all.json").content),
        "list": (root / "list.txt", lambda: read_list(root / "list.txt")),
        "toml": (root / "study.toml", lambda: read_config(root / "study.toml")),
        "cfg": (root / "a.cfg", lambda: read_cfg(root / "a.cfg")),
        "class names": (root / "a.names", lambda: read_names(root / "a.names")),
        "weights": (root / "a.weights", lambda: load_weights(root / "a.weights")),
        "recording": (root / "a.nc", lambda: read_recording(root / "a.nc")),
        "table": (root / "a.npz", lambda: AnnotationTable.load(root / "a.npz", root)),
    }[kind]
    place.unlink(missing_ok=True)
    os.mkfifo(place)
    return read


FIFOS = [
    "image",
    "pixels",
    "label",
    "names",
    "json",
    "list",
    "toml",
    "cfg",
    "class names",
    "weights",
    "recording",
    "table",
]


@pytest.mark.parametrize("kind", FIFOS)
def test_a_pipe_in_the_place_of_a_file_is_refused_and_not_waited_for(tmp_path, kind):
    with pytest.raises(InputError):
        fifo_folder(kind, tmp_path)()


def test_a_device_in_the_place_of_an_image_is_refused(tmp_path):
    (tmp_path / "a.png").symlink_to("/dev/zero")
    with pytest.raises(InputError, match="pipe or a device"):
        read_size(tmp_path / "a.png")


@pytest.mark.parametrize("kind", ["png", "jpg", "webp"])
def test_an_image_that_would_take_gigabytes_is_refused_by_its_header(tmp_path, monkeypatch, kind):
    path = tmp_path / f"a.{kind}"
    Image.new("RGB", (200, 100)).save(path)
    assert read_pixels(path).shape == (3, 100, 200)
    monkeypatch.setattr("gapscope.data.images.MAX_PIXELS", 10_000)
    for read in (read_size, read_pixels):
        with pytest.raises(InputError, match="claims 200 x 100 pixels"):
            read(path)
    assert MAX_PIXELS * 12 < 2 * 2**30  # what Pillow and two copies take of an image, bytes a pixel


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "1", "I;16"])
def test_pixels_that_are_converted_in_parts_are_those_of_the_whole(tmp_path, monkeypatch, mode):
    values = np.random.default_rng(0).integers(0, 256, (50, 7, 3), np.uint8)
    image = Image.fromarray(values[..., 0].astype(np.uint16) * 256) if mode == "I;16" else Image.fromarray(values)
    image = image if mode == "I;16" else image.convert(mode)
    image.save(tmp_path / "a.png")
    whole = read_pixels(tmp_path / "a.png")
    monkeypatch.setattr("gapscope.data.images._ROWS", 16)
    assert torch.equal(read_pixels(tmp_path / "a.png"), whole)
    if mode in ("RGB", "L", "P"):
        assert np.array_equal(whole.permute(1, 2, 0).numpy(), np.asarray(image.convert("RGB")))


def test_a_text_without_end_in_a_large_json_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(json_stream, "WHOLE", 100)
    monkeypatch.setattr(json_stream, "LONGEST_TEXT", 200_000)
    path, escaped = tmp_path / "long.json", tmp_path / "escaped.json"
    path.write_text(json.dumps(["a" * 190_000, "b"]))
    assert [len(entry) for entry in JsonFile(path).entries()] == [190_000, 1]
    path.write_text(json.dumps(["a" * 400_000]))
    escaped.write_text(json.dumps(['"' * 400_000]))
    for each in (path, escaped):
        with pytest.raises(InputError, match="it holds a text of more than"):
            list(JsonFile(each).entries())


NESTED_YAML = {
    "brackets": "names: " + "[" * 5000,
    "braces": "names: " + "{a: " * 5000,
    "dashes": "names:\n " + "- " * 5000 + "a",
    "large": "names: [" + "car, " * 500_000 + "]",
}


@pytest.mark.parametrize("kind", NESTED_YAML)
def test_yaml_whose_parsing_has_no_end_is_refused(tmp_path, kind):
    noise(tmp_path / "images/a.png", (64, 64), seed=0)
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/a.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    (tmp_path / "data.yaml").write_text(NESTED_YAML[kind])
    with pytest.raises(
        InputError, match=r"data\.yaml cannot be read as YAML: it (is nested more than|has [\d,]+ letters)"
    ):
        read_annotations(tmp_path, "yolo")


DIGITS = "9" * 5000
MANY = "9" * 900
WIDE = "[convolutional]\nfilters=900000\nsize=1\nactivation=linear\n"
CFGS = {
    "a line without end": (CFG.replace("filters=8", f"filters={DIGITS}"), "is longer than any line of a .cfg"),
    "digits": (CFG.replace("filters=8", f"filters={MANY}"), "filters=9+ - expected 1 to 1,000,000"),
    "backwards": (CFG.replace("layers=-1", f"layers=-{MANY}"), "layers=-9+ - "),
    "weights": (
        CFG.replace("filters=8", "filters=900000").replace("[maxpool]", f"{WIDE}[maxpool]"),
        "weights - expected at most",
    ),
}


@pytest.mark.parametrize("kind", CFGS)
def test_a_cfg_of_no_possible_network_is_refused(tmp_path, kind):
    text, says = CFGS[kind]
    (tmp_path / "a.cfg").write_text(text)
    with pytest.raises(InputError, match=says):
        read_cfg(tmp_path / "a.cfg")


def test_routes_that_double_are_refused_before_they_fill_the_memory(tmp_path):
    doubling = "[convolutional]\nfilters=8\nactivation=linear\n" + "[route]\nlayers=-1,-1\n" * 40
    (tmp_path / "a.cfg").write_text("[net]\nwidth=64\nheight=64\n" + doubling)
    with pytest.raises(InputError, match="it would have 1,048,576 channels to read"):
        read_cfg(tmp_path / "a.cfg")


def test_a_cfg_inside_a_weights_file_that_fits_nothing_in_it_is_refused(tmp_path):
    import struct

    path = tmp_path / "a.safetensors"
    save_weights(_network(tmp_path), path, {})
    content = path.read_bytes()
    (size,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + size])
    about = json.loads(header["__metadata__"][METADATA_KEY])
    about["cfg"] = about["cfg"].replace("filters=8", "filters=100000")
    header["__metadata__"][METADATA_KEY] = json.dumps(about)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + size :])
    with pytest.raises(InputError, match=r"its layers have 4,500,014 values, but it holds 374"):
        load_weights(path)


@pytest.mark.parametrize("text", ["a = " + "[" * 5000, f"name = {DIGITS}", "a" + ".b" * 3000 + " = 1"])
def test_toml_that_no_parser_takes_is_refused(text):
    with pytest.raises(InputError, match=r"is not valid TOML: (it is nested too deeply|Exceeds the limit)"):
        parse_config(text, "study.toml")


def deflated(path: Path, names: list[str]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, bytes(50_000_000))


def test_json_that_is_nested_without_end_is_no_json_and_nothing_else_reads_it():
    with pytest.raises(ValueError, match="it is nested too deeply"):
        parse_json("[" * 100_000)
    package = Path(gapscope.__file__).parent
    readers = [path for path in package.rglob("*.py") if re.search(r"\bjson\.loads?\(", path.read_text("utf-8"))]
    assert readers == [package / "files.py"]


def test_archives_that_unpack_to_far_more_than_their_size_are_refused(tmp_path):
    deflated(tmp_path / "a.npz", ["paths.npy"])
    deflated(tmp_path / "a.pt", ["archive/data.pkl"])
    with pytest.raises(InputError, match="it would unpack to 50,000,000 bytes, 100 times its size and more"):
        AnnotationTable.load(tmp_path / "a.npz", tmp_path)
    with pytest.raises(InputError, match="is broken or holds objects besides tensors"):
        read_torch_tensors(tmp_path / "a.pt")
    with pytest.raises(InputError, match="is no checkpoint that can be read"):
        load_checkpoint(tmp_path / "a.pt", "key")


def test_a_tensor_that_repeats_one_value_without_end_is_refused(tmp_path):
    torch.save({"weight": torch.zeros(1).expand(10**12)}, tmp_path / "a.pt")
    with pytest.raises(InputError, match="holds tensors of 4,000,000,000,000 bytes, which a file of its size cannot"):
        read_torch_tensors(tmp_path / "a.pt")


@pytest.mark.parametrize("path", ["../../secret.png", "/etc/secret.png", "a/../../b.png", "C:/secret.png"])
def test_a_table_names_images_below_its_root_only(tmp_path, path):
    table_of([[]], root=tmp_path, paths=[path]).save(tmp_path / "annotations.npz")
    with pytest.raises(InputError, match=r"does not lie in its domain's folder"):
        AnnotationTable.load(tmp_path / "annotations.npz", tmp_path)


@pytest.mark.parametrize(
    "name", ["tables", "recordings/u-real-seed0--camera-32.nc", "data/camera/images/a.png", ".lock"]
)
def test_a_run_folder_with_a_link_is_neither_read_nor_written(tmp_path, name):
    run, secret = tmp_path / "run", tmp_path / "secret"
    secret.write_text("theirs")
    (run / name).parent.mkdir(parents=True)
    (run / name).symlink_to(secret)
    (run / "experiment.resolved.toml").write_text(SMALLER)
    with pytest.raises(InputError, match="is a link, and a run folder holds its files itself"):
        read_results(run)
    assert secret.read_text() == "theirs"


def test_a_lock_that_is_a_link_is_not_followed(tmp_path):
    (tmp_path / "secret").write_text("theirs")
    (tmp_path / ".lock").symlink_to(tmp_path / "secret")
    with pytest.raises(OSError), RunFolder(tmp_path).locked():
        pass
    assert (tmp_path / "secret").read_text() == "theirs"


@pytest.mark.parametrize("root", ["/", "/proc", "/dev/shm", "/tmp/.."])
def test_a_root_that_holds_the_machine_is_refused(tmp_path, root):
    domain = read_config_of(root)
    with pytest.raises(InputError, match="which holds the machine and no data set"):
        domain_root("camera", domain, RunFolder(tmp_path), None)


def read_config_of(root: str):
    experiment = parse_config(
        SMALLER.replace('generate = { style = "camera", images = 32, size = 64, seed = 1 }', f'root = "{root}"')
    )
    return experiment.domains["camera"]


ESCAPE = "car\x1b]0;owned\x07"


@pytest.mark.parametrize("place", ['title = "{}"', 'note = "{}"'])
def test_a_text_that_a_terminal_would_obey_is_refused_in_settings(place):
    text = SMALLER.replace('name = "smaller"', 'name = "smaller"\n' + place.format("\\u001b]0;owned\\u0007"))
    with pytest.raises(InputError, match="holds characters that a terminal obeys and does not show") as told:
        parse_config(text, "study.toml")
    assert "\x1b" not in str(told.value)


def test_a_class_name_that_a_terminal_would_obey_is_refused():
    with pytest.raises(InputError, match=r"class car\\x1b\]0;owned\\x07 holds characters that a terminal obeys"):
        check_names(["van", ESCAPE])
    with pytest.raises(InputError, match="holds characters that a terminal obeys"):
        table_of([[]], class_names=[ESCAPE])


def test_no_cell_of_a_csv_file_is_a_formula():
    frame = pd.DataFrame(
        {"arm": ['=HYPERLINK("http://x")', "+1+1", "@x", "-0.25", "u-real"], "=gap": [-1.5, 2.0, 0, 1, 2]}
    )
    lines = frame_csv(frame).splitlines()
    assert lines[0] == "arm,'=gap"
    assert lines[1].startswith("\"'=HYPERLINK") and lines[2].startswith("'+1+1") and lines[3].startswith("'@x")
    assert lines[4] == "-0.25,1.0" and lines[1].endswith(",-1.5")


def test_no_title_becomes_a_picture_or_a_link_in_markdown():
    numbers = pd.DataFrame({"a": [1]})
    table = ResultTable(
        1, "![x](http://there)", (("", "arm"), ("", "gap")), (("[a](http://x)", "[0.1, 0.2]"),), numbers
    )
    text = to_markdown(table)
    assert "](" not in text and "[0.1, 0.2]" in text


class View:
    """Answers for the live view."""

    def page(self) -> str:
        return "page"

    def report(self) -> str:
        return "report"

    def state(self, seen: str = "") -> dict[str, str]:
        return {}


def asked(port: int, text: bytes) -> bytes:
    with socket.create_connection((HERE, port), timeout=50) as connection:
        connection.sendall(text)
        return connection.recv(1000)


def test_the_server_answers_what_is_no_address_and_a_hundred_at_once(capfd):
    with make_server(View(), 0) as server:  # type: ignore[arg-type]
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        port, host = server.server_port, f"Host: {HERE}:{server.server_port}\r\n\r\n".encode()
        assert b" 400 " in asked(port, b"GET http://[::1 HTTP/1.1\r\n" + host)
        found: list[bytes] = []
        asking = [
            threading.Thread(target=lambda: found.append(asked(port, b"GET / HTTP/1.1\r\n" + host))) for _ in range(100)
        ]
        for one in asking:
            one.start()
        for one in asking:
            one.join()
        server.shutdown()
    assert len(found) == 100 and all(b" 200 " in answer for answer in found)
    assert "Traceback" not in capfd.readouterr().err


def test_a_text_of_numbers_that_are_no_letters_is_refused(tmp_path):
    path = tmp_path / "annotations.npz"
    table_of([[("car", 1, 1, 20, 20)]]).save(path)
    columns = dict(np.load(path))
    columns["class_names"].view(np.uint32)[0] = 2**31 - 1
    np.savez(path, **columns)
    with pytest.raises(InputError, match="class_names holds what is no letter"):
        AnnotationTable.load(path, tmp_path)


@pytest.mark.parametrize("name", ["metrics.jsonl", "record.json"])
def test_json_of_a_run_that_is_nested_without_end_is_refused(tmp_path, name):
    (tmp_path / name).write_text("[" * 100_000)
    with pytest.raises(InputError, match="cannot be read"):
        read_epochs(tmp_path / name) if name == "metrics.jsonl" else RunFolder(tmp_path).read_record(
            "x", tmp_path / name
        )
