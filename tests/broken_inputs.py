"""Data sets as they should not be: each case builds a small folder and breaks one thing in it."""

import json
import shutil
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from small_data import coco_folder, noise, write_coco

SIZE = (100, 60)
XML = """<annotation><size><width>100</width><height>60</height></size>
<object><name>car</name><bndbox><xmin>11</xmin><ymin>11</ymin><xmax>40</xmax><ymax>35</ymax></bndbox></object>
</annotation>"""
GOOD_ROW = "0 0.5 0.5 0.2 0.2\n"
OTHER_ROW = "0 0.25 0.5 0.2 0.2\n"


@dataclass(frozen=True)
class Broken:
    """A folder with one thing wrong."""

    name: str
    build: Callable[[Path], object]
    says: str
    """Regular expression for the message."""
    usable: int | None
    """Images that are left when what is wrong is skipped; None where the folder cannot be read at all."""
    boxes: int | None = None
    """Boxes that are left, where it matters."""


@dataclass(frozen=True)
class Unusual:
    """A folder that looks odd and is fine."""

    name: str
    build: Callable[[Path], object]
    images: int
    boxes: int


# -- valid folders of three images, each with one box ------------------------------------------------------------------


def yolo(root: Path) -> Path:
    for i in range(3):
        noise(root / f"images/{i}.jpg", SIZE, seed=i)
    (root / "labels").mkdir()
    for i in range(3):
        (root / f"labels/{i}.txt").write_text(GOOD_ROW)
    (root / "classes.txt").write_text("car\nvan\n")
    return root


def voc(root: Path) -> Path:
    for i in range(3):
        noise(root / f"JPEGImages/{i}.jpg", SIZE, seed=i)
    (root / "Annotations").mkdir()
    for i in range(3):
        (root / f"Annotations/{i}.xml").write_text(XML)
    return root


# -- ways of breaking them ---------------------------------------------------------------------------------------------


def image(content: bytes | Callable[[Path], object], name: str = "1.jpg") -> Callable[[Path], object]:
    """Replace the second image."""

    def build(root: Path) -> None:
        path = yolo(root) / "images/1.jpg"
        path.unlink()
        path = path.with_name(name)
        content(path) if callable(content) else path.write_bytes(content)

    return build


def label(content: bytes | str | Callable[[Path], object]) -> Callable[[Path], object]:
    """Replace the second label file; a text is added to a good row."""

    def build(root: Path) -> None:
        path = yolo(root) / "labels/1.txt"
        path.unlink()
        if callable(content):
            content(path)
        else:
            path.write_bytes(content if isinstance(content, bytes) else (GOOD_ROW + content).encode())

    return build


def names(content: bytes | str, file: str = "classes.txt") -> Callable[[Path], object]:
    """Replace the class names."""

    def build(root: Path) -> None:
        (yolo(root) / "classes.txt").unlink()
        (root / file).write_bytes(content if isinstance(content, bytes) else content.encode())

    return build


def coco(*path: str | int, value: object = "gone") -> Callable[[Path], object]:
    """Change one value of a COCO file, or take its key away."""

    def build(root: Path) -> None:
        content = coco_folder(root)
        where = content
        for key in path[:-1]:
            where = where[key]
        if value == "gone":
            del where[path[-1]]
        else:
            where[path[-1]] = value
        write_coco(root, content)

    return build


def coco_text(change: Callable[[str], str | bytes]) -> Callable[[Path], object]:
    """Change the text of a COCO file."""

    def build(root: Path) -> None:
        path = write_coco(root, coco_folder(root))
        changed = change(path.read_text())
        path.write_bytes(changed if isinstance(changed, bytes) else changed.encode())

    return build


def xml(old: str, new: str) -> Callable[[Path], object]:
    """Change the text of the second XML file."""

    def build(root: Path) -> None:
        path = voc(root) / "Annotations/1.xml"
        assert old in XML
        path.write_text(XML.replace(old, new, 1))

    return build


def xml_file(content: bytes | Callable[[Path], object]) -> Callable[[Path], object]:
    def build(root: Path) -> None:
        path = voc(root) / "Annotations/1.xml"
        path.unlink()
        content(path) if callable(content) else path.write_bytes(content)

    return build


