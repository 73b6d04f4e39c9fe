"""One thing wrong in a folder of each of the newer formats."""

from collections.abc import Callable
from pathlib import Path

from broken_inputs import Broken
from small_formats import SMALL_FORMATS


def changed(format: str, pattern: str, old: str, new: str, times: int = 1) -> Callable[[Path], object]:
    """A valid folder, then a text replaced in the first file that fits the pattern."""

    def build(root: Path) -> None:
        SMALL_FORMATS[format](root)
        path = min(root.glob(pattern))
        text = path.read_text()
        assert old in text, text
        path.write_text(text.replace(old, new, times))

    return build


def without(format: str, pattern: str) -> Callable[[Path], object]:
    """A valid folder without the first file that fits the pattern."""

    def build(root: Path) -> None:
        SMALL_FORMATS[format](root)
        min(root.glob(pattern)).unlink()

    return build


KITTI, VIPER, BDD, DET = "label_2/*.txt", "train/bb/001/*.csv", "labels/*.json", "labels/det_20/*.json"
V2, CITY, CITY3D = "Scene01/clone/bbox.txt", "gtFine/train/aachen/*.json", "gtBbox3d/train/aachen/*.json"
SHIFT, META, OLD = "discrete/images/train/front/*.json", "meta/*.json", "labels/100k/train/*.json"

