"""Whatever a file holds: readers refuse it with an InputError or read it; nothing else is ever raised."""

import copy
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from campaign import ROUNDS
from hypothesis import HealthCheck, given, settings, strategies as st
from PIL import Image
from small_formats import SMALL_FORMATS

from gapscope.data.image_hashes import difference_hash
from gapscope.data.images import IMAGE_SUFFIXES, read_pixels, read_size
from gapscope.data.problems import Problems
from gapscope.data.readers.detect import FORMATS, read_annotations
from gapscope.errors import InputError

pytestmark = pytest.mark.slow

EXAMPLES = settings(
    max_examples=30 * ROUNDS,
    deadline=None,
    derandomize=ROUNDS == 1,
    suppress_health_check=list(HealthCheck),
    database=None,
)
TOKENS = [
    "",
    "nan",
    "inf",
    "-1",
    "1e999",
    "9" * 40,
    "0x1",
    "1,5",
    "é",
    "\0",
    '"',
    "car",
    "None",
    "[]",
    "\u2028",
    "99999",
]
VALUES = [None, True, -1, 0, 1.5, 1e308, float("nan"), float("inf"), 10**30, 10**400, "", "x", "1", "\0", [], {}, [[]]]
VALUES += [[1, 2], {"x1": 1}, [None] * 4, ["a"], {"id": {}}]


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    """A valid folder of every format."""
    found = {}
    for name, build in SMALL_FORMATS.items():
        found[name] = tmp_path_factory.mktemp(name)
        build(found[name])
    return found


def label_files(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file() and path.suffix not in IMAGE_SUFFIXES)


def flipped(content: bytes, draw) -> bytes:
    """A few bytes changed, lost or added, or the end cut off."""
    changed = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(0, len(changed) - 1)))
        match draw(st.sampled_from(["set", "lose", "add", "cut"])):
            case "set" if changed:
                changed[place] = draw(st.integers(0, 255))
            case "lose":
                del changed[place : place + draw(st.integers(1, 9))]
            case "add":
                changed[place:place] = draw(st.binary(min_size=1, max_size=4))
            case "cut":
                del changed[place:]
    return bytes(changed)


def other_tokens(content: bytes, draw) -> bytes:
    """Words of a text replaced, or its lines repeated, lost and put in another order."""
    lines = content.decode("utf-8").splitlines(keepends=True)
    number = draw(st.integers(0, len(lines) - 1))
    match draw(st.sampled_from(["word", "repeat", "lose"])):
        case "word":
            separator = "," if "," in lines[number] else " "
            words = lines[number].rstrip("\n").split(separator)
            for _ in range(draw(st.integers(1, 3))):
                words[draw(st.integers(0, len(words) - 1))] = draw(st.sampled_from(TOKENS))
            lines[number] = separator.join(words) + "\n"
        case "repeat":
            lines += [lines[number]] * draw(st.integers(1, 3))
        case "lose":
            del lines[number]
    return "".join(lines).encode()


def places_in(value: object) -> Iterator[tuple[object, object]]:
    """(container, key) of every value in nested JSON."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(items):
        yield value, key
        yield from places_in(inner)


def other_values(content: bytes, draw) -> bytes:
    """Values of a JSON file replaced or taken away."""
    changed = copy.deepcopy(json.loads(content))
    for _ in range(draw(st.integers(1, 2))):
        places = list(places_in(changed))
        if places:
            container, key = places[draw(st.integers(0, len(places) - 1))]
            if draw(st.booleans()) or isinstance(container, list):
                container[key] = copy.deepcopy(draw(st.sampled_from(VALUES)))
            else:
                del container[key]
    return json.dumps(changed).encode()


def read_both_ways(root: Path, format: str | None) -> None:
    """Refusals are InputErrors; where problems are let pass, only a whole file or folder may be refused."""
    for problems in (Problems(), Problems(strict=False)):
        try:
            table = read_annotations(root, format, problems=problems)
        except InputError as error:
            assert 0 < len(str(error)) < 3000, "a message is too long to read"
        else:
            assert problems.strict is False or not problems.found
            assert np.isfinite(table.xyxy).all()


@pytest.mark.faults
@pytest.mark.parametrize("format", FORMATS)
@EXAMPLES
@given(data=st.data())
def test_no_label_file_breaks_a_reader(folders, format, data):
    root = folders[format]
    path = data.draw(st.sampled_from(label_files(root)))
    content = path.read_bytes()
    ways = [flipped, other_values if path.suffix == ".json" else other_tokens]
    try:
        path.write_bytes(data.draw(st.sampled_from(ways))(content, data.draw))
        read_both_ways(root, data.draw(st.sampled_from([format, None])))
    finally:
        path.write_bytes(content)


IMAGES = {"jpg": {}, "png": {}, "webp": {}, "progressive.jpg": {"progressive": True}}


@pytest.mark.faults
@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow comments on broken EXIF data
@pytest.mark.parametrize("kind", IMAGES)
@settings(EXAMPLES, max_examples=120 * ROUNDS)
@given(data=st.data())
def test_no_image_file_breaks_a_decoder(tmp_path_factory, kind, data):
    path = tmp_path_factory.getbasetemp() / f"fuzz.{kind}"
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 1, "maker"
    pixels = np.random.default_rng(0).integers(0, 256, (24, 40, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, exif=exif, **IMAGES[kind])
    path.write_bytes(flipped(path.read_bytes(), data.draw))
    for look in (read_size, read_pixels, difference_hash):
        try:
            look(path)
        except InputError as error:
            assert 0 < len(str(error)) < 1000


def test_the_fuzz_reaches_what_it_should(folders):
    """Every format is among the small ones, and what is fuzzed is what is read."""
    assert set(SMALL_FORMATS) == set(FORMATS)
    for format, root in folders.items():
        assert label_files(root), format
        table = read_annotations(root)
        assert table.num_boxes >= 1, format
        named = partial(read_annotations, root, format)
        assert named().xyxy.tolist() == table.xyxy.tolist()
