"""Arms that were trained elsewhere: known by their detections, or taken over as networks, and never trained here."""

import json
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from command import gapscope
from safetensors.torch import save_file
from two_domains import TEXT, study_of, write_two_domains

from gapscope.config import Evaluate, Experiment
from gapscope.detector.foreign_weights import fill_guest
from gapscope.detector.guests import build_guest, load_network
from gapscope.detector.network import yolov3
from gapscope.detector.weights import load_weights, save_weights
from gapscope.errors import InputError
from gapscope.experiment_file import parse_config
from gapscope.findings.run_reader import read_results
from gapscope.run_folder import RunFolder, RunName
from gapscope.study import work
from gapscope.study.given_arms import network_in
from gapscope.study.new_networks import new_network
from gapscope.study.proposed_given import given_detectors
from gapscope.study.run import do, write_settings
from gapscope.study.scoring import RunDomain
from gapscope.study.scoring_results import score_results
from gapscope.study.stages import units_of
from gapscope.study.study import Study
from gapscope.study.units import pending

pytestmark = pytest.mark.slow

DOMAINS = ("real", "game")
HEAD, TAIL = TEXT.partition("[arms.u-real]")[0], TEXT[TEXT.index("[train]") :]


def write_results(root: Path, arm: str, spread: float) -> None:
    """Two boxes an image near its label, for all images of both domains; images are named by their stems."""
    rng = np.random.default_rng(len(arm))
    for domain in DOMAINS:
        rows = []
        for number in range(60):
            box = [12 + rng.normal() * spread, 8 + rng.normal() * spread, 24.0, 16.0]
            rows.append({"image_id": f"{number // 2:03}", "category_name": ["car", "bus"][number // 2 % 2]})
            rows[-1] |= {"bbox": box, "score": float(rng.random())}
        (root / f"{arm}-{domain}.json").write_text(json.dumps(rows))


def arms(root: Path, more: str = "") -> str:
    """The two arms by their detections, one file for both seeds."""
    tables = []
    for arm, domain in (("u-real", "real"), ("u-game", "game")):
        files = ", ".join(f'{one} = "{root}/{arm}-{one}.json"' for one in DOMAINS)
        tables.append(f'[arms.{arm}]\ndomains = ["{domain}"]\ndetections = {{ {files} }}\n{more}')
    return "".join(tables)


def experiment(root: Path, more: str = "") -> Experiment:
    text = HEAD.replace("seeds = [0, 1]", "seeds = [0]") + arms(root, more) + TAIL
    return parse_config(text.replace("[probe]", "[evaluate]\nbootstraps = 20\n[probe]"))


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Everything but the page done; no network was made on the way."""
    root = tmp_path_factory.mktemp("given")
    write_two_domains(root / "data")
    write_results(root, "u-real", 1.0)
    write_results(root, "u-game", 3.0)
    study = study_of(experiment(root), root / "run", root / "data")
    write_settings(study, None)
    with mock.patch.object(work, "load_network", side_effect=AssertionError):
        for stage in ("data", "train", "evaluate", "record", "graft", "compare"):
            do(units_of(study), study, only=stage)
    return study


def test_such_a_study_has_nothing_to_train_to_record_or_to_compare(scored):
    names = {unit.name for unit in units_of(scored)}
    assert {name.partition("/")[0] for name in names} == {"data", "probe", "train", "evaluate", "report"}
    assert [unit.name for unit in pending(units_of(scored), scored.folder)] == ["report"]
    assert not list(scored.folder.root.rglob("*.safetensors"))


def test_its_scores_are_those_of_the_files_alone(scored):
    here = scored.folder.root
    for arm, domain in (("u-real", "real"), ("u-game", "real"), ("u-game", "game")):
        alone = score_results(
            here.parent / f"{arm}-{domain}.json", RunDomain(here, domain, here.parent / "data"), Evaluate(bootstraps=20)
        )
        kept = json.loads(scored.folder.evaluation(RunName(arm, 0), domain).read_text())
        for number in ("map50", "map50_95", "map75", "ar100", "ap50"):
            assert kept["rules"]["coco"][number] == pytest.approx(alone.scores["rules"]["coco"][number], rel=1e-6)
        assert kept["num_images"] == 6


def test_settings_of_trainings_decide_nothing_and_another_file_is_scored_anew(scored, tmp_path):
    root = scored.folder.root.parent
    other = scored.experiment.model_copy(update={"train": scored.experiment.train.model_copy(update={"epochs": 7})})
    study = study_of(other, scored.folder.root, root / "data")
    assert [unit.name for unit in pending(units_of(study), study.folder)] == ["report"]
    moved = parse_config(experiment_text(root).replace("u-game-real.json", "moved.json"))
    (root / "moved.json").write_bytes((root / "u-game-real.json").read_bytes())
    study = study_of(moved, scored.folder.root, root / "data")
    assert [unit.name for unit in pending(units_of(study), study.folder)] == ["report"]
    (root / "moved.json").write_text("[]")
    waiting = [unit.name for unit in pending(units_of(study), study.folder)]
    assert waiting == ["train/u-game/seed0", "evaluate/u-game/seed0/real", "evaluate/u-game/seed0/game", "report"]


def experiment_text(root: Path) -> str:
    text = HEAD.replace("seeds = [0, 1]", "seeds = [0]") + arms(root) + TAIL
    return text.replace("[probe]", "[evaluate]\nbootstraps = 20\n[probe]")


def test_the_page_says_where_the_arms_come_from_and_speaks_of_no_network(scored):
    from gapscope.findings.findings import find
    from gapscope.several.report import write_report

    write_report(scored.folder.root)
    page = scored.folder.report.read_text(encoding="utf-8")
    text = scored.folder.report_text.read_text(encoding="utf-8")
    assert (
        "Trained elsewhere, perhaps on these test images: u-real (u-real-real.json, u-real-game.json) and u-game"
        in text
    )
    assert "detections alone, so no layer was recorded" in text
    assert "The arms are known by their detections alone" in page
    assert "YOLOv3" not in page and "this part fills once the stage" not in page
    found = find(read_results(scored.folder.root))
    assert not any("[train" in one.snippet or "start" in one.snippet for one in found.advice)
    assert {row.state for row in found.trainings} == {"trained elsewhere"}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ('freeze = "0-74"\n', r"u-real\]: freeze says how an arm is made, and with 'detections' this one is there\."),
        ('start = "streets"\n', r"start = 'streets' stands beside 'detections', which is the whole network"),
        ('trained = "a.safetensors"\n', "'trained' and 'detections' are two ways to give one detector"),
        ('names = { cat = ["car"] }\n', "names: unknown class 'cat'"),
        ('ids = { rael = "x.json" }\n', r"ids: there is no domain 'rael'\. Did you mean 'real'\?"),
    ],
)  # fmt: skip
def test_what_contradicts_itself_is_refused_before_anything_is_read(tmp_path, more, message):
    with pytest.raises(InputError, match=message):
        experiment(tmp_path, more)


def test_each_seed_has_a_file_and_each_domain_is_given(tmp_path):
    text = HEAD + arms(tmp_path) + TAIL
    with pytest.raises(
        InputError, match=r"detections.real: 1 file for the seeds 0, 1 - expected one for each\. Name as many"
    ):
        parse_config(text)
    one = experiment_text(tmp_path).replace(f', game = "{tmp_path}/u-real-game.json"', "")
    with pytest.raises(InputError, match=r"\[arms.u-real\] detections: none are given for 'game'"):
        parse_config(one)
    with pytest.raises(InputError, match=r"start: 'u-real' is known by its detections alone"):
        parse_config(
            experiment_text(tmp_path).replace("[train]", '[arms.on]\ndomains=["real"]\nstart = "u-real"\n[train]')
        )
    study = Study(experiment(tmp_path), RunFolder(tmp_path / "run"), write_two_domains(tmp_path))
    with pytest.raises(
        InputError, match=r"\[arms.u-real\] detections.real = .* there is no such file\. Check the path\."
    ):
        units_of(study)


# --- networks


def network_file(path: Path, number: int, classes: tuple[str, ...] = ("car", "bus"), width: float = 0.0625) -> Path:
    save_weights(yolov3(classes, width, generator=torch.Generator().manual_seed(number)), path, {"from": "elsewhere"})
    return path


def test_a_given_network_is_taken_over_bit_for_bit_evaluated_recorded_compared_and_grafted(tmp_path):
    write_two_domains(tmp_path / "data")
    tables = ""
    for arm, domain in (("u-real", "real"), ("u-game", "game")):
        files = [str(network_file(tmp_path / f"{arm}-{seed}.safetensors", seed + len(arm))) for seed in (0, 1)]
        tables += f'[arms.{arm}]\ndomains = ["{domain}"]\ntrained = {json.dumps(files)}\n'
    study = study_of(parse_config(HEAD + tables + "[graft]\n" + TAIL), tmp_path / "run", tmp_path / "data")
    units = {unit.name: unit for unit in units_of(study)}
    assert {unit.stage for unit in units.values()} == {
        "data",
        "train",
        "evaluate",
        "record",
        "graft",
        "compare",
        "report",
    }
    assert "effect/u-real-seed0/u-game-seed0/32" in units
    do(units_of(study), study, only="data")
    assert len(do(units_of(study), study, only="train")) == 4
    given = load_weights(tmp_path / "u-game-1.safetensors").state_dict()
    taken = load_weights(study.folder.weights(RunName("u-game", 1))).state_dict()
    assert all(torch.equal(given[name], taken[name]) for name in given)
    assert {unit.stage for unit in pending(units_of(study), study.folder)} == {
        "evaluate",
        "record",
        "graft",
        "compare",
        "report",
    }


def test_files_of_other_networks_and_pickles_are_refused(tmp_path):
    study = Study(experiment(tmp_path), RunFolder(tmp_path / "run"), tmp_path)
    place = "[arms.x] trained"
    with pytest.raises(
        InputError, match=r"\[arms.x\] trained = .* its classes are bus, car - expected those of \[data\]"
    ):
        network_in(study, "u-real", place, network_file(tmp_path / "a.safetensors", 0, ("bus", "car")))
    with pytest.raises(InputError, match=r"it holds yolov3 of width 0.125 - expected yolov3 of width 0.0625"):
        network_in(study, "u-real", place, network_file(tmp_path / "b.safetensors", 0, width=0.125))
    torch.save({"model": torch.nn.Linear(2, 2)}, tmp_path / "last.pt")
    with pytest.raises(InputError, match=r"a PyTorch file holds no network of gapscope's - .* module:factory"):
        network_in(study, "u-real", place, tmp_path / "last.pt")


# --- networks of any make

OWN = """
import torch
from torch import nn

class Tiny(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.body, self.head = nn.Conv2d(3, 4, 3, stride=8, padding=1), nn.Conv2d(4, len(classes), 1)

    def forward(self, images):
        return self.head(self.body(images).relu())

    def detect(self, images):
        box = torch.tensor([[0.0, 0.0, 8.0, 8.0]])
        return [(box, torch.tensor([0.5]), torch.tensor([0])) for _ in self(images)]

    def blocks(self):
        return {"backbone": {"body": ["body"]}, "head": {"head": ["head"]}}

def build(classes, size, seed):
    return Tiny(classes)
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A folder with a module of the user's, in which the command is run."""
    (tmp_path / "tiny_detector.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def tiny(classes, number):
    torch.manual_seed(number)
    return build_guest("tiny_detector.py:build", classes, 32, learns=False)


def test_a_users_detector_without_losses_is_filled_from_its_state_dictionary_and_studied(own):
    write_two_domains(own / "data")
    tables = '[model]\nname = "tiny_detector.py:build"\n'
    for number, (arm, domain) in enumerate((("u-real", "real"), ("u-game", "game"))):
        network = tiny(["car", "bus"], number).model
        torch.save(
            {"epoch": 3, "model": {f"module.{k}": v for k, v in network.state_dict().items()}}, own / f"{arm}.pt"
        )
        tables += f'[arms.{arm}]\ndomains = ["{domain}"]\ntrained = "{arm}.pt"\n'
    text = HEAD.replace("[model]\nwidth = 0.0625\n", "").replace("seeds = [0, 1]", "seeds = [0]") + tables + TAIL
    study = study_of(
        parse_config(text.replace("[probe]", "[evaluate]\nbootstraps = 20\n[probe]")), own / "run", own / "data"
    )
    write_settings(study, None)
    for stage in ("data", "train", "evaluate", "record", "compare"):
        do(units_of(study), study, only=stage)
    taken = load_network(study.folder.weights(RunName("u-game", 0)), "tiny_detector.py:build")
    assert torch.equal(taken.model.body.weight, network.body.weight)
    grid = read_results(study.folder.root).grid("u-real", "u-game")
    assert grid.sizes["layer_a"] == 2
    trained = TEXT.replace("[model]\nwidth = 0.0625\n", '[model]\nname = "tiny_detector.py:build"\n')
    trained = trained.replace('start = "streets"\nfreeze = "0-74"\n', "")
    with pytest.raises(InputError, match=r"built a Tiny without losses\(\) - expected the detector protocol"):
        new_network(parse_config(trained), "u-real", 0)


def test_other_tensors_other_classes_and_code_are_refused(own):
    one = tiny(["car"], 0)
    save_file(one.model.state_dict(), own / "own.safetensors")
    fill_guest(tiny(["bus"], 1), own / "own.safetensors", "[arms.x] trained")
    with pytest.raises(
        InputError, match=r"'head.weight' has the shape \(1, 4, 1, 1\), and .* for 2 classes \(2, 4, 1, 1\)"
    ):
        fill_guest(tiny(["car", "bus"], 1), own / "own.safetensors", "[arms.x] trained")
    torch.save({"body.weight": torch.zeros(1)}, own / "part.pt")
    with pytest.raises(InputError, match=r"it lacks 'body.bias', which is a tensor of tiny_detector.py:build"):
        fill_guest(one, own / "part.pt", "[arms.x] trained")
    torch.save(torch.nn.Linear(2, 2), own / "whole.pt")
    with pytest.raises(InputError, match=r"holds more than tensors, which reading it would run - .* safetensors.torch"):
        fill_guest(one, own / "whole.pt", "[arms.x] trained")


# --- init


def test_init_proposes_a_study_that_trains_nothing_of_two_detectors_and_two_folders(own):
    write_two_domains(own)
    for name, number in (("a.pt", 0), ("b.pt", 1)):
        torch.save(tiny(["bus", "car"], number).model.state_dict(), own / name)
    ask = ("init", "--real", "real", "--synthetic", "game", "--trained", "a.pt", "b.pt", "--size", "32")
    refused = gapscope(*ask)
    assert "a.pt: nothing says which network its weights belong to" in refused.stderr
    done = gapscope(*ask, "--model", "tiny_detector.py:build", "--classes", "bus, car")
    assert done.returncode == 0, done.stderr
    assert "nothing is trained" in done.stdout
    found = parse_config((own / "study.toml").read_text())
    assert found.data.classes == ["bus", "car"] and found.data.image_size == 32 and found.seeds == [0]
    assert [arm.is_given for arm in found.arms.values()] == [True, True]
    assert found.domains["real"].split.fractions == (0, 0, 1)
    units = units_of(study_of(found, own / "run", own))
    assert not any(unit.stage == "train" and not unit.is_quick for unit in units)
    message = gapscope(*ask, "--model", "tiny_detector.py:build", "--classes", "truck", "--out", "t.toml").stderr
    assert "class 'truck' of the detectors: the sets share no such name, only" in message and '--map "truck=' in message


def test_weights_that_cannot_be_taken_are_told_before_anything_is_read(own):
    """By init, and by a run whose file has become another one since; both files at once."""
    write_two_domains(own)
    for name in ("a.pt", "b.pt"):
        torch.save(tiny(["bus", "car"], 0).model.state_dict(), own / name)
    ask = ("init", "real", "game", "--trained", "a.pt", "b.pt", "--size", "32", "--classes", "bus,car")
    assert gapscope(*ask, "--model", "tiny_detector.py:build").returncode == 0
    for name in ("a.pt", "b.pt"):
        torch.save(torch.nn.Linear(2, 2), own / name)
    refused = gapscope(*ask, "--model", "tiny_detector.py:build", "--out", "other.toml")
    assert "--trained = 'a.pt': it is broken, or holds more than tensors" in refused.stderr
    assert not (own / "other.toml").exists()
    refused = gapscope("run", "study.toml")
    for arm, name in (("real", "a.pt"), ("synthetic", "b.pt")):
        assert f"[arms.{arm}-detector] trained = '{own / name}': it is broken, or holds more than" in refused.stderr
    assert "stage" not in refused.stdout and not (own / "runs").exists()


def test_init_reads_the_network_of_a_file_of_gapscopes(tmp_path):
    write_two_domains(tmp_path)
    files = [network_file(tmp_path / f"{name}.safetensors", number) for number, name in enumerate("ab")]
    given = given_detectors((files[0], files[1]))
    assert (given.model, given.width, given.classes) == ("yolov3", 0.0625, ("car", "bus"))
    other = network_file(tmp_path / "c.safetensors", 2, ("bus", "car"))
    with pytest.raises(
        InputError, match=r"differ in classes: car, bus and bus, car - expected two networks of one kind"
    ):
        given_detectors((files[0], other))
