"""The smallest valid folder of every annotation format: two images of 100 x 60 pixels, a box or two each."""

import json
from collections.abc import Callable
from pathlib import Path

from broken_inputs import voc, yolo
from small_data import coco_folder, noise, write_coco
from small_exports import datumaro

SIZE = (100, 60)


def write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def images(root: Path, *names: str) -> None:
    for i, name in enumerate(names):
        noise(root / name, SIZE, seed=i)


def coco(root: Path) -> None:
    content = coco_folder(root, 2)
    content["images"][0] |= {"group": "ride 1", "attributes": {"weather": "rain"}}
    content["annotations"][0] |= {"iscrowd": 1, "occlusion": 0.5, "truncation": 0}
    write_coco(root, content)


def viper(root: Path) -> None:
    for i in (1, 2):
        write(
            root / f"train/bb/001/001_0000{i}.csv", ",".join(["24", "9000", "10", "10", "40", "35", *["1"] * 22]) + "\n"
        )
        images(root, f"train/img/001/001_0000{i}.jpg")


def kitti(root: Path) -> None:
    rows = (
        "Car 0.00 0 -1.57 10 10 50 40 1.5 1.6 3.7 1 1.5 20 -1.6\nDontCare -1 -1 -10 60 5 80 20 -1 -1 -1 -1 -1 -1 -10\n"
    )
    for i in range(2):
        write(root / f"label_2/00000{i}.txt", rows)
        images(root, f"image_2/00000{i}.png")


def vkitti2(root: Path) -> None:
    header = "frame cameraID trackID left right top bottom number_pixels truncation_ratio occupancy_ratio isMoving\n"
    write(
        root / "Scene01/clone/bbox.txt",
        header + "0 0 0 10 50 10 40 900 0.4 0.7 False\n1 0 0 12 50 10 40 900 0 1 True\n",
    )
    write(root / "Scene01/clone/info.txt", "trackID label model color\n0 Car Sedan4Door Black\n")
    images(root, *(f"Scene01/clone/frames/rgb/Camera_0/rgb_0000{i}.jpg" for i in range(2)))


def vkitti1(root: Path) -> None:
    header = (
        "frame tid label truncated occluded alpha l t r b w3d h3d l3d x3d y3d z3d ry rx rz truncr occupr orig_label "
    )
    header += "moving model color\n"
    row = "0 0 Car 0 0 -1.6 10 10 50 40 1 1 1 1 1 1 1 0 0 0.1 0.9 Car 1 Sedan Black\n"
    write(root / "vkitti_1.3.1_motgt/0001_clone.txt", header + row)
    images(root, *(f"vkitti_1.3.1_rgb/0001/clone/0000{i}.png" for i in range(2)))


def cityscapes(root: Path, folder: str = "gtFine", ending: str = "gtFine_polygons") -> None:
    polygon = {"label": "car", "polygon": [[10, 10], [50, 12], [40, 40]]}
    crowd = {"label": "persongroup", "polygon": [[60, 10], [80, 12], [70, 40]]}
    box = {
        "label": "car",
        "2d": {"modal": [10, 10, 30, 20], "amodal": [5, 10, 40, 20]},
        "occlusion": 0.1,
        "truncation": 0.2,
    }
    objects = [polygon, crowd] if folder == "gtFine" else [box]
    for i in (1, 2):
        name = f"aachen_00000{i}_000019"
        write(
            root / f"{folder}/train/aachen/{name}_{ending}.json", {"imgHeight": 60, "imgWidth": 100, "objects": objects}
        )
        images(root, f"leftImg8bit/train/aachen/{name}_leftImg8bit.png")


def citypersons(root: Path) -> None:
    names = [f"aachen_00000{i}_000019_leftImg8bit.png" for i in (1, 2)]
    box = {
        "id": 1,
        "image_id": 1,
        "category_id": 1,
        "iscrowd": 0,
        "ignore": 0,
        "bbox": [10, 10, 20, 30],
        "vis_ratio": 0.9,
    }
    content = {
        "categories": [{"id": 1, "name": "pedestrian"}, {"id": 0, "name": "ignore region"}],
        "images": [{"id": i, "im_name": name, "height": 60, "width": 100} for i, name in enumerate(names, 1)],
        "annotations": [box, box | {"id": 2, "category_id": 0, "ignore": 1, "image_id": 2}],
    }
    write(root / "val_gt.json", content)
    images(root, *(f"images/{name}" for name in names))


def synscapes(root: Path) -> None:
    box = {"xmin": 0.1, "xmax": 0.4, "ymin": 0.2, "ymax": 0.6}
    instance = {"bbox2d": {"7": box}, "class": {"7": 26}, "occluded": {"7": 0.1}, "truncated": {"7": 0.0}}
    for i in (1, 2):
        write(root / f"meta/{i}.json", {"camera": {}, "instance": instance, "scene": {"x": 1}})
        images(root, f"img/rgb/{i}.png")


