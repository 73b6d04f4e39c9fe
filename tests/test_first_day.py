"""What a newcomer meets on the first day: help, messages, names and paths, each fault mended for its whole kind."""

import inspect
import re
from pathlib import Path

import pytest
import torch
from command import gapscope
from small_data import coco_folder, noise, table_of, write_coco
from small_recordings import features, recorded
from torch import nn

import gapscope as toolkit
from gapscope.cli import app
from gapscope.data.readers.detect import read_annotations
from gapscope.data.sheet import choose_images
from gapscope.detector.decode import Detections
from gapscope.detector.weights import read_weights
from gapscope.errors import InputError
from gapscope.evaluation.labelled import labelled_folder
from gapscope.experiment_file import parse_config, read_config
from gapscope.recording.recording import Recording
from gapscope.run_folder import RunFolder
from gapscope.similarity.summary import best_matches, depth_order, in_sentences
from gapscope.study.domains import domain_root
from gapscope.study.run import write_settings
from gapscope.study.study import Study
from gapscope.words import number_of

GAPSCOPE = Path(toolkit.__file__).parent


def commands(group, path=()):
    for command in group.registered_commands:
        name = command.name or command.callback.__name__
        yield (*path, name), command.callback
    for inner in group.registered_groups:
        yield from commands(inner.typer_instance, (*path, inner.name))


ALL_COMMANDS = dict(commands(app))


@pytest.mark.parametrize("path", ALL_COMMANDS, ids=" ".join)
def test_help_shows_every_word_of_the_docstring_and_of_every_option(path, monkeypatch):
    """Square brackets are markup to what prints the help, and would be gone."""
    monkeypatch.setenv("COLUMNS", "300")
    done = gapscope(*path, "--help")
    assert done.returncode == 0
    shown = re.sub(r"[\s│]+", "", done.stdout)
    said = [inspect.getdoc(ALL_COMMANDS[path])]
    for parameter in inspect.signature(ALL_COMMANDS[path]).parameters.values():
        said += [one.help for one in getattr(parameter.annotation, "__metadata__", ()) if getattr(one, "help", None)]
    for text in said:
        assert re.sub(r"\s+", "", text) in shown, text


def test_no_message_points_to_a_file_that_only_the_repository_has():
    pointing = re.compile(r"(?<!/)\b(docs/[\w-]+\.md|README\.md|configs/)")
    found = []
    for path in GAPSCOPE.rglob("*.py"):
        inside = inspect.cleandoc(path.read_text(encoding="utf-8"))
        for number, line in enumerate(re.sub(r'""".*?"""', blanked, inside, flags=re.S).splitlines(), start=1):
            if pointing.search(line):
                found.append(f"{path.name}:{number} {line.strip()}")
    examples = [line for line in found if "An experiment file, such as configs/" in line]
    assert found == examples


def blanked(match):
    return "\n" * match[0].count("\n")


def test_colour_codes_of_a_library_are_no_part_of_a_message():
    assert str(InputError("a \x1b[1mbold\x1b[0m word")) == "a bold word"


@pytest.mark.parametrize("content", ["module", "tensors", "list"])
@pytest.mark.parametrize("suffix", [".pt", ".pth"])
def test_a_foreign_pytorch_file_gets_one_sentence_that_says_what_can_be_done(tmp_path, content, suffix):
    layer = nn.Linear(2, 2)
    torch.save({"module": layer, "tensors": layer.state_dict(), "list": [1]}[content], tmp_path / f"own{suffix}")
    with pytest.raises(InputError) as refusal:
        read_weights(tmp_path / f"own{suffix}")
    message = str(refusal.value)
    assert message.endswith("gapscope evaluate results.json --data FOLDER.")
    assert "\x1b" not in message and "\n" not in message and message.count(". ") == 0


def test_numbers_of_things_have_their_noun():
    assert [number_of(n, "problem") for n in (0, 1, 2)] == ["0 problems", "1 problem", "2 problems"]


def test_one_problem_is_no_problems(tmp_path):
    content = coco_folder(tmp_path / "set", num_images=2)
    content["annotations"][0]["bbox"] = [0, 0, -1, 5]
    write_coco(tmp_path / "set", content)
    done = gapscope("data", "check", tmp_path / "set")
    assert ": 1 problem; usable: 2 images" in done.stderr


def public_paths():
    """(name, parameter) of everything that `gapscope` offers and that takes a path."""
    for name in toolkit.__all__:
        function = getattr(toolkit, name)
        if inspect.isfunction(function):
            for parameter in inspect.signature(function).parameters.values():
                if "Path" in str(parameter.annotation):
                    yield name, parameter.name, str(parameter.annotation)


