"""A run that an older gapscope finished: it stays trained and recorded, its stored detections are scored anew, its
networks are compared anew, and what is still said of it stays the same to the last digit, but for what is listed here.

`data/finished_run.tar.xz` is a run folder of two arms and two seeds on 64-pixel streets, as `gapscope run` left it,
with what `gapscope figures --only tables` adds, and `numbers.json`: what the charts of its page are drawn from, with
hashes in place of the maps' cells. To keep it small there are no images, figures and last weights, its page has neither
scripts nor files to download, and cells beside the diagonal of its grids have three decimals. The numbers mean nothing.
"""

import hashlib
import json
import math
import re
import shutil
import tarfile
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import Done, gapscope, gapscope_process
from detections import paper_ap, pycocotools_ap
from page_parts import numbers_of

from gapscope.data.table import AnnotationTable
from gapscope.evaluation.detection_files import labelled_boxes, read_detections
from gapscope.findings.run_reader import read_results
from gapscope.study.domain_files import load_split

pytestmark = pytest.mark.slow

ARCHIVE = Path(__file__).parent / "data/finished_run.tar.xz"
SECTIONS = {"layers": ("where", "verdict"), "data": ("data",), "training": ("training",)}
"""Those that print findings and hold no score, and where an older page printed these; others tell of files and dates.
Scores differ: ignore regions forgive detections by IoU since, and the paper rule ends at recall 1. They are held
against other programs below."""


@pytest.fixture(scope="module")
def old_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    return folder / "run"


@pytest.fixture(scope="module")
def before(old_run: Path) -> dict[str, str]:
    """The text files of the run as they were left: its page, tables and records by path."""
    return texts_of(old_run)


@pytest.fixture(scope="module")
def detections(old_run: Path) -> dict[str, bytes]:
    """The stored detections as they were left."""
    return {path.name: path.read_bytes() for path in sorted(old_run.glob("evaluation/*.npz"))}


@pytest.fixture(scope="module")
def again(old_run: Path, before: dict[str, str], detections: dict[str, bytes]) -> Done:
    """`gapscope run` on it as far as its scores, which finds no image."""
    done = gapscope_process("run", old_run / "experiment.toml", "--out", old_run, "--only", "evaluate")
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def after(old_run: Path, again: Done) -> dict[str, str]:
    """The text files once this gapscope has scored it anew and written page and tables."""
    for command in (("report", old_run), ("figures", old_run, "--only", "tables")):
        done = gapscope(*command)
        assert done.returncode == 0, done.stderr
    return texts_of(old_run)


def with_hashed_cells(numbers: Any) -> Any:
    if isinstance(numbers, dict):
        return {
            key: hashlib.sha256(value.encode()).hexdigest() if key == "cells" else with_hashed_cells(value)
            for key, value in numbers.items()
        }
    return [with_hashed_cells(value) for value in numbers] if isinstance(numbers, list) else numbers


def texts_of(run: Path) -> dict[str, str]:
    kinds = ("report.html", "tables/*", "paper/tables/*", "stages/*")
    return {path.relative_to(run).as_posix(): path.read_text() for kind in kinds for path in sorted(run.glob(kind))}


class SectionTexts(HTMLParser):
    """A page's visible text by section."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self.section = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "section":
            self.section = dict(attrs).get("id") or ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "section":
            self.section = ""

    def handle_data(self, data: str) -> None:
        self.found[self.section] = f"{self.found.get(self.section, '')} {data}"


def printed_numbers(page: str, section: str) -> list[str]:
    """Every number in a section's text, as printed, in order; blocks are held against other cuts since."""
    texts = SectionTexts()
    texts.feed(re.sub(r'<div [^>]*aria-label="Blocks of layers".*?</div>', "", page, flags=re.DOTALL))
    return re.findall(r"[-+]?\d+(?:\.\d+)?(?:e-?\d+)?", texts.found[section])


def test_its_detections_are_scored_anew_and_nothing_before_them_is_done_again(
    old_run, before, detections, again, after
):
    said = [line for line in again.stdout.splitlines() if line.startswith("  ")]
    assert again.stdout.startswith("finished before, and to be done again:")
    assert said[0].startswith("  evaluate/") and "stored detections are scored anew, no network is run" in said[0]
    assert {path.name: path.read_bytes() for path in sorted(old_run.glob("evaluation/*.npz"))} == detections
    records = {name for name in before if name.startswith("stages/")}
    for name in records:  # they have new keys, and say now what the work was made from; when it was done stays
        then, record = json.loads(before[name]), json.loads(after[name])
        if record["unit"].split("/")[0] in ("compare", "effect", "report"):
            continue
        assert record["key"] != then["key"] and record["made_from"] is not None
        same = ("unit", "files") if record["stage"] == "evaluate" else ("unit", "files", "seconds")
        assert {key: record[key] for key in same} == {key: then[key] for key in same}, name


