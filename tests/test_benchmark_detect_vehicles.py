"""Published weights find vehicles, in photographs and in rendered images, about as well as was measured elsewhere."""

import runpy
from pathlib import Path

import pytest

from gapscope.detector.class_names import read_names
from gapscope.detector.weights import load_weights

pytestmark = pytest.mark.slow

BENCHMARK = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "detect_vehicles.py"))


@pytest.mark.parametrize(("domain", "every", "ap"), [("road", 20, 0.43), ("carla", 15, 0.64)])
def test_every_so_manieth_image_gives_about_the_ap_of_all(shared_data, domain, every, ap):
    weights = shared_data / "weights_darknet"
    names = read_names(weights / "coco.names")
    network = load_weights(weights / "yolov3-tiny.weights", class_names=names)
    table = BENCHMARK["vehicle_table"](domain, shared_data, every)
    coco, paper = BENCHMARK["vehicle_ap"](network, table, "stretch")
    assert len(table) >= 15
    assert coco == pytest.approx(ap, abs=0.12)
    assert paper == pytest.approx(coco, abs=0.03)


def test_the_anchors_that_darknets_file_names_for_the_finer_map_do_not_fit_the_weights(shared_data):
    weights = shared_data / "weights_darknet"
    names = read_names(weights / "coco.names")
    table = BENCHMARK["vehicle_table"]("road", shared_data, 30)
    ours, theirs = (
        BENCHMARK["vehicle_ap"](load_weights(weights / "yolov3-tiny.weights", cfg, names), table, "stretch")[0]
        for cfg in ("yolov3-tiny", weights / "yolov3-tiny.cfg")
    )
    assert theirs < 0.6 * ours
