"""Data sets as labelling tools export them: the same images and boxes in each tool's own layout.

Every image has a car, every other one a person too, at the same places; two thirds of the images are for training, the
rest for validation and testing, where a layout has splits. Forms are those of the tools' documents and exports.
"""

import io
import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 100, 60
CAR, PERSON = (10.0, 20.0, 40.0, 50.0), (55.0, 10.0, 65.0, 40.0)
"""xyxy, pixels."""
NAMES = ("car", "person")


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def dumped(path: Path, content: object) -> None:
    write(path, json.dumps(content))


def boxes_of(number: int) -> list[tuple[int, tuple[float, float, float, float]]]:
    """Class and corners of every box of an image."""
    return [(0, CAR), (1, PERSON)] if number % 2 else [(0, CAR)]


@cache
def picture(number: int) -> bytes:
    """One of twelve JPEG files."""
    coarse = np.random.default_rng(number).integers(0, 256, (6, 10, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(coarse).resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR).save(stream, "JPEG")
    return stream.getvalue()


def put_image(path: Path, number: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(picture(number % 12))


def split_of(number: int, images: int) -> str:
    return "train" if 3 * number < 2 * images else "valid" if 6 * number < 5 * images else "test"


def yolo_rows(number: int) -> str:
    rows = []
    for label, (x1, y1, x2, y2) in boxes_of(number):
        x, y, width, height = (x1 + x2) / 2 / WIDTH, (y1 + y2) / 2 / HEIGHT, (x2 - x1) / WIDTH, (y2 - y1) / HEIGHT
        rows.append(f"{label} {x:.6f} {y:.6f} {width:.6f} {height:.6f}\n")
    return "".join(rows)


def coco(numbers: list[int], file_name: Callable[[int], str], first: int = 1, **more: object) -> dict:
    """COCO's lists; `first` is the smallest category id."""
    images, annotations = [], []
    for i in numbers:
        images.append({"id": i + 1, "width": WIDTH, "height": HEIGHT, "file_name": file_name(i)})
        for label, (x1, y1, x2, y2) in boxes_of(i):
            box = [x1, y1, x2 - x1, y2 - y1]
            entry = {"id": len(annotations) + 1, "image_id": i + 1, "category_id": label + first, "bbox": box}
            annotations.append(entry | {"area": box[2] * box[3], "iscrowd": 0, "segmentation": []})
    categories = [{"id": label + first, "name": name, "supercategory": ""} for label, name in enumerate(NAMES)]
    return {**more, "images": images, "annotations": annotations, "categories": categories}


def voc_xml(number: int, name: str, folder: str) -> str:
    objects = "".join(
        f"<object><name>{NAMES[label]}</name><pose>Unspecified</pose><truncated>0</truncated><difficult>0</difficult>"
        f"<bndbox><xmin>{x1 + 1:.0f}</xmin><ymin>{y1 + 1:.0f}</ymin><xmax>{x2:.0f}</xmax><ymax>{y2:.0f}</ymax></bndbox>"
        "</object>"
        for label, (x1, y1, x2, y2) in boxes_of(number)
    )
    return (
        f"<annotation><folder>{folder}</folder><filename>{name}</filename><size><width>{WIDTH}</width>"
        f"<height>{HEIGHT}</height><depth>3</depth></size><segmented>0</segmented>{objects}</annotation>"
    )


def cvat_yolo(root: Path, images: int) -> None:
    for i in range(images):
        put_image(root / f"obj_train_data/frame_{i:06}.jpg", i)
        write(root / f"obj_train_data/frame_{i:06}.txt", yolo_rows(i))
    write(root / "train.txt", "".join(f"data/obj_train_data/frame_{i:06}.jpg\n" for i in range(images)))
    write(root / "obj.names", "car\nperson\n")
    write(root / "obj.data", "classes = 2\ntrain = data/train.txt\nnames = data/obj.names\nbackup = backup/\n")


def cvat_xml(root: Path, images: int) -> None:
    nodes = []
    for i in range(images):
        put_image(root / f"images/frame_{i:06}.jpg", i)
        shapes = "".join(
            f'<box label="{NAMES[label]}" source="manual" occluded="0" xtl="{x1:.2f}" ytl="{y1:.2f}" xbr="{x2:.2f}" '
            f'ybr="{y2:.2f}" z_order="0"></box>'
            for label, (x1, y1, x2, y2) in boxes_of(i)
        )
        nodes.append(f'<image id="{i}" name="frame_{i:06}.jpg" width="{WIDTH}" height="{HEIGHT}">{shapes}</image>')
    labels = "".join(f"<label><name>{name}</name><color>#33ddff</color><type>any</type></label>" for name in NAMES)
    head = f"<version>1.1</version><meta><task><name>t</name><labels>{labels}</labels></task></meta>"
    write(
        root / "annotations.xml",
        f'<?xml version="1.0" encoding="utf-8"?>\n<annotations>{head}{"".join(nodes)}</annotations>',
    )


def cvat_coco(root: Path, images: int) -> None:
    for i in range(images):
        put_image(root / f"images/default/frame_{i:06}.jpg", i)
    head = {"licenses": [{"name": "", "id": 0, "url": ""}], "info": {"contributor": "", "description": ""}}
    dumped(root / "annotations/instances_default.json", coco([*range(images)], "frame_{:06}.jpg".format, **head))


def labelimg(root: Path, images: int) -> None:
    for i in range(images):
        put_image(root / f"IMG_{i:04}.jpg", i)
        write(root / f"IMG_{i:04}.txt", yolo_rows(i))
    write(root / "classes.txt", "car\nperson\n")


def label_studio_yolo(root: Path, images: int) -> None:
    for i in range(images):
        put_image(root / f"images/{i:08x}-shot.jpg", i)
        write(root / f"labels/{i:08x}-shot.txt", yolo_rows(i).rstrip("\n"))
    write(root / "classes.txt", "car\nperson\n")
    notes = {"categories": [{"id": i, "name": name} for i, name in enumerate(NAMES)]}
    dumped(root / "notes.json", notes | {"info": {"year": 2025, "version": "1.0", "contributor": "Label Studio"}})


def label_studio_coco(root: Path, images: int) -> None:
    for i in range(images):
        put_image(root / f"images/{i:08x}-shot.jpg", i)
    info = {"year": 2025, "version": "1.0", "contributor": "Label Studio"}
    dumped(root / "result.json", coco([*range(images)], "images/{:08x}-shot.jpg".format, first=0, info=info))


def roboflow_yolo(root: Path, images: int) -> None:
    for i in range(images):
        split, name = split_of(i, images), f"shot{i}_jpg.rf.{i:032x}"
        put_image(root / split / f"images/{name}.jpg", i)
        write(root / split / f"labels/{name}.txt", yolo_rows(i).rstrip("\n"))
    folders = "train: ../train/images\nval: ../valid/images\ntest: ../test/images\n"
    write(
        root / "data.yaml", f"{folders}\nnc: 2\nnames: ['car', 'person']\n\nroboflow:\n  workspace: w\n  version: 1\n"
    )
    write(root / "README.roboflow.txt", "\nstreets - v1\n")
    write(root / "README.dataset.txt", "# streets > v1\n")


def roboflow_coco(root: Path, images: int) -> None:
    for split in ("train", "valid", "test"):
        mine = [i for i in range(images) if split_of(i, images) == split]
        for i in mine:
            put_image(root / split / f"shot{i}_jpg.rf.{i:032x}.jpg", i)
        content = coco(mine, lambda i: f"shot{i}_jpg.rf.{i:032x}.jpg", info={"year": "2025"}, licenses=[])
        content["categories"].insert(0, {"id": 0, "name": "streets", "supercategory": "none"})
        dumped(root / split / "_annotations.coco.json", content)
    write(root / "README.roboflow.txt", "\nstreets - v1\n")


def ultralytics_segments(root: Path, images: int) -> None:
    for i in range(images):
        split = {"train": "train", "valid": "val", "test": "test"}[split_of(i, images)]
        put_image(root / f"images/{split}/{i:012}.jpg", i)
        rows = []
        for label, (x1, y1, x2, y2) in boxes_of(i):
            corners = [(x1, (y1 + y2) / 2), ((x1 + x2) / 2, y1), (x2, (y1 + y2) / 2), ((x1 + x2) / 2, y2)]
            rows.append(" ".join([str(label), *(f"{x / WIDTH:.6f} {y / HEIGHT:.6f}" for x, y in corners)]))
        write(root / f"labels/{split}/{i:012}.txt", "\n".join(rows))
    folders = "path: ../datasets/streets\ntrain: images/train\nval: images/val\ntest: images/test\n"
    write(root / "data.yaml", f"{folders}\nnames:\n  0: car\n  1: person\n")


def open_images(root: Path, images: int) -> None:
    kinds = ("/m/0k4j", "/m/01g317")
    head = (
        "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside"
    )
    rows = []
    for i in range(images):
        put_image(root / f"images/{i:016x}.jpg", i)
        for label, (x1, y1, x2, y2) in boxes_of(i):
            sides = f"{x1 / WIDTH:.6f},{x2 / WIDTH:.6f},{y1 / HEIGHT:.6f},{y2 / HEIGHT:.6f}"
            rows.append(f"{i:016x},xclick,{kinds[label]},1,{sides},0,0,0,0,0")
    write(root / "validation-annotations-bbox.csv", "\n".join([head, *rows, ""]))
    write(root / "class-descriptions-boxable.csv", "/m/0k4j,car\n/m/01g317,person\n")


def darknet_coco(root: Path, images: int) -> None:
    """COCO as Darknet's script lays it out: names in data/coco.names, one a line, and lists of images."""
    names = ["person", "bicycle", "car", "motorbike", "aeroplane", "bus", "train", "truck", "boat", "sofa", "tvmonitor"]
    for i in range(images):
        part = "val2014" if split_of(i, images) == "test" else "train2014"
        put_image(root / f"images/{part}/COCO_{part}_{i:012}.jpg", i)
        rows = yolo_rows(i).replace("\n1 ", "\n@ ").replace("0 ", "2 ", 1).replace("\n@ ", "\n0 ")
        write(root / f"labels/{part}/COCO_{part}_{i:012}.txt", rows)
    write(root / "coco.names", "".join(f"{name}\n" for name in names))


def pascal_voc(root: Path, images: int) -> None:
    for i in range(images):
        put_image(root / f"JPEGImages/2012_{i:06}.jpg", i)
        write(root / f"Annotations/2012_{i:06}.xml", voc_xml(i, f"2012_{i:06}.jpg", "VOC2012"))
    for split, words in (
        ("train", ("train",)),
        ("val", ("valid",)),
        ("trainval", ("train", "valid")),
        ("test", ("test",)),
    ):
        mine = [i for i in range(images) if split_of(i, images) in words]
        write(root / f"ImageSets/Main/{split}.txt", "".join(f"2012_{i:06}\n" for i in mine))


def datumaro(root: Path, images: int) -> None:
    items = []
    for i in range(images):
        put_image(root / f"images/default/frame_{i:06}.jpg", i)
        annotations = [
            {"id": k, "type": "bbox", "attributes": {"occluded": False}, "group": 0, "label_id": label, "z_order": 0}
            | {"bbox": [x1, y1, x2 - x1, y2 - y1]}
            for k, (label, (x1, y1, x2, y2)) in enumerate(boxes_of(i))
        ]
        image = {"path": f"frame_{i:06}.jpg", "size": [HEIGHT, WIDTH]}
        items.append({"id": f"frame_{i:06}", "annotations": annotations, "attr": {"frame": i}, "image": image})
    labels = [{"name": name, "parent": "", "attributes": []} for name in NAMES]
    categories = {"label": {"label_groups": [], "labels": labels, "attributes": ["occluded"]}, "points": {"items": []}}
    content = {"dm_format_version": "1.0", "media_type": 2, "infos": {}, "categories": categories, "items": items}
    dumped(root / "annotations/default.json", content)


def several_coco(root: Path, images: int) -> None:
    """MS COCO's own layout: a file of each split in annotations/, captions and keypoints beside them."""
    for split in ("train2017", "val2017"):
        mine = [i for i in range(images) if (split_of(i, images) == "train") == (split == "train2017")]
        for i in mine:
            put_image(root / f"{split}/{i:012}.jpg", i)
        content = coco(mine, "{:012}.jpg".format, info={}, licenses=[])
        dumped(root / f"annotations/instances_{split}.json", content)
        dumped(root / f"annotations/person_keypoints_{split}.json", content)
        captions = [{"id": i, "image_id": i + 1, "caption": "a street"} for i in mine]
        dumped(root / f"annotations/captions_{split}.json", {"images": content["images"], "annotations": captions})


EXPORTS: dict[str, tuple[Callable[[Path, int], None], str]] = {
    "CVAT YOLO 1.1": (cvat_yolo, "yolo"),
    "CVAT for images 1.1": (cvat_xml, "cvat"),
    "CVAT COCO 1.0": (cvat_coco, "coco"),
    "LabelImg, text beside images": (labelimg, "yolo"),
    "Label Studio YOLO": (label_studio_yolo, "yolo"),
    "Label Studio COCO": (label_studio_coco, "coco"),
    "Roboflow YOLO": (roboflow_yolo, "yolo"),
    "Roboflow COCO": (roboflow_coco, "coco"),
    "Ultralytics segmentation": (ultralytics_segments, "yolo"),
    "Open Images": (open_images, "openimages"),
    "COCO as Darknet spells it": (darknet_coco, "yolo"),
    "Pascal VOC": (pascal_voc, "voc"),
    "Datumaro": (datumaro, "datumaro"),
    "several COCO files": (several_coco, "coco"),
}
"""Layout -> what writes it, and the format that it is to be read as."""


def whole_exports(root: Path, images: int) -> Iterator[tuple[str, Path]]:
    """Every layout, in a folder of its own."""
    for number, (name, (make, _)) in enumerate(EXPORTS.items()):
        make(root / f"export-{number:02}", images)
        yield name, root / f"export-{number:02}"
