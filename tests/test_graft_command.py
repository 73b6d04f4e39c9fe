"""gapscope graft: a table, a file, a cost, and one sentence where it cannot."""

import re

import pytest
from command import gapscope
from small_grafts import SIZE, labelled_by, pictures, randomised, settled

import gapscope as package
from gapscope.data.writers.coco import write_coco
from gapscope.detector.weights import save_weights

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A labelled folder, and beside it weights of a host with a broken block, a donor, a control and others."""
    root = tmp_path_factory.mktemp("graft")
    table = pictures(root / "photos")
    donor = settled(table, 0)
    labelled = labelled_by(donor, table)
    write_coco(labelled, [f"{i:03}.png" for i in range(len(table))], root / "photos")
    host = randomised(donor, range(5, 12), 0.03)
    save_weights(host, root / "host.safetensors", {})
    save_weights(randomised(donor, range(5, 12), 0.03, seed=8), root / "host-1.safetensors", {})
    save_weights(donor, root / "donor.safetensors", {})
    save_weights(donor, root / "start.safetensors", {}, layers=range(75))
    save_weights(package.yolov3(["car", "van"], 0.02), root / "vans.safetensors", {})
    return root


def graft(folder, *more, networks=("host", "donor")):
    weights = [folder / f"{name}.safetensors" for name in networks]
    return gapscope("graft", *weights, "--size", str(SIZE), "--device", "cpu", *more)


def test_it_says_where_the_loss_sits_and_ends_with_what_to_do_next(folder, tmp_path):
    out = tmp_path / "grafts.json"
    done = graft(
        folder,
        *("--data", folder / "photos", "--control", folder / "host-1.safetensors"),
        *("--start", folder / "start.safetensors", "--blocks", "0-4, stage 2, 12-106", "--orders", "2", "-o", out),
    )
    assert done.returncode == 0, done.stderr
    first, second = (
        re.search(rf"^ *{columns} *\n(?:.*\n){{2}}(.*)$", done.stdout, re.M)
        for columns in (
            r"block +alone +left out +control +alone - host +verdict",
            r"block +layers +front +back +rewind +share",
        )
    )
    words = "(gains|cannot be told)"  # of six images, whose bands over three blocks are wide
    assert first
    assert re.match(rf" *stage 2 +1\.000 +0\.\d+ +0\.\d+ +\+0\.\d+ \(\+0\.\d+, \+0\.\d+\) +{words}", first[1])
    assert second
    assert re.match(r" *stage 2 +5-11 +1\.000 +1\.000 +1\.000 +(\+0\.\d+|cannot be told)", second[1])
    assert max(len(line.rstrip()) for line in done.stdout.splitlines() if "stage 2 " in line) <= 80
    assert done.stdout.splitlines()[-1] == (
        f"all grafts: {out}; draw them: gapscope.plot.graft(gapscope.read_grafts('{out}'))"
    )
    kept = package.read_grafts(out)
    assert [one.statistics for one in kept.grafts] == ["own", "estimated"]
    assert kept.about["files"]["control"].endswith("host-1.safetensors") and kept.about["images"].endswith("photos")
    assert kept.grafts[0].all_grafted == pytest.approx(1)


def test_without_out_it_says_that_nothing_is_kept_and_without_a_control_what_is_not_known(folder):
    done = graft(folder, "--data", folder / "photos", "--blocks", "backbone, head", "--statistics", "own")
    assert done.returncode == 0, done.stderr
    assert "No control was given: what any foreign part changes is not known" in done.stdout
    assert done.stdout.endswith("nothing was written; -o FILE.json keeps all grafts with their intervals\n")


def test_the_plan_says_what_it_will_cost_and_stops(folder, tmp_path):
    out = tmp_path / "grafts.json"
    done = graft(folder, "--data", folder / "photos", "--plan", "-o", out)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert re.match(r"32 networks to evaluate, each with 2 kinds of batch statistics, .* for one alone$", lines[0])
    assert re.match(
        r"layers to compute for a batch of images: \d,\d\d\d of 3,424 \(\d\d % of the multiply-adds\)", lines[1]
    )
    assert re.match(r"about .* here, going by the first images$", lines[2])
    assert not out.exists()


@pytest.mark.parametrize(
    ("more", "networks", "words"),
    [
        ((), ("host", "donor"), "which images? Give either --run FOLDER with --domain NAME, or --data FOLDER."),
        (("--run", "nowhere"), ("host", "donor"), "which images?"),
        (("--run", "nowhere", "--domain", "x"), ("host", "donor"), "nowhere holds no run: experiment.resolved.toml is"),
        (("--data", "{photos}"), ("host", "vans"), "the host knows the classes car, person, the donor car, van - "),
        (("--data", "{photos}", "--blocks", "stage 8"), ("host", "donor"), "'stage 8' names no layers of yolov3 - "),
        (("--data", "{photos}", "--blocks", "0-200"), ("host", "donor"), "layers 0-200 are out of range"),
        (("--data", "{photos}", "--start", "none.weights"), ("host", "donor"), "start = 'none.weights': there is no"),
        (("--data", "{photos}", "-o", "{photos}"), ("host", "donor"), "{photos} is a folder. Name a file, such as "),
        (("--data", "{photos}"), ("host", "start"), "{root}/start.safetensors holds 75 of 107 layers (0-74) - "),
    ],
)
def test_what_it_cannot_do_is_one_sentence(folder, more, networks, words):
    names = {"photos": str(folder / "photos"), "root": str(folder)}
    done = graft(folder, *(str(one).format(**names) for one in more), networks=networks)
    assert done.returncode == 2
    assert done.stderr.startswith(f"gapscope: {words.format(**names)}"), done.stderr
    assert done.stderr.count("\n") == 1