def then(first: Callable[[Path], object], *others: Callable[[Path], object]) -> Callable[[Path], object]:
    def build(root: Path) -> None:
        for step in (first, *others):
            step(root)

    return build


def no_longer_readable(path: Path) -> None:
    path.write_text(GOOD_ROW)
    path.chmod(0)


# -- images ------------------------------------------------------------------------------------------------------------


def cut(kind: str, keep: float = 0.6) -> Callable[[Path], object]:
    def write(path: Path) -> None:
        noise(path.with_suffix(f".{kind}"), SIZE)
        whole = path.with_suffix(f".{kind}").read_bytes()
        path.with_suffix(f".{kind}").unlink()
        path.write_bytes(whole[: int(keep * len(whole))])

    return write


def saved_as(kind: str, **options: object) -> Callable[[Path], object]:
    """Noise in another file format than the name says."""

    def write(path: Path) -> None:
        pixels = np.random.default_rng(0).integers(0, 256, (60, 100, 3), dtype=np.uint8)
        Image.fromarray(pixels).convert(str(options.get("mode", "RGB"))).save(path, kind)

    return write


def animated(path: Path) -> None:
    frames = [Image.new("RGB", SIZE, (50 * i, 80, 90)) for i in range(3)]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=40)


def rotated(orientation: int) -> Callable[[Path], object]:
    def write(path: Path) -> None:
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.new("RGB", SIZE).save(path, exif=exif)

    return write


def png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def huge_header(path: Path) -> None:
    header = struct.pack(">IIBBBBB", 2_000_000, 2_000_000, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(b"0")))


def wrong_byte(path: Path) -> None:
    noise(path, SIZE)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)


def sixteen_bit(path: Path) -> None:
    Image.fromarray(np.full((60, 100), 40_000, dtype=np.uint16)).save(path)


def palette(path: Path) -> None:
    Image.new("P", SIZE, 3).save(path, transparency=b"\x00" * 256)


def progressive(path: Path) -> None:
    Image.new("RGB", SIZE, (9, 90, 200)).save(path, progressive=True)


