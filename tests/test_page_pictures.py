"""Pictures: every mistake is named as the evaluation names it, and whatever occurs is shown."""

import base64
import io
import re
from collections import Counter

import numpy as np
import pytest
from detections import CLASSES, random_case
from made_up_run import write_made_up_run
from PIL import Image
from small_data import noise
from small_run import write_small_run

from gapscope.data.source_files import note_source_files
from gapscope.errors import InputError
from gapscope.evaluation.columns import Boxes
from gapscope.evaluation.error_kinds import KINDS, error_kinds
from gapscope.evaluation.matching import coco_candidates, match_coco
from gapscope.findings.findings import find
from gapscope.findings.judged import Judged, f1_per_image, judge
from gapscope.findings.run_reader import read_results
from gapscope.page.galleries import galleries, sample_pictures
from gapscope.page.page import page_environment, page_names
from gapscope.page.page_context import material
from gapscope.page.picture_choice import DISPUTED, EXAMPLE, SAMPLE, choose, evenly, uncovered
from gapscope.page.thumbnails import thumbnails

pytestmark = pytest.mark.slow

HERE, THERE = (10.0, 10.0, 30.0, 30.0), (60.0, 10.0, 90.0, 40.0)
BADLY = (10.0, 10.0, 30.0, 55.0)
"""IoU 4/9 with HERE."""
MISTAKES = {
    "localization": [("car", *BADLY, 0.9)],
    "classification": [("van", *HERE, 0.9)],
    "duplicate": [("car", *HERE, 0.9), ("car", *HERE, 0.8)],
    "background": [("car", *HERE, 0.9), ("car", *THERE, 0.8)],
    "both": [("car", *HERE, 0.9), ("van", *BADLY, 0.8)],
    "missed": [],
}
"""What may be found where a car is HERE, by the mistake that it makes."""
RIGHT = [("car", *HERE, 0.9)]


def cars(count):
    return [[("car", *HERE)]] * count


def pictures_html(results):
    environment = page_environment()
    template = environment.get_template("sections/pictures.html.j2")
    findings = find(results)
    return template.render(material=material(findings), **page_names(findings))


def kinds(marks, confidence=0.25):
    return Counter(mark.kind for mark in marks if mark.visible(confidence))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("ties", [True, False])
def test_verdicts_box_by_box_add_up_to_the_evaluations_kinds(seed, ties):
    targets, detections, n = random_case(seed, ties=ties)
    matches = match_coco(coco_candidates(targets, detections, n, len(CLASSES)))
    expected = {kind: error.count for kind, error in error_kinds(targets, matches).items() if kind in KINDS}
    judged = judge(targets, detections, n, len(CLASSES))
    counted = {kind: int((judged.verdict == kind).sum()) for kind in KINDS if kind != "missed"}
    assert counted | {"missed": int(judged.missed(targets, 0).sum())} == expected


@pytest.mark.parametrize("seed", range(6))
def test_a_verdict_is_the_same_from_whatever_confidence_one_looks(seed):
    targets, detections, n = random_case(seed, ties=False)
    whole = judge(targets, detections, n, len(CLASSES))
    for confidence in (0.2, 0.5, 0.8):
        sure = judge(targets, detections.take(detections.confidence >= confidence), n, len(CLASSES))
        kept = whole.detections.confidence >= confidence
        assert sure.verdict.tolist() == whole.verdict[kept].tolist()
        assert sure.missed(targets, 0).tolist() == whole.missed(targets, confidence).tolist()


def test_f1_of_an_image_by_hand():
    targets = Boxes.of([0, 0, 2, 3], [0, 0, 0, 0], [HERE, THERE, HERE, HERE], ignore=[False, False, False, True])
    found = Boxes.of([0, 0, 1, 3], [0, 0, 0, 0], [HERE, HERE, HERE, HERE], [0.9, 0.8, 0.7, 0.6])
    judged = judge(targets, found, 5, 1)
    # One of two found, and once too often; one seen where nothing is; one missed; on an ignore region; nothing at all.
    assert f1_per_image(targets, judged, 5, 0.5).tolist() == [pytest.approx(2 / 4), 0.0, 0.0, 1.0, 1.0]
    assert f1_per_image(targets, judged, 5, 0.85).tolist() == [pytest.approx(2 / 3), 1.0, 0.0, 1.0, 1.0]


def test_a_detection_on_an_ignore_region_is_neither_right_nor_wrong():
    targets = Boxes.of([0], [0], [HERE], ignore=[True])
    judged = judge(targets, Boxes.of([0], [0], [HERE], [0.9]), 1, 1)
    assert judged.verdict.tolist() == ["ignored"] and not judged.missed(targets, 0.5).any()