def test_whatever_takes_a_path_takes_its_text():
    taking = list(public_paths())
    assert {name for name, _, _ in taking} >= {"read_annotations", "read_config", "run", "read_grafts", "load_weights"}
    assert [one for one in taking if "str" not in one[2]] == []


def test_data_and_settings_are_read_by_the_text_of_their_path(tmp_path):
    write_coco(tmp_path / "set", coco_folder(tmp_path / "set"))
    assert len(read_annotations(str(tmp_path / "set"), cache=str(tmp_path / "kept"))) == 3
    text = (GAPSCOPE / "study/demo.toml").read_text(encoding="utf-8")
    (tmp_path / "study.toml").write_text(text, encoding="utf-8")
    assert read_config(str(tmp_path / "study.toml")) == parse_config(text)
    table = read_annotations(tmp_path / "set")
    table.save(str(tmp_path / "table.npz"))
    assert len(type(table).load(str(tmp_path / "table.npz"), str(tmp_path / "set"))) == 3


def test_what_is_printed_in_a_notebook_is_short_however_much_it_holds():
    names = tuple(f"class-{i}" for i in range(300))
    many = table_of([[(name, 1, 1, 9, 9)] for name in names], class_names=names)
    network = toolkit.darknet("yolov3-tiny", ["car"])
    boxes = Detections(torch.rand(300, 4), torch.linspace(1, 0, 300), torch.zeros(300, dtype=torch.int64))
    shown = [many, network, network.plan, boxes, [boxes] * 8]
    for one in shown:
        assert len(repr(one)) < 1000, type(one)
    assert "class-0 1, class-1 1" in repr(many) and "and 292 more" in repr(many)
    assert repr(network) == "<yolov3-tiny: 24 layers, classes car>"
    assert repr(boxes) == "<300 detections, confidence 0.000 to 1.000>"


@pytest.mark.parametrize(
    ("folder", "asked"), [("valid", "val"), ("val", "valid"), ("training", "train"), ("dev", "val")]
)
def test_a_split_is_found_under_any_of_its_names(folder, asked):
    table = table_of([[], []], paths=[f"{folder}/a.png", "other/b.png"])
    assert choose_images(table, 5, folder=asked).tolist() == [0]


def test_a_folder_of_that_very_name_wins():
    table = table_of([[], []], paths=["val/a.png", "valid/b.png"])
    assert choose_images(table, 5, folder="valid").tolist() == [1]
    with pytest.raises(InputError, match="'test' in its path"):
        choose_images(table, 5, folder="test")


def test_names_that_cannot_name_a_file_are_told_in_words_and_with_one_that_can():
    text = (GAPSCOPE / "study/demo.toml").read_text(encoding="utf-8")
    text = re.sub(r"^name = .*$", 'name = "my study"', text, count=1, flags=re.M)
    with pytest.raises(InputError, match=r"the name 'my study' - expected letters and digits.* Call it 'my-study'"):
        parse_config(text)
    with pytest.raises(InputError, match=r"\[arms\]: the arm 'u real' - expected letters .* Call it 'u-real'"):
        parse_config(text.replace("my study", "demo") + '\n[arms."u real"]\ndomains = ["real"]\n')


@pytest.mark.parametrize("freeze", ["0-106", "0-105"])
def test_a_freeze_that_leaves_nothing_to_learn_is_told_with_the_other_mistakes_of_the_file(freeze):
    text = (GAPSCOPE / "study/demo.toml").read_text(encoding="utf-8")
    frozen = text.replace('freeze = "0-74"', f'freeze = "{freeze}"')
    assert frozen != text
    with pytest.raises(InputError, match=f"freeze: '{freeze}' leaves no layer that learns. Freeze fewer"):
        parse_config(frozen)
    parse_config(text.replace('freeze = "0-74"', 'freeze = "0-104"'))


def test_relative_roots_start_where_they_did_when_the_study_last_ran(tmp_path, monkeypatch):
    monkeypatch.delenv("GAPSCOPE_DATA", raising=False)
    (tmp_path / "data/photos").mkdir(parents=True)
    folder = RunFolder(tmp_path / "run")
    text = (GAPSCOPE / "study/demo.toml").read_text(encoding="utf-8")
    real = parse_config(text).domains["camera"].model_copy(update={"root": "photos", "generate": None})
    with pytest.raises(InputError, match="none was given"):
        domain_root("real", real, folder, None)
    folder.data_root.parent.mkdir()
    folder.data_root.write_text(f"{tmp_path / 'data'}\n")
    assert domain_root("real", real, folder, None) == tmp_path / "data/photos"
    (tmp_path / "other/photos").mkdir(parents=True)
    assert domain_root("real", real, folder, tmp_path / "other") == tmp_path / "other/photos"  # what is said wins