def broken_exif(path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", SIZE).save(path, exif=exif)
    content = bytearray(path.read_bytes())
    place = content.find(b"Exif\0\0")
    content[place + 6 : place + 8] = b"??"
    path.write_bytes(content)


BAD_IMAGES = [
    Broken("jpeg cut short", image(cut("jpg")), r"1\.jpg: cannot be decoded: Image is incomplete or truncated", 2),
    Broken("png cut short", image(cut("png"), "1.png"), r"1\.png: cannot be (decoded|read as an image)", 2),
    Broken("webp cut short", image(cut("webp"), "1.webp"), r"1\.webp: cannot be (decoded|read as an image)", 2),
    Broken("jpeg header only", image(cut("jpg", 0.02)), r"1\.jpg: cannot be (decoded|read as an image)", 2),
    Broken("png with a wrong byte", image(wrong_byte, "1.png"), r"1\.png: cannot be (decoded|read as an image)", 2),
    Broken("empty file", image(b""), r"1\.jpg: is an empty file - expected a JPEG, PNG or WebP image", 2),
    Broken(
        "text saved as .jpg", image(b"<html>404"), r"1\.jpg: cannot be read as an image: it starts with b'<html>404", 2
    ),
    Broken("zeros", image(bytes(4000)), r"1\.jpg: cannot be read as an image: it starts with b'\\x00", 2),
    Broken("BMP", image(saved_as("BMP")), r"it starts with b'BM.* - expected a JPEG, PNG or WebP", 2),
    Broken("GIF", image(saved_as("GIF")), r"it starts with b'GIF8.* - expected a JPEG, PNG or WebP", 2),
    Broken("TIFF", image(saved_as("TIFF")), r"it starts with b'II.* - expected a JPEG, PNG or WebP", 2),
    Broken("animated png", image(animated, "1.png"), r"1\.png: is an animation of 3 pictures - expected one still", 2),
    Broken("animated webp", image(animated, "1.webp"), r"1\.webp: is an animation of 3 pictures", 2),
    Broken("rotated by EXIF", image(rotated(6)), r"1\.jpg: has EXIF orientation 6 - expected upright pixels", 2),
    Broken("mirrored by EXIF", image(rotated(2)), r"1\.jpg: has EXIF orientation 2 - expected upright pixels", 2),
    Broken("rotated webp", image(rotated(8), "1.webp"), r"1\.webp: has EXIF orientation 8", 2),
    Broken(
        "huge header", image(huge_header, "1.png"), r"1\.png: claims 2000000 x 2000000 pixels - expected at most", 2
    ),
    Broken("link to nowhere", image(lambda p: p.symlink_to("gone.jpg")), r"1\.jpg: is missing - expected an image", 2),
    Broken("link to itself", image(lambda p: p.symlink_to(p.name)), r"1\.jpg: cannot be read \(.*symbolic links", 2),
    Broken("folder called .jpg", image(lambda p: p.mkdir()), r"1\.txt: has no image in .*images", 2),
    Broken(
        "names that differ in case",
        then(yolo, lambda r: noise(r / "images/1.JPG", SIZE)),
        r"1\.jpg: has nearly the name of 1\.JPG - expected names that differ in more than case and suffix",
        4,
    ),
    Broken(
        "names that differ in the suffix",
        then(yolo, lambda r: noise(r / "images/1.png", SIZE)),
        r"1\.png: has nearly the name of 1\.jpg",
        4,
    ),
]

GOOD_IMAGES = [
    Unusual("CMYK", image(saved_as("JPEG", mode="CMYK")), 3, 3),
    Unusual("16 bit", image(sixteen_bit, "1.png"), 3, 3),
    Unusual("palette with transparency", image(palette, "1.png"), 3, 3),
    Unusual("progressive", image(progressive), 3, 3),
    Unusual("PNG called .jpg", image(saved_as("PNG")), 3, 3),
    Unusual("upper-case suffix", image(lambda p: noise(p.with_suffix(".png"), SIZE).rename(p), "1.JPG"), 3, 3),
    Unusual("upright by EXIF", image(rotated(1)), 3, 3),
    Unusual("EXIF that cannot be read", image(broken_exif), 3, 3),
    Unusual("one pixel", image(lambda p: Image.new("RGB", (1, 1)).save(p)), 3, 3),
    Unusual("files of a Mac", then(yolo, lambda r: (r / "images/._0.jpg").write_bytes(b"Mac OS X")), 3, 3),
    Unusual("other files", then(yolo, lambda r: (r / "images/Thumbs.db").write_bytes(b"\0")), 3, 3),
    Unusual("loop of links", then(yolo, lambda r: (r / "images/loop").symlink_to(r / "images")), 3, 3),
    Unusual(
        "images behind a link",
        then(yolo, lambda r: (r / "images").rename(r / "elsewhere"), lambda r: (r / "images").symlink_to("elsewhere")),
        3,
        3,
    ),
]

# -- YOLO --------------------------------------------------------------------------------------------------------------

ROW = r"labels/1\.txt, row 2: "
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)