def openimages(root: Path) -> None:
    header = "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,"
    header += "IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside\n"
    write(
        root / "boxes.csv",
        header + "a,xclick,car,1,0.1,0.5,0.2,0.6,0,0,0,0,0\nb,xclick,bus,1,0.1,0.5,0.2,0.6,1,-1,1,0,0\n",
    )
    images(root, "images/a.jpg", "images/b.jpg")


BDD_NAMES = ("a1b2c3d4-00000000", "a1b2c3d4-00000001")
BOX2D = {"x1": 10.0, "y1": 10.0, "x2": 40.0, "y2": 30.0}
WEATHER = {"weather": "clear", "scene": "city street", "timeofday": "night"}


def bdd_2018(root: Path) -> None:
    flags = {"occluded": False, "truncated": True, "trafficLightColor": "none"}
    label = {"category": "car", "attributes": flags, "manualShape": True, "box2d": BOX2D, "id": 7}
    lane = {"category": "lane", "attributes": {}, "manualShape": True, "poly2d": [{"vertices": [[1, 2]]}], "id": 8}
    frames = [{"name": f"{n}.jpg", "attributes": WEATHER, "timestamp": 1, "labels": [label, lane]} for n in BDD_NAMES]
    write(root / "labels/bdd100k_labels_images_train.json", frames)
    images(root, *(f"images/100k/train/{name}.jpg" for name in BDD_NAMES))


def bdd_old(root: Path) -> None:
    flags = {"occluded": False, "truncated": True, "trafficLightColor": "none"}
    label = {"category": "car", "attributes": flags, "box2d": BOX2D, "id": 7}
    for name in BDD_NAMES:
        moments = [{"timestamp": 10000, "objects": [label]}]
        write(root / f"labels/100k/train/{name}.json", {"name": name, "frames": moments, "attributes": WEATHER})
        images(root, f"images/100k/train/{name}.jpg")


def det20(root: Path) -> None:
    flags = {"occluded": False, "truncated": False, "crowd": False, "trafficLightColor": "NA"}
    label = {"id": "7", "category": "pedestrian", "attributes": flags, "box2d": BOX2D}
    frames = [{"name": f"{n}.jpg", "attributes": WEATHER, "timestamp": 1, "labels": [label]} for n in BDD_NAMES]
    write(root / "labels/det_20/det_train.json", frames)
    images(root, *(f"images/100k/train/{name}.jpg" for name in BDD_NAMES))


def scalabel(root: Path) -> None:
    label = {"id": "7", "category": "car", "attributes": {"truncated": True}, "box2d": BOX2D}
    shot = {"videoName": "007b-4e72", "frameIndex": 0, "size": {"width": 100, "height": 60}, "labels": [label]}
    frames = [shot | {"name": f"0000000{i}_img_front.jpg"} for i in range(2)]
    write(root / "discrete/images/train/front/det_2d.json", {"frames": frames})
    images(root, *(f"discrete/images/train/front/img/007b-4e72/{shot['name']}" for shot in frames))


def cvat(root: Path) -> None:
    shapes = (
        '<box label="car" occluded="1" xtl="10" ytl="20" xbr="40" ybr="35" z_order="0" rotation="5.0"/>'
        '<polygon label="van" occluded="0" points="10.5,20;30,10;25,40"/>'
        '<ellipse label="car" occluded="0" cx="50" cy="30" rx="20" ry="10"/>'
        '<mask label="van" occluded="0" rle="1,2" left="5" top="6" width="7" height="8"/><tag label="car"/>'
    )
    listed = "".join(
        f'<image id="{i}" name="{i}.jpg" subset="train" width="100" height="60">{shapes}</image>' for i in range(2)
    )
    meta = "<meta><task><labels><label><name>car</name></label></labels></task></meta>"
    write(root / "annotations.xml", f"<annotations><version>1.1</version>{meta}{listed}</annotations>")
    images(root, "images/0.jpg", "images/1.jpg")


SMALL_FORMATS: dict[str, Callable[[Path], object]] = {
    "coco": coco,
    "yolo": yolo,
    "voc": voc,
    "viper": viper,
    "kitti": kitti,
    "vkitti2": vkitti2,
    "vkitti1": vkitti1,
    "cityscapes": cityscapes,
    "cityscapes3d": lambda root: cityscapes(root, "gtBbox3d", "gtBbox3d"),
    "citypersons": citypersons,
    "synscapes": synscapes,
    "openimages": openimages,
    "bdd100k-2018": bdd_2018,
    "bdd100k-old": bdd_old,
    "bdd100k-det20": det20,
    "scalabel": scalabel,
    "cvat": cvat,
    "datumaro": lambda root: datumaro(root, 3),
}