@pytest.mark.parametrize(("root", "noted"), [("photos", True), ("/photos", False)])
def test_a_run_notes_its_data_root_where_a_domain_starts_at_it(tmp_path, monkeypatch, root, noted):
    monkeypatch.delenv("GAPSCOPE_DATA", raising=False)
    chosen = parse_config((GAPSCOPE / "study/demo.toml").read_text(encoding="utf-8"))
    real = chosen.domains["camera"].model_copy(update={"root": root, "generate": None})
    folder = RunFolder(tmp_path / "run")
    folder.root.mkdir()
    folder.environment.write_text("{}")
    study = Study(chosen.model_copy(update={"domains": chosen.domains | {"camera": real}}), folder, tmp_path / "data")
    write_settings(study, None)
    assert folder.data_root.is_file() == noted
    if noted:
        assert folder.data_root.read_text() == f"{tmp_path / 'data'}\n"


def test_a_recording_has_the_name_that_it_was_given():
    one = recorded(features(6, 3, 0))
    assert Recording.name.fget(one) == "u-real-seed0"
    assert recorded(features(6, 3, 0), provenance={"model": "DetectionModel", "name": "our yolo"}).name == "our yolo"


def test_networks_with_other_layers_are_summed_up_by_the_best_match_of_each_layer():
    x, y, z = (features(30, 4, seed) for seed in range(3))
    a = recorded(x, y)
    b = recorded(z, x, y)
    grid = toolkit.compare(a, b, measures=["cka_debiased"], permutations=0, bootstraps=0)
    matches = best_matches(grid)
    assert [(one.layer_a, one.layer_b) for one in matches] == [(0, 1), (1, 2)]
    assert [one.value for one in matches] == pytest.approx([1, 1])
    said = "\n".join(in_sentences(grid, ["cka_debiased"]))
    assert "each layer of a with its best match in b: mean 1.0000 over 2 layers" in said
    assert "0 with 1 (1.000)" in said and "--permutations 100 says" in said
    three = toolkit.compare(
        recorded(x, y, z), recorded(x, y, z, x), measures=["procrustes"], permutations=0, bootstraps=0
    )
    assert depth_order(three, best_matches(three, "procrustes")) == pytest.approx(1)


class Conv(nn.Module):
    act = nn.SiLU()

    def __init__(self, c_in, c_out):
        super().__init__()
        self.conv, self.act = nn.Conv2d(c_in, c_out, 3, padding=1), Conv.act

    def forward(self, x):
        return self.act(self.conv(x))


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.relu = Conv(4, 4), Conv(4, 4), nn.ReLU()

    def forward(self, x):
        return self.relu(self.relu(self.b(self.a(x))) + x)


@pytest.mark.parametrize("method", ["graph", "hooks"])
def test_a_shared_activation_is_named_after_where_it_is_called(method):
    model = nn.Sequential(Conv(3, 4), Residual(), Conv(4, 4))
    images = torch.randint(0, 255, (4, 3, 32, 32), dtype=torch.uint8)
    recording = toolkit.record(model, images, size=32, method=method)
    assert recording.layers.tolist() == [
        *("0.conv", "0.act", "1.a.conv", "1.a.act", "1.b.conv", "1.b.act", "1.relu#0", "1.relu#1", "2.conv", "2.act")
    ]
    assert toolkit.record(model, images, size=32, layers="1.*.act").layers.tolist() == ["1.a.act", "1.b.act"]


def test_labels_without_names_are_scored_with_names_that_are_given(tmp_path):
    noise(tmp_path / "images/a.png")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/a.txt").write_text("1 0.5 0.5 0.2 0.2\n")
    table = labelled_folder(tmp_path, ["van", "car"], names=["car", "van"])
    assert table.counts() == {"van": 1, "car": 0}
    assert not (tmp_path / "labels/classes.txt").exists()


def test_a_label_map_by_name_fits_a_folder_to_a_network(tmp_path):
    content = coco_folder(tmp_path)
    content["categories"] = [{"id": 7, "name": "motorcycle"}, {"id": 9, "name": "traffic light"}]
    write_coco(tmp_path, content)
    with pytest.raises(InputError, match="classes that the network does not have: motorcycle"):
        labelled_folder(tmp_path, ["car", "cycle"])
    table = labelled_folder(tmp_path, ["car", "cycle"], label_map="bdd100k-det20")
    assert table.counts() == {"car": 0, "cycle": 3}
