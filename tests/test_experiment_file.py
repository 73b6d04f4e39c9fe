"""An experiment file says everything once, and every mistake in it is named."""

import json
import subprocess
import sys
from typing import get_args

import pytest
from command import gapscope
from miniature import MINIATURE

from gapscope.config import Evaluate, Train
from gapscope.errors import InputError
from gapscope.evaluation.average_precision import RULES
from gapscope.experiment_file import parse_config, read_config, read_config_text
from gapscope.run_folder import RunFolder
from gapscope.similarity.measures import MEASURES
from gapscope.training.logs import LOGGERS


def test_defaults_are_the_papers_settings():
    train = parse_config(MINIATURE.split("[train]")[0] + "[probe]\ndomain = 'camera'\n").train
    assert (train.optimizer, train.learning_rate, train.batch_size) == ("adam", 1e-4, 8)
    assert (train.epochs, train.patience) == (100, 10)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("epochs = 2", "epoch = 2", r"\[train\]: unknown key 'epoch'\. Did you mean 'epochs'\?"),
        (
            "min_area = 30.0",
            "min_aera = 30.0",
            r"\[domains\.camera\]: unknown key 'min_aera'\. Did you mean 'min_area'\?",
        ),
        ("batch_size = 8", "batch_size = 0", r"\[train\]: batch_size = 0: input should be greater than 0"),
        ("image_size = 64", "image_size = 60", r"image_size: 60 is not a multiple of 32"),
        (
            'freeze = "0-74"',
            'freeze = "0-200"',
            r"\[arms.f-synthetic\] freeze: layers 0-200 are out of range - YOLOv3 has layers 0-106",
        ),
        ('domains = ["camera"]', 'domains = ["kamera"]', r"there is no domain 'kamera'\. Did you mean 'camera'\?"),
        ('start = "base"', 'start = "bass"', r"start = 'bass' is no arm and no weights file\. Did you mean 'base'\?"),
        ('freeze = "0-74"', 'freeze = "0-74"\ntrain = "75-106"', r"say the same in two ways. Leave out one of them"),
        (
            'freeze = "0-74"',
            'train = "62-74"',
            r"train = '62-74' leaves the head as it was drawn at random. Add 75-106, or",
        ),
        ('freeze = "0-74"', 'train = "62-"', r"train: '62-' is no list of layers - expected ranges or numbers"),
        (
            'start = "base"\nfreeze = "0-74"',
            "keep_head = true",
            r"keep_head = true, but start = 'scratch' has no head to keep. Name an arm or a whole file",
        ),
        (
            'domains = ["engine"]\nstart = "base"\nfreeze',
            'start = "base"\nfreeze',
            r"\[arms.f-synthetic\]: it names no 'domains', so there is nothing to train on. Give domains = \[...\], or",
        ),
        (
            'start = "base"\nfreeze = "0-74"',
            'start = "u-real"\nadapt = { batchnorm = "camera" }',
            r"\[arms.f-synthetic\]: domains is for arms that are trained, and with 'adapt.batchnorm' this one is not",
        ),
        (
            'domains = ["engine"]\nstart = "base"\nfreeze = "0-74"',
            'adapt = { batchnorm = "kamera", layers = "0-200" }',
            r"(?s)adapt.batchnorm: there is no domain 'kamera'. Did you mean 'camera'.*adapt.layers: layers 0-200 are.*"
            r"start = 'scratch' is no trained network, whose statistics could be estimated anew. Name an arm",
        ),
        (
            'freeze = "0-74"',
            "adapt = { keep = 0.5 }",
            r"\[arms.f-synthetic\] adapt: it says how statistics are estimated, but not on which images. Give",
        ),
        (
            'domains = ["engine"]\nstart = "base"\nfreeze = "0-74"',
            "average = { u-real = 0.5, u-synthetic = 0.4, u-rael = 0 }",
            r"(?s)there is no arm 'u-rael'. Did you mean 'u-real'.*average: the shares add up to 0.9 - expected 1",
        ),
        (
            'domains = ["engine"]\nstart = "base"\nfreeze = "0-74"',
            'average = ["u-real"]\nchoose = "camera"\nstart = "base"',
            r"(?s)start = 'base' stands beside 'average', which says where.*\['u-real'\] names arms without shares",
        ),
        (
            'domains = ["engine"]\nstart = "base"\nfreeze = "0-74"',
            'average = { u-real = 0.5, u-synthetic = 0.5 }\nchoose = "camera"',
            r"\[arms.f-synthetic\]: choose = 'camera' stands beside shares that are given. Leave out one of the two",
        ),
        ("min_area = 30.0", 'labels = { persn = ["x"] }', r"unknown class 'persn'\. Did you mean 'person'\?"),
        ("min_area = 30.0", 'labels = { car = ["x"], bus = ["x"] }', r"'x' is mapped twice, to 'car' and to 'bus'"),
        ("sizes = [64, 32]", "sizes = [64, 32, 64]", r"\[record\] sizes: 64 is named twice\. Name each once"),
        ("sizes = [64, 32]", "sizes = []", r"\[record\]: sizes = \[\]: tuple should have at least 1 item"),
        ("sizes = [64, 32]", "sizes = [64, 30]", r"\[record\] sizes\[1\]: 30 is not a multiple of 32"),
        ("images = 6", 'also = ["engin"]', r"\[probe\] also: there is no domain 'engin'\. Did you mean 'engine'\?"),
        ("images = 6", 'also = ["camera"]', r"\[probe\] domain and also: 'camera' is named twice"),
        (
            "[similarity]",
            '[similarity]\nmeasures = ["cka_debiased", "cka_biase"]',
            r"\[similarity\] measures: there is no measure 'cka_biase'\. Did you mean 'cka_biased'\?",
        ),
        ("[similarity]", '[similarity]\nmeasures = ["rsa"]', r"measures: 'cka_debiased' is missing, which .* Add it"),
        (
            "[similarity]",
            '[similarity]\nmeasures = ["cka_debiased", "mutual_knn"]',
            r"'mutual_knn' needs 12 images or more, and \[probe\] images = 6\. Raise that, or leave the measure out",
        ),
        (
            "[similarity]",
            '[similarity]\nmeasures = ["cka_debiased", "euclidean"]',
            r"'euclidean' needs the activations of two networks side by side, which a study does not keep",
        ),
        ('style = "engine"', 'style = "engin"', r"style: there is no style 'engin'\. Did you mean 'engine'\?"),
        (
            "min_area = 30.0",
            'format = "cocoo"',
            r"\[domains\.camera\] format: there is no format 'cocoo'\. Did you",
        ),
        ("min_area = 30.0", "split = { fractions = [0.5, 0.2, 0.2] }", r"do not add up to 1"),
        ("min_area = 30.0", 'root = "elsewhere"', r"needs either 'root' .* or 'generate'"),
        ("[arms.base]", "[arms.scratch]", r"'scratch' is a word that 'start' uses"),
        ('name = "miniature"', 'name = "a--b"', r"the name 'a--b' - expected letters and digits, with"),
        ("seeds = [0, 1]", "seeds = [0, 0]", r"seeds: 0 is named twice"),
        ("seeds = [0, 1]", "seeds = [0, 1", r"is not valid TOML"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_value(old, new, message):
    assert old in MINIATURE
    with pytest.raises(InputError, match=message):
        parse_config(MINIATURE.replace(old, new, 1))


@pytest.mark.parametrize("name", [name for name, one in MEASURES.items() if one.needs != "features"])
def test_a_study_can_take_every_measure_that_a_recording_suffices_for(name):
    measures = dict.fromkeys(["cka_debiased", name])
    wanted = f"[similarity]\nmeasures = {list(measures)}"
    text = MINIATURE.replace("[similarity]", wanted, 1)
    enough = text.replace("images = 6", f"images = {MEASURES[name].least_images}")
    assert parse_config(enough).similarity.measures == list(measures)


def test_choices_of_the_file_are_those_that_are_implemented():
    (loggers,) = get_args(Train.model_fields["loggers"].annotation)
    assert get_args(loggers) == tuple(LOGGERS)
    assert get_args(Evaluate.model_fields["rule"].annotation) == RULES


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["run"], ["train", "--arm", "u-real", "--seed", "0"]])
def test_a_mistake_in_the_file_is_told_before_anything_heavy_is_imported(tmp_path, arguments):
    (tmp_path / "study.toml").write_text(MINIATURE.replace("epochs = 2", "epoch = 2"))
    sys_argv = ["gapscope", arguments[0], "study.toml", *arguments[1:]]
    heavy = {"torch", "scipy", "pandas", "xarray", "matplotlib"}
    code = (
        f"import sys\nfrom gapscope.cli import main\nsys.argv = {sys_argv}\ntry:\n    main()\n"
        f"except SystemExit as end:\n    print(end.code, *{heavy!r} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert (done.stdout, done.stderr.count("Did you mean 'epochs'?")) == ("2\n", 1)


def test_one_size_is_enough_and_three_are_not_too_many():
    for sizes in ([64], [64, 32, 96]):
        parsed = parse_config(MINIATURE.replace("sizes = [64, 32]", f"sizes = {sizes}"))
        assert parsed.record.sizes == tuple(sizes)


def test_all_mistakes_are_named_at_once():
    broken = MINIATURE.replace("epochs = 2", "epoch = 2").replace("width", "widht")
    with pytest.raises(InputError) as caught:
        parse_config(broken, "study.toml")
    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == [
        "study.toml [model]",
        "study.toml [train]",
    ]


def test_an_arm_cannot_start_from_one_that_is_trained_later():
    later = MINIATURE.replace(
        '[arms.base]\ndomains = ["camera", "engine"]', '[arms.base]\ndomains = ["camera"]\nstart = "u-real"'
    )
    with pytest.raises(InputError, match="must be an arm that stands above 'base'"):
        parse_config(later)


MARK = b"\xef\xbb\xbf"
"""What Notepad and PowerShell put before a text in UTF-8."""


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_a_byte_order_mark_and_windows_line_ends_are_read_over(tmp_path, ends):
    path = tmp_path / "study.toml"
    path.write_bytes(MARK + MINIATURE.strip().replace("\n", ends).encode())
    assert read_config(path) == parse_config(MINIATURE)
    assert read_config_text(path).startswith('name = "miniature"')  # nor is it kept in the run folder


@pytest.mark.parametrize("command", [["train", "--arm", "nobody", "--seed", "0"], ["run", "--only", "nothing"]])
def test_commands_read_an_experiment_file_with_a_mark_and_name_what_is_wrong_besides(tmp_path, command):
    (tmp_path / "study.toml").write_bytes(MARK + MINIATURE.strip().encode())
    done = gapscope(command[0], "study.toml", *command[1:], cwd=tmp_path)
    assert done.returncode == 2 and "TOML" not in done.stderr
    assert ("nobody" in done.stderr) or ("nothing" in done.stderr)


def test_a_file_in_utf_16_is_read_and_one_in_no_such_text_is_refused_with_what_to_do(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(MINIATURE, encoding="utf-16")
    assert read_config(path) == parse_config(MINIATURE)
    path.write_text(f"# é\n{MINIATURE}", encoding="latin-1")
    with pytest.raises(InputError, match=r"study\.toml: is not UTF-8 text.* Save it as UTF-8\.$"):
        read_config(path)


def test_a_stage_record_that_an_editor_has_saved_is_still_read(tmp_path):
    folder = RunFolder(tmp_path)
    path = folder.record_of("data/camera")
    path.parent.mkdir(parents=True)
    path.write_bytes(MARK + json.dumps({"key": "abc"}).encode())
    assert folder.read_record("data/camera") == {"key": "abc"}
