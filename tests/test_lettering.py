"""Names in any script: written where the font has the letters, numbers where it has not, empty boxes never."""

import json
import warnings

import numpy as np
import pytest
from command import gapscope
from matplotlib.text import Text
from PIL import Image
from small_data import noise

from gapscope.drawing import Mark, draw_marks
from gapscope.lettering import class_label, is_legible, legible, unwritten
from gapscope.paper.domain_figures import spread_figure
from gapscope.plot.style import write_figure

pytestmark = pytest.mark.slow

NAMES = ("car", "грузовик", "αυτοκίνητο", "汽車", "रिक्शा", "🚗")


def test_names_that_the_font_has_stay_and_others_go_by_their_number():
    assert [class_label(name, number) for number, name in enumerate(NAMES)][:5] == [
        "car",
        "грузовик",
        "αυτοκίνητο",
        "class 3",
        "class 4",
    ]
    assert legible("photos/汽車-1.png") == "photos/??-1.png"
    (note,) = unwritten(NAMES[:5])
    assert note == "names that the font of pictures cannot write are numbers there: class 3 is 汽車, class 4 is रिक्शा"
    assert list(unwritten(NAMES[:3])) == []


def test_two_names_of_equal_length_look_different_on_a_picture():
    """Empty boxes would be the same for both."""
    blank = Image.new("RGB", (200, 80))
    for one, other in (("машина", "дорога"), ("θάλασσα", "βουνάκι")):
        pictures = [np.asarray(draw_marks(blank, [Mark((20, 30, 150, 70), name, 0)])) for name in (one, other)]
        assert is_legible(one) and not np.array_equal(*pictures)


@pytest.fixture
def street(tmp_path):
    """Two images with boxes of every class."""
    for index in range(2):
        noise(tmp_path / f"street/images/{index}.png", size=(120, 80), seed=index)
        rows = "".join(f"{label} 0.5 0.5 0.3 0.4\n" for label in range(len(NAMES)))
        (tmp_path / "street/labels").mkdir(exist_ok=True)
        (tmp_path / f"street/labels/{index}.txt").write_text(rows)
    content = "names:\n" + "".join(f"  {number}: {name}\n" for number, name in enumerate(NAMES))
    (tmp_path / "street/data.yaml").write_text(content, encoding="utf-8")
    return tmp_path


def test_commands_draw_without_a_warning_and_say_once_which_number_is_which(street):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        shown = gapscope("data", "show", "street", "-o", "sheet.png", cwd=street)
        done = gapscope("data", "stats", "street", "-o", "stats", "--sample", "0", cwd=street)
    for command in (shown, done):
        assert command.returncode == 0 and command.stderr.count("Glyph") == 0, command.stderr
        assert command.stdout.count("class 3 is 汽車, class 4 is रिक्शा") == 1
    found = {"street": json.loads((street / "stats/stats.json").read_text(encoding="utf-8"))["street"]}
    figure = spread_figure(found)
    write_figure(figure, street, "spread", formats=("png",))
    texts = {text.get_text() for text in figure.findobj(Text)}
    assert {"car", "грузовик", "class 3", "class 4"} <= texts and all(map(is_legible, texts))