BROKEN_FORMATS = [
    Broken(
        "kitti: 14 values",
        changed("kitti", KITTI, " -1.6\n", "\n"),
        r"000000\.txt, row 1: 14 values in 'Car 0\.00 0 -1\.57 10 10 50 40 1\.5 1\.6 3\.7 1 1\.5 20'",
        2,
        3,
    ),
    Broken(
        "kitti: a word",
        changed("kitti", KITTI, "10 10 50 40", "10 ten 50 40"),
        r"000000\.txt, row 1: 'Car 0\.00 0 -1\.57 10 ten 50 40 1\.5 1\.6 3\.7 1 1\.5 20 -1\.6'",
        2,
        3,
    ),
    Broken(
        "kitti: NaN",
        changed("kitti", KITTI, "10 10 50 40", "10 nan 50 40"),
        r"000000\.txt, row 1: box \[10\.0, nan, 50\.0, 40\.0\]",
        2,
        3,
    ),
    Broken(
        "kitti: inside out",
        changed("kitti", KITTI, "10 10 50 40", "50 10 10 40"),
        r"000000\.txt, row 1: box \(50, 10, 11, 41\) is inside out",
        2,
        3,
    ),
    Broken(
        "kitti: occluded 7",
        changed("kitti", KITTI, "Car 0.00 0", "Car 0.00 7"),
        r"000000\.txt, row 1: occluded is 7",
        2,
        3,
    ),
    Broken("kitti: no image", without("kitti", "image_2/*.png"), r"000000\.txt: has no image in .*image_2", 1, 2),
    Broken("viper: a value too few", changed("viper", VIPER, ",1\n", "\n"), r"001_00001\.csv, row 1: 27 values", 2, 1),
    Broken(
        "viper: a foreign class",
        changed("viper", VIPER, "24,9000", "77,9000"),
        r"train/bb: which of the first two columns is the class is not clear: 50",
        None,
    ),
    Broken(
        "viper: a word",
        changed("viper", VIPER, ",10,10,40", ",10,ten,40"),
        r"001_00001\.csv, row 1: '24,9000,10,ten,40,35, \.\.\.'",
        2,
        1,
    ),
    Broken(
        "viper: inside out",
        changed("viper", VIPER, ",10,10,40", ",60,10,40"),
        r"001_00001\.csv, row 1: box \(60, 10, 40, 35\) is inside out",
        2,
        1,
    ),
    Broken(
        "vkitti2: a value too few",
        changed("vkitti2", V2, "0.4 0.7 False", "0.4 0.7"),
        r"bbox\.txt, row 2: 10 values",
        2,
        1,
    ),
    Broken(
        "vkitti2: a track that is nowhere",
        changed("vkitti2", V2, "0 0 0 10", "0 0 9 10"),
        r"bbox\.txt, row 2: track 9 is not in info\.txt",
        2,
        1,
    ),
    Broken(
        "vkitti2: no info",
        without("vkitti2", "Scene01/clone/info.txt"),
        r"fits no known format - expected one of viper",
        None,
    ),
    Broken(
        "vkitti2: another header",
        changed("vkitti2", V2, "left right", "x1 x2"),
        r"bbox\.txt: has no column left, right",
        2,
        0,
    ),
    Broken(
        "vkitti1: a word",
        changed("vkitti1", "vkitti_1.3.1_motgt/*.txt", "10 10 50 40", "10 x 50 40"),
        r"0001_clone\.txt, row 2: '0 10 x 50 40'",
        2,
        0,
    ),
    Broken(
        "cityscapes: another size",
        changed("cityscapes", CITY, '"imgHeight": 60', '"imgHeight": 61'),
        r"aachen_000001_000019_gtFine_polygons\.json: says 100 x 61 pixels, but .*",
        1,
        2,
    ),
    Broken(
        "cityscapes: no polygon",
        changed("cityscapes", CITY, '"polygon": ', '"polygons": '),
        r"aachen_000001_000019_gtFine_polygons\.json, object 1: no 'polygon', only \['label', 'polygons'\]",
        2,
        3,
    ),
    Broken(
        "cityscapes: cut short",
        changed("cityscapes", CITY, "}]}", "}"),
        r"aachen_000001_000019_gtFine_polygons\.json: cannot be read as JSON \(Expecting ',' delim",
        1,
        2,
    ),
    Broken(
        "cityscapes3d: three numbers",
        changed("cityscapes3d", CITY3D, "[10, 10, 30, 20]", "[10, 10, 30]"),
        r"aachen_000001_000019_gtBbox3d\.json, object 1: modal box \[10, 10, 30\]",
        2,
        1,
    ),
    Broken(
        "citypersons: a word",
        changed("citypersons", "*.json", "[10, 10, 20, 30]", '[10, "x", 20, 30]'),
        r"val_gt\.json, annotation 1: bbox \[10, 'x', 20, 30\]",
        2,
        1,
    ),
    Broken(
        "citypersons: inside out",
        changed("citypersons", "*.json", "[10, 10, 20,", "[30, 10, -20,"),
        r"val_gt\.json, annotation 1: box \(30, 10, 10, 40\) is inside out",
        2,
        1,
    ),
    Broken(
        "citypersons: no image",
        without("citypersons", "images/*.png"),
        r"val_gt\.json, image 1: image file aachen_000001_000019_leftImg8bit\.png is missing",
        1,
        1,
    ),
    Broken(
        "synscapes: inside out",
        changed("synscapes", META, '"xmax": 0.4', '"xmax": 0.05'),
        r"1\.json, instance 7: box \(10, 12, 5, 36\) is inside out",
        2,
        1,
    ),
    Broken(
        "synscapes: no class",
        changed("synscapes", META, '"class": {"7": 26}', '"class": {}'),
        r"1\.json, instance 7: no '7', only \[\]",
        2,
        1,
    ),
    Broken(
        "openimages: beyond 1",
        changed("openimages", "*.csv", "0.1,0.5", "0.1,1.5"),
        r"boxes\.csv, row 2: box \(10, 12, 150, 36\) leaves its image of 100 x 60 pixels by 50",
        2,
        1,
    ),
    Broken(
        "openimages: no column",
        changed("openimages", "*.csv", "XMin", "X"),
        r"fits no known format - expected one of viper",
        None,
    ),
    Broken(
        "openimages: a quote that never ends",
        changed("openimages", "*.csv", "a,xclick", '"a,xclick'),
        r"boxes\.csv, row 3: 1 values",
        None,
    ),
    Broken(
        "bdd-2018: a coordinate missing",
        changed("bdd100k-2018", BDD, '"x1": 10.0, ', ""),
        r"bdd100k_labels_images_train\.json, frame a1b2c3d4-00000000\.jpg, label 7: box2d is \{'y",
        2,
        1,
    ),
    Broken(
        "bdd-2018: a text",
        changed("bdd100k-2018", BDD, '"x1": 10.0', '"x1": "10"'),
        r"bdd100k_labels_images_train\.json, frame a1b2c3d4-00000000\.jpg, label 7: box2d is \{'x",
        2,
        1,
    ),
    Broken(
        "bdd-2018: null",
        changed("bdd100k-2018", BDD, '"x1": 10.0', '"x1": null'),
        r"bdd100k_labels_images_train\.json, frame a1b2c3d4-00000000\.jpg, label 7: box2d is \{'x",
        2,
        1,
    ),
    Broken(
        "bdd-2018: outside",
        changed("bdd100k-2018", BDD, '"x2": 40.0', '"x2": 400.0'),
        r"bdd100k_labels_images_train\.json, frame a1b2c3d4-00000000\.jpg, label 7: box \(10, 10,",
        2,
        1,
    ),
    Broken(
        "bdd-2018: no image",
        without("bdd100k-2018", "images/100k/train/*.jpg"),
        r"image file a1b2c3d4-00000000|1 of 2 frames have no image file, the first is a1b2",
        1,
        1,
    ),
    Broken(
        "bdd-2018: a frame twice",
        changed("bdd100k-2018", BDD, "00000001.jpg", "00000000.jpg"),
        r"bdd100k_labels_images_train\.json, frame a1b2c3d4-00000000\.jpg: the image has two frames",
        1,
        1,
    ),
    Broken(
        "det20: no category",
        changed("bdd100k-det20", DET, '"category": "pedestrian", ', ""),
        r"det_train\.json, frame a1b2c3d4-00000000\.jpg, label 7: no 'category', only \['attribut",
        2,
        1,
    ),
    Broken(
        "det20: NaN",
        changed("bdd100k-det20", DET, '"x1": 10.0', '"x1": NaN'),
        r"det_train\.json, frame a1b2c3d4-00000000\.jpg, label 7: box \[nan, 10\.0, 41\.0, 31\.0\]",
        2,
        1,
    ),
    Broken(
        "det20: crowd in words",
        changed("bdd100k-det20", DET, '"crowd": false', '"crowd": "no"'),
        r"det_train\.json, frame a1b2c3d4-00000000\.jpg, label 7: 'crowd' is 'no'",
        2,
        1,
    ),
    Broken(
        "scalabel: labels as a text",
        changed("scalabel", SHIFT, '"labels": [', '"labels": "x", "y": ['),
        r"det_2d\.json, frame 00000000_img_front\.jpg: 'labels' is 'x'",
        1,
        1,
    ),
    Broken(
        "scalabel: no name",
        changed("scalabel", SHIFT, '"name": ', '"title": '),
        r"det_2d\.json, frame 1: no 'name', only \['frameIndex', 'labels', 'size', 'title', 'videoName'\]",
        1,
        1,
    ),
]
