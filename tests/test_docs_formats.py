"""docs/formats.md names every format, every option of a reader and every label map, and no others."""

import re
from pathlib import Path

from gapscope.data.label_maps import named_label_maps
from gapscope.data.readers.detect import FORMATS

TEXT = (Path(__file__).parents[1] / "docs/formats.md").read_text(encoding="utf-8")
ROWS = [line.split("|") for line in TEXT.split("## What becomes of flags")[0].splitlines() if line.startswith("| `")]


def quoted(text):
    return re.findall(r"`([^`]+)`", text)


def test_the_table_has_a_row_for_every_format_and_no_other():
    assert sorted(quoted(row[1])[0] for row in ROWS) == sorted(FORMATS)


def test_every_option_of_a_reader_is_explained():
    for format in FORMATS.values():
        for option in format.options:
            assert re.search(rf"`{option} = |{{ {option} = ", TEXT), f"{format.name}: {option}"


def test_the_label_maps_of_the_table_are_there_and_every_map_is_mentioned():
    named = {name for row in ROWS for name in quoted(row[5])}
    assert named <= set(named_label_maps())
    families = {"SYNTHIA": "synthia", "nuImages": "nuimages", "Waymo": "waymo", "Mapillary": "mapillary"}
    told = {family for word, family in families.items() if word in TEXT}
    rest = {name.split("-")[0] for name in named_label_maps() if name not in named and f"`{name}`" not in TEXT}
    assert rest <= told