BAD_YOLO = [
    Broken("four values", label("0 0.5 0.5 0.1"), ROW + "4 values in '0 0.5 0.5 0.1' - expected class, centre", 3, 3),
    Broken("six values", label("0 .5 .5 .2 .1 .9"), ROW + "6 values in", 3, 3),
    Broken("a point too few", label("0 .1 .1 .2 .1 .2 .2 .1"), ROW + "8 values in", 3, 3),
    Broken("commas", label("0,0.5,0.5,0.1,0.1"), ROW + "1 values in '0,0.5,0.5,0.1,0.1'", 3, 3),
    Broken("a name", label("car 0.5 0.5 0.1 0.1"), ROW + "'car 0.5 0.5 0.1 0.1' - expected a whole class number", 3, 3),
    Broken("quotes", label('"0" "0.5" "0.5" "0.1" "0.1"'), ROW + ".* - expected a whole class number", 3, 3),
    Broken("class 0.0", label("0.0 0.5 0.5 0.1 0.1"), ROW + ".* - expected a whole class number", 3, 3),
    Broken("class -1", label("-1 0.5 0.5 0.1 0.1"), ROW + "class -1 - expected 0 to 1, one per name", 3, 3),
    Broken("class 2 of 2", label("2 0.5 0.5 0.1 0.1"), ROW + "class 2 - expected 0 to 1, one per name", 3, 3),
    Broken("class of 5000 digits", label("9" * 5000 + " 0.5 0.5 0.1 0.1"), ROW, 3, 3),
    Broken("NaN", label("0 nan 0.5 0.1 0.1"), ROW + "'0 nan 0.5 0.1 0.1' - expected shares", 3, 3),
    Broken("infinity", label("0 0.5 0.5 inf 0.1"), ROW + "'0 0.5 0.5 inf 0.1' - expected shares", 3, 3),
    Broken("pixels", label("0 50 30 10 10"), ROW + "'0 50 30 10 10' - expected shares of the image from 0 to 1", 3, 3),
    Broken("negative width", label("0 0.5 0.5 -0.1 0.1"), ROW + ".* - expected shares of the image", 3, 3),
    Broken("out of the image", label("0 0.01 0.5 0.2 0.1"), ROW + r"box \(-9, 27, 11, 33\) leaves its image of", 3, 3),
    Broken("Latin-1", label("0 0.5 0.5 0.1 0.1 # é".encode("latin-1")), r"1\.txt: byte 20 is no UTF-8", 3, 2),
    Broken("half of UTF-16", label(GOOD_ROW.encode("utf-16")[:-1]), r"1\.txt: byte \d+ is no UTF-16", 3, 2),
    Broken("NUL bytes", label(bytes(40)), r"1\.txt, row 1: ", 3, 2),
    Broken("an image as a label", label(b"\x89PNG\r\n\x1a\n" + bytes(99)), r"1\.txt: byte 0 is no UTF-8", 3, 2),
    Broken("a folder as a label", label(lambda p: p.mkdir()), r"1\.txt: cannot be read \(Is a directory\)", 3, 2),
    Broken("a loop as a label", label(lambda p: p.symlink_to(p.name)), r"1\.txt.*symbolic links", 3, 2),
    Broken("a label that nobody may read", label(no_longer_readable), r"1\.txt: cannot be read \(Permission", 3, 2),
    Broken("labels without image", then(yolo, lambda r: (r / "images/1.jpg").unlink()), r"1\.txt: has no image in", 2),
    Broken("no names", then(yolo, lambda r: (r / "classes.txt").unlink()), r"has no class names - expected", None),
    Broken("empty names", names(""), r"classes\.txt has an empty class name or none at all", None),
    Broken("a gap in the names", names("car\n\nvan\n"), r"classes\.txt has an empty class name", None),
    Broken("a name twice", names("car\ncar\n"), r"class name occurs twice in \['car', 'car'\]", None),
    Broken("names in Latin-1", names("voiture\nvélo\n".encode("latin-1")), r"classes\.txt: byte 9 is no UTF-8", None),
    Broken("broken YAML", names("names: [car", "data.yaml"), r"data\.yaml cannot be read as YAML", None),
    Broken("YAML with an object", names("names: !!python/object:os.x {}", "data.yaml"), "cannot be read as YAML", None),
    Broken("a YAML bomb", names(BOMB + "names: *i\n", "data.yaml"), r"data\.yaml: ", None),
    Broken("a YAML bomb for a name", names(BOMB + "names: [car, *i]\n", "data.yaml"), r"data\.yaml: ", None),
    Broken("YAML without names", names("nc: 2", "data.yaml"), r"data\.yaml: names is None - expected a list", None),
    Broken("names from one on", names("names: {1: car}", "data.yaml"), r"names is \{1: 'car'\} - expected", None),
]

