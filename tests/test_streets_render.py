"""Streets: the same seed is the same picture, and a box is what can be seen of an object."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from gapscope.errors import InputError

pytest.importorskip("embreex", reason="embreex has no wheel for this platform")

from gapscope.streets.drives import FRAMES_PER_DRIVE, STYLES, drive_of, image_generator
from gapscope.streets.grammar import street
from gapscope.streets.lens import View
from gapscope.streets.meshes import boxes
from gapscope.streets.render import MIN_BOX_AREA, render, visible_boxes, without_slivers
from gapscope.streets.scene import CLASSES, Body, Kind, Material, Road, Scene, SceneBuilder
from gapscope.streets.tracing import Hits, Tracer, load_embree
from gapscope.streets.weather import draw_weather

pytestmark = pytest.mark.slow

SIDE = 96
STRAIGHT_AHEAD = View(np.float32([0, 0, 1]), yaw=0.0, pitch=0.0, roll=0.0, field_of_view=np.pi / 2, distortion=0.0)


def scene_of(*blocks: tuple[tuple[float, float, float], tuple[float, float, float]]) -> Scene:
    """A scene of boxes in the air, (centre, size) each, labelled car, and nothing else."""
    builder = SceneBuilder()
    for centre, size in blocks:
        body = Body()
        body.add(boxes(centre, size), Material(Kind.PAINT))
        builder.place(body, label="car")
    return builder.build(Road(1, 3.0, 3.0, None, 4.0, None))


def seen(scene: Scene, view: View = STRAIGHT_AHEAD) -> Hits:
    directions = view.rays(SIDE)
    return Tracer(scene).first_hits(np.broadcast_to(view.eye, directions.shape).copy(), directions)


@pytest.mark.parametrize("style", STYLES)
def test_the_same_seed_gives_the_same_bytes_and_another_one_does_not(style):
    first, again, other = (render(seed, style, 48, index=3) for seed in (5, 5, 6))
    assert first.image.tobytes() == again.image.tobytes()
    assert first.xyxy.tobytes() == again.xyxy.tobytes() and first.classes == again.classes
    assert first.image.tobytes() != other.image.tobytes()


@pytest.mark.parametrize("style", STYLES)
def test_boxes_lie_in_the_image_and_are_not_tiny(style):
    for index in range(0, 40, 8):
        picture = render(0, style, 96, index=index)
        assert picture.image.shape == (96, 96, 3) and picture.image.dtype == np.uint8
        assert len(picture.classes) == len(picture.xyxy) and set(picture.classes) <= set(CLASSES)
        assert (picture.xyxy >= 0).all() and (picture.xyxy <= 96).all()
        width, height = (picture.xyxy[:, 2:] - picture.xyxy[:, :2]).T
        assert (width * height >= MIN_BOX_AREA).all()


def test_every_class_is_met_in_every_style():
    for style in STYLES:
        labels = [
            street(image_generator(1, style, i), style, drive_of(1, style, i))[0].object_classes for i in range(12)
        ]
        assert {name for names in labels for name in names} == set(CLASSES)


def test_the_box_of_a_lone_block_is_where_geometry_says():
    # A face 2 m wide and 1 m high, 4 m ahead, seen at 90 degrees: half the picture's width spans 4 m there.
    scene = scene_of(((0, 4.5, 1), (2, 1, 1)))
    numbers, xyxy = visible_boxes(seen(scene), SIDE, SIDE)
    assert numbers.tolist() == [0]
    assert xyxy[0] == pytest.approx([SIDE * 3 / 8, SIDE * 7 / 16, SIDE * 5 / 8, SIDE * 9 / 16])


def test_a_box_is_the_extent_of_the_pixels_at_any_sampling():
    hits = seen(scene_of(((0.7, 4.5, 1.2), (1.3, 1, 0.9))))
    rows, columns = np.divmod(hits.ray, SIDE)
    extent = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
    assert visible_boxes(hits, SIDE, SIDE)[1][0] == pytest.approx(extent)
    assert visible_boxes(hits, SIDE, SIDE * 2)[1][0] == pytest.approx(extent * 2)


def test_a_box_shrinks_to_what_is_not_hidden():
    far, near = ((0, 8, 1), (4, 1, 2)), ((-1, 4, 1), (2, 0.2, 4))
    alone = visible_boxes(seen(scene_of(far)), SIDE, SIDE)[1][0]
    numbers, xyxy = visible_boxes(seen(scene_of(far, near)), SIDE, SIDE)
    hidden, screen = xyxy[numbers.tolist().index(0)], xyxy[numbers.tolist().index(1)]
    assert hidden[0] == screen[2] > alone[0]
    assert hidden[1:].tolist() == alone[1:].tolist()


def test_what_is_all_hidden_has_no_box():
    numbers, _ = visible_boxes(seen(scene_of(((0, 8, 1), (1, 1, 1)), ((0, 4, 1), (3, 1, 3)))), SIDE, SIDE)
    assert numbers.tolist() == [1]


def test_a_sliver_that_peeps_out_has_no_box():
    scene = scene_of(((0, 8, 1), (7, 1, 6)), ((-0.27, 4, 1), (3.46, 0.2, 6)))
    hits = seen(scene)
    numbers, xyxy = visible_boxes(hits, SIDE, SIDE)
    assert set(numbers.tolist()) == {0, 1}
    kept, _ = without_slivers(numbers, xyxy, scene, STRAIGHT_AHEAD, SIDE)
    assert kept.tolist() == [1]


def test_what_is_lost_in_fog_has_no_box():
    hits = seen(scene_of(((0, 20, 1), (9, 1, 9))))
    assert len(visible_boxes(hits, SIDE, SIDE, fog=0.01)[0]) == 1
    assert len(visible_boxes(hits, SIDE, SIDE, fog=0.2)[0]) == 0


def test_an_empty_view_has_no_boxes():
    numbers, xyxy = visible_boxes(seen(scene_of(((0, -5, 1), (1, 1, 1)))), SIDE, SIDE)
    assert len(numbers) == 0 and xyxy.shape == (0, 4)


def test_points_are_projected_to_the_pixels_whose_rays_meet_them():
    view = replace(STRAIGHT_AHEAD, yaw=0.1, pitch=-0.05, roll=0.03, field_of_view=1.0, distortion=-0.1)
    points = view.eye + view.rays(8) * np.float32(7)
    row, column = np.mgrid[:8, :8] + 0.5
    np.testing.assert_allclose(view.project(points, 8), np.stack([column.ravel(), row.ravel()], 1), atol=1e-3)


def test_labelled_boxes_lie_within_the_outline_of_an_object_of_their_class():
    """An independent answer: vertices projected through the pinhole, against rays traced into the scene."""
    for index in (0, 8, 16):
        rng, drive = image_generator(2, "game", index), drive_of(2, "game", index)
        scene, x = street(rng, "game", drive)
        view = View(np.float32([x, 0, drive.camera_height]), 0.0, drive.pitch, 0.0, drive.field_of_view, 0.0)
        numbers, xyxy = visible_boxes(seen(scene, view), SIDE, SIDE)
        assert len(numbers)
        for number, box in zip(numbers, xyxy, strict=True):
            outline = view.project(scene.vertices_of(number), SIDE)
            assert (box[:2] >= outline.min(0) - 1).all() and (box[2:] <= outline.max(0) + 1).all()


def hood_boxes(style: str, indices: range) -> np.ndarray:
    found = []
    for index in indices:
        picture = render(0, style, 96, index=index)
        found += [
            box
            for name, box in zip(picture.classes, picture.xyxy, strict=True)
            if name == "car"
            and box[3] >= 96
            and box[0] < 48 < box[2]
            and box[2] - box[0] >= 0.4 * 96
            and box[1] > 0.6 * 96
        ]
    return np.array(found)


def test_the_hood_is_a_car_that_stays_where_it_is_throughout_a_drive():
    first, second = hood_boxes("engine", range(8)), hood_boxes("engine", range(8, 16))
    assert len(first) == len(second) == FRAMES_PER_DRIVE
    assert np.ptp(first, axis=0).max() <= 4  # pixels: the camera turns by a degree or so
    assert abs(first[:, 1].mean() - second[:, 1].mean()) > 1


@pytest.mark.parametrize("style", ["camera", "game"])
def test_only_the_engine_shows_a_hood(style):
    assert drive_of(0, style, 0).hood is None
    assert len(hood_boxes(style, range(4))) == 0


def test_eight_images_in_a_row_share_a_drive():
    drives = [drive_of(4, "engine", index) for index in range(17)]
    assert drives[0] == drives[7] != drives[8] == drives[15] != drives[16]
    assert render(4, "engine", 48, index=9).drive == drives[8].name


def test_severity_changes_the_camera_only():
    for style, same in (("camera", False), ("engine", True), ("game", True)):
        mild, harsh = render(1, style, 48, 0.0), render(1, style, 48, 1.0)
        assert (mild.image.tobytes() == harsh.image.tobytes()) is same


def test_same_scenes_have_the_same_boxes_in_every_style_and_other_pixels():
    for index in (0, 8, 16, 17):
        pictures = [render(2, style, 96, 0.8, index=index, same_scenes=True) for style in STYLES]
        assert len({picture.xyxy.tobytes() for picture in pictures}) == 1 and len(pictures[0].xyxy)
        assert len({picture.classes for picture in pictures}) == len({picture.drive for picture in pictures}) == 1
        assert len({picture.image.tobytes() for picture in pictures}) == 3
    other = render(3, "camera", 96, 0.8, index=17, same_scenes=True)
    assert other.xyxy.tobytes() != pictures[0].xyxy.tobytes()


def test_what_the_cameras_fog_hides_has_no_box_in_any_style_of_the_same_scenes():
    fogs = {i: draw_weather(image_generator(2, "camera", i), "camera", 1.0).fog for i in range(300)}
    foggy = [index for index, fog in fogs.items() if fog > 0.04][:8]
    clear, hidden = ([render(2, "game", 128, harsh, index=i, same_scenes=True) for i in foggy] for harsh in (0.0, 1.0))
    for all_boxes, left in zip(clear, hidden, strict=True):
        assert {box.tobytes() for box in left.xyxy} <= {box.tobytes() for box in all_boxes.xyxy}
    assert sum(len(one.xyxy) for one in hidden) < sum(len(one.xyxy) for one in clear)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("same_scenes", [False, True])
def test_the_hood_can_be_switched_and_changes_nothing_else_of_the_drive(style, same_scenes):
    with_hood, without = (render(4, style, 96, index=1, same_scenes=same_scenes, hood=hood) for hood in (True, False))
    assert sum(box[3] == 96 and box[2] - box[0] > 60 for box in with_hood.xyxy) == 1
    assert not any(box[3] == 96 and box[2] - box[0] > 60 for box in without.xyxy)
    kept = {box.tobytes() for box in without.xyxy} & {box.tobytes() for box in with_hood.xyxy}
    assert len(kept) >= len(without.xyxy) // 2
    of_itself = render(4, style, 96, index=1, same_scenes=same_scenes)
    expected = with_hood if style == "engine" and not same_scenes else without
    assert of_itself.image.tobytes() == expected.image.tobytes()


def test_a_clean_camera_has_no_fog_and_no_night():
    for index in range(0, 48, 8):
        meta = render(1, "camera", 32, 0.0, index=index).meta
        assert meta["fog"] == 0 and not meta["night"] and meta["wet"] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, "real", 64), "no street style 'real'. Choose one of: camera, engine, game"),
        ((0, "game", 16), "16 x 16 pixels shows nothing. Ask for at least 32"),
        ((0, "camera", 64, 1.5), "severity is 1.5, but must lie between 0"),
    ],
)
def test_impossible_wishes_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        render(*arguments)


def test_where_embree_is_missing_the_message_says_where_it_is_not(monkeypatch):
    monkeypatch.setitem(sys.modules, "embreex", None)
    with pytest.raises(InputError, match=r"none for Linux aarch64.*gapscope run CONFIG"):
        load_embree()