def test_its_networks_are_compared_anew_from_their_recordings_which_is_said_before(old_run, before, after, tmp_path):
    """There are p and bands for all layers together since, and images of one drive are not taken for independent."""
    run = tmp_path / "run"
    shutil.copytree(old_run, run)
    planned = gapscope("run", run / "experiment.toml", "--out", run, "--dry")
    *lines, total = planned.stdout.splitlines()
    stages = {re.match(r"\w+", line)[0] for line in lines}  # eight compare, two tell effects
    assert planned.returncode == 0 and stages == {"compare", "report"} and total.startswith("11 to be done: ")
    recorded = {path.name: path.read_bytes() for path in run.glob("recordings/*")}
    done = gapscope_process("run", run / "experiment.toml", "--out", run, "--only", "compare")
    assert done.returncode == 0, done.stderr
    assert {path.name: path.read_bytes() for path in run.glob("recordings/*")} == recorded
    now = texts_of(run)
    for name in (name for name in before if name.startswith("stages/")):
        record, then = json.loads(now[name]), json.loads(after[name])
        assert (record != then) == (record["unit"].split("/")[0] in ("compare", "effect")), name
    effects = read_results(run).effects
    assert len(effects) == 2 and all("part_shortfall_band_low" in effect for effect in effects.values())


def test_its_scores_are_what_other_programs_make_of_its_stored_detections(old_run, again):
    results = read_results(old_run)
    assert len(results.evaluations) == 8
    for (run, domain), found in results.evaluations.items():
        folder, classes = results.run_folder, results.experiment.data.classes
        table = AnnotationTable.load(folder.annotations(domain), folder.domain(domain))
        test = load_split(table, domain, "test", folder)
        boxes = read_detections(folder.detections(run, domain), test, len(classes))
        targets = labelled_boxes(table.select(test))
        theirs = pycocotools_ap(targets, boxes, len(test))
        for label, name in enumerate(classes):
            ours = found.rules["coco"].ap50[name].value
            if not targets.ignore.any():  # pycocotools knows crowds, but no single objects that are ignored
                assert ours == pytest.approx(theirs[0, label], abs=1e-9, nan_ok=True)
            paper = paper_ap(targets, boxes, label)
            ours = found.rules["paper"].ap50[name].value
            assert ours == pytest.approx(math.nan if paper is None else paper, abs=1e-9, nan_ok=True)


def test_every_table_but_that_of_scores_holds_the_same_numbers(before, after):
    tables = [name for name in before if "tables/" in name and not re.search("table[12]", name)]
    assert {"tables/table3.csv", "tables/table5.tex", "paper/tables/table5-beside-paper.csv"} <= set(tables)
    assert {name: after[name] for name in tables} == {name: before[name] for name in tables}


def test_the_table_of_labels_is_the_same_and_says_how_many_boxes_are_used(before, after):
    assert after["tables/table1.csv"] == before["tables/table1.csv"]
    now, then = (texts["paper/tables/table1.md"].splitlines()[1:] for texts in (after, before))
    assert re.search(r"; used \d+", "".join(now)) and [re.sub(r"; used \d+", "", line) for line in now] == then


def shares_of_all_boxes(run: Path) -> set[str]:
    """Percentages of a domain's boxes in all splits by class, and the larger over the smaller: those of its training
    images stood there before."""
    results, shares = read_results(run), []
    for domain in results.experiment.domains:
        folder = results.run_folder
        table = AnnotationTable.load(folder.annotations(domain), folder.domain(domain))
        splits = [load_split(table, domain, split, folder) for split in ("train", "val", "test")]
        boxes = labelled_boxes(table.select(np.concatenate(splits)))
        counts = np.bincount(boxes.label[~boxes.ignore], minlength=len(results.experiment.data.classes))
        shares.append(counts / counts.sum())
    factors = np.max(shares, 0) / np.min(shares, 0)
    return {f"{100 * share:.1f}" for share in np.concatenate(shares)} | {f"{factor:.1f}" for factor in factors}


def test_the_page_draws_the_same_numbers_but_for_scores(old_run, after):
    expected = json.loads((old_run.parent / "numbers.json").read_text())
    assert expected["performance"]["points"] and expected["curves"] and expected["effects"] and expected["maps"]
    now = with_hashed_cells(numbers_of(after["report.html"]))
    assert set(now["performance"]) == set(expected["performance"])
    maps, maps_then = now.pop("maps"), expected.pop("maps")
    assert {key: now[key] for key in expected if key != "performance"} == {
        key: expected[key] for key in expected if key != "performance"
    }
    for one, then in zip(maps, maps_then, strict=True):  # fewer of them are sent with their cells now
        assert one == then | {key: {name: then[key][name] for name in one["values"]} for key in ("values", "undefined")}


@pytest.mark.parametrize("section", SECTIONS)
def test_the_page_prints_the_same_numbers(old_run, before, after, section):
    known = {number for name in SECTIONS[section] for number in printed_numbers(before["report.html"], name)}
    known |= shares_of_all_boxes(old_run) if section == "data" else set()
    printed = printed_numbers(after["report.html"], section)
    assert sum("." in number for number in printed) > 5
    assert [number for number in printed if "." in number and number not in known] == []
