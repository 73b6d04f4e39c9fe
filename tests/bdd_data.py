"""Small made-up files of BDD100K for the tests of its readers."""

import json
from pathlib import Path

from PIL import Image

BDD_SIZE = (1280, 720)
NAME = "b1c66a42-6f7d68ca"


def blank(path: Path, size: tuple[int, int] = BDD_SIZE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size).save(path)
    return path


def box2d(x1, y1, x2, y2):
    return {"x1": x1, "y1": y1, "x2": x2, "y2": y2}


def label_2018(category="car", box=(100, 200, 150, 260), **more):
    attributes = {"occluded": False, "truncated": True, "trafficLightColor": "none"}
    return {
        "category": category,
        "attributes": attributes,
        "manualShape": True,
        "manualAttributes": True,
        "box2d": box2d(*box),
        "id": 7,
    } | more


LANE = {
    "category": "lane",
    "attributes": {"laneDirection": "parallel", "laneStyle": "solid", "laneType": "road curb"},
    "manualShape": True,
    "poly2d": [{"vertices": [[1, 2], [3, 4]], "types": "LL", "closed": False}],
    "id": 8,
}


def frame(name=NAME, labels=(), **more):
    weather = {"weather": "clear", "scene": "city street", "timeofday": "night"}
    return {"name": f"{name}.jpg", "attributes": weather, "timestamp": 10000, "labels": list(labels)} | more


def bdd_folder(root: Path, frames, where="labels/bdd100k_labels_images_train.json", split="train", images=True) -> Path:
    path = root / where
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(frames))
    for entry in frames if images else ():
        if isinstance(entry, dict):
            blank(root / f"images/100k/{split}/{entry['name']}")
    return root


def det20_label(category="car", box=(100, 200, 150, 260), id="7", **attributes):
    stated = {"occluded": False, "truncated": False, "trafficLightColor": "NA"} | attributes
    return {"id": id, "attributes": stated, "category": category, "box2d": box2d(*box)}