GOOD_YOLO = [
    Unusual("byte order mark", label(b"\xef\xbb\xbf" + GOOD_ROW.encode()), 3, 3),
    Unusual("Windows line ends", label((GOOD_ROW + OTHER_ROW).replace("\n", "\r\n").encode()), 3, 4),
    Unusual("old Mac line ends", label((GOOD_ROW + OTHER_ROW).replace("\n", "\r").encode()), 3, 4),
    Unusual("tabs and blanks", label(b"\n 0\t0.5 0.5   0.2 0.2 \n\n"), 3, 3),
    Unusual("no area", label("0 0.5 0.5 0 0.1"), 3, 3),
    Unusual("an empty label file", label(b""), 3, 2),
    Unusual("no label file", then(yolo, lambda r: (r / "labels/1.txt").unlink()), 3, 2),
    Unusual("names with a byte order mark", names(b"\xef\xbb\xbfcar\nvan\n"), 3, 3),
    Unusual("half a pixel outside", label("0 0.001 0.5 0.01 0.1"), 3, 4),
]

# -- COCO --------------------------------------------------------------------------------------------------------------

BOX = r"annotation 11: "


def box(*numbers: object) -> Callable[[Path], object]:
    return coco("annotations", 1, "bbox", value=list(numbers))


BAD_COCO = [
    Broken("a comma too many", coco_text(lambda t: t[:-1] + ",}"), r"annotations\.json cannot be read as JSON", None),
    Broken("JSON cut short", coco_text(lambda t: t[:-40]), r"annotations\.json cannot be read as JSON", None),
    Broken("UTF-16 JSON", coco_text(lambda t: t.encode("utf-16")), r"fits no known format", None),
    Broken("an empty JSON file", coco_text(lambda t: ""), r"fits no known format", None),
    Broken("NUL bytes in JSON", coco_text(lambda t: t + "\0"), r"annotations\.json cannot be read as JSON", None),
    Broken("single quotes", coco_text(lambda t: t.replace('"', "'")), r"fits no known format", None),
    Broken("deep JSON", coco_text(lambda t: t[:-1] + ', "x": ' + "[" * 200_000), r"annotations\.json", None),
    Broken(
        "deep first", coco_text(lambda t: '{"x": ' + "[" * 200_000), r"fits no known format|annotations\.json", None
    ),
    Broken("no categories", coco("categories"), r"lacks the list\(s\) categories - expected COCO JSON", None),
    Broken("images are no list", coco("images", value={}), r"lacks the list\(s\) images", None),
    Broken("a category without a name", coco("categories", 0, "name"), r"categories: has no 'name'", None),
    Broken("a category number twice", coco("categories", 0, "id", value=7), r"occurs twice", None),
    Broken("a category name twice", coco("categories", 0, "name", value="car"), r"occurs twice", None),
    Broken("no box", coco("annotations", 1, "bbox"), BOX + r"has no 'bbox'", 3, 2),
    Broken("box null", coco("annotations", 1, "bbox", value=None), BOX + r"bbox None - expected four numbers", 3, 2),
    Broken("three numbers", box(1, 2, 3), BOX + r"bbox \[1, 2, 3\] - expected four numbers", 3, 2),
    Broken("texts for numbers", box("1", "2", "3", "4"), BOX + r"bbox \['1', '2', '3', '4'\] - expected four", 3, 2),
    Broken("NaN in JSON", box(1, 2, float("nan"), 4), BOX + r"box .*nan.* - expected four finite numbers", 3, 2),
    Broken("infinity in JSON", box(1, 2, float("inf"), 4), BOX + r".*inf.* - expected four finite numbers", 3, 2),
    Broken("a number beyond all", coco_text(lambda t: t.replace("30.5", "1e999")), r".* - expected four finite", 3, 0),
    Broken("a number of 400 digits", box(1, 2, 10**400, 4), BOX + r"holds a number that is far too large", 3, 2),
    Broken("a size of 400 digits", coco("images", 1, "width", value=10**400), r"image 1: ", 2, 2),
    Broken("inside out", box(50, 20, -9, 9), BOX + r"box \(50, 20, 41, 29\) is inside out - expected x1 < x2", 3, 2),
    Broken("outside", box(90, 20, 30, 9), BOX + r"box .* leaves its image of 100 x 60 pixels by 20", 3, 2),
    Broken(
        "a foreign category", coco("annotations", 1, "category_id", value=8), BOX + r"category_id 8 is not in", 3, 2
    ),
    Broken(
        "category null", coco("annotations", 1, "category_id", value=None), BOX + r"category_id None is not in", 3, 2
    ),
    Broken(
        "category as a list", coco("annotations", 1, "category_id", value=[7]), BOX + r"category_id \[7\] is not", 3, 2
    ),
    Broken(
        "a foreign image", coco("annotations", 1, "image_id", value=77), BOX + r"image_id 77 is not in the file", 3, 2
    ),
    Broken(
        "an image number as text", coco("annotations", 1, "image_id", value="1"), BOX + r"image_id '1' is not", 3, 2
    ),
    Broken("an annotation that is a text", coco("annotations", 1, value="box"), r"is 'box' - expected an object", 3, 2),
    Broken("an image that is null", coco("images", 1, value=None), r"is None - expected an object", 2, 2),
    Broken(
        "crowd in words", coco("annotations", 1, "iscrowd", value="no"), BOX + r"'iscrowd' is 'no' - expected 0", 3, 2
    ),
    Broken("crowd as a list", coco("annotations", 1, "iscrowd", value=[1]), BOX + r"'iscrowd' is \[1\]", 3, 2),
    Broken("occluded in percent", coco("annotations", 1, "occlusion", value=40), BOX + r"'occlusion' is 40", 3, 2),
    Broken("an image number twice", coco("images", 1, "id", value=0), r"image 0: the id occurs twice", 2, 2),
    Broken("a file twice", coco("images", 1, "file_name", value="000.png"), r"000\.png", None),
    Broken(
        "an image without a file", coco("images", 1, "file_name", value="x.png"), r"image file x\.png is missing", 2, 2
    ),
    Broken("a file name that is null", coco("images", 1, "file_name", value=None), r"image 1: ", 2, 2),
    Broken("a NUL in a file name", coco("images", 1, "file_name", value="a\0.png"), r"image 1: ", 2, 2),
    Broken("an endless file name", coco("images", 1, "file_name", value="a" * 5000), r"image 1: ", 2, 2),
    Broken(
        "a file far away", coco("images", 1, "file_name", value="../../x.png"), r"expected a file below the image", 2, 2
    ),
    Broken(
        "another size", coco("images", 1, "width", value=99), r"image 1: says 99 x 60 pixels, but .*001\.png has", 2, 2
    ),
    Broken("a size in words", coco("images", 1, "width", value="100"), r"image 1: says '?100'? x 60 pixels", 2, 2),
    Broken(
        "two COCO files",
        then(coco_text(lambda t: t), lambda r: (r / "more.json").write_bytes((r / "annotations.json").read_bytes())),
        r"holds several COCO files: annotations\.json, more\.json - expected one",
        None,
    ),
]