@pytest.mark.parametrize("mistake", MISTAKES)
def test_an_images_mistakes_are_drawn_as_what_they_are(tmp_path, mistake):
    run = write_small_run(tmp_path / "run", cars(1), {"one": [MISTAKES[mistake]], "two": [RIGHT]})
    ((gallery),) = galleries(read_results(run))
    found = kinds(gallery.pictures[0].found["one"])
    expected = Counter([mistake] + ["right"] * (mistake in ("duplicate", "background", "both")))
    assert found == expected
    assert kinds(gallery.pictures[0].found["two"]) == Counter(["right"])


def test_every_mistake_and_class_that_occurs_is_among_the_pictures(tmp_path):
    many = 100
    rare = dict(zip(range(5, many, 15), MISTAKES, strict=False))  # one image each; in all others all is right
    labels = [*cars(many - 1), [("van", *THERE)]]
    one = [MISTAKES[rare[i]] if i in rare else RIGHT for i in range(many - 1)] + [[("van", *THERE, 0.9)]]
    run = write_small_run(tmp_path / "run", labels, {"one": one, "two": one})  # no dispute leads to them
    (gallery,) = galleries(read_results(run))
    shown = Counter()
    for picture in gallery.pictures:
        shown += kinds(picture.found["one"])
    assert set(MISTAKES) <= set(shown) and gallery.absent == ()
    assert any(mark.name == "van" for picture in gallery.pictures for mark in picture.truth)
    assert gallery.counts[DISPUTED] == 0 and gallery.counts[EXAMPLE] >= 7
    assert len(gallery.pictures) == 30 == sum(gallery.counts.values())


def test_classes_for_which_there_is_no_room_are_named(tmp_path):
    classes = [f"kind {i}" for i in range(50)]
    labels = [[(name, *HERE)] for name in classes]
    run = write_small_run(tmp_path / "run", labels, {"one": [[]] * 50}, classes=classes)
    results = read_results(run)
    (gallery,) = galleries(results)
    assert len(gallery.pictures) == 30 and len(gallery.absent) == 20
    page = pictures_html(results)
    assert "Not shown for lack of room: kind" in page and "Not evaluated yet: Arm &lt;two&gt;" in page


def test_disputed_pictures_come_first_and_the_rest_is_evenly_spaced():
    disagreement = np.zeros(40)
    disagreement[[7, 31, 12]] = 0.9, 0.5, 0.7
    chosen = choose(disagreement, [], np.ones(40, bool), 9)
    assert [choice.image for choice in chosen[:3]] == [7, 12, 31]
    assert [choice.reason for choice in chosen] == [DISPUTED] * 3 + [SAMPLE] * 6
    assert chosen[3].image == 0 and chosen[-1].image == 39


def test_of_disputed_frames_of_one_video_only_the_first_is_chosen_as_such():
    disagreement = np.linspace(0.9, 0, 40)
    chosen = choose(disagreement, [], np.ones(40, bool), 9, lambda one, other: one // 4 == other // 4)
    assert [choice.image for choice in chosen if choice.reason == DISPUTED] == [0, 4, 8]
    everything_alike = choose(disagreement, [], np.ones(40, bool), 9, lambda one, other: True)
    assert [choice.reason for choice in everything_alike].count(DISPUTED) == 1


def test_disputed_pictures_that_look_alike_are_told_from_others_by_what_they_show(tmp_path):
    run = write_small_run(tmp_path / "run", cars(3), {"one": [RIGHT] * 3, "two": [[]] * 3})
    with Image.open(tmp_path / "photos/test-0.png") as image:
        image.point(lambda value: value * 0.9).save(tmp_path / "photos/test-2.png")
    note_source_files(run / "data/road/source-files.jsonl", tmp_path / "photos")
    (gallery,) = galleries(read_results(run))
    reasons = {picture.path: picture.reason for picture in gallery.pictures}
    assert reasons == {"test-0.png": DISPUTED, "test-1.png": DISPUTED, "test-2.png": SAMPLE}


def test_one_image_that_holds_much_is_chosen_before_several_that_hold_little():
    things = {name: np.zeros(30, bool) for name in "abc"}
    for i, held in enumerate(things.values()):
        held[[i, 20]] = True
    chosen = choose(np.zeros(30), [things], np.ones(30, bool), 1)
    assert [(choice.image, choice.reason) for choice in chosen] == [(20, EXAMPLE)]
    assert uncovered(chosen, [things]) == []


def test_no_image_is_chosen_that_is_not_at_hand():
    at_hand = np.arange(20) % 2 == 0
    thing = {"rare": ~at_hand}
    chosen = choose(np.linspace(0, 1, 20), [thing], at_hand, 30)
    assert [choice.image for choice in chosen] == list(range(18, -1, -2))
    assert uncovered(chosen, [thing]) == ["rare"]


def test_evenly_spaced_places():
    assert evenly(5, 9) == [0, 1, 2, 3, 4] and evenly(9, 3) == [0, 4, 8] and evenly(0, 4) == [] == evenly(4, 0)


def test_pictures_are_stored_once_small_and_within_their_bytes(tmp_path):
    paths = [noise(tmp_path / f"{i}.png", (900, 600), seed=i) for i in range(4)]
    large, small = thumbnails(paths, 10**9), thumbnails(paths, 12_000)
    assert sum(map(len, small)) <= 12_000 < sum(map(len, large))
    sizes = [Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).size for uri in (large[0], small[0])]
    assert sizes[0] == (480, 320) and sizes[1][0] < 480
    tiny = thumbnails([noise(tmp_path / "tiny.png", (40, 30))], 10**9)[0]
    assert Image.open(io.BytesIO(base64.b64decode(tiny.partition(",")[2]))).size == (40, 30)
    page = pictures_html(
        read_results(write_small_run(tmp_path / "run", cars(3), {"one": [RIGHT] * 3, "two": [[]] * 3}))
    )
    assert page.count("data:image/webp") == 3 and page.count("<use href") == 6