GOOD_COCO = [
    Unusual("JSON with a byte order mark", coco_text(lambda t: "\ufeff" + t), 3, 3),
    Unusual("a crowd", coco("annotations", 1, "iscrowd", value=1), 3, 3),
    Unusual("crowd as truth", coco("annotations", 1, "iscrowd", value=True), 3, 3),
    Unusual("no boxes at all", coco("annotations", value=[]), 3, 0),
    Unusual("a box without area", box(5, 5, 0, 9), 3, 2),
    Unusual("keys that nobody knows", coco("annotations", 1, "score", value={"a": [1]}), 3, 3),
]

# -- VOC ---------------------------------------------------------------------------------------------------------------

LAUGHS = (
    '<!DOCTYPE lolz [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {new} "{f"&{old};" * 10}">' for old, new in zip("abcdefgh", "bcdefghi", strict=True))
    + "]><annotation>&i;</annotation>"
)
OBJECT = r"1\.xml, object 1: "

BAD_VOC = [
    Broken("XML cut short", xml_file(XML[:-30].encode()), r"1\.xml: is no whole XML file", 2),
    Broken("an empty XML file", xml_file(b""), r"1\.xml: is no whole XML file", 2),
    Broken("a billion laughs", xml_file(LAUGHS.encode()), r"1\.xml: is no whole XML file", 2),
    Broken(
        "another file drawn in",
        xml_file(b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotation>&x;</annotation>'),
        r"1\.xml: is no whole XML file",
        2,
    ),
    Broken("NUL bytes in XML", xml_file(bytes(40)), r"1\.xml: is no whole XML file", 2),
    Broken(
        "an unknown encoding", xml_file(b'<?xml version="1.0" encoding="klingon"?><annotation/>'), r"1\.xml: is no", 2
    ),
    Broken("HTML", xml_file(b"<html></html>"), r"1\.xml: starts with <html> - expected <annotation>", 2),
    Broken("a folder as XML", xml_file(lambda p: p.mkdir()), r"1\.xml: is no whole XML file", 2),
    Broken("XML that nobody may read", xml_file(no_longer_readable), r"1\.xml: is no whole XML file \(.*Permission", 2),
    Broken("XML without image", then(voc, lambda r: (r / "JPEGImages/1.jpg").unlink()), r"1\.xml: has no image in", 2),
    Broken("image without XML", then(voc, lambda r: (r / "Annotations/1.xml").unlink()), r"1\.jpg: has no XML in", 2),
    Broken("no name", xml("<name>car</name>", ""), OBJECT + r"has no <name>", 3, 2),
    Broken("no corners", xml("xmin", "x"), r"1\.xml: is no whole XML file", 2),
    Broken("a corner missing", xml("<xmin>11</xmin>", ""), OBJECT + r"<bndbox/xmin> is None - expected a number", 3, 2),
    Broken("a corner in words", xml(">40<", ">wide<"), OBJECT + r"<bndbox/xmax> is 'wide' - expected a number", 3, 2),
    Broken("a corner NaN", xml(">40<", ">nan<"), OBJECT + r"box .*nan.* - expected four finite numbers", 3, 2),
    Broken("corners inside out", xml(">40<", ">5<"), OBJECT + r"box \(10, 10, 5, 35\) is inside out", 3, 2),
    Broken("corners outside", xml(">40<", ">140<"), OBJECT + r"box .* leaves its image of 100 x 60 pixels by 40", 3, 2),
    Broken("the size of another", xml(">100<", ">640<"), r"1\.xml: says 640.* x 60.* pixels, but .*1\.jpg has 100", 2),
    Broken("a size in words, XML", xml(">100<", ">wide<"), r"1\.xml: <size/width> is 'wide' - expected a number", 2),
    Broken(
        "a class that is not listed",
        then(xml("<name>car", "<name>bus"), lambda r: (r / "classes.txt").write_text("car\n")),
        OBJECT + r"class 'bus' is not listed - expected one of car",
        3,
        2,
    ),
]

GOOD_VOC = [
    Unusual("no objects", xml_file(b"<annotation/>"), 3, 2),
    Unusual("no size", xml("<size><width>100</width><height>60</height></size>", ""), 3, 3),
    Unusual(
        "Latin-1 that says so", xml_file(b'<?xml version="1.0" encoding="latin-1"?><annotation>\xe9</annotation>'), 3, 2
    ),
    Unusual("difficult", xml("</name>", "</name><difficult>1</difficult>"), 3, 3),
]

# -- folders -----------------------------------------------------------------------------------------------------------

BAD_FOLDERS = [
    Broken("an empty folder", lambda r: r.mkdir(exist_ok=True), r"fits no known format", None),
    Broken("images alone", lambda r: noise(r / "images/0.jpg", SIZE), r"fits no known format", None),
    Broken("labels alone", then(yolo, lambda r: shutil.rmtree(r / "images")), r"fits no known format", None),
    Broken(
        "no image in images/",
        then(yolo, lambda r: [path.unlink() for path in (r / "images").iterdir()]),
        r"has no image|holds no im",
        None,
    ),
    Broken("a JSON list of nothing", lambda r: (r / "a.json").write_text(json.dumps([])), r"fits no known", None),
]

BROKEN = [*BAD_IMAGES, *BAD_YOLO, *BAD_COCO, *BAD_VOC, *BAD_FOLDERS]
UNUSUAL = [*GOOD_IMAGES, *GOOD_YOLO, *GOOD_COCO, *GOOD_VOC]