def test_without_a_script_all_pictures_are_shown_at_the_operating_confidence(tmp_path):
    found = {"one": [[("car", *HERE, 0.2), ("van", *THERE, 0.5)]], "two": [RIGHT]}
    page = pictures_html(read_results(write_small_run(tmp_path / "run", cars(1), found)))
    assert not re.search(r"<article[^>]* hidden", page)
    assert 'class="mark right off" data-c="0.2"' in page  # under 0.25, until the reader asks for it
    assert 'class="mark missed" data-c="0.2"' in page and 'class="mark background" data-c="0.5"' in page
    assert 'class="mark missed off" data-c="0.9"' in page  # found by the second arm
    assert "one: 0 right, 1 background, 1 missed" in page and "Arm &lt;two&gt;: 1 right" in page


def test_the_numbers_drawn_are_those_of_the_detections_file(tmp_path):
    run = write_made_up_run(tmp_path / "run", seeds=(0,))
    results = read_results(run)
    gallery = next(one for one in galleries(results) if one.domain == "engine")
    with np.load(run / "evaluation/u-real-seed0--engine.detections.npz") as file:
        scores = {round(float(score), 5) for score in file["confidence"] if score >= 0.1}
    drawn = [mark for picture in gallery.pictures for mark in picture.found["u-real"] if mark.kind != "missed"]
    assert drawn and {round(mark.confidence, 5) for mark in drawn} == scores  # all twelve test images are shown
    assert gallery.num_images == gallery.at_hand == len(gallery.pictures) == 12


def test_hostile_file_names_and_classes_are_shown_and_not_run(tmp_path):
    evil = '"><img src=x onerror=alert(1)>.png'
    classes = ("<script>alert(2)</script>", "van")
    labels = [[("<script>alert(2)</script>", *HERE)]]
    found = {"one": [[("van", *HERE, 0.9)]], "two": [[]]}
    run = write_small_run(tmp_path / "run", labels, found, classes=classes, paths=[evil])
    page = pictures_html(read_results(run))
    assert "<img src=x" not in page and "<script>" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;.png" in page and "&lt;script&gt;alert(2)" in page


def test_images_that_are_not_on_this_machine_are_passed_over_and_counted(tmp_path):
    run = write_small_run(tmp_path / "run", cars(3), {"one": [RIGHT] * 3, "two": [[]] * 3})
    (tmp_path / "photos/test-1.png").unlink()
    results = read_results(run)
    (gallery,) = galleries(results)
    assert [picture.path for picture in gallery.pictures] == ["test-0.png", "test-2.png"]
    assert "(1 are not on this machine as the run read them)" in pictures_html(results)
    for path in (tmp_path / "photos").iterdir():
        path.unlink()
    assert galleries(results) == [] == sample_pictures(results, "road")
    assert "No pictures: either the stage <code>evaluate</code> has not run yet" in pictures_html(results)


def test_before_the_evaluation_there_are_no_pictures(tmp_path):
    run = write_small_run(tmp_path / "run", cars(1), {})
    assert galleries(read_results(run)) == []


def test_a_broken_image_is_refused_by_name(tmp_path):
    run = write_small_run(tmp_path / "run", cars(1), {"one": [RIGHT]})
    (tmp_path / "photos/test-0.png").write_bytes(b"no image")
    note_source_files(run / "data/road/source-files.jsonl", tmp_path / "photos")
    with pytest.raises(InputError, match=r"test-0\.png cannot be read as an image"):
        galleries(read_results(run))


def test_a_network_that_finds_nothing_misses_everything():
    targets = Boxes.of([0, 1], [0, 0], [HERE, THERE])
    judged: Judged = judge(targets, Boxes.of([], [], []), 2, 1)
    assert judged.missed(targets, 0).all() and f1_per_image(targets, judged, 2, 0.25).tolist() == [0, 0]
